//! Which offers somebody speaks of: `c5.xlarge`, `aws/eu-west-1/*`, `provider=aws,type=c5.*`.

use cardinal_models::application::matches_pattern;
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::diagnostic::did_you_mean;
use cardinal_models::location::lies_in;
use cardinal_models::offer::Offer;

/// A text of a question that cannot be read: what is wrong, and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misread {
    /// What is wrong, in the user's words, without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Misread {
    /// What is wrong, with the mend.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Misread { message: message.into(), help: Some(help.into()) }
    }
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Id,
    Provider,
    Place,
    Type,
    Purchase,
    Cloud,
    Architecture,
    /// No field was named: an id, a machine type, a provider or a place.
    Any,
}

const FIELDS: [(&str, Field); 13] = [
    ("provider", Field::Provider),
    ("region", Field::Place),
    ("location", Field::Place),
    ("country", Field::Place),
    ("zone", Field::Place),
    ("type", Field::Type),
    ("machine_type", Field::Type),
    ("purchase", Field::Purchase),
    ("cloud", Field::Cloud),
    ("architecture", Field::Architecture),
    ("arch", Field::Architecture),
    ("id", Field::Id),
    ("offer", Field::Id),
];

/// A set of offers: those that satisfy every part of any of the alternatives. `*` stands for any characters.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    text: String,
    parts: Vec<(Field, String)>,
    or: Vec<Selector>,
}

impl Selector {
    /// Reads a selector: parts separated by commas, each `FIELD=PATTERN` or a pattern alone.
    pub fn read(text: &str) -> Result<Selector, Misread> {
        let mut parts = Vec::new();
        for part in text.split(',').map(str::trim) {
            if part.is_empty() {
                let help = "write an id, a machine type, or `FIELD=PATTERN`, such as `provider=aws`";
                return Err(Misread::new("which offers are meant is empty", help));
            }
            let Some((name, pattern)) = part.split_once('=') else {
                parts.push((Field::Any, part.to_owned()));
                continue;
            };
            let (name, pattern) = (name.trim().to_ascii_lowercase(), pattern.trim());
            let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
                let known = || FIELDS.iter().map(|(known, _)| *known);
                let listed: Vec<String> = known().map(|k| format!("`{k}`")).collect();
                let meant = did_you_mean(&name, known()).map_or(String::new(), |m| format!("did you mean `{m}`? "));
                let help = format!("{meant}Offers are chosen by {}", listed.join(", "));
                return Err(Misread::new(format!("offers have no `{name}` to be chosen by"), help));
            };
            if pattern.is_empty() {
                return Err(Misread::new(format!("`{name}` is empty"), format!("write `{name}=VALUE`")));
            }
            parts.push((*field, pattern.to_owned()));
        }
        Ok(Selector { text: text.trim().to_owned(), parts, or: Vec::new() })
    }

    /// The offers that any of these texts means.
    pub fn any(texts: &[String]) -> Result<Selector, Misread> {
        let mut all = texts.iter().map(|text| Selector::read(text)).collect::<Result<Vec<_>, _>>()?.into_iter();
        let help = "write an id, a machine type, or `FIELD=PATTERN`";
        let first = all.next().ok_or_else(|| Misread::new("no offers are meant", help))?;
        Ok(Selector { text: texts.join(" or "), or: all.collect(), ..first })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True when the offer is meant.
    pub fn admits(&self, offer: &Offer) -> bool {
        if self.or.iter().any(|other| other.admits(offer)) {
            return true;
        }
        self.parts.iter().all(|(field, pattern)| match field {
            Field::Id => matches_pattern(pattern, &offer.id),
            Field::Provider => matches_pattern(pattern, &offer.provider),
            Field::Place => lies_in(offer, pattern),
            Field::Type => matches_pattern(pattern, &offer.machine_type),
            Field::Purchase => matches_pattern(pattern, offer.purchase.as_str()),
            Field::Cloud => matches_pattern(pattern, offer.cloud.as_str()),
            Field::Architecture => matches_pattern(pattern, &offer.architecture),
            Field::Any => {
                matches_pattern(pattern, &offer.id)
                    || matches_pattern(pattern, &offer.machine_type)
                    || matches_pattern(pattern, &offer.provider)
                    || (!pattern.contains('*') && lies_in(offer, pattern))
            }
        })
    }

    /// The offers of a catalog that are meant, ascending; an error when there are none.
    pub fn offers(&self, catalog: &Catalog) -> Result<Vec<OfferIndex>, Misread> {
        // An id means that offer, though others may contain its text.
        if let [(Field::Any | Field::Id, id)] = self.parts.as_slice()
            && let Some(offer) = catalog.find(id)
            && self.or.is_empty()
        {
            return Ok(vec![offer]);
        }
        let found: Vec<OfferIndex> = catalog.iter().filter(|(_, o)| self.admits(o)).map(|(i, _)| i).collect();
        if found.is_empty() { Err(self.unknown(catalog)) } else { Ok(found) }
    }

    fn unknown(&self, catalog: &Catalog) -> Misread {
        let message = format!("no offer of the catalog is `{}`", self.text);
        let meant = self.parts.iter().find_map(|(field, pattern)| {
            let of = |offer: &'_ Offer, field: Field| -> Vec<String> {
                match field {
                    Field::Provider => vec![offer.provider.to_string()],
                    Field::Place => vec![offer.region.to_string(), offer.country.to_string()],
                    Field::Type => vec![offer.machine_type.to_string()],
                    Field::Id => vec![offer.id.to_string()],
                    Field::Any => vec![
                        offer.machine_type.to_string(),
                        offer.id.to_string(),
                        offer.region.to_string(),
                        offer.provider.to_string(),
                    ],
                    Field::Purchase => vec![offer.purchase.as_str().to_owned()],
                    Field::Cloud => vec![offer.cloud.as_str().to_owned()],
                    Field::Architecture => vec![offer.architecture.to_string()],
                }
            };
            let mut words: Vec<String> = catalog.offers().iter().flat_map(|offer| of(offer, *field)).collect();
            words.sort_unstable();
            words.dedup();
            let is_known = words.iter().any(|word| matches_pattern(pattern, word));
            if is_known { None } else { did_you_mean(pattern, words.iter().map(String::as_str)).map(str::to_owned) }
        });
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`cardinal catalog show` lists the offers; `*` stands for any characters".to_owned(),
        };
        Misread::new(message, help)
    }
}
