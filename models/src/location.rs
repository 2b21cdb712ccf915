//! Places: where the regions of the public clouds lie, which continent a country belongs to, and whether an offer lies
//! in a place that a user names.
//!
//! A place is a zone, a region, a city or another name from the offer's `places`, a country (ISO 3166 alpha-2 code or
//! name) or a continent (code or name), without regard to case. Four codes mean both a country and a continent (`AF`,
//! `AS`, `NA`, `SA`): as a place they mean the continent, and those countries are asked for by name ("Saudi Arabia").
//! `EU` is the continent, not the union.

use crate::application::matches_pattern;
use crate::offer::Offer;

mod countries;
mod regions;

use countries::{CONTINENTS, COUNTRIES, Continent, Country};

/// A region of a public cloud and where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// The provider: `aws`, `azure`, `gcp`.
    pub provider: &'static str,
    /// The provider's name of the region: `eu-central-1`.
    pub name: &'static str,
    /// ISO 3166 alpha-2 code of its country.
    pub country: &'static str,
    /// The city that stands for it, or the nearest one.
    pub city: &'static str,
    /// Degrees north, of the city.
    pub latitude: f64,
    /// Degrees east, of the city.
    pub longitude: f64,
}

/// The region of a public cloud, `None` when the provider or the region is unknown.
pub fn region(provider: &str, name: &str) -> Option<&'static Region> {
    let table = match provider {
        "aws" => regions::AWS,
        "azure" => regions::AZURE,
        "gcp" => regions::GCP,
        _ => return None,
    };
    table.binary_search_by(|r| r.name.cmp(name)).ok().map(|i| &table[i])
}

/// Every known region of every provider.
pub fn regions() -> impl Iterator<Item = &'static Region> {
    regions::AWS.iter().chain(regions::AZURE).chain(regions::GCP)
}

/// The provider that has a region of this name. No two of the known providers share a name.
pub fn provider_of_region(name: &str) -> Option<&'static str> {
    ["aws", "azure", "gcp"].into_iter().find(|provider| region(provider, name).is_some())
}

/// The continent code of a country (ISO 3166 alpha-2): `EU`, `NA`, `SA`, `AS`, `AF`, `OC`, `AN`; empty when unknown.
pub fn continent_of(country: &str) -> &'static str {
    find_country(country).map_or("", |c| continent(c).code)
}

/// The ISO 3166 alpha-2 code of a country given by code or by name, without regard to case.
pub fn country_code(country: &str) -> Option<&'static str> {
    find_country(country)
        .or_else(|| COUNTRIES.iter().find(|c| c.names.iter().any(|n| n.eq_ignore_ascii_case(country))))
        .map(|c| c.code)
}

/// The English name of a country given by its code, `None` when unknown.
pub fn country_name(code: &str) -> Option<&'static str> {
    find_country(code).map(|c| c.names[0])
}

/// True when the offer lies in the place: its zone, region, country, continent, or one of its further places, compared
/// without regard to case. A place with a `*` is a pattern for zone, region and further places.
pub fn lies_in(offer: &Offer, place: &str) -> bool {
    if place.is_empty() {
        return false;
    }
    let own_names = || std::iter::once(&offer.region).chain(offer.zones.iter()).chain(offer.places.iter());
    if place.as_bytes().contains(&b'*') {
        return own_names().any(|name| !name.is_empty() && matches_pattern(place, name));
    }
    own_names().any(|name| name.eq_ignore_ascii_case(place)) || country_lies_in(&offer.country, place)
}

/// What a name of an area names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// A country.
    Country,
    /// A continent.
    Continent,
}

/// Whether the name is that of the country (by code) or of its continent; `None` when it is neither.
pub fn area_of(country: &str, name: &str) -> Option<Area> {
    if !country_lies_in(country, name) {
        return None;
    }
    let code = continent_of(country);
    let is_continent = CONTINENTS
        .iter()
        .any(|c| c.code == code && (c.code.eq_ignore_ascii_case(name) || c.name.eq_ignore_ascii_case(name)));
    Some(if is_continent { Area::Continent } else { Area::Country })
}

