//! Facts in the words of Cedar: principal, action, resource and context of one question.

use std::collections::{BTreeSet, HashMap, HashSet};

use cardinal_models::quantity::Bytes;
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};

use super::clock::LocalTime;
use super::facts::{Asker, Change, Facts, Nodes};
use crate::diff::Money;

/// Money has 1e-9 of a unit, a Cedar decimal 1e-4.
const NANOS_PER_STEP: i64 = 100_000;

/// The question and the entities that it is about.
///
/// # Errors
/// When the facts do not fit the schema, in words.
pub(super) fn question(facts: &Facts, schema: &Schema) -> Result<(Request, Entities), String> {
    let (principal, scope) = match &facts.asker {
        Asker::Loop => (uid("Loop", "cardinal")?, None),
        Asker::Person { name, scope } => (uid("User", name)?, Some(scope.clone().unwrap_or_default())),
    };
    let action = uid("Action", facts.deed.as_str())?;
    let resource = uid("Application", &facts.application)?;
    let attributes: HashMap<String, RestrictedExpression> =
        scope.into_iter().map(|scope| ("scope".to_owned(), text(&scope))).collect();
    let asker = Entity::new(principal.clone(), attributes, HashSet::new()).map_err(|e| e.to_string())?;
    let application = Entity::new_no_attrs(resource.clone(), HashSet::new());
    let entities = Entities::from_entities([asker, application], Some(schema)).map_err(|e| e.to_string())?;
    let context = Context::from_pairs(context(facts)?).map_err(|e| e.to_string())?;
    let request = Request::new(principal, action, resource, context, Some(schema)).map_err(|e| e.to_string())?;
    Ok((request, entities))
}

fn uid(of: &str, id: &str) -> Result<EntityUid, String> {
    let kind: EntityTypeName = of.parse().map_err(|_| format!("`{of}` is no type of entity"))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn context(facts: &Facts) -> Result<Vec<(String, RestrictedExpression)>, String> {
    let Facts { application: _, asker: _, deed: _, before, after, created, change, time, mode, grounds } = facts;
    let time = time.as_ref().ok_or("the time of the question has no date")?;
    Ok(vec![
        ("before".to_owned(), nodes(before)?),
        ("after".to_owned(), nodes(after)?),
        ("created".to_owned(), nodes(created)?),
        ("change".to_owned(), self::change(change, before, after)?),
        ("time".to_owned(), local(time)?),
        ("mode".to_owned(), text(mode)),
        ("causes".to_owned(), set(&grounds.causes)),
        ("repairs".to_owned(), set(&grounds.repairs)),
    ])
}

fn nodes(facts: &Nodes) -> Result<RestrictedExpression, String> {
    let Nodes {
        providers,
        regions,
        countries,
        machine_types,
        purchases,
        components,
        nodes,
        instances,
        cores,
        memory,
        cost,
    } = facts;
    record([
        ("providers", set(providers)),
        ("regions", set(regions)),
        ("countries", set(countries)),
        ("machine_types", set(machine_types)),
        ("purchases", set(purchases)),
        ("components", set(components)),
        ("nodes", long(*nodes)),
        ("instances", long(*instances)),
        ("cores", thousandths(i128::from(cores.0))),
        ("memory_mib", long(memory.0.div_ceil(Bytes::MIB))),
        ("cost", money(*cost)),
        ("cost_nanos", RestrictedExpression::new_long(cost.0)),
    ])
}

fn change(facts: &Change, before: &Nodes, after: &Nodes) -> Result<RestrictedExpression, String> {
    let Change {
        nodes_created,
        nodes_deleted,
        nodes_replaced,
        nodes_lost,
        instances_started,
        instances_stopped,
        double_running,
    } = facts;
    let difference = |before: u64, after: u64| {
        let difference = i128::from(after) - i128::from(before);
        RestrictedExpression::new_long(clamp(difference))
    };
    let cost = Money(after.cost.0.saturating_sub(before.cost.0));
    record([
        ("nodes", difference(before.nodes, after.nodes)),
        ("instances", difference(before.instances, after.instances)),
        ("cores", thousandths(i128::from(after.cores.0) - i128::from(before.cores.0))),
        ("cost", money(cost)),
        ("cost_nanos", RestrictedExpression::new_long(cost.0)),
        ("nodes_created", long(*nodes_created)),
        ("nodes_deleted", long(*nodes_deleted)),
        ("nodes_replaced", long(*nodes_replaced)),
        ("nodes_lost", long(*nodes_lost)),
        ("instances_started", long(*instances_started)),
        ("instances_stopped", long(*instances_stopped)),
        ("double_running", money(*double_running)),
        ("double_running_nanos", RestrictedExpression::new_long(double_running.0)),
    ])
}

fn local(time: &LocalTime) -> Result<RestrictedExpression, String> {
    let LocalTime { zone, year, month, day, date, weekday, hour, minute_of_day, unix_ms } = time;
    record([
        ("zone", text(zone)),
        ("year", RestrictedExpression::new_long(*year)),
        ("month", RestrictedExpression::new_long(*month)),
        ("day", RestrictedExpression::new_long(*day)),
        ("date", text(date)),
        ("weekday", RestrictedExpression::new_long(*weekday)),
        ("hour", RestrictedExpression::new_long(*hour)),
        ("minute_of_day", RestrictedExpression::new_long(*minute_of_day)),
        ("unix_ms", RestrictedExpression::new_long(*unix_ms)),
    ])
}

fn record<const N: usize>(fields: [(&str, RestrictedExpression); N]) -> Result<RestrictedExpression, String> {
    RestrictedExpression::new_record(fields.map(|(name, value)| (name.to_owned(), value))).map_err(|e| e.to_string())
}

fn set(texts: &BTreeSet<String>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.iter().map(|t| text(t)))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn long(count: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(count).unwrap_or(i64::MAX))
}

