//! Models of files.

use std::path::Path;

use cardinal_edge::failure::Failure;
use cardinal_edge::input::model::{Model, load_text};
use cardinal_interop::Format;
use cardinal_interop::cp::Over;

use super::files;

/// Reads a model.
pub fn load(path: &Path, from: Option<Format>) -> Result<Model, Failure> {
    load_text(&files::read(path)?, from, Over::Domains)
}
