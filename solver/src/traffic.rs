//! Links and data sources as terms.
//!
//! Where a uniform component is, its row says; where the replicas of a data source are, is one choice among sets of
//! places. What a link between two of these costs, and its round trip, are then tables over two keys
//! ([`crate::term::Grid`]). A mixed fleet or shared nodes are in several places at once: sums over their nodes.

use std::sync::Arc;

use cardinal_models::admissible::admissible;
use cardinal_models::application::{ComponentId, DataId, End, Home, Link, LinkId};
use cardinal_models::document::{Fleet, Hosting};
use cardinal_models::evaluate::{EvaluationError, EvaluationErrorKind};
use cardinal_models::formula::expr::{Aggregate, BinaryOp, Expr};
use cardinal_models::formula::function::Function;
use cardinal_models::network::{Connection, Place};
use cardinal_models::offer::Attribute;
use cardinal_models::placement::Placement;

use crate::term::{Binder, FleetTerm, Grid, Slot, Term, Wanted, apply, binary};

/// In at most so many sets of places the replicas of a data source may be.
pub const MOST_SETS: usize = 20_000;

/// The text that stands for the place of a component without instances; no place has such a name.
const NOWHERE: &str = "\u{1}";

/// What is known of links and data sources while formulas are bound.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    links: Vec<Option<LinkTerms>>,
    /// Components as ends of links.
    sides: Vec<(ComponentId, Located)>,
    /// By data source: the sets of places that its replicas can be in.
    sets: Vec<Vec<Vec<Place>>>,
}

impl Traffic {
    /// The names of the places of every set.
    pub(crate) fn into_sets(self) -> Vec<Vec<Vec<Arc<str>>>> {
        let names = |set: Vec<Place>| set.into_iter().map(|p| p.name).collect();
        self.sets.into_iter().map(|sets| sets.into_iter().map(names).collect()).collect()
    }
}

/// A link in terms.
#[derive(Clone, Debug)]
pub(crate) struct LinkTerms {
    /// Currency units per hour.
    pub cost: Term,
    /// The longest round trip in milliseconds.
    pub latency: Term,
    round_trips: Arc<Grid>,
    ends: [Side; 2],
}

/// An end of a link.
#[derive(Clone, Debug)]
enum Side {
    /// In one place, or one set of places, whose number the term gives.
    One(Term),
    /// In several places at once.
    Many(Many),
}

/// A component as an end of a link, with the places in which it can be and their numbers; `None` stands for nowhere.
#[derive(Clone, Debug)]
struct Located {
    side: Side,
    places: Vec<Option<Place>>,
    numbers: Vec<f64>,
}

/// The nodes of a mixed fleet, or the instances of a component on shared nodes.
#[derive(Clone, Debug)]
struct Many {
    component: ComponentId,
    slot: Slot,
    /// The numbers of the places in which they can be.
    places: Vec<f64>,
    /// The smallest and the largest number of them.
    cardinality: (u32, u32),
}

impl Many {
    fn key(&self) -> Term {
        Term::Attribute(self.component, self.slot)
    }

    fn over(&self, aggregate: Aggregate, body: Term, filter: Option<Term>) -> Term {
        Term::Fleet(Box::new(FleetTerm { aggregate, component: self.component, body, filter }))
    }

    /// How many of them are in a place.
    fn count(&self, place: f64) -> Term {
        let filter = binary(BinaryOp::Equal, self.key(), Term::Constant(place));
        self.over(Aggregate::Count, Term::Constant(1.0), Some(filter))
    }

    /// What is paid for each instance in a place, times their number there. Where prices lack, it is asked for only where
    /// there are some.
    fn paid_from(&self, place: f64, costs: &Grid, each: Term) -> Term {
        let product = binary(BinaryOp::Multiply, self.count(place), each);
        if costs.complete {
            return product;
        }
        let some = binary(BinaryOp::Greater, self.count(place), Term::Constant(0.0));
        Term::If(Box::new(some), Box::new(product), Box::new(Term::Constant(0.0)))
    }

