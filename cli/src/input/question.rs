//! Reads everything that a question to the solver is made of.

use cardinal_edge::failure::Failure;
use cardinal_edge::input::question::{Asked, Texts, understand};

use super::{catalogs, files, network};
use crate::arguments::Inputs;
use crate::{clock, render};

/// Reads the files that the command line names.
pub fn texts(arguments: &Inputs) -> Result<Texts, Failure> {
    Ok(Texts {
        model: files::read(&arguments.model)?,
        from: arguments.from,
        catalogs: catalogs::read(&arguments.catalogs)?,
        networks: network::read(&arguments.network)?,
        metrics: arguments.metrics.clone(),
        maximize: arguments.maximize.clone(),
        minimize: arguments.minimize.clone(),
        current: arguments.current.as_deref().map(files::read).transpose()?,
    })
}

/// Reads the model, the catalogs, the metric values and the running deployment. Warnings are shown.
pub fn load(arguments: &Inputs) -> Result<Asked, Failure> {
    let asked = understand(&texts(arguments)?, clock::today())?;
    render::diagnostics::show(&asked.model.warnings);
    render::diagnostics::show(&asked.warnings);
    Ok(asked)
}
