//! The numbers in the rules of a user: the limit that a rule sets, how far a placement is beyond it, and the rule with
//! its limit moved.

use std::sync::Arc;

use cardinal_models::application::{Application, Cardinality, Component, ComponentId, Interval, Structure, Test};
use cardinal_models::document::SpreadBy;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use cardinal_models::offer::{Attribute, AttributeValue};
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::quantity::{Bytes, Cores, Price};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::unit::Unit;
use rustc_hash::FxHashMap;

use super::division;
use super::rule::UserRule;
use crate::formulation::STRICT_CLEARANCE;

/// Which number of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Nodes.
    Nodes,
    /// vCPU.
    Cores,
    /// Memory, in MiB.
    Memory,
    /// GPUs.
    Gpus,
    /// Instances on the matching nodes.
    Instances,
    /// Money per hour.
    Cost,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At least.
    Low,
    /// At most.
    High,
}

/// Which number of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The comparison with this index among those that a constraint joins by `and`.
    Comparison(usize),
    /// A number of a quota.
    Quota(Measured),
    /// An end of the total of a structural rule.
    Total(End),
    /// A spread rule of a component, as an index.
    Spread(usize),
    /// The number of a rule on how instances are divided.
    Division,
    /// The smallest or largest number of instances.
    Cardinality(End),
    /// The largest number of instances on a node.
    PerNode,
    /// An end of what a requirement allows.
    Requirement(End),
}

/// A number that a rule sets as a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// The rule.
    pub rule: UserRule,
    /// Which of its numbers.
    pub which: Which,
    /// The limit itself; `None` when both sides of a comparison depend on the placement.
    pub value: Option<f64>,
    /// The end that it is: a low end is relaxed downwards.
    pub end: End,
    /// The unit that it counts in; `None` for a bare number.
    pub unit: Option<Unit>,
    /// True when only whole numbers make sense.
    pub whole: bool,
}

impl Limit {
    /// The limit after it was relaxed by an amount; `None` when it has no value of its own.
    pub fn after(&self, by: f64) -> Option<f64> {
        self.value.map(|value| match self.end {
            End::Low => value - by,
            End::High => value + by,
        })
    }
}

