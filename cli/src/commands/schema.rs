//! `cardinal schema`: the schemas of the files that people write: JSON Schemas, and the Cedar schema of policies.

use cardinal_adapter::authorise::SCHEMA as POLICY_SCHEMA;
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
        SchemaOf::Policy => POLICY_SCHEMA.to_owned(),
    };
    output::print_raw(text.as_bytes())?;
    Ok(Exit::Solved)
}
