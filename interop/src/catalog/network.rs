//! What is known of the network between places: a table `from,to,latency_ms,egress_price_per_gb`, the section `network` of
//! a native catalog with the same names, and the routes that hold when nobody tells otherwise.

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::network::{Network, Route};
use cardinal_models::span::Span;
use csv::StringRecord;

use super::FILE_BYTES_MAX;
use super::assemble::Assembler;
use super::draft::{Problem, number};
use super::findings::Findings;
use super::table::Table;
use super::yaml::{Node, Step, Walker};

/// The largest number of routes.
pub const ROUTES_MAX: usize = 20_000;

/// The columns of a network table, which are also the keys of a route in YAML.
pub const NETWORK_COLUMNS: [&str; 4] = ["from", "to", "latency_ms", "egress_price_per_gb"];

const TEXT: &str = include_str!("../../catalogs/network.csv");

/// A network with the currency of its prices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PricedNetwork {
    /// ISO 4217 code; empty when the file tells none, and then that of the catalog is meant.
    pub currency: String,
    /// The routes.
    pub network: Network,
}

/// The list prices of the public clouds, in USD. The head of `catalogs/network.csv` says what they leave out.
pub fn builtin_network() -> PricedNetwork {
    let read = read_network(&Source::new("built-in network", TEXT));
    debug_assert!(read.is_ok(), "the built-in network is wrong: {read:?}");
    read.map(|(network, _)| network).unwrap_or_default()
}

/// Reads a table of routes, with the money of its prices in a line `# currency: USD`.
///
/// # Errors
/// Everything that is wrong with the file, up to a limit, each with its place.
pub fn read_network(source: &Source) -> Result<(PricedNetwork, Diagnostics), Diagnostics> {
    let mut findings = Findings::new(source);
    if source.text.len() > FILE_BYTES_MAX {
        findings.error(Diagnostic::error(Span::NONE, "the file is too large for a table of routes"));
        return Err(findings.finish().err().unwrap_or_default());
    }
    let mut facts = Catalog::default();
    let mut network = Network::default();
    if let Some(mut table) = Table::open(source, &mut facts, &mut findings) {
        read_rows(&mut table, &mut network, &mut findings);
    }
    let warnings = findings.finish()?;
    Ok((PricedNetwork { currency: facts.currency, network }, warnings))
}

fn read_rows(table: &mut Table<'_>, network: &mut Network, findings: &mut Findings<'_>) {
    let header = table.header();
    let is_known = header.iter().all(|name| NETWORK_COLUMNS.contains(&name.as_str()));
    if !is_known || !header.iter().any(|n| n == "from") || !header.iter().any(|n| n == "to") {
        let message = "a table of routes has the columns from, to, latency_ms and egress_price_per_gb";
        let error = Diagnostic::error(table.header_span(), message);
        findings.error(error.help("write them as the first line; latency_ms or egress_price_per_gb may be left out"));
        return;
    }
    let mut record = StringRecord::new();
    while let Some(span) = table.next(&mut record, findings) {
        let mut draft = Draft::default();
        for (i, (name, cell)) in header.iter().zip(&record).enumerate() {
            if let Err(problem) = draft.set(name, cell.trim()) {
                let error = Diagnostic::error(table.cell_span(span, i), problem.message);
                findings.error(error.help(problem.help).at(name.clone()));
            }
        }
        match draft.finish() {
            Ok(route) => network.routes.push(route),
            Err(problem) => findings.error(Diagnostic::error(span, problem.message).help(problem.help)),
        }
        if network.routes.len() > ROUTES_MAX {
            findings.error(Diagnostic::error(span, format!("there are more than {ROUTES_MAX} routes")));
        }
        if findings.full() || network.routes.len() > ROUTES_MAX {
            return;
        }
    }
}

/// A route as it is read.
#[derive(Default)]
struct Draft {
    from: String,
    to: String,
    latency_ms: Option<f64>,
    egress_per_gb: Option<f64>,
}

