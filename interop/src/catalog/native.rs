//! The names and values of Cardinal's own catalog forms, the same in CSV and YAML.
//!
//! | column | meaning | when absent or empty |
//! | --- | --- | --- |
//! | `id` | unique in the catalog | `provider/region/machine_type`, with `/spot` or `/reserved` added |
//! | `provider` | `aws`, `azure`, `gcp`, `openstack` ... | required |
//! | `region` | the provider's name of the region | the offer names none |
//! | `zones` | zones in which the offer can be had (list) | the region counts as one zone |
//! | `country` | ISO 3166 alpha-2 code or name | from the gazetteer |
//! | `places` | further names of places that contain the offer (list) | the city, from the gazetteer |
//! | `latitude`, `longitude` | degrees north and east | from the gazetteer |
//! | `machine_type` | `m5.large` | required |
//! | `family` | `m5` | what the name of the machine type tells |
//! | `cloud` | `public`, `private`, `edge`, `own` | `public` |
//! | `purchase` | `on-demand`, `spot`, `reserved` | `on-demand` |
//! | `cores` | vCPU, fractions allowed | required |
//! | `memory_gib` | memory in GiB | required, this or `memory` |
//! | `memory` | memory with its unit: `8 GiB` | |
//! | `disk_gb` | local disk in GB (10^9 bytes) | the offer does not tell its disk |
//! | `disk` | local disk with its unit: `125 GB` | |
//! | `gpus` | number of GPUs | 0 |
//! | `architecture` | `amd64`, `arm64` ... | `amd64` |
//! | `os` | `ubuntu` ..., `unknown` for an image of unknown system | any |
//! | `price` | per hour, in the catalog's currency | required |
//! | `interruption_rate` | share of such nodes taken back within a month of 730 h, 0 to 1 | 0, of a spot offer not told |
//! | `start_up_s` | seconds until instances can start on a new node | not told |
//! | `minimum_lifetime_s` | seconds for which a node is paid at least | not told |
//! | `label:NAME` (CSV), `labels` (YAML) | free attributes | none |
//!
//! Amounts carry their unit in the name or in the value, never in neither: a bare `memory: 8` is refused. In CSV a
//! list is separated by `;`, and a label that reads as a number is one. Facts about the catalog (`currency`, `date`,
//! `source`) are comment lines before the header in CSV (`# currency: USD`) and keys beside `offers` in YAML. Without
//! a currency the prices are in an abstract unit.

use cardinal_models::diagnostic::did_you_mean;
use cardinal_models::location;
use cardinal_models::offer::{CloudKind, LabelValue, OperatingSystem, Purchase};
use cardinal_models::quantity::Bytes;

use super::draft::{Draft, Names, Problem, bytes, cores, number, price};

/// One attribute of an offer in the native forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Provider,
    Region,
    Zones,
    Country,
    Places,
    Latitude,
    Longitude,
    MachineType,
    Family,
    Cloud,
    Purchase,
    Cores,
    MemoryGib,
    Memory,
    DiskGb,
    Disk,
    Gpus,
    Architecture,
    Os,
    Price,
    InterruptionRate,
    StartUp,
    MinimumLifetime,
}

const FIELDS: [(&str, Field); 24] = [
    ("id", Field::Id),
    ("provider", Field::Provider),
    ("region", Field::Region),
    ("zones", Field::Zones),
    ("country", Field::Country),
    ("places", Field::Places),
    ("latitude", Field::Latitude),
    ("longitude", Field::Longitude),
    ("machine_type", Field::MachineType),
    ("family", Field::Family),
    ("cloud", Field::Cloud),
    ("purchase", Field::Purchase),
    ("cores", Field::Cores),
    ("memory_gib", Field::MemoryGib),
    ("memory", Field::Memory),
    ("disk_gb", Field::DiskGb),
    ("disk", Field::Disk),
    ("gpus", Field::Gpus),
    ("architecture", Field::Architecture),
    ("os", Field::Os),
    ("price", Field::Price),
    ("interruption_rate", Field::InterruptionRate),
    ("start_up_s", Field::StartUp),
    ("minimum_lifetime_s", Field::MinimumLifetime),
];

/// The columns that the CSV writer writes, in its order; `label:NAME` columns follow.
pub const COLUMNS: [&str; 22] = [
    "id",
    "provider",
    "region",
    "zones",
    "country",
    "places",
    "latitude",
    "longitude",
    "machine_type",
    "family",
    "cloud",
    "purchase",
    "cores",
    "memory_gib",
    "disk_gb",
    "gpus",
    "architecture",
    "os",
    "price",
    "interruption_rate",
    "start_up_s",
    "minimum_lifetime_s",
];

