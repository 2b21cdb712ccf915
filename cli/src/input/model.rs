//! Reads a model of any known format up to the application that is solved.

use std::path::Path;
use std::sync::Arc;

use cardinal_interop::{ConversionReport, Format, import_model, recognise};
use cardinal_models::application::Application;
use cardinal_models::diagnostic::{Diagnostics, Source};
use cardinal_models::document::ModelDocument;
use cardinal_models::resolve;

use super::files;
use crate::failure::{Failure, Finding, findings};

/// A model that can be solved.
pub struct Model {
    /// Its text.
    pub source: Arc<Source>,
    /// What it means.
    pub application: Arc<Application>,
    /// What it says.
    pub document: ModelDocument,
    /// What the conversion of a foreign model decided and left out.
    pub report: ConversionReport,
    /// What is probably not meant.
    pub warnings: Vec<Finding>,
}

/// Reads a model.
pub fn load(path: &Path, from: Option<Format>) -> Result<Model, Failure> {
    let source = files::read(path)?;
    interpret(&source, from).map_err(|errors| Failure::invalid(findings(&source, errors)))
}

/// Makes out what a text means; otherwise everything that is wrong with it.
pub fn interpret(source: &Arc<Source>, from: Option<Format>) -> Result<Model, Diagnostics> {
    let format = match from {
        Some(format) => format,
        None => recognise(source).map_err(|finding| Diagnostics(vec![finding]))?,
    };
    let (application, document, report, warnings) = if format == Format::Native {
        let (application, document, warnings) = resolve::load(source)?;
        (application, document, ConversionReport::default(), warnings)
    } else {
        let imported = import_model(source, Some(format))?;
        let (application, mut warnings) = resolve::resolve(&imported.document)?;
        warnings.0.extend(imported.warnings.0);
        (application, imported.document, imported.report, warnings)
    };
    let warnings = findings(source, warnings);
    Ok(Model { source: source.clone(), application: Arc::new(application), document, report, warnings })
}
