//! Where things are, and what the network between two places is like: latency and the price of egress.
//!
//! A [`Network`] is a list of routes between named places. A place is named by `provider/region`, a region, a city or
//! another name that an offer gives, `provider/country`, `provider/continent`, a country, a provider, a continent, or
//! `*`; for each of the two figures the most specific route that tells it holds.

use std::sync::Arc;

use crate::location;
use crate::offer::Offer;

/// Round-trip milliseconds between two machines of one region, as long as no route tells otherwise.
pub const SAME_PLACE_MS: f64 = 1.0;
/// Round-trip milliseconds that an estimated route takes however short it is.
pub const BASE_MS: f64 = 2.0;
/// Kilometres of fibre that light passes in a millisecond: two thirds of its speed in empty space.
pub const FIBRE_KM_PER_MS: f64 = 200.0;
/// How much longer the cables between two places are than the great circle.
pub const PATH_FACTOR: f64 = 1.5;
/// Mean radius of the earth.
const EARTH_KM: f64 = 6371.0;

/// A region in which nodes or data can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// `provider/region`; what is not told is left out.
    pub name: Arc<str>,
    /// The provider, lower case; empty when unknown.
    pub provider: Arc<str>,
    /// The region; empty when there is none.
    pub region: Arc<str>,
    /// Country as an ISO 3166 alpha-2 code; empty when unknown.
    pub country: Arc<str>,
    /// Further names, such as its city.
    pub places: Arc<[Arc<str>]>,
    /// Latitude and longitude in degrees, when known.
    pub coordinates: Option<(f64, f64)>,
}

impl Place {
    /// Where nodes of an offer are.
    pub fn of(offer: &Offer) -> Place {
        Place {
            name: name_of(offer),
            provider: offer.provider.clone(),
            region: offer.region.clone(),
            country: offer.country.clone(),
            places: offer.places.clone(),
            coordinates: offer.coordinates,
        }
    }

    /// A place that no offer is in, from its name: a region of a public cloud, with or without its provider, a country,
    /// or any `provider/region`.
    pub fn named(name: &str) -> Place {
        let (provider, region) = match name.split_once('/') {
            Some((provider, region)) => (provider.to_ascii_lowercase(), region),
            None => (location::provider_of_region(name).unwrap_or("").to_owned(), name),
        };
        let none: Arc<[Arc<str>]> = Arc::new([]);
        if let Some(known) = location::region(&provider, region) {
            return Place {
                name: format!("{}/{}", known.provider, known.name).into(),
                provider: known.provider.into(),
                region: known.name.into(),
                country: known.country.into(),
                places: Arc::new([known.city.into()]),
                coordinates: Some((known.latitude, known.longitude)),
            };
        }
        let country = location::country_code(region).unwrap_or("");
        let region = if country.is_empty() { region } else { "" };
        Place {
            name: name.into(),
            provider: provider.into(),
            region: region.into(),
            country: country.into(),
            places: none,
            coordinates: None,
        }
    }

    /// True when the place is what a user names: see [`Place::level`].
    pub fn lies_in(&self, name: &str) -> bool {
        self.level(name).is_some()
    }

    /// How specific a name is that holds for the place, from 0 for `*` to 7 for `provider/region`; `None` when it does
    /// not hold.
    pub fn level(&self, name: &str) -> Option<u8> {
        if name == "*" {
            return Some(0);
        }
        if self.is_named(name) {
            return Some(6);
        }
        if let Some(level) = self.area(name) {
            return Some(level);
        }
        if !self.provider.is_empty() && self.provider.eq_ignore_ascii_case(name) {
            return Some(2);
        }
        let (provider, rest) = name.split_once('/')?;
        if self.provider.is_empty() || !self.provider.eq_ignore_ascii_case(provider) {
            return None;
        }
        match rest {
            "*" => Some(2),
            rest if self.is_named(rest) => Some(7),
            // 4 for a continent, 5 for a country.
            rest => self.area(rest).map(|level| if level == 1 { 4 } else { 5 }),
        }
    }

    fn is_named(&self, name: &str) -> bool {
        let own = std::iter::once(&self.region).chain(self.places.iter());
        own.filter(|own| !own.is_empty()).any(|own| {
            if name.contains('*') && name != "*" {
                crate::application::matches_pattern(name, own)
            } else {
                own.eq_ignore_ascii_case(name)
            }
        })
    }