/// True when the country (by code) is the place or lies in the continent that is the place. Comparisons of texts of
/// different lengths end at once, so that the dozen of them cost little.
fn country_lies_in(country: &str, place: &str) -> bool {
    let Some(known) = find_country(country) else { return country.eq_ignore_ascii_case(place) };
    let continent = continent(known);
    if place.len() == 2 {
        return if continent_by_code(place).is_some() {
            continent.code.eq_ignore_ascii_case(place)
        } else {
            known.code.eq_ignore_ascii_case(place) || known.names.iter().any(|n| n.eq_ignore_ascii_case(place))
        };
    }
    known.names.iter().any(|n| n.eq_ignore_ascii_case(place)) || continent.name.eq_ignore_ascii_case(place)
}

/// True when the place is a continent, a country, or a region or city of a public cloud, so that a user who wrote it
/// probably meant it. Names that only a catalog knows (zones, private regions) are not known here. A pattern is known
/// when it matches a region or a city.
pub fn is_known_place(place: &str) -> bool {
    if place.contains('*') {
        return regions().any(|r| matches_pattern(place, r.name) || matches_pattern(place, r.city));
    }
    known_places().any(|known| known.eq_ignore_ascii_case(place))
}

/// Every name that [`is_known_place`] knows, to suggest one for a misspelt place. Cities of several regions repeat.
pub fn known_places() -> impl Iterator<Item = &'static str> {
    let continents = CONTINENTS.iter().flat_map(|c| [c.code, c.name]);
    let countries = COUNTRIES.iter().flat_map(|c| std::iter::once(c.code).chain(c.names.iter().copied()));
    continents.chain(countries).chain(regions().flat_map(|r| [r.name, r.city]))
}

fn continent(country: &Country) -> &'static Continent {
    &CONTINENTS[country.continent as usize]
}

fn continent_by_code(code: &str) -> Option<&'static Continent> {
    CONTINENTS.iter().find(|c| c.code.eq_ignore_ascii_case(code))
}

/// For two letters, their place in [`COUNTRIES`] plus one, or zero: one load instead of a search, because places are
/// compared for every offer.
static COUNTRY_BY_LETTERS: [u8; 26 * 26] = {
    let mut index = [0u8; 26 * 26];
    let mut i = 0;
    while i < COUNTRIES.len() {
        let code = COUNTRIES[i].code.as_bytes();
        index[(code[0] - b'A') as usize * 26 + (code[1] - b'A') as usize] = i as u8 + 1;
        i += 1;
    }
    index
};

