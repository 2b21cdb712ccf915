//! Applies changes to a question. What concerns the model changes its document, which is then resolved anew, so that
//! every rule of the language holds for scenarios too; what concerns metrics and offers changes the snapshot.

use std::sync::Arc;

use cardinal_models::application::Application;
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Severity, did_you_mean};
use cardinal_models::document::{
    ConstraintDocument, ConstraintProperties, ModelDocument, OneOrMany, QuotaDocument, Scalar, UtilityDocument,
};
use cardinal_models::evaluate::Evaluator;
use cardinal_models::formula::expr::{BinaryOp, Expr, ExprKind};
use cardinal_models::formula::parse;
use cardinal_models::formula::tree::TreeKind;
use cardinal_models::offer::Offer;
use cardinal_models::placement::{CurrentDeployment, NodeGroup, VanishedNodes};
use cardinal_models::quantity::Price;
use cardinal_models::resolve::resolve;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::span::Spanned;
use cardinal_models::unit::{Unit, conversion, parse_named_quantity};

use super::amount::Amount;
use super::metric::metric_value;
use super::{Change, Goal, Question, commitment, division};
use crate::selector::{Misread, Selector};

/// The question with the changes.
pub(super) fn apply(question: &Question, changes: &[Change]) -> Result<Question, Misread> {
    let mut document: Option<ModelDocument> = None;
    for change in changes {
        let application = &question.snapshot.application;
        let changes_document = match change {
            Change::Set(name, _) => application.metric(name).is_none(),
            Change::Price(..) | Change::Without(_) | Change::Only(_) => false,
            _ => true,
        };
        if changes_document {
            let document = document.get_or_insert_with(|| question.document.clone());
            change_document(document, &question.snapshot, change)?;
        }
    }
    let mut snapshot = question.snapshot.clone();
    if let Some(document) = &document {
        let (application, _) = resolve(document).map_err(|findings| {
            let first = findings.0.into_iter().find(|d| d.severity == Severity::Error);
            let (message, help) = first.map_or((String::new(), None), |d| (d.message, d.help));
            Misread { message: format!("the changed model is wrong: {message}"), help }
        })?;
        snapshot.application = Arc::new(application);
    }
    for change in changes {
        match change {
            Change::Set(name, amount) => set_metric(&mut snapshot, name, amount)?,
            Change::Price(offers, amount) => reprice(&mut snapshot, offers, amount)?,
            Change::Without(offers) => keep_offers(&mut snapshot, offers, |admitted| !admitted)?,
            Change::Only(offers) => keep_offers(&mut snapshot, offers, |admitted| admitted)?,
            _ => {}
        }
    }
    Ok(Question { document: document.unwrap_or_else(|| question.document.clone()), snapshot })
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Misread {
    let help = match did_you_mean(name, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let listed: Vec<String> = known.take(20).map(|n| format!("`{n}`")).collect();
            if listed.is_empty() {
                format!("the model has no {what}")
            } else {
                format!("known are {}", listed.join(", "))
            }
        }
    };
    Misread::new(format!("there is no {what} `{name}`"), help)
}

fn named(mut misread: Misread, name: &str) -> Misread {
    misread.message = format!("`{name}`: {}", misread.message);
    misread
}

fn set_metric(snapshot: &mut Snapshot, name: &str, amount: &Amount) -> Result<(), Misread> {
    // A constant was changed with the document.
    let Some(id) = snapshot.application.metric(name) else { return Ok(()) };
    let metric = &snapshot.application.metrics[id.index()];
    let base = snapshot.metrics[id.index()].or(metric.default);
    if base.is_none() && metric.formula.is_some() && !matches!(amount, Amount::To(_)) {
        let help = "change what it is computed from, or set it to a value";
        return Err(Misread::new(format!("`{name}` is computed and has no value of its own"), help));
    }
    let value = amount.apply(base, |text| metric_value(&snapshot.application, metric, text));
    snapshot.metrics[id.index()] = Some(value.map_err(|misread| named(misread, name))?);
    Ok(())
}