    /// 1 when the name is the continent, 3 when it is the country.
    fn area(&self, name: &str) -> Option<u8> {
        if self.country.is_empty() {
            return None;
        }
        match location::area_of(&self.country, name)? {
            location::Area::Continent => Some(1),
            location::Area::Country => Some(3),
        }
    }

    /// Kilometres of the great circle to another place, where both tell where they are. (The haversine formula:
    /// Sinnott, Virtues of the Haversine, Sky and Telescope 68, 1984.)
    pub fn distance_km(&self, other: &Place) -> Option<f64> {
        let ((lat, lon), (other_lat, other_lon)) = (self.coordinates?, other.coordinates?);
        let (a, b) = (lat.to_radians(), other_lat.to_radians());
        let half = |x: f64| (x / 2.0).sin().powi(2);
        let h = half(b - a) + a.cos() * b.cos() * half((other_lon - lon).to_radians());
        Some(2.0 * EARTH_KM * h.clamp(0.0, 1.0).sqrt().asin())
    }
}

/// `provider/region` of an offer; where it names no region, its country.
pub fn name_of(offer: &Offer) -> Arc<str> {
    let inner = if offer.region.is_empty() { &offer.country } else { &offer.region };
    match (offer.provider.is_empty(), inner.is_empty()) {
        (false, false) => format!("{}/{inner}", offer.provider).into(),
        (false, true) => offer.provider.clone(),
        (true, _) => inner.clone(),
    }
}

/// What is known between two named places.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Whence.
    pub from: Arc<str>,
    /// Whither.
    pub to: Arc<str>,
    /// Round-trip milliseconds, which are the same for the way back.
    pub latency_ms: Option<f64>,
    /// Currency units for each GB (10^9 bytes) that leaves `from` for `to`.
    pub egress_per_gb: Option<f64>,
}

/// The network between two places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connection {
    /// Round-trip milliseconds.
    pub latency_ms: Option<f64>,
    /// Currency units for each GB that goes this way.
    pub egress_per_gb: Option<f64>,
    /// True when the latency is an estimate from the distance.
    pub is_estimate: bool,
}

/// What is known of the network between places. Of routes that are equally specific the last one holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// The routes.
    pub routes: Vec<Route>,
}

impl Network {
    /// The connection from one place to another.
    pub fn connection(&self, from: &Place, to: &Place) -> Connection {
        self.join((from, &self.levels(from)), (to, &self.levels(to)))
    }

    /// The connections from each of some places to each of others, those of the first place first.
    pub fn connections(&self, from: &[Place], to: &[Place]) -> Vec<Connection> {
        let levels = |places: &[Place]| places.iter().map(|p| self.levels(p)).collect::<Vec<_>>();
        let (from_levels, to_levels) = (levels(from), levels(to));
        let ends = |i: usize, j: usize| ((&from[i], &from_levels[i][..]), (&to[j], &to_levels[j][..]));
        let pairs = (0..from.len()).flat_map(|i| (0..to.len()).map(move |j| (i, j)));
        pairs.map(|(i, j)| ends(i, j)).map(|(a, b)| self.join(a, b)).collect()
    }

    /// How specific each route is at its two ends for a place.
    fn levels(&self, place: &Place) -> Vec<(Option<u8>, Option<u8>)> {
        self.routes.iter().map(|r| (place.level(&r.from), place.level(&r.to))).collect()
    }

    fn join(&self, (from, there): Ends<'_>, (to, home): Ends<'_>) -> Connection {
        // As specific as a route between two regions, so that such a route replaces it.
        let inside = (from.name == to.name).then_some(12);
        let mut latency = inside.map(|level| (level, SAME_PLACE_MS));
        let mut egress = inside.map(|level| (level, 0.0));
        let better = |known: Option<(u8, f64)>, level: u8| known.is_none_or(|(best, _)| level >= best);
        for (route, (a, b)) in self.routes.iter().zip(there.iter().zip(home)) {
            let along = a.0.zip(b.1).map(|(a, b)| a + b);
            let against = b.0.zip(a.1).map(|(a, b)| a + b);
            if let (Some(level), Some(price)) = (along, route.egress_per_gb)
                && better(egress, level)
            {
                egress = Some((level, price));
            }
            if let (Some(level), Some(ms)) = (along.max(against), route.latency_ms)
                && better(latency, level)
            {
                latency = Some((level, ms));
            }
        }
        let estimate = || Some(BASE_MS + 2.0 * PATH_FACTOR * from.distance_km(to)? / FIBRE_KM_PER_MS);
        let told = latency.map(|(_, ms)| ms);
        Connection {
            latency_ms: told.or_else(estimate),
            egress_per_gb: egress.map(|(_, price)| price),
            is_estimate: told.is_none(),
        }
    }
}