fn clamp(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

/// Thousandths as a decimal, exact.
fn thousandths(number: i128) -> RestrictedExpression {
    RestrictedExpression::new_decimal(decimal(clamp(number.saturating_mul(10))))
}

/// Money as a decimal, rounded up: for a limit with four decimals, `cost <= limit` holds before and after rounding alike.
fn money(money: Money) -> RestrictedExpression {
    RestrictedExpression::new_decimal(decimal(rounded_up(money)))
}

/// In steps of 1e-4.
fn rounded_up(money: Money) -> i64 {
    money.0.div_euclid(NANOS_PER_STEP) + i64::from(money.0.rem_euclid(NANOS_PER_STEP) > 0)
}

/// A number of 1e-4 in Cedar's form.
fn decimal(steps: i64) -> String {
    let sign = if steps < 0 { "-" } else { "" };
    let size = steps.unsigned_abs();
    format!("{sign}{}.{:04}", size / 10_000, size % 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_rounded_up_so_that_limits_of_four_decimals_are_kept_exactly() {
        let written = |nanos: i64| decimal(rounded_up(Money(nanos)));
        assert_eq!(written(0), "0.0000");
        assert_eq!(written(4_500_000_000), "4.5000");
        assert_eq!(written(4_500_000_001), "4.5001");
        assert_eq!(written(4_499_999_999), "4.5000");
        assert_eq!(written(-1), "0.0000");
        assert_eq!(written(-150_000), "-0.0001");
        assert_eq!(written(-1_200_000_000), "-1.2000");
        for limit in [-2_i64, -1, 0, 1, 2] {
            for nanos in -250_000..250_000_i64 {
                if nanos % 9_973 == 0 || nanos % NANOS_PER_STEP == 0 {
                    assert_eq!(rounded_up(Money(nanos)) <= limit, nanos <= limit * NANOS_PER_STEP);
                }
            }
        }
        for nanos in [i64::MIN, i64::MAX] {
            let value = RestrictedExpression::new_decimal(written(nanos));
            assert!(Context::from_pairs([("money".to_owned(), value)]).is_ok());
        }
        assert_eq!(decimal(i64::MIN), "-922337203685477.5808");
    }
}