/// The numbers of a rule, in the order in which they stand.
pub fn limits(snapshot: &Snapshot, evaluator: &Evaluator<'_>, rule: UserRule) -> Vec<Limit> {
    let application = &snapshot.application;
    let limit = |which, value: f64, end, unit, whole| Limit { rule, which, value: Some(value), end, unit, whole };
    match rule {
        UserRule::Constraint(i) => {
            let all = comparisons(&application.constraints[i].formula);
            let limits = all.iter().enumerate().filter_map(|(k, part)| {
                let (op, a, b) = comparison(part)?;
                let fixed = |x: &Expr| {
                    let is_fixed = !evaluator.depends_on_placement(x);
                    is_fixed.then(|| evaluator.number(x, &Placement::default()).ok()).flatten()
                };
                // A number on the left of `<=` is a lower limit of what stands on the right.
                let upper = matches!(op, BinaryOp::LessEqual | BinaryOp::Less);
                let (value, end) = match (fixed(b), fixed(a)) {
                    (Some(value), _) => (Some(value), if upper { End::High } else { End::Low }),
                    (None, Some(value)) => (Some(value), if upper { End::Low } else { End::High }),
                    (None, None) => (None, if upper { End::High } else { End::Low }),
                };
                let unit = match (&a.ty, &b.ty) {
                    (Type::Number(Some(unit)), _) | (_, Type::Number(Some(unit))) => Some(*unit),
                    _ => None,
                };
                Some(Limit { rule, which: Which::Comparison(k), value, end, unit, whole: false })
            });
            limits.collect()
        }
        UserRule::Quota(i) => {
            let quota = &application.quotas[i];
            let mut all = Vec::new();
            let high = |m, value, unit, whole| limit(Which::Quota(m), value, End::High, unit, whole);
            all.extend(quota.nodes.map(|n| high(Measured::Nodes, n as f64, None, true)));
            all.extend(quota.cores.map(|n| high(Measured::Cores, n.count(), None, false)));
            all.extend(quota.memory.map(|n| high(Measured::Memory, n.mib(), Some(Unit::MEBIBYTE), false)));
            all.extend(quota.gpus.map(|n| high(Measured::Gpus, n as f64, None, true)));
            all.extend(quota.instances.map(|n| high(Measured::Instances, n as f64, None, true)));
            all.extend(quota.cost.map(|n| high(Measured::Cost, n.units(), Some(Unit::PRICE), false)));
            all
        }
        UserRule::Structure(i) => match &application.structure[i].rule {
            Structure::Total { low, high, .. } => {
                let mut all = Vec::new();
                all.extend((*low > 0).then(|| limit(Which::Total(End::Low), *low as f64, End::Low, None, true)));
                let has_high = *high < u64::MAX;
                all.extend(has_high.then(|| limit(Which::Total(End::High), *high as f64, End::High, None, true)));
                all
            }
            _ => Vec::new(),
        },
        UserRule::Spread(c) => {
            let rules = application[c].spread.iter().enumerate();
            rules.map(|(k, s)| limit(Which::Spread(k), f64::from(s.at_most), End::High, None, true)).collect()
        }
        UserRule::Division(c, i) => {
            let (value, end, unit, whole) = division::limit(&application[c].divisions[i].rule);
            vec![limit(Which::Division, value, end, unit, whole)]
        }
        UserRule::AtMost(c) => {
            let most = f64::from(application[c].cardinality.max());
            vec![limit(Which::Cardinality(End::High), most, End::High, None, true)]
        }
        UserRule::AtLeast(c) => {
            let least = f64::from(application[c].cardinality.min());
            vec![limit(Which::Cardinality(End::Low), least, End::Low, None, true)]
        }
        UserRule::PerNode(c) => application[c]
            .per_node
            .iter()
            .map(|n| limit(Which::PerNode, f64::from(*n), End::High, None, true))
            .collect(),
        UserRule::Requirement(c, i) => {
            let requirement = &application[c].requirements[i];
            let (Test::Number(intervals), cardinal_models::application::Subject::Attribute(attribute)) =
                (&requirement.test, &requirement.subject)
            else {
                return Vec::new();
            };
            let [interval] = intervals.as_slice() else { return Vec::new() };
            let unit = Unit::of_attribute(attribute);
            let mut all = Vec::new();
            let (low, high) = (interval.low, interval.high);
            all.extend(low.is_finite().then(|| limit(Which::Requirement(End::Low), low, End::Low, unit, false)));
            all.extend(high.is_finite().then(|| limit(Which::Requirement(End::High), high, End::High, unit, false)));
            all
        }
        UserRule::Moveable(_) | UserRule::Demand(..) | UserRule::OfferFilter(_) => Vec::new(),
    }
}

/// The parts that a condition joins by `and`.
fn comparisons(formula: &Expr) -> Vec<&Expr> {
    match &formula.kind {
        ExprKind::Binary(BinaryOp::And, a, b) => {
            let mut all = comparisons(a);
            all.extend(comparisons(b));
            all
        }
        _ => vec![formula],
    }
}

/// An inequality of numbers.
fn comparison(part: &Expr) -> Option<(BinaryOp, &Expr, &Expr)> {
    match &part.kind {
        ExprKind::Binary(op, a, b)
            if matches!(op, BinaryOp::LessEqual | BinaryOp::Less | BinaryOp::GreaterEqual | BinaryOp::Greater) =>
        {
            Some((*op, a, b))
        }
        _ => None,
    }
}

/// The part of a condition with this index, changed.
fn change_part(formula: &mut Expr, index: &mut usize, change: &mut dyn FnMut(&mut Expr)) {
    if let ExprKind::Binary(BinaryOp::And, a, b) = &mut formula.kind {
        change_part(a, index, change);
        change_part(b, index, change);
        return;
    }
    if *index == 0 {
        change(formula);
    }
    *index = index.wrapping_sub(1);
}