    /// A term where there are any, else 0.
    fn if_any(&self, term: Term) -> Term {
        if self.cardinality.0 > 0 {
            return term;
        }
        let some = binary(BinaryOp::Greater, Term::Cardinality(self.component), Term::Constant(0.0));
        Term::If(Box::new(some), Box::new(term), Box::new(Term::Constant(0.0)))
    }

    /// A sum over them divided by their number.
    fn shared(&self, sum: Term) -> Term {
        match self.cardinality {
            (_, 0) => Term::Constant(0.0),
            (low, high) if low == high => binary(BinaryOp::Multiply, Term::Constant(1.0 / f64::from(low)), sum),
            _ => self.if_any(binary(BinaryOp::Divide, sum, Term::Cardinality(self.component))),
        }
    }
}

fn grid(table: &Arc<Grid>, row: Term, column: Term) -> Term {
    Term::Grid(table.clone(), Box::new(row), Box::new(column))
}

fn total(terms: impl Iterator<Item = Term>) -> Term {
    terms.reduce(|a, b| binary(BinaryOp::Add, a, b)).unwrap_or(Term::Constant(0.0))
}

impl Binder<'_> {
    /// Lists in which places the replicas of each data source can be.
    pub(crate) fn list_replicas(&mut self) -> Result<(), Vec<EvaluationError>> {
        let mut errors = Vec::new();
        let snapshot = self.snapshot;
        for source in &snapshot.application.data {
            let candidates = source.candidates(&snapshot.catalog);
            let (least, most) = match source.home {
                Home::Fixed(_) => {
                    self.traffic.sets.push(vec![candidates]);
                    continue;
                }
                Home::Chosen { least, most, .. } => (least, most),
            };
            let ways: f64 = (least..=most).map(|k| binomial(candidates.len(), k)).sum();
            let data = source.name.clone();
            let kind = if candidates.len() < least as usize {
                EvaluationErrorKind::TooFewPlaces { data, places: candidates.len(), least }
            } else if ways > MOST_SETS as f64 {
                EvaluationErrorKind::TooManyWays { data, ways, limit: MOST_SETS }
            } else {
                let mut sets = Vec::new();
                (least..=most).for_each(|k| subsets(&candidates, k as usize, &mut Vec::new(), &mut sets));
                self.traffic.sets.push(sets);
                continue;
            };
            errors.push(EvaluationError { span: source.span, kind });
            self.traffic.sets.push(Vec::new());
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// What every link and data source costs, those left out that cost nothing.
    pub(crate) fn spending(&mut self) -> Result<Vec<Term>, EvaluationError> {
        let (links, data) = (self.snapshot.application.links.len(), self.snapshot.application.data.len());
        let mut all = Vec::new();
        for link in 0..links {
            all.push(self.link(LinkId(link as u32))?.cost);
        }
        for data in 0..data {
            all.push(self.storage(DataId(data as u32))?);
        }
        all.retain(|term| *term != Term::Constant(0.0));
        Ok(all)
    }

    /// What storing a data source costs per hour.
    pub(crate) fn storage(&mut self, data: DataId) -> Result<Term, EvaluationError> {
        let each = self.snapshot.application.data[data.index()].replica_cost();
        let sizes: Vec<usize> = self.traffic.sets[data.index()].iter().map(Vec::len).collect();
        let first = sizes.first().copied().unwrap_or(0);
        if each == 0.0 || sizes.iter().all(|n| *n == first) {
            return Ok(Term::Constant(each * first as f64));
        }
        let table = Arc::new(Grid::of(&numbers(sizes.len()), &[0.0], |set, _| each * sizes[set] as f64));
        Ok(grid(&table, Term::Replicas(data), Term::Constant(0.0)))
    }

    /// A link in terms.
    pub(crate) fn link(&mut self, id: LinkId) -> Result<LinkTerms, EvaluationError> {
        if let Some(Some(known)) = self.traffic.links.get(id.index()) {
            return Ok(known.clone());
        }
        let snapshot = self.snapshot;
        let link = &snapshot.application.links[id.index()];
        let (traffic, back) = (self.amount(link, &link.traffic)?, self.amount(link, &link.back)?);
        let terms = match (link.from, link.to) {
            (End::Component(a), End::Component(b)) => self.between(a, b, [traffic, back]),
            (End::Component(c), End::Data(d)) => self.with_data(c, d, [traffic, back]),
            (End::Data(d), End::Component(c)) => self.with_data(c, d, [back, traffic]),
            (End::Data(_), End::Data(_)) => {
                return Err(EvaluationError {
                    span: link.span,
                    kind: EvaluationErrorKind::Unknown("component of the link"),
                });
            }
        };
        if self.traffic.links.len() <= id.index() {
            self.traffic.links.resize(id.index() + 1, None);
        }
        self.traffic.links[id.index()] = Some(terms.clone());
        Ok(terms)
    }

    /// GB per hour.
    fn amount(&self, link: &Link, formula: &Expr) -> Result<f64, EvaluationError> {
        let amount = self.evaluator.number(formula, &Placement::default())?;
        let negative = EvaluationErrorKind::Negative(link.name.clone());
        if amount < 0.0 { Err(EvaluationError { span: formula.span, kind: negative }) } else { Ok(amount) }
    }

    /// A component as an end of a link.
    fn side(&mut self, c: ComponentId) -> Located {
        if let Some((_, known)) = self.traffic.sides.iter().find(|(known, _)| *known == c) {
            return known.clone();
        }
        let located = self.locate(c);
        self.traffic.sides.push((c, located.clone()));
        located
    }

    fn locate(&mut self, c: ComponentId) -> Located {
        let snapshot = self.snapshot;
        let component = &snapshot.application[c];
        let offers = admissible(&snapshot.application, &snapshot.catalog, c);
        let running = snapshot.current.iter().flat_map(|now| &now.placement.groups).map(|g| g.offer);
        let mut places: Vec<Option<Place>> = Vec::new();
        let mut seen: rustc_hash::FxHashSet<(&str, &str, &str)> = Default::default();
        for offer in offers.into_iter().chain(running).map(|o| &snapshot.catalog[o]) {
            if seen.insert((&offer.provider, &offer.region, &offer.country)) {
                places.push(Some(snapshot.catalog.place_of(offer)));
            }
        }
        places.sort_by(|a, b| a.as_ref().map(|p| &p.name).cmp(&b.as_ref().map(|p| &p.name)));
        places.dedup_by(|a, b| a.as_ref().map(|p| &p.name) == b.as_ref().map(|p| &p.name));
        let slot = self.slots.of(&Attribute::Region, Wanted::Place);
        let key = Term::Attribute(c, slot);
        let number = |p: &Option<Place>| self.interner.number(p.as_ref().map_or(NOWHERE, |p| &p.name));
        let cardinality = (component.cardinality.min(), component.cardinality.max());
        if component.hosting == Hosting::Shared || component.fleet == Fleet::Mixed {
            let codes: Vec<f64> = places.iter().map(number).collect();
            let side = Side::Many(Many { component: c, slot, places: codes.clone(), cardinality });
            return Located { side, places, numbers: codes };
        }
        let key = match cardinality.0 {
            0 => {
                places.push(None);
                let some = binary(BinaryOp::Greater, Term::Cardinality(c), Term::Constant(0.0));
                let nowhere = Term::Constant(self.interner.number(NOWHERE));
                Term::If(Box::new(some), Box::new(key), Box::new(nowhere))
            }
            _ => key,
        };
        let numbers = places.iter().map(number).collect();
        Located { side: Side::One(key), places, numbers }
    }

    fn between(&mut self, a: ComponentId, b: ComponentId, [traffic, back]: [f64; 2]) -> LinkTerms {
        let network = &self.snapshot.catalog.network;
        let (from, to) = (self.side(a), self.side(b));
        let known = |places: &[Option<Place>]| places.iter().flatten().cloned().collect::<Vec<_>>();
        let (there, home) = (known(&from.places), known(&to.places));
        let out = network.connections(&there, &home);
        let returned = network.connections(&home, &there);
        // Nowhere stands last.
        let pair = |i: usize, j: usize| {
            (i < there.len() && j < home.len()).then(|| (out[i * home.len() + j], returned[j * there.len() + i]))
        };
        let cost = |i: usize, j: usize| pair(i, j).map_or(0.0, |(go, come)| charge(traffic, go) + charge(back, come));
        let latency = |i: usize, j: usize| pair(i, j).map_or(0.0, |(go, _)| go.latency_ms.unwrap_or(f64::NAN));
        let costs = Grid::of(&from.numbers, &to.numbers, cost);
        let trips = Grid::of(&from.numbers, &to.numbers, latency);
        joined(costs, trips, [from.side, to.side], traffic + back > 0.0)
    }

    /// A component and a data source; `amounts` go to the data and come from it.
    fn with_data(&mut self, c: ComponentId, data: DataId, [to, from]: [f64; 2]) -> LinkTerms {
        let network = &self.snapshot.catalog.network;
        let Located { side, places, numbers: rows } = self.side(c);
        let sets = &self.traffic.sets[data.index()];
        let instances: Vec<Place> = places.iter().flatten().cloned().collect();
        let mut replicas: Vec<Place> = sets.iter().flatten().cloned().collect();
        replicas.sort_by(|a, b| a.name.cmp(&b.name));
        replicas.dedup_by(|a, b| a.name == b.name);
        let out = network.connections(&instances, &replicas);
        let returned = network.connections(&replicas, &instances);
        let position = |p: &Place| replicas.partition_point(|q| q.name < p.name);
        let members: Vec<Vec<usize>> = sets.iter().map(|set| set.iter().map(position).collect()).collect();
        // By place of instances and replica: the round trip, and what the traffic costs.
        let ends = |i: usize, j: usize| (&out[i * replicas.len() + j], &returned[j * instances.len() + i]);
        let figures = |i: usize, j: usize| {
            let (go, come) = ends(i, j);
            (go.latency_ms.unwrap_or(f64::NAN), charge(to, *go) + charge(from, *come))
        };
        let figures: Vec<Vec<(f64, f64)>> =
            (0..instances.len()).map(|i| (0..replicas.len()).map(|j| figures(i, j)).collect()).collect();
        let unknown_last = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
        let nearest = |i: usize, set: usize| {
            let all = members[set].iter().map(|j| figures[i][*j]);
            all.min_by(|a, b| {
                let (x, y) = (unknown_last(a.0), unknown_last(b.0));
                x.total_cmp(&y).then(unknown_last(a.1).total_cmp(&unknown_last(b.1)))
            })
        };
        let used = |i: usize, set: usize| {
            if i < instances.len() { nearest(i, set).unwrap_or((f64::NAN, f64::NAN)) } else { (0.0, 0.0) }
        };
        let columns = numbers(sets.len());
        let costs = Grid::of(&rows, &columns, |i, set| used(i, set).1);
        let trips = Grid::of(&rows, &columns, |i, set| used(i, set).0);
        let key = if sets.len() == 1 { Term::Constant(0.0) } else { Term::Replicas(data) };
        joined(costs, trips, [side, Side::One(key)], to + from > 0.0)
    }

    /// The round trip of a link is within a limit.
    pub(crate) fn within(&mut self, id: LinkId, op: BinaryOp, limit: f64) -> Result<Term, EvaluationError> {
        let terms = self.link(id)?;
        let holds = Arc::new(terms.round_trips.map(|ms| if ms.is_nan() { ms } else { apply(op, ms, limit) }));
        let fails = |row: Term, column: Term| Term::Not(Box::new(grid(&holds, row, column)));
        let none = |count: Term| binary(BinaryOp::Equal, count, Term::Constant(0.0));
        let counted = |many: &Many, filter: Term| none(many.over(Aggregate::Count, Term::Constant(1.0), Some(filter)));
        Ok(match &terms.ends {
            [Side::One(row), Side::One(column)] => {
                binary(BinaryOp::GreaterEqual, grid(&holds, row.clone(), column.clone()), Term::Constant(1.0))
            }
            [Side::Many(a), Side::One(column)] => counted(a, fails(a.key(), column.clone())),
            [Side::One(row), Side::Many(b)] => counted(b, fails(row.clone(), b.key())),
            [Side::Many(a), Side::Many(b)] => {
                let apart = a.places.iter().map(|place| {
                    let rest = counted(b, fails(Term::Constant(*place), b.key()));
                    binary(BinaryOp::Or, none(a.count(*place)), rest)
                });
                apart.reduce(|x, y| binary(BinaryOp::And, x, y)).unwrap_or(Term::Constant(1.0))
            }
        })
    }
}

/// What an amount costs on a connection; NaN when nobody knows.
fn charge(gb: f64, connection: Connection) -> f64 {
    if gb > 0.0 { gb * connection.egress_per_gb.unwrap_or(f64::NAN) } else { 0.0 }
}

fn numbers(count: usize) -> Vec<f64> {
    (0..count).map(|i| i as f64).collect()
}

fn binomial(n: usize, k: u32) -> f64 {
    (0..k as usize).map(|i| (n.saturating_sub(i)) as f64 / (i + 1) as f64).product()
}

/// Every set of so many places, in order.
fn subsets(places: &[Place], size: usize, chosen: &mut Vec<Place>, found: &mut Vec<Vec<Place>>) {
    if size == 0 {
        found.push(chosen.clone());
        return;
    }
    for (i, place) in places.iter().enumerate() {
        if places.len() - i < size {
            return;
        }
        chosen.push(place.clone());
        subsets(&places[i + 1..], size - 1, chosen, found);
        chosen.pop();
    }
}

/// A link in terms, from what it costs and how long it takes for each pair of places.
fn joined(costs: Grid, trips: Grid, ends: [Side; 2], is_charged: bool) -> LinkTerms {
    let (costs, trips) = (Arc::new(costs), Arc::new(trips));
    let cost = if is_charged { mean(&costs, &ends) } else { Term::Constant(0.0) };
    LinkTerms { cost, latency: longest(&trips, &ends), round_trips: trips, ends }
}

/// The mean of a table over all pairs of instances.
fn mean(costs: &Arc<Grid>, ends: &[Side; 2]) -> Term {
    match ends {
        [Side::One(row), Side::One(column)] => grid(costs, row.clone(), column.clone()),
        [Side::Many(a), Side::One(column)] => {
            a.shared(sum_over(a, column, costs, |place, other| grid(costs, place, other)))
        }
        [Side::One(row), Side::Many(b)] => b.shared(sum_over(b, row, costs, |place, other| grid(costs, other, place))),
        [Side::Many(a), Side::Many(b)] => {
            let from = |place: &f64| {
                a.paid_from(*place, costs, b.over(Aggregate::Sum, grid(costs, Term::Constant(*place), b.key()), None))
            };
            a.shared(b.shared(total(a.places.iter().map(from))))
        }
    }
}

/// The sum of a table over the instances of one end. A varying number of instances divides it afterwards, and then what
/// depends on two parts of the placement must be a formula over counts of one.
fn sum_over(many: &Many, other: &Term, costs: &Grid, table: impl Fn(Term, Term) -> Term) -> Term {
    let (low, high) = many.cardinality;
    if low == high || matches!(other, Term::Constant(_)) {
        return many.over(Aggregate::Sum, table(many.key(), other.clone()), None);
    }
    let of = |place: &f64| many.paid_from(*place, costs, table(Term::Constant(*place), other.clone()));
    total(many.places.iter().map(of))
}

/// The longest round trip over all pairs of instances.
fn longest(trips: &Arc<Grid>, ends: &[Side; 2]) -> Term {
    match ends {
        [Side::One(row), Side::One(column)] => grid(trips, row.clone(), column.clone()),
        [Side::Many(a), Side::One(column)] => {
            a.if_any(a.over(Aggregate::Max, grid(trips, a.key(), column.clone()), None))
        }
        [Side::One(row), Side::Many(b)] => b.if_any(b.over(Aggregate::Max, grid(trips, row.clone(), b.key()), None)),
        [Side::Many(a), Side::Many(b)] => {
            let from = |place: &f64| {
                let farthest = b.over(Aggregate::Max, grid(trips, Term::Constant(*place), b.key()), None);
                let some = binary(BinaryOp::Greater, a.count(*place), Term::Constant(0.0));
                Term::If(Box::new(some), Box::new(b.if_any(farthest)), Box::new(Term::Constant(0.0)))
            };
            Term::Call(Function::Max, a.places.iter().map(from).collect())
        }
    }
}
