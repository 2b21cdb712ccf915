//! Changes to the rules on how the instances of a component are divided, by the names that explanations give them:
//! `spot of web`, `on_demand of web`, `spread of web`, `diversify of web`.

use cardinal_models::document::{ComponentDocument, ModelDocument, PlacementDocument, Scalar};
use cardinal_models::span::Spanned;

use super::amount::Amount;
use super::apply::{Whole, changed_scalar};
use crate::selector::Misread;

const KEYS: [&str; 4] = ["spread", "diversify", "spot", "on_demand"];

/// The names of the rules of a model.
pub(super) fn names(document: &ModelDocument) -> impl Iterator<Item = String> + '_ {
    document.components.iter().flat_map(|(name, component)| {
        let placement = component.placement.as_ref();
        let stated = move |key: &&&str| placement.is_some_and(|p| is_stated(p, key));
        KEYS.iter().filter(stated).map(|key| format!("{key} of {}", name.value))
    })
}

fn is_stated(placement: &PlacementDocument, key: &str) -> bool {
    match key {
        "spread" => placement.spread.is_some(),
        "diversify" => placement.diversify.is_some(),
        "spot" => placement.spot.is_some(),
        _ => placement.on_demand.is_some(),
    }
}

/// The key and the component of a name; `None` when it names no such rule of the model.
fn find<'d>(document: &'d mut ModelDocument, name: &str) -> Option<(&'static str, &'d mut PlacementDocument)> {
    let (key, component) = name.split_once(" of ")?;
    let key = KEYS.into_iter().find(|k| *k == key)?;
    let found = document.components.0.iter_mut().find(|(n, _)| n.value == component);
    let (_, ComponentDocument { placement: Some(placement), .. }) = found? else { return None };
    is_stated(placement, key).then_some((key, placement))
}

/// Leaves the rules of a name out; false when there are none.
pub(super) fn drop_rules(document: &mut ModelDocument, name: &str) -> bool {
    let Some((key, placement)) = find(document, name) else { return false };
    match key {
        "spread" => placement.spread = None,
        "diversify" => placement.diversify = None,
        // What asks for spot offers stays: only its limit goes.
        "spot" => {
            if let Some(spot) = &mut placement.spot {
                spot.at_most = Spanned::made(Scalar::Text("100 %".to_owned()));
            }
        }
        _ => placement.on_demand = None,
    }
    true
}

/// Changes the number of the rules of a name; `None` when there are none.
pub(super) fn set_limit(document: &mut ModelDocument, name: &str, amount: &Amount) -> Option<Result<(), Misread>> {
    use cardinal_models::document::{DiversifiesDocument, SpreadsDocument};
    let (key, placement) = find(document, name)?;
    let mut numbers: Vec<&mut Spanned<Scalar>> = Vec::new();
    match key {
        "spread" => {
            let rules = match &mut placement.spread {
                Some(SpreadsDocument::One(one)) => std::slice::from_mut(one),
                Some(SpreadsDocument::Many(many)) => many.as_mut_slice(),
                None => &mut [],
            };
            numbers.extend(rules.iter_mut().flat_map(|r| r.at_most.iter_mut().chain(&mut r.skew)));
        }
        "diversify" => {
            let rules = match &mut placement.diversify {
                Some(DiversifiesDocument::One(one)) => std::slice::from_mut(one),
                Some(DiversifiesDocument::Many(many)) => many.as_mut_slice(),
                None => &mut [],
            };
            numbers.extend(rules.iter_mut().flat_map(|r| r.at_least.iter_mut().chain(&mut r.at_most_share)));
        }
        "spot" => numbers.extend(placement.spot.iter_mut().map(|r| &mut r.at_most)),
        _ => numbers.extend(placement.on_demand.iter_mut().map(|r| &mut r.at_least)),
    }
    Some(match numbers.as_mut_slice() {
        [number] => {
            let is_share = number.value.to_string().trim_end().ends_with('%');
            let whole = if is_share { Whole::No } else { Whole::Yes };
            **number = Spanned::made(changed_scalar(&number.value, amount, whole));
            Ok(())
        }
        _ => Err(Misread::new(format!("`{name}` sets several limits"), "change them in the model")),
    })
}