/// The snapshot with the limit relaxed by an amount above zero; without it altogether for an infinite amount.
pub fn relaxed(snapshot: &Snapshot, limit: &Limit, by: f64) -> Snapshot {
    let mut application = Application::clone(&snapshot.application);
    let after = limit.after(by);
    match (limit.rule, limit.which) {
        (UserRule::Constraint(i), Which::Comparison(k)) => {
            let mut index = k;
            change_part(&mut application.constraints[i].formula, &mut index, &mut |part| relax_comparison(part, by));
        }
        (UserRule::Quota(i), Which::Quota(measured)) => {
            let quota = &mut application.quotas[i];
            let after = after.unwrap_or(f64::INFINITY);
            let whole = |n: f64| n.is_finite().then_some(n.round() as u64);
            match measured {
                Measured::Nodes => quota.nodes = whole(after),
                Measured::Gpus => quota.gpus = whole(after),
                Measured::Instances => quota.instances = whole(after),
                Measured::Cores => quota.cores = Cores::from_count(after),
                Measured::Memory => quota.memory = Bytes::from_mib(after),
                Measured::Cost => quota.cost = Price::from_units(after),
            }
        }
        (UserRule::Structure(i), Which::Total(end)) => {
            if let Structure::Total { low, high, .. } = &mut application.structure[i].rule {
                match end {
                    End::Low => *low = after.unwrap_or(0.0).max(0.0).round() as u64,
                    End::High => *high = after.filter(|n| n.is_finite()).map_or(u64::MAX, |n| n.round() as u64),
                }
            }
        }
        (UserRule::Spread(c), Which::Spread(k)) => {
            let spread = &mut application.components[c.index()].spread;
            match after.filter(|n| n.is_finite()) {
                Some(n) => spread[k].at_most = n.round() as u32,
                None => drop(spread.remove(k)),
            }
        }
        (UserRule::Division(c, i), Which::Division) => {
            let division = &mut application.components[c.index()].divisions[i];
            division.rule = division::moved(&division.rule, after.unwrap_or(f64::INFINITY));
        }
        (rule @ (UserRule::AtMost(c) | UserRule::AtLeast(c)), Which::Cardinality(end)) => {
            if by.is_infinite() {
                return super::rule::without(snapshot, &[rule]);
            }
            let component = &mut application.components[c.index()];
            component.cardinality = extended(component, end, by.round() as u32);
        }
        (UserRule::PerNode(c), Which::PerNode) => {
            let per_node = after.filter(|n| n.is_finite()).map(|n| n.round() as u32);
            application.components[c.index()].per_node = per_node;
        }
        (UserRule::Requirement(c, i), Which::Requirement(end)) => {
            if let Test::Number(intervals) = &mut application.components[c.index()].requirements[i].test
                && let [interval] = intervals.as_mut_slice()
            {
                *interval = match end {
                    End::Low => Interval { low: interval.low - by, ..*interval },
                    End::High => Interval { high: interval.high + by, ..*interval },
                };
            }
        }
        _ => {}
    }
    Snapshot { application: Arc::new(application), ..snapshot.clone() }
}

fn extended(component: &Component, end: End, by: u32) -> Cardinality {
    let allowed = &component.cardinality;
    let mut ranges = allowed.ranges().to_vec();
    match end {
        End::Low => ranges.push((allowed.min().saturating_sub(by), allowed.min())),
        End::High => ranges.push((allowed.max(), allowed.max().saturating_add(by).min(Cardinality::LIMIT))),
    }
    Cardinality::new(ranges)
}

/// `a <= b` becomes `a <= b + by`; true for an infinite amount.
fn relax_comparison(part: &mut Expr, by: f64) {
    if by.is_infinite() {
        *part = Expr::bool(true);
        return;
    }
    let ExprKind::Binary(op, _, b) = &mut part.kind else { return };
    let upper = matches!(op, BinaryOp::LessEqual | BinaryOp::Less);
    let by = Expr { ty: b.ty.clone(), ..Expr::number(if upper { by } else { -by }) };
    let sum = ExprKind::Binary(BinaryOp::Add, b.clone(), Box::new(by));
    **b = Expr { kind: sum, ..(**b).clone() };
}

