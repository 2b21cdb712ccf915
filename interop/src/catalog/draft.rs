//! An offer as a reader understood it, before it is completed and its texts are shared.

use std::borrow::Cow;

use cardinal_models::offer::{CloudKind, LabelValue, Lifecycle, OperatingSystem, Purchase};
use cardinal_models::quantity::{Bytes, Cores, Price};

/// A list of names.
#[derive(Clone, Debug, Default)]
pub(super) enum Names<'a> {
    /// The file does not tell.
    #[default]
    Missing,
    /// Separated by `;` in one cell.
    Cell(&'a str),
    /// One by one.
    List(Vec<&'a str>),
}

impl<'a> Names<'a> {
    /// The names, trimmed, without empty ones.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        let (cell, list) = match self {
            Names::Missing => ("", &[][..]),
            Names::Cell(cell) => (*cell, &[][..]),
            Names::List(list) => ("", list.as_slice()),
        };
        cell.split(';').chain(list.iter().copied()).map(str::trim).filter(|n| !n.is_empty())
    }
}

/// What a reader knows of an offer. Empty texts are not known; [`super::assemble::Assembler::add`] fills them.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft<'a> {
    /// The id; made from provider, region, machine type and purchase when missing.
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) provider: Cow<'a, str>,
    pub(super) region: Cow<'a, str>,
    pub(super) zones: Names<'a>,
    /// ISO 3166 alpha-2 code; from the gazetteer when empty.
    pub(super) country: &'a str,
    /// The city of the gazetteer is added.
    pub(super) places: Names<'a>,
    /// From the gazetteer when missing.
    pub(super) coordinates: Option<(f64, f64)>,
    pub(super) machine_type: Cow<'a, str>,
    /// From the machine type when empty.
    pub(super) family: &'a str,
    pub(super) cloud: CloudKind,
    pub(super) purchase: Purchase,
    pub(super) cores: Cores,
    pub(super) memory: Bytes,
    pub(super) disk: Option<Bytes>,
    pub(super) gpus: u32,
    /// `amd64` when empty.
    pub(super) architecture: &'a str,
    pub(super) os: OperatingSystem,
    pub(super) price: Price,
    pub(super) lifecycle: Lifecycle,
    pub(super) labels: Vec<(&'a str, LabelValue)>,
}

/// A message with its mend: what is wrong with one value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) help: String,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Problem { message: message.into(), help: help.into() }
    }
}

/// A price per hour from a number.
pub(super) fn price(units: f64) -> Result<Price, Problem> {
    Price::from_units(units).ok_or_else(|| {
        let limit = Price::MAX.units();
        if units.is_nan() || units.is_infinite() {
            Problem::new(format!("the price {units} is not a number"), "write the price of one hour, such as 0.096")
        } else if units < 0.0 {
            Problem::new(
                format!("the price {units} is negative"),
                "an offer costs nothing or something; write 0 or more",
            )
        } else {
            Problem::new(
                format!("the price {units} is above the limit of {limit} an hour"),
                "write the price of one machine for one hour",
            )
        }
    })
}

/// Cores from a number.
pub(super) fn cores(count: f64) -> Result<Cores, Problem> {
    Cores::from_count(count)
        .ok_or_else(|| Problem::new(format!("{count} is no number of cores"), "write a number from 0 to 1000000"))
}

/// An amount of data from a number of units of `unit_bytes` bytes each.
pub(super) fn bytes(number: f64, unit_bytes: u64, unit: &str) -> Result<Bytes, Problem> {
    let bytes = number * unit_bytes as f64;
    Bytes::from_mib(bytes / Bytes::MIB as f64).ok_or_else(|| {
        Problem::new(format!("{number} {unit} is no amount of data"), "write 0 or more, at most 10^18 bytes")
    })
}

/// A number; texts that mean no finite number are refused.
pub(super) fn number(text: &str) -> Result<f64, Problem> {
    match text.trim().parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(Problem::new(format!("`{text}` is not a number"), "write a number such as 8 or 0.096")),
    }
}
