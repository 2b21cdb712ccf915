//! What is known of the network between places: the built-in list prices, what the catalogs tell, and files of routes.

use std::collections::BTreeSet;
use std::sync::Arc;

use cardinal_interop::catalog::{builtin_network, read_network};
use cardinal_models::admissible::admissible;
use cardinal_models::application::{Application, End};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::network::{Network, Place};

use super::model::Model;
use crate::failure::Failure;
use crate::finding::{Finding, findings};

/// Adds the built-in routes before those of the catalog and the routes of files after them: of equally specific routes
/// the last holds. Built-in prices count only where the catalog's are in the same money.
pub fn complete(catalog: &mut Catalog, texts: &[Arc<Source>]) -> Result<Vec<Finding>, Failure> {
    let builtin = builtin_network();
    let mut routes = builtin.network.routes;
    if builtin.currency != catalog.currency {
        routes.iter_mut().for_each(|route| route.egress_per_gb = None);
    }
    routes.append(&mut catalog.network.routes);
    let (mut warnings, mut errors) = (Vec::new(), Vec::new());
    for source in texts {
        match read_network(source) {
            Ok((read, doubts)) => {
                warnings.extend(findings(source, doubts));
                if !read.currency.is_empty() && read.currency != catalog.currency {
                    errors.push(other_money(&source.name, &read.currency, &catalog.currency));
                }
                routes.extend(read.network.routes);
            }
            Err(wrong) => errors.extend(findings(source, wrong)),
        }
    }
    catalog.network = Network { routes };
    if errors.is_empty() { Ok(warnings) } else { Err(Failure::invalid(errors)) }
}

fn other_money(path: &str, own: &str, catalog: &str) -> Finding {
    let catalog = if catalog.is_empty() { "an abstract unit" } else { catalog };
    Finding::error(format!("the prices of `{path}` are in {own}, those of the catalog in {catalog}"))
        .help("write the prices of the routes in the money of the catalog")
}

/// Warns about links between whose ends some way has no price: placements that would need it are left out.
pub fn gaps(model: &Model, catalog: &Catalog) -> Vec<Finding> {
    let application = &model.application;
    let mut found = Vec::new();
    for link in &application.links {
        let ends = [link.from, link.to].map(|end| places(application, catalog, end));
        let connections = |from: &[Place], to: &[Place]| catalog.network.connections(from, to);
        let (there, back) = (connections(&ends[0], &ends[1]), connections(&ends[1], &ends[0]));
        let is_used = |formula: &cardinal_models::formula::expr::Expr| !matches!(formula.kind, cardinal_models::formula::expr::ExprKind::Number(x) if x == 0.0);
        let mut lacking: Vec<(&str, &str)> = Vec::new();
        for (uses, known, from, to) in
            [(is_used(&link.traffic), there, &ends[0], &ends[1]), (is_used(&link.back), back, &ends[1], &ends[0])]
        {
            let unknown = known.iter().enumerate().filter(|(_, c)| uses && c.egress_per_gb.is_none());
            lacking.extend(unknown.map(|(i, _)| (from[i / to.len()].name.as_ref(), to[i % to.len()].name.as_ref())));
        }
        let Some((from, to)) = lacking.first() else { continue };
        let more = match lacking.len() {
            1 => String::new(),
            2 => " and 1 other way".to_owned(),
            n => format!(" and {} other ways", n - 1),
        };
        let message = format!("no price is known for the traffic of `{}` from `{from}` to `{to}`{more}", link.name);
        let help = "placements that would need it are left out; give it with `--network FILE` or in the `network` \
                    section of the catalog";
        found.push(Finding::warning(message).help(help).at(&model.source, link.span));
    }
    found
}

/// Where an end of a link can be.
fn places(application: &Application, catalog: &Catalog, end: End) -> Vec<Place> {
    match end {
        End::Data(data) => application.data[data.index()].candidates(catalog),
        End::Component(component) => {
            let offers = admissible(application, catalog, component);
            let names: BTreeSet<_> =
                offers.into_iter().map(|o| cardinal_models::network::name_of(&catalog[o])).collect();
            names.into_iter().map(|name| catalog.place(&name)).collect()
        }
    }
}