/// How far a placement is beyond the limit, in its unit: what it must at least be relaxed by to allow the placement.
/// `None` where that has no value.
pub fn excess(snapshot: &Snapshot, evaluator: &Evaluator<'_>, limit: &Limit, placement: &Placement) -> Option<f64> {
    let application = &snapshot.application;
    let used = match (limit.rule, limit.which) {
        (UserRule::Constraint(i), Which::Comparison(k)) => {
            let (op, a, b) = comparison(comparisons(&application.constraints[i].formula).get(k)?)?;
            let (a, b) = (evaluator.number(a, placement).ok()?, evaluator.number(b, placement).ok()?);
            let beyond = if matches!(op, BinaryOp::LessEqual | BinaryOp::Less) { a - b } else { b - a };
            // What must be less must be so by more than the program keeps clear of a strict limit.
            let is_strict = matches!(op, BinaryOp::Less | BinaryOp::Greater);
            let clear = 2.0 * STRICT_CLEARANCE * a.abs().max(b.abs()).max(1.0);
            return Some(if is_strict { beyond + clear } else { beyond });
        }
        (UserRule::Quota(i), Which::Quota(measured)) => {
            let quota = &application.quotas[i];
            let of = |g: &NodeGroup| {
                let offer = &snapshot.catalog[g.offer];
                if !quota.matches.iter().all(|r| r.admits(offer)) {
                    return 0.0;
                }
                let count = f64::from(g.count);
                match measured {
                    Measured::Nodes => count,
                    Measured::Cores => offer.cores.count() * count,
                    Measured::Memory => offer.memory.mib() * count,
                    Measured::Gpus => f64::from(offer.gpus) * count,
                    Measured::Instances => g.instances.iter().map(|(_, n)| f64::from(*n)).sum::<f64>() * count,
                    Measured::Cost => offer.price.times(u64::from(g.count)).units(),
                }
            };
            placement.groups.iter().map(of).sum()
        }
        (UserRule::Structure(i), Which::Total(_)) => match &application.structure[i].rule {
            Structure::Total { of, .. } => of.iter().map(|c| placement.cardinality(*c) as f64).sum(),
            _ => return None,
        },
        (UserRule::Spread(c), Which::Spread(k)) => {
            most_in_one_place(snapshot, placement, c, application[c].spread.get(k)?.by)
        }
        (UserRule::Division(c, i), _) => {
            division::needed(snapshot, placement, c, &application[c].divisions.get(i)?.rule)
        }
        (UserRule::AtMost(c) | UserRule::AtLeast(c), _) => placement.cardinality(c) as f64,
        (UserRule::PerNode(c), _) => {
            let on_node = |g: &NodeGroup| g.instances.iter().filter(|(id, _)| *id == c).map(|(_, n)| *n).sum::<u32>();
            f64::from(placement.groups.iter().map(on_node).max().unwrap_or(0))
        }
        (UserRule::Requirement(c, i), Which::Requirement(end)) => {
            let subject = &application[c].requirements[i].subject;
            let cardinal_models::application::Subject::Attribute(attribute) = subject else { return None };
            let hosts = placement.groups.iter().filter(|g| g.instances.iter().any(|(id, _)| *id == c));
            let mut values = Vec::new();
            for group in hosts {
                match snapshot.catalog[group.offer].attribute(attribute) {
                    AttributeValue::Number(n) => values.push(n),
                    // A disk that is not told is large enough.
                    AttributeValue::Missing if *attribute == Attribute::Disk => {}
                    _ => return None,
                }
            }
            match end {
                End::Low => values.into_iter().reduce(f64::min)?,
                End::High => values.into_iter().reduce(f64::max)?,
            }
        }
        _ => return None,
    };
    let value = limit.value?;
    Some(match limit.end {
        End::Low => value - used,
        End::High => used - value,
    })
}

/// The largest number of instances of a component in one place. Nodes whose zone is not told may all be in one.
fn most_in_one_place(snapshot: &Snapshot, placement: &Placement, id: ComponentId, by: SpreadBy) -> f64 {
    let mut places: FxHashMap<(Arc<str>, Arc<str>), u64> = FxHashMap::default();
    let none: Arc<str> = "".into();
    for group in &placement.groups {
        let on_node: u64 = group.instances.iter().filter(|(c, _)| *c == id).map(|(_, n)| u64::from(*n)).sum();
        let offer = &snapshot.catalog[group.offer];
        let zone = group.zone.and_then(|z| offer.zones.get(usize::from(z))).unwrap_or(&offer.region);
        let place = match by {
            SpreadBy::Zone => (offer.provider.clone(), zone.clone()),
            SpreadBy::Region | SpreadBy::Location => (offer.provider.clone(), offer.region.clone()),
            SpreadBy::Country => (none.clone(), offer.country.clone()),
            SpreadBy::Provider => (none.clone(), offer.provider.clone()),
            SpreadBy::MachineType => (offer.provider.clone(), offer.machine_type.clone()),
            SpreadBy::Family => (offer.provider.clone(), offer.family.clone()),
        };
        *places.entry(place).or_default() += on_node * u64::from(group.count);
    }
    places.values().max().copied().unwrap_or(0) as f64
}