fn reprice(snapshot: &mut Snapshot, offers: &Selector, amount: &Amount) -> Result<(), Misread> {
    let chosen = offers.offers(&snapshot.catalog)?;
    let code = snapshot.catalog.currency.clone();
    let read = |text: &str| {
        let wrong = |message: String| Misread::new(message, "write money per hour, such as `0.05`, or a share: `+20%`");
        let quantity = parse_named_quantity(text).map_err(wrong)?;
        let Some(unit) = quantity.unit else { return Ok(quantity.value) };
        if unit.currency.is_some_and(|own| own != code) {
            return Err(wrong(format!("`{text}` is not in {code}")));
        }
        let factor = conversion(unit.unit, Unit::PRICE).ok_or_else(|| wrong(format!("`{text}` is no price")))?;
        Ok(quantity.value * factor)
    };
    let mut catalog = Catalog::clone(&snapshot.catalog);
    for index in chosen {
        let offer = &snapshot.catalog[index];
        let units = amount.apply(Some(offer.price.units()), read).map_err(|m| named(m, offers.text()))?;
        let price = Price::from_units(units).ok_or_else(|| {
            let help = format!("prices are from 0 to {} an hour", Price::MAX);
            Misread::new(format!("the price of `{}` would be {units}", offer.id), help)
        })?;
        catalog.insert(Offer { price, ..offer.clone() });
    }
    snapshot.catalog = Arc::new(catalog);
    Ok(())
}

/// Leaves out offers. What runs on them has vanished.
fn keep_offers(snapshot: &mut Snapshot, offers: &Selector, keep: impl Fn(bool) -> bool) -> Result<(), Misread> {
    let chosen = offers.offers(&snapshot.catalog)?;
    let before = snapshot.catalog.clone();
    let mut catalog = Catalog::new(&before.currency, &before.date, &before.source);
    catalog.network.clone_from(&before.network);
    for (index, offer) in before.iter() {
        // The configurations of a component are its own, and no offers that could be had or not.
        if offer.configuration.is_some() || keep(chosen.binary_search(&index).is_ok()) {
            catalog.insert(offer.clone());
        }
    }
    if let Some(current) = &snapshot.current {
        let mut now = CurrentDeployment { vanished: current.vanished.clone(), ..CurrentDeployment::default() };
        for group in &current.placement.groups {
            let offer = &before[group.offer];
            match catalog.find(&offer.id) {
                Some(index) => now.placement.groups.push(NodeGroup { offer: index, ..group.clone() }),
                None => now.vanished.push(VanishedNodes {
                    offer: offer.id.clone(),
                    count: group.count,
                    price: Some(offer.price),
                    instances: group.instances.clone(),
                }),
            }
        }
        now.placement.settings.clone_from(&current.placement.settings);
        now.placement.replicas.clone_from(&current.placement.replicas);
        now.placement.normalize();
        snapshot.current = Some(now);
    }
    snapshot.catalog = Arc::new(catalog);
    Ok(())
}

fn change_document(document: &mut ModelDocument, snapshot: &Snapshot, change: &Change) -> Result<(), Misread> {
    match change {
        Change::Set(name, amount) => set_constant(document, name, amount),
        Change::Limit(name, amount) => set_limit(document, snapshot, name, amount),
        Change::Cardinality(name, text) => {
            let known: Vec<String> = document.components.iter().map(|(n, _)| n.value.clone()).collect();
            let found = document.components.0.iter_mut().find(|(n, _)| n.value == *name);
            let Some((_, component)) = found else {
                return Err(unknown("component", name, known.iter().map(String::as_str)));
            };
            component.cardinality = Some(OneOrMany::One(Spanned::made(Scalar::Text(text.clone()))));
            Ok(())
        }
        Change::Drop(name) => drop_rule(document, name),
        Change::Constraint(name, formula) => {
            let made = Spanned::made(Scalar::Text(formula.clone()));
            let sections = [&mut document.constraints, &mut document.slo];
            let known = sections.into_iter().flat_map(|s| s.0.iter_mut()).find(|(n, _)| n.value == *name);
            match known {
                // A soft constraint keeps its penalty.
                Some((_, constraint)) => *constraint = constraint.with_formula(made),
                None => document.constraints.push(name.clone(), ConstraintDocument::Formula(made)),
            }
            Ok(())
        }
        Change::Utility(goal, formula) => {
            let formula = Spanned::made(Scalar::Text(formula.clone()));
            document.utility = Some(match goal {
                Goal::Maximize => UtilityDocument::Maximize { maximize: formula },
                Goal::Minimize => UtilityDocument::Minimize { minimize: formula },
            });
            Ok(())
        }
        Change::Price(..) | Change::Without(_) | Change::Only(_) => Ok(()),
    }
}

