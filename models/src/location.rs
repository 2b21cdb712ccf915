//! Places: which country a cloud region lies in, which continent a country belongs to, and whether an offer lies in a
//! named place.

use crate::offer::Offer;

/// The continent code of a country (ISO 3166 alpha-2): `EU`, `NA`, `SA`, `AS`, `AF`, `OC`, `AN`; empty when unknown.
pub fn continent_of(country: &str) -> &'static str {
    match country {
        "DE" | "IE" | "FR" | "GB" | "SE" | "NO" | "FI" | "NL" | "BE" | "CH" | "IT" | "ES" | "PL" | "AT" | "DK" => "EU",
        "US" | "CA" | "MX" => "NA",
        _ => "",
    }
}

/// True when the offer lies in the place: its zone, region, country, continent, or one of its further places, compared
/// without regard to case.
pub fn lies_in(offer: &Offer, place: &str) -> bool {
    let same = |name: &str| !name.is_empty() && name.eq_ignore_ascii_case(place);
    same(&offer.region)
        || same(&offer.country)
        || same(continent_of(&offer.country))
        || offer.zones.iter().any(|z| same(z))
        || offer.places.iter().any(|p| same(p))
}
