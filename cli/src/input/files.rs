//! Reads texts from files and standard input.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use cardinal_models::diagnostic::Source;

use crate::failure::{Failure, Finding};

/// The largest file that is read.
const BYTES_MAX: u64 = 256 << 20;

/// Reads a text; `-` is standard input.
pub fn read(path: &Path) -> Result<Arc<Source>, Failure> {
    let (name, bytes) = if path == Path::new("-") {
        ("<stdin>".to_owned(), take(std::io::stdin().lock(), "<stdin>")?)
    } else {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
        let facts = file.metadata().map_err(|error| unreadable(&name, &error))?;
        if facts.is_dir() {
            return Err(Finding::error(format!("cannot read `{name}`: it is a directory")).into());
        }
        if facts.len() > BYTES_MAX {
            return Err(too_large(&name));
        }
        let bytes = take(file, &name)?;
        (name, bytes)
    };
    text(&name, bytes).map(|text| Arc::new(Source { name, text })).map_err(Failure::from)
}

fn take(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    from.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(too_large(name));
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Finding::error(format!("cannot read `{name}`: {}", cause(error))).into()
}

fn too_large(name: &str) -> Failure {
    Finding::error(format!("cannot read `{name}`: it has more than {} MiB", BYTES_MAX >> 20)).into()
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, Finding> {
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
        None => Ok(text),
    }
}

/// What the system says about an error, without its number.
pub fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
