//! Changes to commitments, by their names.

use cardinal_models::document::ModelDocument;
use cardinal_models::span::Spanned;

use super::amount::Amount;
use super::apply::{Whole, changed_scalar};
use crate::selector::Misread;

/// Changes how much a commitment covers: `NAME`, or `NAME.nodes` and the like. `None` when there is none of this name.
pub(super) fn set_capacity(document: &mut ModelDocument, name: &str, amount: &Amount) -> Option<Result<(), Misread>> {
    let known = |text: &str| document.commitments.iter().any(|(n, _)| n.value == text);
    let (own, key) = match name.rsplit_once('.') {
        _ if known(name) => (name, None),
        Some((own, key)) => (own, Some(key)),
        None => (name, None),
    };
    let (_, commitment) = document.commitments.0.iter_mut().find(|(n, _)| n.value == own)?;
    let fields = [
        ("nodes", &mut commitment.nodes, Whole::Yes),
        ("cores", &mut commitment.cores, Whole::No),
        ("cost", &mut commitment.cost, Whole::No),
    ];
    // Exactly one of them is set: the model was resolved.
    let stated = fields.into_iter().find_map(|(word, value, whole)| Some((word, value.as_mut()?, whole)));
    let (word, value, whole) = stated?;
    if let Some(key) = key.filter(|key| *key != word) {
        let help = format!("write `{own}.{word}=VALUE`");
        return Some(Err(Misread::new(format!("the commitment `{own}` is counted in {word}, not in {key}"), help)));
    }
    *value = Spanned::made(changed_scalar(&value.value, amount, whole));
    Some(Ok(()))
}

/// Leaves a commitment out; false when there is none of this name.
pub(super) fn drop_commitment(document: &mut ModelDocument, name: &str) -> bool {
    let before = document.commitments.0.len();
    document.commitments.0.retain(|(n, _)| n.value != name);
    document.commitments.0.len() < before
}