impl Draft {
    /// Sets a value; an empty one says nothing.
    fn set(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        let figure = |most: f64, help: &str| -> Result<Option<f64>, Problem> {
            if text.is_empty() {
                return Ok(None);
            }
            let x = number(text)?;
            if (0.0..=most).contains(&x) {
                Ok(Some(x))
            } else {
                Err(Problem::new(format!("{x} is out of range"), help))
            }
        };
        match name {
            "from" => self.from = text.to_owned(),
            "to" => self.to = text.to_owned(),
            "latency_ms" => self.latency_ms = figure(1e6, "write the milliseconds of a round trip, such as 25")?,
            "egress_price_per_gb" => self.egress_per_gb = figure(1e6, "write the price of a GB, such as 0.09")?,
            _ => {
                let known = NETWORK_COLUMNS.join(", ");
                return Err(Problem::new(format!("`{name}` is not known here"), format!("a route has {known}")));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Route, Problem> {
        let Draft { from, to, latency_ms, egress_per_gb } = self;
        if from.is_empty() || to.is_empty() {
            let help = "name a region, `provider/region`, a country, a continent, a provider, or `*` for any";
            return Err(Problem::new("a route has two ends", help));
        }
        Ok(Route { from: from.into(), to: to.into(), latency_ms, egress_per_gb })
    }
}

/// Reads the section `network` of a native catalog: a list of routes.
pub(super) fn read_section<'s>(walker: &mut Walker<'s>, into: &mut Assembler<'s>) -> Result<(), Diagnostic> {
    let help = "write `network: [{from: aws, to: \"*\", egress_price_per_gb: 0.09}]`";
    let step = walker.step()?;
    if !matches!(step, Step::ListStart(_)) {
        if let Some(other) = walker.node(step)?.filter(|node| !node.is_null()) {
            into.refuse(other.span(), "network", Problem::new("`network` is a list of routes", help));
        }
        return Ok(());
    }
    loop {
        let step = walker.step()?;
        let Some(node) = walker.node(step)? else { return Ok(()) };
        let position = into.catalog.network.routes.len();
        let path = format!("network[{position}]");
        let Node::Map(pairs, span) = &node else {
            into.refuse(node.span(), &path, Problem::new("a route is a mapping", help));
            continue;
        };
        let mut draft = Draft::default();
        for (key, value) in pairs {
            let (name, text) = (key.text().unwrap_or_default(), if value.is_null() { Some("") } else { value.text() });
            let outcome = match text {
                Some(text) => draft.set(name, text),
                None => Err(Problem::new(format!("`{name}` is one value"), help)),
            };
            if let Err(problem) = outcome {
                into.refuse(value.span(), &format!("{path}.{name}"), problem);
            }
        }
        match draft.finish() {
            Ok(route) => into.catalog.network.routes.push(route),
            Err(problem) => into.refuse(*span, &path, problem),
        }
        if position >= ROUTES_MAX {
            into.refuse(*span, &path, Problem::new(format!("there are more than {ROUTES_MAX} routes"), help));
            return Ok(());
        }
        if into.is_over() {
            return Ok(());
        }
    }
}

/// The routes as a table.
pub fn network_csv(network: &Network, currency: &str) -> String {
    let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(Vec::new());
    let mut is_whole = writer.write_record(NETWORK_COLUMNS).is_ok();
    let told = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    for route in &network.routes {
        let cells = [route.from.to_string(), route.to.to_string(), told(route.latency_ms), told(route.egress_per_gb)];
        is_whole &= writer.write_record(cells).is_ok();
    }
    debug_assert!(is_whole, "a record has another length than the header");
    let table = writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let fact = if currency.is_empty() { String::new() } else { format!("# currency: {currency}\n") };
    fact + &table
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use cardinal_models::network::Place;

    use super::*;
    use crate::catalog::{native_yaml, to_yaml};

    #[test]
    fn the_built_in_network_prices_every_way_between_regions_of_public_clouds() {
        let known = builtin_network();
        assert_eq!(known.currency, "USD");
        let places: Vec<Place> =
            cardinal_models::location::regions().map(|r| Place::named(&format!("{}/{}", r.provider, r.name))).collect();
        assert!(places.len() > 120);
        for (i, connection) in known.network.connections(&places, &places).into_iter().enumerate() {
            let (from, to) = (&places[i / places.len()], &places[i % places.len()]);
            let price = connection.egress_per_gb.unwrap_or(f64::NAN);
            assert!(if from.name == to.name { price == 0.0 } else { (0.01..0.3).contains(&price) }, "{from:?} {to:?}");
            assert!(connection.latency_ms.is_some_and(|ms| (1.0..400.0).contains(&ms)), "{from:?} {to:?}");
        }
        let price = |from: &str, to: &str| {
            known.network.connection(&Place::named(from), &Place::named(to)).egress_per_gb.unwrap()
        };
        assert_eq!(price("eu-central-1", "us-east-1"), 0.02);
        assert_eq!(price("eu-central-1", "westeurope"), 0.09);
        assert_eq!(price("ap-southeast-1", "us-east-1"), 0.09);
        assert_eq!(price("westeurope", "northeurope"), 0.02);
        assert_eq!(price("westeurope", "eastus"), 0.05);
        assert_eq!(price("us-central1", "europe-west1"), 0.05);
        assert_eq!(price("europe-west1", "europe-west3"), 0.02);
    }

    #[test]
    fn mistakes_of_a_table_have_their_places() {
        let source = Source::new("n.csv", "from,to,latency_ms,egress_price_per_gb\naws,,1,\naws,*,-1,0.1\na,b,x,y\n");
        let wrong = read_network(&source).unwrap_err();
        let lines: Vec<usize> = wrong.0.iter().map(|d| source.line_column(d.span.start).0).collect();
        assert_eq!(lines, [2, 3, 4, 4], "{wrong}");
        assert!(read_network(&Source::new("n.csv", "a,b\n")).is_err());
    }

    #[test]
    fn a_catalog_brings_its_routes_and_keeps_them() {
        let text = "currency: EUR\nnetwork:\n  - {from: own/site, to: \"*\", latency_ms: 12.5}\n  - {from: own, to: DE, \
                    egress_price_per_gb: 0.01}\noffers:\n  - {provider: own, region: site, machine_type: m, cores: 2, \
                    memory: 4 GiB, price: 0.1}\n";
        let (catalog, _) = native_yaml::read(&Source::new("c.yaml", text)).unwrap();
        assert_eq!(catalog.network.routes.len(), 2);
        assert_eq!(catalog.network.routes[0].latency_ms, Some(12.5));
        let (again, _) = native_yaml::read(&Source::new("c.yaml", to_yaml(&catalog))).unwrap();
        assert_eq!(again.network, catalog.network);
        let table = network_csv(&catalog.network, "EUR");
        let (read, _) = read_network(&Source::new("n.csv", table)).unwrap();
        assert_eq!((read.network, read.currency.as_str()), (catalog.network, "EUR"));
    }
}