fn find_country(code: &str) -> Option<&'static Country> {
    let &[first, second] = code.as_bytes() else { return None };
    let letter = |b: u8| b.is_ascii_alphabetic().then(|| usize::from(b.to_ascii_uppercase() - b'A'));
    let position = COUNTRY_BY_LETTERS[letter(first)? * 26 + letter(second)?];
    COUNTRIES.get(usize::from(position).checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::offer::{CloudKind, OperatingSystem, Purchase};
    use crate::quantity::{Bytes, Cores, Price};

    fn offer(region: &str, country: &str) -> Offer {
        Offer {
            id: "x".into(),
            provider: "aws".into(),
            region: region.into(),
            zones: Arc::new([format!("{region}a").into(), format!("{region}b").into()]),
            country: country.into(),
            places: Arc::new(["Frankfurt".into(), "cloud-7/eu".into()]),
            coordinates: None,
            machine_type: "m5.large".into(),
            family: "".into(),
            cloud: CloudKind::Public,
            purchase: Purchase::OnDemand,
            cores: Cores(2000),
            memory: Bytes(8 << 30),
            disk: None,
            gpus: 0,
            architecture: "amd64".into(),
            os: OperatingSystem::Any,
            price: Price::ZERO,
            lifecycle: Default::default(),
            labels: Arc::default(),
            configuration: None,
        }
    }

    #[test]
    fn tables_are_sorted_and_consistent() {
        for table in [regions::AWS, regions::AZURE, regions::GCP] {
            assert!(table.windows(2).all(|w| w[0].name < w[1].name));
        }
        assert!(COUNTRIES.windows(2).all(|w| w[0].code < w[1].code));
        assert!(COUNTRIES.len() > 245 && COUNTRIES.len() < 255, "{}", COUNTRIES.len());
        for r in regions() {
            assert_ne!(continent_of(r.country), "", "{}", r.name);
            assert!(r.latitude.abs() < 90.0 && r.longitude.abs() <= 180.0, "{}", r.name);
            assert_eq!(provider_of_region(r.name), Some(r.provider), "{}", r.name);
            assert_eq!(region(r.provider, r.name), Some(r));
        }
        let kinds = [("AF", "EG"), ("AN", "AQ"), ("AS", "SA"), ("EU", "DE"), ("NA", "US"), ("OC", "AU"), ("SA", "BR")];
        for (continent, country) in kinds {
            assert_eq!(continent_of(country), continent);
        }
        let mut names: Vec<String> = COUNTRIES.iter().flat_map(|c| c.names.iter().map(|n| n.to_lowercase())).collect();
        let total = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), total, "a name stands for two countries");
    }

    #[test]
    fn an_offer_lies_in_every_level_of_the_hierarchy() {
        let o = offer("eu-central-1", "DE");
        for place in [
            "eu-central-1",
            "EU-Central-1",
            "eu-central-1a",
            "de",
            "Germany",
            "deutschland",
            "EU",
            "europe",
            "frankfurt",
        ] {
            assert!(lies_in(&o, place), "{place}");
        }
        for place in ["", "FR", "France", "NA", "Asia", "eu-central", "eu-central-1c", "Europ", "D"] {
            assert!(!lies_in(&o, place), "{place}");
        }
    }

    #[test]
    fn a_pattern_matches_region_zone_and_places() {
        let o = offer("eu-central-1", "DE");
        for place in ["eu-*", "*central*", "cloud-7/*", "EU-central-1*", "*b"] {
            assert!(lies_in(&o, place), "{place}");
        }
        for place in ["us-*", "D*", "*z"] {
            assert!(!lies_in(&o, place), "{place}");
        }
        assert!(!lies_in(&Offer { places: Arc::default(), zones: Arc::default(), ..offer("", "") }, "*"));
    }

    #[test]
    fn a_code_of_country_and_continent_means_the_continent() {
        let saudi = offer("me-central2", "SA");
        assert!(!lies_in(&saudi, "SA"));
        assert!(lies_in(&saudi, "Saudi Arabia") && lies_in(&saudi, "AS") && lies_in(&saudi, "asia"));
        assert!(lies_in(&offer("southamerica-east1", "BR"), "sa"));
        assert!(lies_in(&offer("africa-south1", "NA"), "Namibia"));
        assert!(!lies_in(&offer("africa-south1", "NA"), "NA"));
    }

    #[test]
    fn unknown_countries_compare_as_they_are() {
        assert!(lies_in(&offer("r", "ZZ"), "zz"));
        assert!(!lies_in(&offer("r", ""), "EU"));
        assert_eq!(continent_of("ZZ"), "");
        assert_eq!(continent_of("Ä"), "");
        assert_eq!(continent_of("de"), "EU");
    }

    #[test]
    fn known_places_are_recognised() {
        for place in ["EU", "europe", "DE", "norway", "UK", "eu-west-3", "westeurope", "europe-west3", "Paris", "eu-*"]
        {
            assert!(is_known_place(place), "{place}");
        }
        for place in ["", "Germny", "eu-wst-3", "moon-*", "RegionOne"] {
            assert!(!is_known_place(place), "{place}");
        }
        assert_eq!(country_code("ireland"), Some("IE"));
        assert_eq!(country_code("Paris"), None);
        assert_eq!(country_name("no"), Some("Norway"));
    }
}
