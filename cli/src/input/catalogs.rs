//! Catalogs of files.

use std::path::{Path, PathBuf};

use cardinal_edge::failure::Failure;
use cardinal_edge::finding::Finding;
use cardinal_edge::input::catalogs::{BUILTIN, Given, interpret};
use cardinal_interop::catalog::CatalogFormat;
use cardinal_models::catalog::Catalog;

use super::files;

/// Reads the files of catalogs.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Given>, Failure> {
    let (mut given, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if is_builtin(path) {
            given.push(Given::Builtin);
            continue;
        }
        match files::read(path) {
            Ok(source) => given.push(Given::Text(source)),
            Err(failure) => errors.extend(failure.findings),
        }
    }
    if errors.is_empty() { Ok(given) } else { Err(Failure::invalid(errors)) }
}

/// Reads the catalogs and merges them, with everything that is probably not meant; without a file the built-in one.
pub fn load(paths: &[PathBuf], form: Option<CatalogFormat>) -> Result<(Catalog, Vec<Finding>), Failure> {
    interpret(&read(paths)?, form)
}

/// A file of that name comes first.
fn is_builtin(path: &Path) -> bool {
    path == Path::new(BUILTIN) && !path.exists()
}
