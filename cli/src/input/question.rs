//! Reads everything that a question to the solver is made of.

use std::sync::Arc;

use cardinal_interop::cp::Over;
use cardinal_models::application::Component;
use cardinal_models::snapshot::Snapshot;

use super::model::{self, Goal, Model};
use super::{catalogs, current, metrics, network};
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

/// Reads the model, the catalogs, the metric values and the running deployment. The warnings about the model are shown.
pub fn load(arguments: &Inputs) -> Result<Asked, Failure> {
    let over = if arguments.catalogs.is_empty() { Over::Domains } else { Over::Offers };
    let model = model::load_over(&arguments.model, arguments.from, over)?;
    let model = match (&arguments.maximize, &arguments.minimize) {
        (Some(formula), _) => model::pursue(model, Goal::Maximize(formula))?,
        (None, Some(formula)) => model::pursue(model, Goal::Minimize(formula))?,
        (None, None) => model,
    };
    render::diagnostics::show(&model.warnings);
    // Mistakes of the command line are told together.
    let values = metrics::read(&model.application, &arguments.metrics);
    let offers = catalogs::load(&arguments.catalogs, None);
    let (values, (catalog, mut warnings)) = match (values, offers) {
        (Ok(values), Ok(offers)) => (values, offers),
        (Err(mut failure), Err(other)) => {
            failure.findings.extend(other.findings);
            return Err(failure);
        }
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => return Err(failure),
    };
    let mut catalog = catalog;
    catalogs::check_currency(&model, &catalog, &arguments.catalogs)?;
    warnings.extend(network::complete(&mut catalog, &arguments.network)?);
    warnings.extend(network::gaps(&model, &catalog));
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
    if let Some(path) = &arguments.current {
        snapshot.current = Some(current::load(path, &model.application, &snapshot.catalog)?);
    }
    Ok(Asked { model, snapshot, warnings })
}
