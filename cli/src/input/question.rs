//! Reads everything that a question to the solver is made of.

use std::sync::Arc;

use cardinal_interop::Format;
use cardinal_interop::cp::Over;
use cardinal_models::application::Component;
use cardinal_models::diagnostic::Source;
use cardinal_models::snapshot::Snapshot;

use super::catalogs::Given;
use super::model::{self, Goal, Model};
use super::{catalogs, current, files, metrics};
use crate::arguments::Inputs;
use crate::clock;
use crate::failure::{Failure, Finding};
use crate::render;

/// A catalog older than this is warned about.
const AGE_DAYS_MAX: i64 = 180;

/// What is asked.
pub struct Asked {
    /// The model with its text.
    pub model: Model,
    /// The input of the solver.
    pub snapshot: Snapshot,
    /// What is probably not meant, apart from the warnings about the model.
    pub warnings: Vec<Finding>,
}

/// Everything that a question is made of, as texts.
pub struct Texts {
    /// The model.
    pub model: Arc<Source>,
    /// Its form; recognised without one.
    pub from: Option<Format>,
    /// The offers.
    pub catalogs: Vec<Given>,
    /// Metric values, `NAME=VALUE` each.
    pub metrics: Vec<String>,
    /// What is to be maximised instead of the model's utility.
    pub maximize: Option<String>,
    /// What is to be minimised instead of the model's utility.
    pub minimize: Option<String>,
    /// What runs now.
    pub current: Option<Arc<Source>>,
}

impl Texts {
    /// Reads the files that the command line names.
    pub fn read(arguments: &Inputs) -> Result<Self, Failure> {
        Ok(Texts {
            model: files::read(&arguments.model)?,
            from: arguments.from,
            catalogs: catalogs::read(&arguments.catalogs)?,
            metrics: arguments.metrics.clone(),
            maximize: arguments.maximize.clone(),
            minimize: arguments.minimize.clone(),
            current: arguments.current.as_deref().map(files::read).transpose()?,
        })
    }
}

/// Reads the model, the catalogs, the metric values and the running deployment. The warnings about the model are shown.
pub fn load(arguments: &Inputs) -> Result<Asked, Failure> {
    understand(&Texts::read(arguments)?)
}

/// Makes out what is asked. The warnings about the model are shown.
pub fn understand(texts: &Texts) -> Result<Asked, Failure> {
    let over = if texts.catalogs.is_empty() { Over::Domains } else { Over::Offers };
    let model = model::load_text(&texts.model, texts.from, over)?;
    let model = match (&texts.maximize, &texts.minimize) {
        (Some(formula), _) => model::pursue(model, Goal::Maximize(formula))?,
        (None, Some(formula)) => model::pursue(model, Goal::Minimize(formula))?,
        (None, None) => model,
    };
    render::diagnostics::show(&model.warnings);
    // Mistakes of the command line are told together.
    let values = metrics::read(&model.application, &texts.metrics);
    let offers = catalogs::interpret(&texts.catalogs, None);
    let (values, (catalog, mut warnings)) = match (values, offers) {
        (Ok(values), Ok(offers)) => (values, offers),
        (Err(mut failure), Err(other)) => {
            failure.findings.extend(other.findings);
            return Err(failure);
        }
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => return Err(failure),
    };
    catalogs::check_currency(&model, &catalog, &texts.catalogs)?;
    if let Some(age) = clock::age_days(&catalog.date, clock::today()).filter(|age| *age > AGE_DAYS_MAX) {
        let message = format!("the prices of the catalog are {age} days old");
        warnings.push(Finding::warning(message).help("read them anew; see `cardinal catalog import --help`"));
    }
    if model.application.objective.is_default && model.application.components.iter().all(Component::is_free) {
        let message = "nothing is valued: any assignment that satisfies the constraints is as good as any other";
        warnings.push(Finding::warning(message).help("give a goal with `--maximize FORMULA` or `--minimize FORMULA`"));
    }
    let mut snapshot = Snapshot::new(model.application.clone(), Arc::new(catalog));
    snapshot.metrics = values;
    if let Some(source) = &texts.current {
        snapshot.current = Some(current::interpret(source, &model.application, &snapshot.catalog)?);
    }
    Ok(Asked { model, snapshot, warnings })
}
