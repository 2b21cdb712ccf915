//! Reads the policies that plans are judged by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cardinal_adapter::authorise::{Policies, PolicyText};
use cardinal_edge::failure::Failure;
use cardinal_edge::finding::{Finding, findings};
use cardinal_models::diagnostic::Source;

use super::files;

/// Policies that can be used, and what is probably not meant.
pub struct PolicyFile {
    /// The policies.
    pub policies: Policies,
    /// The same as they are written.
    pub text: PolicyText,
    /// What is probably not meant.
    pub warnings: Vec<Finding>,
}

/// Reads and checks one file of policies. A denial names it by the last part of its path.
pub fn read(path: &Path) -> Result<PolicyFile, Failure> {
    let source = files::read(path)?;
    interpret(&source, path).map_err(Failure::invalid)
}

fn interpret(source: &Arc<Source>, path: &Path) -> Result<PolicyFile, Vec<Finding>> {
    let name = path.file_name().map_or_else(|| source.name.clone(), |name| name.to_string_lossy().into_owned());
    let policies = Policies::parse(&source.text, &name).map_err(|wrong| findings(source, wrong))?;
    let warnings = findings(source, policies.warnings().clone());
    Ok(PolicyFile { policies, text: PolicyText { name, text: source.text.as_str().into() }, warnings })
}

/// Reads and checks several files; everything that is wrong with any of them is told.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<PolicyFile>, Failure> {
    let mut all = Vec::new();
    let mut wrong = Vec::new();
    for path in paths {
        match read(path) {
            Ok(file) => all.push(file),
            Err(failure) => wrong.extend(failure.findings),
        }
    }
    if wrong.is_empty() { Ok(all) } else { Err(Failure::invalid(wrong)) }
}
