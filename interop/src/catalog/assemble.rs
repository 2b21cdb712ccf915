//! From drafts to a catalog: completes what the file leaves open, shares texts, refuses doubles, keeps the limits.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::location;
use cardinal_models::offer::{LabelValue, Offer, Purchase, family_of};
use cardinal_models::quantity::{Bytes, Cores, Price};
use cardinal_models::span::Span;
use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::OFFERS_MAX;
use super::draft::{Draft, Names, Problem};
use super::findings::{Findings, Notice};

/// Joins the parts of a key; no name contains it.
const SEPARATOR: char = '\u{1f}';

type List = Arc<[Arc<str>]>;
type Labels = Arc<IndexMap<Arc<str>, LabelValue>>;

/// Builds a catalog from drafts.
pub(super) struct Assembler<'s> {
    /// Currency, date and source may be set by the reader at any time.
    pub(super) catalog: Catalog,
    pub(super) findings: Findings<'s>,
    texts: Texts,
    regions: FxHashMap<(Arc<str>, Arc<str>), Surroundings>,
    /// Where each offer of the catalog begins in the text, to name the first of two with the same id.
    starts: Vec<u32>,
    /// For each id that was asked for again, the last number that was added to it.
    repeats: FxHashMap<String, u32>,
    key: String,
}

/// What the gazetteer knows of a region.
#[derive(Clone)]
struct Surroundings {
    is_known: bool,
    country: Arc<str>,
    city: Option<&'static str>,
    /// The list of the city alone, what nearly every offer has for its places.
    places: List,
    coordinates: Option<(f64, f64)>,
}

impl<'s> Assembler<'s> {
    /// An empty catalog whose source is the name of the file.
    pub(super) fn new(source: &'s Source) -> Self {
        Assembler {
            catalog: Catalog::new("", "", source.name.clone()),
            findings: Findings::new(source),
            texts: Texts::default(),
            regions: FxHashMap::default(),
            starts: Vec::new(),
            repeats: FxHashMap::default(),
            key: String::new(),
        }
    }

    /// Adds an error.
    pub(super) fn refuse(&mut self, span: Span, path: &str, problem: Problem) {
        self.findings.error(Diagnostic::error(span, problem.message).help(problem.help).at(path));
    }

    /// True when reading on has no use.
    pub(super) fn is_over(&self) -> bool {
        self.findings.full()
    }

    /// Completes a draft and adds it. `span` is the whole entry in the text.
    pub(super) fn add(&mut self, draft: Draft<'_>, span: Span) {
        if self.catalog.len() >= OFFERS_MAX {
            // Said once: then there is a start more than offers.
            if self.catalog.len() == self.starts.len() {
                let message = format!("the catalog has more than {OFFERS_MAX} offers");
                let help = "split it into several files, or drop offers that no model can use";
                self.findings.error(Diagnostic::error(span, message).help(help));
                self.starts.push(span.start);
            }
            return;
        }
        let offer = self.complete(draft, span);
        let id = offer.id.clone();
        if self.catalog.insert(offer).is_none() {
            self.starts.push(span.start);
            return;
        }
        let first = self.catalog.find(&id).and_then(|i| self.starts.get(i.0 as usize)).copied().unwrap_or_default();
        let (first, second) = (self.findings.line(first), self.findings.line(span.start));
        let message = format!("two offers have the id `{id}`: in line {first} and in line {second}");
        let help = "ids are unique in a catalog: drop one of the two, or give them different ids";
        self.findings.error(Diagnostic::error(span, message).help(help));
    }

    /// The id, or the id with a number when an offer has it already. For forms whose entries have no id.
    pub(super) fn unused_id(&mut self, id: String) -> String {
        if self.catalog.find(&id).is_none() {
            return id;
        }
        // Remembering the last number keeps a file of equal entries from being compared each with each.
        let mut number = self.repeats.get(&id).copied().unwrap_or(1);
        loop {
            number += 1;
            let next = format!("{id}#{number}");
            if self.catalog.find(&next).is_none() {
                self.repeats.insert(id, number);
                return next;
            }
        }
    }

    /// The catalog with the warnings, or the errors.
    pub(super) fn finish(mut self) -> Result<(Catalog, Diagnostics), Diagnostics> {
        if self.catalog.is_empty() && !self.findings.has_errors() {
            self.findings.warn(Diagnostic::warning(Span::NONE, "the catalog has no offers"));
        }
        let diagnostics = self.findings.finish()?;
        Ok((self.catalog, diagnostics))
    }