fn set_constant(document: &mut ModelDocument, name: &str, amount: &Amount) -> Result<(), Misread> {
    let metrics: Vec<String> = document.metrics.iter().map(|(n, _)| n.value.clone()).collect();
    let constants: Vec<String> = document.constants.iter().map(|(n, _)| n.value.clone()).collect();
    let found = document.constants.0.iter_mut().find(|(n, _)| n.value == name);
    let Some((_, value)) = found else {
        return Err(unknown("metric or constant", name, metrics.iter().chain(&constants).map(String::as_str)));
    };
    *value = Spanned::made(Scalar::Text(changed_text(&value.value.to_string(), amount)));
    Ok(())
}

/// A quantity or formula after a change. A bare number keeps the unit that was there.
fn changed_text(before: &str, amount: &Amount) -> String {
    let unit = unit_text(before);
    let with_unit = |text: &str| match unit {
        Some(unit) if text.trim().parse::<f64>().is_ok() => format!("{} {unit}", text.trim()),
        _ => rate(text),
    };
    match amount {
        Amount::To(text) => with_unit(text),
        Amount::Times(factor) => format!("({before}) * {factor}"),
        Amount::Plus(text) => format!("({before}) + ({})", with_unit(text)),
    }
}

/// `260/s` as the language writes it.
fn rate(text: &str) -> String {
    match text.split_once('/').filter(|(number, _)| number.trim().parse::<f64>().is_ok()) {
        Some((number, per)) => format!("{number} 1/{per}"),
        None => text.to_owned(),
    }
}

/// The unit of a text that is a number with a unit and nothing else.
fn unit_text(text: &str) -> Option<&str> {
    parse_named_quantity(text).ok()?.unit?;
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '+' | ' ')))?;
    Some(text[digits..].trim())
}

fn set_limit(document: &mut ModelDocument, snapshot: &Snapshot, name: &str, amount: &Amount) -> Result<(), Misread> {
    let constants: Vec<(String, String)> =
        document.constants.iter().map(|(n, v)| (n.value.clone(), v.value.to_string())).collect();
    let sections = [&mut document.constraints, &mut document.slo];
    let constraint = sections.into_iter().flat_map(|s| s.0.iter_mut()).find(|(n, _)| n.value == name);
    if let Some((_, constraint)) = constraint {
        let text = constraint.formula().value.to_string();
        let changed = limited(&text, &constants, &snapshot.application, snapshot, name, amount)?;
        *constraint = constraint.with_formula(Spanned::made(Scalar::Text(changed)));
        return Ok(());
    }
    if let Some(rule) = name.strip_suffix(".penalty") {
        let sections = [&mut document.constraints, &mut document.slo];
        let constraint = sections.into_iter().flat_map(|s| s.0.iter_mut()).find(|(n, _)| n.value == rule);
        if let Some((_, constraint)) = constraint {
            return set_penalty(constraint, rule, amount);
        }
    }
    if name == "budget"
        && let Some(budget) = &mut document.budget
    {
        *budget = Spanned::made(changed_scalar(&budget.value, amount, Whole::No));
        return Ok(());
    }
    if let Some(changed) = division::set_limit(document, name, amount) {
        return changed;
    }
    let is_quota = |text: &str| document.quotas.iter().any(|(n, _)| n.value == text);
    if !is_quota(name.split('.').next().unwrap_or(name))
        && let Some(changed) = commitment::set_capacity(document, name, amount)
    {
        return changed;
    }
    let link = name.strip_suffix(".latency").unwrap_or(name);
    if let Some((_, link)) = document.links.0.iter_mut().find(|(n, l)| n.value == link && l.latency.is_some()) {
        link.latency = link.latency.as_ref().map(|w| Spanned::made(changed_scalar(&w.value, amount, Whole::No)));
        return Ok(());
    }
    let (quota_name, key) = match name.split_once('.') {
        Some((quota, key)) => (quota, Some(key)),
        None => (name, None),
    };
    let known: Vec<String> = document
        .constraints
        .iter()
        .chain(document.slo.iter())
        .map(|(n, _)| n.value.clone())
        .chain(document.quotas.iter().map(|(n, _)| n.value.clone()))
        .chain(document.commitments.iter().map(|(n, _)| n.value.clone()))
        .chain(division::names(document))
        .chain(limited_links(document))
        .collect();
    let Some((_, quota)) = document.quotas.0.iter_mut().find(|(n, _)| n.value == quota_name) else {
        return Err(unknown(
            "constraint, SLO, quota, commitment or link with a latency limit",
            name,
            known.iter().map(String::as_str),
        ));
    };
    set_quota(quota, quota_name, key, amount)
}