impl Field {
    /// The field with a name.
    pub(super) fn named(name: &str) -> Option<Field> {
        FIELDS.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
    }

    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize].0
    }

    /// The closest field to a misspelt name, as a mend.
    pub(super) fn suggestion(name: &str) -> String {
        match did_you_mean(name, FIELDS.iter().map(|(n, _)| *n)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the names are {}", FIELDS.map(|(n, _)| n).join(", ")),
        }
    }
}

/// An offer of a native form while its values arrive.
#[derive(Default)]
pub(super) struct NativeOffer<'a> {
    draft: Draft<'a>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    seen: u32,
}

impl<'a> NativeOffer<'a> {
    /// Sets a field from a text that is not empty.
    pub(super) fn set(&mut self, field: Field, text: &'a str) -> Result<(), Problem> {
        self.seen |= 1 << field as u32;
        let draft = &mut self.draft;
        match field {
            Field::Id => draft.id = Some(text.into()),
            Field::Provider => draft.provider = text.into(),
            Field::Region => draft.region = text.into(),
            Field::Zones => draft.zones = Names::Cell(text),
            Field::Places => draft.places = Names::Cell(text),
            Field::Country => draft.country = country(text)?,
            Field::Latitude => self.latitude = Some(degrees(text, 90.0)?),
            Field::Longitude => self.longitude = Some(degrees(text, 180.0)?),
            Field::MachineType => draft.machine_type = text.into(),
            Field::Family => draft.family = text,
            Field::Cloud => {
                draft.cloud = word(
                    text,
                    [CloudKind::Public, CloudKind::Private, CloudKind::Edge, CloudKind::Own],
                    CloudKind::as_str,
                )?;
            }
            Field::Purchase => {
                draft.purchase =
                    word(text, [Purchase::OnDemand, Purchase::Spot, Purchase::Reserved], Purchase::as_str)?;
            }
            Field::Cores => draft.cores = cores(number(text)?)?,
            Field::MemoryGib => draft.memory = bytes(number(text)?, 1 << 30, "GiB")?,
            Field::Memory => draft.memory = amount(text, "8 GiB", "memory_gib")?,
            Field::DiskGb => draft.disk = Some(bytes(number(text)?, 1_000_000_000, "GB")?),
            Field::Disk => draft.disk = Some(amount(text, "125 GB", "disk_gb")?),
            Field::Gpus => draft.gpus = whole(text)?,
            Field::Architecture => draft.architecture = architecture(text),
            Field::Os => draft.os = operating_system(text),
            Field::Price => draft.price = price(number(text)?)?,
            Field::InterruptionRate => draft.lifecycle.interruption_rate = Some(share(text)?),
            Field::StartUp => draft.lifecycle.start_up_s = Some(seconds(text)?),
            Field::MinimumLifetime => draft.lifecycle.minimum_lifetime_s = Some(seconds(text)?),
        }
        Ok(())
    }

    /// Sets a field from a list.
    pub(super) fn set_list(&mut self, field: Field, names: Vec<&'a str>) -> Result<(), Problem> {
        match field {
            Field::Zones => self.draft.zones = Names::List(names),
            Field::Places => self.draft.places = Names::List(names),
            _ => return Err(Problem::new(format!("`{}` is one value, not a list", field.name()), "write one value")),
        }
        Ok(())
    }

    /// Adds a label.
    pub(super) fn label(&mut self, name: &'a str, value: LabelValue) {
        self.draft.labels.push((name, value));
    }

    /// The draft, or what is missing.
    pub(super) fn finish(mut self) -> Result<Draft<'a>, Problem> {
        let has = |field: Field| self.seen & (1 << field as u32) != 0;
        let missing: Vec<&str> = [
            (has(Field::Provider), "provider"),
            (has(Field::MachineType), "machine_type"),
            (has(Field::Cores), "cores"),
            (has(Field::MemoryGib) || has(Field::Memory), "memory_gib"),
            (has(Field::Price), "price"),
        ]
        .into_iter()
        .filter(|(is_there, _)| !is_there)
        .map(|(_, name)| name)
        .collect();
        if !missing.is_empty() {
            let help = "an offer has at least provider, machine_type, cores, memory_gib (or memory) and price";
            return Err(Problem::new(format!("the offer lacks {}", missing.join(", ")), help));
        }
        self.draft.coordinates = match (self.latitude, self.longitude) {
            (Some(latitude), Some(longitude)) => Some((latitude, longitude)),
            (None, None) => None,
            _ => {
                let help = "write both, or neither to take them from the gazetteer";
                return Err(Problem::new("the offer has only one of latitude and longitude", help));
            }
        };
        Ok(self.draft)
    }
}