    fn complete(&mut self, draft: Draft<'_>, span: Span) -> Offer {
        let provider = self.texts.share(&lower(&draft.provider));
        let region = self.texts.share(&draft.region);
        let around = self.surroundings(&provider, &region);
        let machine_type = self.texts.share(&draft.machine_type);
        let family = match draft.family {
            "" => self.texts.share(&family_of(&machine_type)),
            told => self.texts.share(told),
        };
        let country = if draft.country.is_empty() { around.country.clone() } else { self.texts.share(draft.country) };
        if country.is_empty() && !around.is_known && !region.is_empty() {
            self.findings.note(Notice::UnknownRegion, span);
        }
        for (is_zero, notice) in [
            (draft.price == Price::ZERO, Notice::ZeroPrice),
            (draft.memory == Bytes(0), Notice::ZeroMemory),
            (draft.cores == Cores(0), Notice::ZeroCores),
        ] {
            if is_zero {
                self.findings.note(notice, span);
            }
        }
        let id = match &draft.id {
            Some(id) => Arc::from(id.as_ref()),
            None => self.made_id(&provider, &region, &machine_type, draft.purchase),
        };
        Offer {
            id,
            zones: self.texts.share_list(draft.zones.iter()),
            places: self.places(&draft.places, &around),
            coordinates: draft.coordinates.or(around.coordinates),
            provider,
            region,
            country,
            machine_type,
            family,
            cloud: draft.cloud,
            purchase: draft.purchase,
            cores: draft.cores,
            memory: draft.memory,
            disk: draft.disk,
            gpus: draft.gpus,
            architecture: self.texts.share(if draft.architecture.is_empty() { "amd64" } else { draft.architecture }),
            os: draft.os,
            price: draft.price,
            lifecycle: draft.lifecycle,
            labels: self.texts.share_labels(&draft.labels),
            configuration: None,
        }
    }

    fn places(&mut self, places: &Names<'_>, around: &Surroundings) -> List {
        match (places, around.city) {
            (Names::Missing, _) => around.places.clone(),
            (_, None) => self.texts.share_list(places.iter()),
            (_, Some(city)) => {
                let has_city = places.iter().any(|p| p.eq_ignore_ascii_case(city));
                self.texts.share_list(places.iter().chain((!has_city).then_some(city)))
            }
        }
    }

    /// `provider/region/machine type`, with the purchase unless it is on demand.
    fn made_id(&mut self, provider: &str, region: &str, machine_type: &str, purchase: Purchase) -> Arc<str> {
        self.key.clear();
        self.key.push_str(provider);
        for part in [region, machine_type].into_iter().filter(|p| !p.is_empty()) {
            self.key.push('/');
            self.key.push_str(part);
        }
        if purchase != Purchase::OnDemand {
            self.key.push('/');
            self.key.push_str(purchase.as_str());
        }
        Arc::from(self.key.as_str())
    }

    fn surroundings(&mut self, provider: &Arc<str>, region: &Arc<str>) -> Surroundings {
        let key = (provider.clone(), region.clone());
        if let Some(known) = self.regions.get(&key) {
            return known.clone();
        }
        let found = location::region(provider, region);
        let around = Surroundings {
            // Only the regions of public clouds can be known, so only there is it strange when one is not.
            is_known: found.is_some() || !matches!(provider.as_ref(), "aws" | "azure" | "gcp"),
            country: self.texts.share(found.map_or("", |r| r.country)),
            city: found.map(|r| r.city),
            places: self.texts.share_list(found.map(|r| r.city).into_iter()),
            coordinates: found.map(|r| (r.latitude, r.longitude)),
        };
        self.regions.insert(key, around.clone());
        around
    }
}

/// The text in lower case, without a copy when it is so already.
pub(super) fn lower(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_uppercase) { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) }
}

/// Texts, lists and labels, each kept once: a catalog repeats a few thousand texts in tens of thousands of offers.
#[derive(Default)]
struct Texts {
    texts: FxHashSet<Arc<str>>,
    lists: FxHashMap<Box<str>, List>,
    labels: FxHashMap<Box<str>, Labels>,
    no_names: List,
    no_labels: Labels,
    key: String,
}

impl Texts {
    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let shared: Arc<str> = Arc::from(text);
        self.texts.insert(shared.clone());
        shared
    }

    fn share_list<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> List {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for name in names {
            key.push_str(name);
            key.push(SEPARATOR);
        }
        let list = if key.is_empty() {
            self.no_names.clone()
        } else if let Some(known) = self.lists.get(key.as_str()) {
            known.clone()
        } else {
            let list: List = key.split_terminator(SEPARATOR).map(|name| self.share(name)).collect();
            self.lists.insert(key.as_str().into(), list.clone());
            list
        };
        self.key = key;
        list
    }

    fn share_labels(&mut self, labels: &[(&str, LabelValue)]) -> Labels {
        if labels.is_empty() {
            return self.no_labels.clone();
        }
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for (name, value) in labels {
            // Number and text of the same spelling are different labels.
            let written = match value {
                LabelValue::Number(x) => write!(key, "{name}{SEPARATOR}n{x}{SEPARATOR}"),
                LabelValue::Text(t) => write!(key, "{name}{SEPARATOR}t{t}{SEPARATOR}"),
            };
            debug_assert!(written.is_ok(), "writing to a text cannot fail");
        }
        let shared = match self.labels.get(key.as_str()) {
            Some(known) => known.clone(),
            None => {
                let map = labels.iter().map(|(name, value)| {
                    let value = match value {
                        LabelValue::Number(x) => LabelValue::Number(*x),
                        LabelValue::Text(t) => LabelValue::Text(self.share(t)),
                    };
                    (self.share(name), value)
                });
                let shared = Arc::new(map.collect());
                self.labels.insert(key.as_str().into(), Arc::clone(&shared));
                shared
            }
        };
        self.key = key;
        shared
    }
}
