//! Files of routes.

use std::path::PathBuf;
use std::sync::Arc;

use cardinal_edge::failure::Failure;
use cardinal_models::diagnostic::Source;

use super::files;

/// Reads files of routes.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Arc<Source>>, Failure> {
    paths.iter().map(|path| files::read(path)).collect()
}
