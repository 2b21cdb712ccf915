//! Which form a catalog file has, by its content.

use cardinal_models::diagnostic::Source;

use super::CatalogFormat;

/// How much of a JSON file is looked at. Enough for the first entry of every form, whatever stands before it.
const HEAD_BYTES: usize = 64 << 10;

/// The form of a catalog, by its content. A text that resembles none is taken for the native form whose syntax it has,
/// so that the reader's messages tell what is missing.
pub fn recognise(source: &Source) -> CatalogFormat {
    let text = source.text.trim_start_matches('\u{feff}').trim_start();
    match text.as_bytes().first() {
        Some(b'{' | b'[') => json(head(text)),
        _ => plain(text),
    }
}

fn head(text: &str) -> &str {
    let mut end = text.len().min(HEAD_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn json(head: &str) -> CatalogFormat {
    let has = |key: &str| head.contains(&format!("\"{key}\""));
    if has("machine_type") {
        CatalogFormat::NativeYaml
    } else if has("nodeCandidateType") || (has("hardware") && has("cloud")) {
        CatalogFormat::NodeCandidates
    } else if has("offers") && has("location") && has("ram") {
        CatalogFormat::Cloudiator
    } else if has("cpu") && has("memory") && !has("offers") {
        CatalogFormat::Sage
    } else {
        CatalogFormat::NativeYaml
    }
}

fn plain(text: &str) -> CatalogFormat {
    let first = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#')).unwrap_or("");
    let columns = || first.split(',').map(|c| c.trim().trim_matches('"'));
    if columns().any(|c| c.eq_ignore_ascii_case("InstanceType")) {
        CatalogFormat::VmCsv
    } else if columns().any(|c| c == "machine_type") {
        CatalogFormat::NativeCsv
    } else if first.contains(':') || first.starts_with('-') {
        CatalogFormat::NativeYaml
    } else {
        CatalogFormat::NativeCsv
    }
}
