//! Everything that a question to the solver is made of.

use std::sync::Arc;

use cardinal_interop::Format;
use cardinal_interop::cp::Over;
use cardinal_models::application::Component;
use cardinal_models::diagnostic::Source;
use cardinal_models::snapshot::Snapshot;

use super::catalogs::Given;
use super::model::{self, Goal, Model};
use super::{catalogs, current, metrics, network};
use crate::date;
use crate::failure::Failure;
use crate::finding::Finding;

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
    /// Routes between places, beside those of the catalogs.
    pub networks: Vec<Arc<Source>>,
    /// Metric values, `NAME=VALUE` each.
    pub metrics: Vec<String>,
    /// What is to be maximised instead of the model's utility.
    pub maximize: Option<String>,
    /// What is to be minimised instead of the model's utility.
    pub minimize: Option<String>,
    /// What runs now.
    pub current: Option<Arc<Source>>,
}

/// Makes out what is asked, `today` being the days since 1970-01-01. What is doubtful about the model stands before
/// what is wrong with the rest.
pub fn understand(texts: &Texts, today: i64) -> Result<Asked, Failure> {
    let over = if texts.catalogs.is_empty() { Over::Domains } else { Over::Offers };
    let model = model::load_text(&texts.model, texts.from, over)?;
    let model = match (&texts.maximize, &texts.minimize) {
        (Some(formula), _) => model::pursue(model, Goal::Maximize(formula))?,
        (None, Some(formula)) => model::pursue(model, Goal::Minimize(formula))?,
        (None, None) => model,
    };
    match complete(texts, &model, today) {
        Ok((snapshot, warnings)) => Ok(Asked { model, snapshot, warnings }),
        Err(mut failure) => {
            failure.findings.splice(0..0, model.warnings);
            Err(failure)
        }
    }
}

/// Adds what is not the model's.
fn complete(texts: &Texts, model: &Model, today: i64) -> Result<(Snapshot, Vec<Finding>), Failure> {
    // Mistakes that the caller made in several places are told together.
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
    let mut catalog = catalog;
    catalogs::check_currency(model, &catalog, &texts.catalogs)?;
    warnings.extend(network::complete(&mut catalog, &texts.networks)?);
    warnings.extend(network::gaps(model, &catalog));
    if let Some(age) = date::age_days(&catalog.date, today).filter(|age| *age > AGE_DAYS_MAX) {
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
    Ok((snapshot, warnings))
}