/// A place, and how specific each route is at its two ends for it.
type Ends<'a> = (&'a Place, &'a [(Option<u8>, Option<u8>)]);

#[cfg(test)]
mod tests {
    use super::*;

    fn route(from: &str, to: &str, latency_ms: Option<f64>, egress_per_gb: Option<f64>) -> Route {
        Route { from: from.into(), to: to.into(), latency_ms, egress_per_gb }
    }

    #[test]
    fn a_name_is_as_specific_as_what_it_names() {
        let place = Place::named("eu-central-1");
        assert_eq!(place.name.as_ref(), "aws/eu-central-1");
        for (name, level) in [
            ("*", 0),
            ("EU", 1),
            ("Europe", 1),
            ("aws", 2),
            ("aws/*", 2),
            ("DE", 3),
            ("Germany", 3),
            ("aws/EU", 4),
            ("aws/DE", 5),
            ("eu-central-1", 6),
            ("Frankfurt", 6),
            ("eu-*", 6),
            ("aws/eu-central-1", 7),
            ("AWS/EU-Central-1", 7),
        ] {
            assert_eq!(place.level(name), Some(level), "{name}");
        }
        for name in ["gcp", "FR", "NA", "gcp/eu-central-1", "aws/FR", "", "aws/", "us-*"] {
            assert_eq!(place.level(name), None, "{name}");
        }
    }

    #[test]
    fn the_most_specific_route_holds_for_each_figure() {
        let network = Network {
            routes: vec![
                route("*", "*", Some(200.0), Some(0.5)),
                route("aws", "*", None, Some(0.09)),
                route("aws", "aws", None, Some(0.02)),
                route("aws/eu-central-1", "aws/eu-west-1", Some(25.0), None),
                route("aws", "aws", None, Some(0.03)),
            ],
        };
        let place = Place::named;
        let told = |from: &str, to: &str| {
            let c = network.connection(&place(from), &place(to));
            (c.latency_ms, c.egress_per_gb)
        };
        assert_eq!(told("eu-central-1", "eu-west-1"), (Some(25.0), Some(0.03)));
        // Latency holds both ways, a price only one.
        assert_eq!(told("eu-west-1", "eu-central-1"), (Some(25.0), Some(0.03)));
        assert_eq!(told("eu-central-1", "westeurope"), (Some(200.0), Some(0.09)));
        assert_eq!(told("westeurope", "eu-central-1"), (Some(200.0), Some(0.5)));
        assert_eq!(told("eu-west-1", "eu-west-1"), (Some(SAME_PLACE_MS), Some(0.0)));
    }

    #[test]
    fn a_latency_that_no_route_tells_is_estimated_from_the_distance() {
        let network = Network::default();
        let (frankfurt, dublin) = (Place::named("eu-central-1"), Place::named("eu-west-1"));
        let c = network.connection(&frankfurt, &dublin);
        let ms = c.latency_ms.unwrap_or(0.0);
        assert!(c.is_estimate && c.egress_per_gb.is_none() && (17.0..20.0).contains(&ms), "{ms}");
        let nowhere = network.connection(&frankfurt, &Place::named("openstack/RegionOne"));
        assert_eq!((nowhere.latency_ms, nowhere.egress_per_gb), (None, None));
    }

    #[test]
    fn a_place_is_made_from_its_name() {
        let one = Place::named("openstack/RegionOne");
        assert_eq!((one.provider.as_ref(), one.region.as_ref()), ("openstack", "RegionOne"));
        let country = Place::named("NO");
        assert_eq!((country.region.as_ref(), country.country.as_ref()), ("", "NO"));
        assert!(country.lies_in("EU") && !country.lies_in("aws"));
    }
}
