//! `cardinal schema`: the JSON Schemas of the files that people write.

use cardinal_models::placement::Deployment;
use cardinal_models::schema::json_schema;
use cardinal_solver::what_if::file::ScenarioFile;

use crate::arguments::{Schema, SchemaOf};
use crate::failure::{Exit, Failure};
use crate::{output, render};

/// Prints a schema.
pub fn run(arguments: &Schema) -> Result<Exit, Failure> {
    let text = match arguments.file.or(arguments.of).unwrap_or_default() {
        SchemaOf::Model => render::json::json(&json_schema())?,
        SchemaOf::Deployment => render::json::json(&schemars::schema_for!(Deployment))?,
        SchemaOf::Scenario => render::json::json(&schemars::schema_for!(ScenarioFile))?,
    };
    output::print_raw(text.as_bytes())?;
    Ok(Exit::Solved)
}
