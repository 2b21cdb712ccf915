//! Commitments: which offers they cover, and how much of them.

use std::sync::Arc;

use super::{Resolver, shared};
use crate::application::{DEFAULT_PURCHASES, Requirement, Subject, Test};
use crate::commitment::{Capacity, Commitment};
use crate::diagnostic::Diagnostic;
use crate::document::{CommitmentDocument, OneOrMany, PURCHASES};
use crate::offer::Attribute;
use crate::quantity::{Cores, Price};
use crate::requirement::{self, Measure};
use crate::span::Spanned;

impl Resolver<'_> {
    /// The commitments, in the order of the file.
    pub(super) fn commitments(&mut self) -> Vec<Commitment> {
        let document = self.document;
        document.commitments.iter().filter_map(|(name, commitment)| self.commitment(name, commitment)).collect()
    }

    fn commitment(&mut self, name: &Spanned<String>, document: &CommitmentDocument) -> Option<Commitment> {
        let path = format!("commitments.{}", name.value);
        let attribute = Subject::Attribute;
        let purchases = PURCHASES.map(|p| p.as_str());
        let mut matches = Vec::new();
        let rows: [(&str, Subject, &Option<OneOrMany>, &[&str]); 6] = [
            ("provider", attribute(Attribute::Provider), &document.provider, &[]),
            ("location", Subject::Place, &document.location, &[]),
            ("region", attribute(Attribute::Region), &document.region, &[]),
            ("machine_type", attribute(Attribute::MachineType), &document.machine_type, &[]),
            ("family", attribute(Attribute::Family), &document.family, &[]),
            ("purchase", attribute(Attribute::Purchase), &document.purchase, &purchases),
        ];
        for (key, subject, value, known) in rows {
            matches.extend(self.text_requirement(&format!("{path}.{key}"), subject, key, value.as_ref(), known));
        }
        if document.purchase.is_none() {
            let words = DEFAULT_PURCHASES.map(|p| p.as_str());
            matches.push(Requirement {
                subject: attribute(Attribute::Purchase),
                test: Test::Text(words.iter().map(|w| Arc::from(*w)).collect()),
                text: format!("purchase in [{}] (the default)", words.join(", ")),
                span: name.span,
            });
        }
        let capacity = self.capacity(&path, name, document)?;
        let until = document.until.as_ref().and_then(|until| self.last_day(&format!("{path}.until"), until));
        Some(Commitment { name: shared(name), span: name.span, matches, capacity, until })
    }

    fn capacity(&mut self, path: &str, name: &Spanned<String>, document: &CommitmentDocument) -> Option<Capacity> {
        let stated = [
            ("nodes", &document.nodes, Measure::Whole),
            ("cores", &document.cores, Measure::Count),
            ("cost", &document.cost, Measure::Price),
        ];
        let mut stated = stated.into_iter().filter_map(|(key, value, measure)| Some((key, value.as_ref()?, measure)));
        let Some((key, value, measure)) = stated.next() else {
            let finding = Diagnostic::error(name.span, "the commitment covers nothing");
            self.report(path, finding.help("add one of `nodes`, `cores` and `cost`"));
            return None;
        };
        if let Some((other, second, _)) = stated.next() {
            let message = format!("a commitment is counted in `{key}` or in `{other}`, not in both");
            let finding = Diagnostic::error(second.span, message);
            self.report(&format!("{path}.{other}"), finding.help("write two commitments"));
            return None;
        }
        let amount = requirement::amount(value, measure, &self.currency);
        let amount = self.keep(&format!("{path}.{key}"), amount)?;
        match measure {
            Measure::Whole => Some(Capacity::Nodes(amount as u64)),
            Measure::Count => Cores::from_count(amount).map(Capacity::Cores),
            _ => Price::from_units(amount).map(Capacity::Cost),
        }
    }

    /// A day as `YYYY-MM-DD`.
    fn last_day(&mut self, path: &str, until: &Spanned<String>) -> Option<Arc<str>> {
        let text = until.value.trim();
        let parts: Vec<&str> = text.split('-').collect();
        let number = |part: &str, digits: usize| (part.len() == digits).then(|| part.parse::<u32>().ok()).flatten();
        let is_day = match parts.as_slice() {
            [year, month, day] => {
                number(year, 4).is_some()
                    && number(month, 2).is_some_and(|m| (1..=12).contains(&m))
                    && number(day, 2).is_some_and(|d| (1..=31).contains(&d))
            }
            _ => false,
        };
        if !is_day {
            let finding = Diagnostic::error(until.span, format!("`{text}` is no day"));
            self.report(path, finding.help("write it as `2027-06-30`"));
            return None;
        }
        Some(text.into())
    }
}
