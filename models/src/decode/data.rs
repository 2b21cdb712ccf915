//! Data sources and links, read from the tree.

use super::fields::Reader;
use super::tree::Node;
use crate::document::{DataDocument, LinkDocument};

pub(super) const DATA_KEYS: &[&str] = &["description", "size", "place", "places", "replicas", "storage_price"];
pub(super) const LINK_KEYS: &[&str] = &["description", "from", "to", "traffic", "back", "latency"];

/// A data source. What cannot be read is left out, but the source stays, so that its name is known elsewhere.
pub(super) fn source(reader: &mut Reader, node: &Node, path: &str) -> Option<DataDocument> {
    let Some(mut f) = reader.fields(node, path, "a data source such as `{size: 200 GB, place: REGION}`", DATA_KEYS)
    else {
        return Some(DataDocument::default());
    };
    Some(DataDocument {
        description: f.words("description"),
        size: f.scalar("size"),
        place: f.one_or_many("place"),
        places: f.one_or_many("places"),
        replicas: f.scalar("replicas"),
        storage_price: f.scalar("storage_price"),
    })
}

/// A link.
pub(super) fn link(reader: &mut Reader, node: &Node, path: &str) -> Option<LinkDocument> {
    let expected = "a link such as `{from: web, to: db, traffic: 20 GB/h, latency: 10 ms}`";
    let mut f = reader.fields(node, path, expected, LINK_KEYS)?;
    let help = "name a component or a data source";
    let from = f.required("from", help, |r, n, p| r.text(n, p, "the name of a component or data source"));
    let to = f.required("to", help, |r, n, p| r.text(n, p, "the name of a component or data source"));
    Some(LinkDocument {
        description: f.words("description"),
        traffic: f.scalar("traffic"),
        back: f.scalar("back"),
        latency: f.scalar("latency"),
        from: from?,
        to: to?,
    })
}