fn word<T: Copy, const N: usize>(text: &str, all: [T; N], name: impl Fn(T) -> &'static str) -> Result<T, Problem> {
    all.into_iter().find(|w| name(*w).eq_ignore_ascii_case(text)).ok_or_else(|| {
        Problem::new(format!("`{text}` is not known here"), format!("write one of {}", all.map(name).join(", ")))
    })
}

fn country(text: &str) -> Result<&'static str, Problem> {
    location::country_code(text).ok_or_else(|| {
        let help = "write an ISO 3166 code such as DE, or put a city or an area into `places`";
        Problem::new(format!("`{text}` is not a country"), help)
    })
}

fn degrees(text: &str, limit: f64) -> Result<f64, Problem> {
    let degrees = number(text)?;
    if degrees.abs() <= limit {
        return Ok(degrees);
    }
    Err(Problem::new(
        format!("{degrees} degrees is no place on earth"),
        format!("write a number from -{limit} to {limit}"),
    ))
}

fn share(text: &str) -> Result<f64, Problem> {
    let share = number(text)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(Problem::new(format!("`{text}` is no share"), "write a number from 0 to 1, such as 0.05 for 5 %"))
}

fn seconds(text: &str) -> Result<f64, Problem> {
    let seconds = number(text)?;
    if (0.0..=1e9).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Problem::new(format!("`{text}` is no length of time"), "write a number of seconds, such as 60"))
}

fn whole(text: &str) -> Result<u32, Problem> {
    let x = number(text)?;
    if x.fract() == 0.0 && (0.0..=1e6).contains(&x) {
        return Ok(x as u32);
    }
    Err(Problem::new(format!("`{text}` is no number of things"), "write a whole number such as 0 or 4"))
}

/// The usual spellings of the two common architectures become one; others stay as they are.
pub(super) fn architecture(text: &str) -> &str {
    let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(text));
    if is(&["amd64", "x86_64", "x86-64", "x64", "i386", "x86"]) {
        "amd64"
    } else if is(&["arm64", "aarch64", "arm"]) {
        "arm64"
    } else {
        text
    }
}

fn operating_system(text: &str) -> OperatingSystem {
    match text.to_lowercase().as_str() {
        "any" => OperatingSystem::Any,
        "unknown" => OperatingSystem::Unknown,
        name => OperatingSystem::Named(name.into()),
    }
}

const UNITS: [(&str, u64); 14] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
];

/// An amount of data with its unit.
fn amount(text: &str, example: &str, bare: &str) -> Result<Bytes, Problem> {
    let split = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E').unwrap_or(text.len());
    let (figure, unit) = (text[..split].trim(), text[split..].trim());
    if unit.is_empty() {
        number(figure)?;
        let help = format!("write the unit, such as `{example}`, or name the value `{bare}`");
        return Err(Problem::new(format!("`{text}` has no unit"), help));
    }
    let Some((_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(Problem::new(
            format!("`{unit}` is not a unit of data"),
            "write B, kB, MB, GB, TB, KiB, MiB, GiB or TiB",
        ));
    };
    bytes(number(figure)?, *size, unit)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_the_fields() {
        for (name, field) in FIELDS {
            assert_eq!(field.name(), name);
            assert_eq!(Field::named(name), Some(field));
        }
        assert!(COLUMNS.iter().all(|c| Field::named(c).is_some()));
    }

    #[test]
    fn amounts_need_a_unit() {
        assert_eq!(amount("8 GiB", "", "").unwrap(), Bytes(8 << 30));
        assert_eq!(amount("7.5GiB", "", "").unwrap(), Bytes(15 << 29));
        assert_eq!(amount("125 GB", "", "").unwrap(), Bytes(125_000_000_000));
        assert_eq!(amount("1e3 MB", "", "").unwrap(), Bytes(1_000_000_000));
        for bad in ["8", "8 Gib", "GiB", "-1 GiB", "inf GiB", "nan GB", "8 GiB GiB", "1e30 TB", ""] {
            assert!(amount(bad, "8 GiB", "memory_gib").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_is_checked() {
        assert!(price(number("-1").unwrap()).is_err());
        assert!(number("NaN").is_err() && number("inf").is_err() && number("").is_err() && number("1,5").is_err());
        assert!(price(1e7).is_err());
        assert!(whole("1.5").is_err() && whole("-1").is_err() && whole("4").is_ok());
        assert!(degrees("91", 90.0).is_err() && degrees("-90", 90.0).is_ok());
    }
}
