//! Routes of the network, and the connections between places.

use cardinal_models::catalog::Catalog;
use cardinal_models::network::{Connection, Place};
use serde_json::{Value, json};

use super::diagnostics::clean;
use super::numbers::number;
use super::style::{lines, table as new_table};

/// The routes for people.
pub fn routes(catalog: &Catalog) -> String {
    let mut shown = new_table(&["From", "To", ">Round trip ms", ">Egress/GB"]);
    for route in &catalog.network.routes {
        let told = |x: Option<f64>| x.map_or_else(String::new, number);
        shown.add_row([clean(&route.from), clean(&route.to), told(route.latency_ms), told(route.egress_per_gb)]);
    }
    lines(&shown)
}

/// Every connection between some places, in both directions.
pub fn between<'p>(catalog: &Catalog, places: &'p [Place]) -> Vec<(&'p Place, &'p Place, Connection)> {
    let all = catalog.network.connections(places, places);
    all.into_iter().enumerate().map(|(i, c)| (&places[i / places.len()], &places[i % places.len()], c)).collect()
}

/// Connections for people.
pub fn table(connections: &[(&Place, &Place, Connection)]) -> String {
    let mut shown = new_table(&["From", "To", ">Round trip ms", "", ">Egress/GB"]);
    for (from, to, connection) in connections {
        let told = |x: Option<f64>| x.map_or_else(|| "unknown".to_owned(), number);
        let latency = connection.latency_ms.map_or_else(|| "unknown".to_owned(), |ms| format!("{ms:.1}"));
        let how = if connection.is_estimate && connection.latency_ms.is_some() { "from the distance" } else { "" };
        shown.add_row([clean(&from.name), clean(&to.name), latency, how.to_owned(), told(connection.egress_per_gb)]);
    }
    lines(&shown)
}

/// Connections for programs.
pub fn value(catalog: &Catalog, connections: &[(&Place, &Place, Connection)]) -> Value {
    let routes = catalog.network.routes.iter().map(|r| {
        json!({
            "from": r.from.as_ref(),
            "to": r.to.as_ref(),
            "latency_ms": r.latency_ms,
            "egress_price_per_gb": r.egress_per_gb,
        })
    });
    let told = connections.iter().map(|(from, to, c)| {
        json!({
            "from": from.name.as_ref(),
            "to": to.name.as_ref(),
            "latency_ms": c.latency_ms,
            "is_estimate": c.is_estimate,
            "egress_price_per_gb": c.egress_per_gb,
        })
    });
    json!({
        "currency": Some(&catalog.currency).filter(|c| !c.is_empty()),
        "routes": routes.collect::<Vec<_>>(),
        "connections": told.collect::<Vec<_>>(),
    })
}
