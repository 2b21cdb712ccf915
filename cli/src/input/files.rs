//! Reads texts from files and standard input.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use cardinal_edge::failure::Failure;
use cardinal_edge::finding::Finding;
use cardinal_edge::input::text::{BYTES_MAX, text, too_large};
use cardinal_models::diagnostic::Source;

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
            return Err(too_large(&name).into());
        }
        let bytes = take(file, &name)?;
        (name, bytes)
    };
    text(&name, bytes).map_err(Failure::from)
}

fn take(from: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    from.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(too_large(name).into());
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Finding::error(format!("cannot read `{name}`: {}", cause(error))).into()
}

/// What the system says about an error, without its number.
pub fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
