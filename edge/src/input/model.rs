//! Reads a model of any known format up to the application that is solved.

use std::sync::Arc;

use cardinal_interop::cp::Over;
use cardinal_interop::{ConversionReport, Format, import_over, recognise};
use cardinal_models::application::Application;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::document::{ModelDocument, Scalar, UtilityDocument};
use cardinal_models::resolve;
use cardinal_models::span::{Span, Spanned};

use crate::failure::Failure;
use crate::finding::{Finding, findings};

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

/// A model from its text; of a constraint problem the variables may stand for properties of offers.
pub fn load_text(source: &Arc<Source>, from: Option<Format>, over: Over) -> Result<Model, Failure> {
    interpret(source, from, over).map_err(|errors| Failure::invalid(findings(source, errors)))
}

/// A goal of the command line.
#[derive(Clone, Copy, Debug)]
pub enum Goal<'g> {
    /// The larger the better.
    Maximize(&'g str),
    /// The smaller the better.
    Minimize(&'g str),
}

/// The model with another goal. Mistakes in the formula are shown in the argument.
pub fn pursue(model: Model, goal: Goal<'_>) -> Result<Model, Failure> {
    let (option, text) = match goal {
        Goal::Maximize(text) => ("--maximize", text),
        Goal::Minimize(text) => ("--minimize", text),
    };
    let formula = Spanned::new(Scalar::Text(text.to_owned()), Span::new(0, text.len()));
    let mut document = model.document.clone();
    document.utility = Some(match goal {
        Goal::Maximize(_) => UtilityDocument::Maximize { maximize: formula },
        Goal::Minimize(_) => UtilityDocument::Minimize { minimize: formula },
    });
    let argument = Arc::new(Source::new(option, text));
    let placed = |found: Diagnostics| -> Vec<Finding> {
        let (goal, rest) = found.0.into_iter().partition(|d: &Diagnostic| d.path.starts_with("utility"));
        findings(&argument, Diagnostics(goal)).into_iter().chain(findings(&model.source, Diagnostics(rest))).collect()
    };
    let (mut application, warnings) = resolve::resolve(&document).map_err(|e| Failure::invalid(placed(e)))?;
    // The places of the formula are in no file.
    application.objective.formula = application.objective.formula.without_places();
    application.objective.stated = application.objective.stated.without_places();
    application.objective.span = Span::NONE;
    Ok(Model { application: Arc::new(application), document, warnings: placed(warnings), ..model })
}

/// Makes out what a text means; otherwise everything that is wrong with it.
pub fn interpret(source: &Arc<Source>, from: Option<Format>, over: Over) -> Result<Model, Diagnostics> {
    let format = match from {
        Some(format) => format,
        None => recognise(source).map_err(|finding| Diagnostics(vec![finding]))?,
    };
    let (application, document, report, warnings) = if format == Format::Native {
        let (application, document, warnings) = resolve::load(source)?;
        (application, document, ConversionReport::default(), warnings)
    } else {
        let imported = import_over(source, Some(format), over)?;
        let (application, mut warnings) = resolve::resolve(&imported.document)?;
        warnings.0.extend(imported.warnings.0);
        (application, imported.document, imported.report, warnings)
    };
    let warnings = findings(source, warnings);
    Ok(Model { source: source.clone(), application: Arc::new(application), document, report, warnings })
}
