//! Texts from bytes.

use std::sync::Arc;

use cardinal_models::diagnostic::Source;

use crate::finding::Finding;

/// The longest text that is read, in bytes.
pub const BYTES_MAX: u64 = 256 << 20;

/// The text that bytes are, by the name that messages use; UTF-8 without zeros.
pub fn text(name: &str, bytes: Vec<u8>) -> Result<Arc<Source>, Finding> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(too_large(name));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let error = Finding::error(format!("cannot read `{name}`: it is UTF-16"));
        return Err(error.help("save it as UTF-8"));
    }
    let known = "models are YAML, JSON or XMI, catalogs CSV, YAML or JSON, all of them in UTF-8";
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Finding::error(format!("cannot read `{name}`: it is no UTF-8 text (byte {at})")).help(known)
    })?;
    match text.bytes().position(|b| b == 0) {
        Some(at) => Err(Finding::error(format!("cannot read `{name}`: it is binary (byte {at} is zero)")).help(known)),
        None => Ok(Arc::new(Source::new(name, text))),
    }
}

/// What is said about a text that is too long.
pub fn too_large(name: &str) -> Finding {
    Finding::error(format!("cannot read `{name}`: it has more than {} MiB", BYTES_MAX >> 20))
}
