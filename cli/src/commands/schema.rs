//! `cardinal schema`: the JSON Schemas of the files that people write.

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::write;
use cardinal_models::placement::Deployment;
use cardinal_models::schema::json_schema;
use cardinal_solver::what_if::file::ScenarioFile;

use crate::arguments::{Schema, SchemaOf};
use crate::output;

/// Prints a schema.
pub fn run(arguments: &Schema) -> Result<Exit, Failure> {
    let text = match arguments.file.or(arguments.of).unwrap_or_default() {
        SchemaOf::Model => write::json(&json_schema())?,
        SchemaOf::Deployment => write::json(&schemars::schema_for!(Deployment))?,
        SchemaOf::Scenario => write::json(&schemars::schema_for!(ScenarioFile))?,
    };
    output::print_raw(text.as_bytes())?;
    Ok(Exit::Solved)
}