/// Changes what a unit of a violation costs. A hard constraint becomes soft by a value.
fn set_penalty(constraint: &mut ConstraintDocument, name: &str, amount: &Amount) -> Result<(), Misread> {
    let before = constraint.penalty().map(|penalty| penalty.value.to_string());
    let text = match (before, amount) {
        (Some(before), _) => changed_text(&before, amount),
        (None, Amount::To(text)) => text.clone(),
        (None, _) => {
            let help = format!("give it one: `{name}.penalty=VALUE`");
            return Err(Misread::new(format!("the constraint `{name}` has no penalty that could be changed"), help));
        }
    };
    let full = match constraint {
        ConstraintDocument::Full(full) => full.clone(),
        ConstraintDocument::Formula(formula) => {
            ConstraintProperties { formula: formula.clone(), ..ConstraintProperties::default() }
        }
    };
    let penalty = Some(Spanned::made(Scalar::Text(text)));
    *constraint = ConstraintDocument::Full(ConstraintProperties { penalty, ..full });
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

fn set_quota(quota: &mut QuotaDocument, name: &str, key: Option<&str>, amount: &Amount) -> Result<(), Misread> {
    let fields: [(&str, &mut Option<Spanned<Scalar>>, Whole); 6] = [
        ("nodes", &mut quota.nodes, Whole::Yes),
        ("cores", &mut quota.cores, Whole::No),
        ("memory", &mut quota.memory, Whole::No),
        ("gpus", &mut quota.gpus, Whole::Yes),
        ("instances", &mut quota.instances, Whole::Yes),
        ("cost", &mut quota.cost, Whole::No),
    ];
    let names: Vec<&str> = fields.iter().map(|(n, ..)| *n).collect();
    let set: Vec<&str> = fields.iter().filter(|(_, f, _)| f.is_some()).map(|(n, ..)| *n).collect();
    let key = match (key, set.as_slice()) {
        (Some(key), _) => key,
        (None, [only]) => only,
        (None, _) => {
            let shown: Vec<String> = set.iter().map(|k| format!("`{name}.{k}`")).collect();
            let help = format!("name one of them: {}", shown.join(", "));
            return Err(Misread::new(format!("the quota `{name}` sets several limits"), help));
        }
    };
    let Some((_, field, whole)) = fields.into_iter().find(|(n, ..)| *n == key) else {
        return Err(unknown("limit of quotas", key, names.into_iter()));
    };
    let before = field.as_ref().map_or(Scalar::Text(String::new()), |f| f.value.clone());
    if before == Scalar::Text(String::new()) && !matches!(amount, Amount::To(_)) {
        let message = format!("the quota `{name}` has no limit of {key} that could be changed by a share or a factor");
        return Err(Misread::new(message, format!("set it to a value: `{name}.{key}=VALUE`")));
    }
    *field = Some(Spanned::made(changed_scalar(&before, amount, whole)));
    Ok(())
}

/// A number or quantity after a change, as a number or quantity again: no formula may stand there.
pub(super) fn changed_scalar(before: &Scalar, amount: &Amount, whole: Whole) -> Scalar {
    let text = before.to_string();
    let unit = unit_text(&text);
    let base = parse_named_quantity(&text).map_or(0.0, |q| q.value);
    let after = match amount {
        Amount::To(new) => return Scalar::Text(changed_text(&text, &Amount::To(new.clone()))),
        Amount::Times(factor) => base * factor,
        Amount::Plus(more) => base + parse_named_quantity(more).map_or(0.0, |q| q.value),
    };
    let after = if whole == Whole::Yes { after.floor() } else { after };
    match unit {
        Some(unit) => Scalar::Text(format!("{after} {unit}")),
        None => Scalar::Number(after),
    }
}

/// The formula of a constraint with its limit changed: the side of its comparison that no placement changes.
fn limited(
    text: &str,
    constants: &[(String, String)],
    application: &Application,
    snapshot: &Snapshot,
    name: &str,
    amount: &Amount,
) -> Result<String, Misread> {
    let help = format!("write the constraint anew in a scenario file: `constraints: {{{name}: FORMULA}}`");
    let wrong = |why: &str| Misread::new(format!("`{name}` has no single limit: {why}"), help.clone());
    let several = "it joins several conditions";
    let hard = application.constraints.iter().map(|c| (&c.name, &c.formula));
    let soft = application.soft.iter().map(|c| (&c.name, &c.formula));
    let Some((_, formula)) = hard.chain(soft).find(|(known, _)| known.as_ref() == name) else {
        return Err(wrong("it is not a constraint of the model"));
    };
    let ExprKind::Binary(op, a, b) = &formula.kind else { return Err(wrong(several)) };
    if !op.is_comparison() || *op == BinaryOp::NotEqual {
        return Err(wrong(several));
    }
    let evaluator = Evaluator::new(snapshot);
    let is_fixed = |side: &Expr| !evaluator.depends_on_placement(side);
    let takes_right = match (is_fixed(a), is_fixed(b)) {
        (_, true) => true,
        (true, false) => false,
        (false, false) => return Err(wrong("both sides of its comparison depend on the placement")),
    };
    let tree = parse(text, &|_| true).map_err(|_| wrong(several))?;
    let TreeKind::Binary(_, left, right) = &tree.kind else { return Err(wrong(several)) };
    let side = if takes_right { right } else { left };
    let (start, end) = (side.span.start as usize, side.span.end as usize);
    let Some(before) = text.get(start..end) else { return Err(wrong(several)) };
    // A limit that is a constant has the unit of the constant.
    let constant = constants.iter().find(|(n, _)| n == before.trim().trim_matches('`'));
    let after = match (constant, amount) {
        (Some((_, value)), Amount::To(_)) => changed_text(value, amount),
        _ => changed_text(before, amount),
    };
    let (head, tail) = (&text[..start], &text[end..]);
    Ok(format!("{head}({after}){tail}"))
}

/// The names of the latency limits of links.
fn limited_links(document: &ModelDocument) -> Vec<String> {
    let limited = document.links.iter().filter(|(_, link)| link.latency.is_some());
    limited.map(|(name, _)| format!("{}.latency", name.value)).collect()
}

fn drop_rule(document: &mut ModelDocument, name: &str) -> Result<(), Misread> {
    let mut known: Vec<String> = Vec::new();
    known.extend(document.constraints.iter().chain(document.slo.iter()).map(|(n, _)| n.value.clone()));
    known.extend(document.structure.iter().map(|(n, _)| n.value.clone()));
    known.extend(document.quotas.iter().map(|(n, _)| n.value.clone()));
    known.extend(document.budget.iter().map(|_| "budget".to_owned()));
    if division::drop_rules(document, name) {
        return Ok(());
    }
    if !known.iter().any(|n| n == name) && commitment::drop_commitment(document, name) {
        return Ok(());
    }
    known.extend(document.commitments.iter().map(|(n, _)| n.value.clone()));
    known.extend(division::names(document));
    known.extend(limited_links(document));
    if !known.iter().any(|n| n == name) {
        return Err(unknown(
            "constraint, SLO, structural rule, quota or commitment",
            name,
            known.iter().map(String::as_str),
        ));
    }
    document.constraints.0.retain(|(n, _)| n.value != name);
    document.slo.0.retain(|(n, _)| n.value != name);
    document.structure.0.retain(|(n, _)| n.value != name);
    document.quotas.0.retain(|(n, _)| n.value != name);
    if name == "budget" {
        document.budget = None;
    }
    for (link, properties) in &mut document.links.0 {
        if name == format!("{}.latency", link.value) {
            properties.latency = None;
        }
    }
    Ok(())
}
