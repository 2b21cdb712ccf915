//! `cardinal check`: every mistake of models and policies, with its place and the mend.

use std::path::Path;

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::{Finding, findings};
use cardinal_edge::input::model::{Model, interpret};
use cardinal_edge::write;
use cardinal_interop::cp::Over;
use serde_json::{Value, json};

use crate::arguments::{Check, ReportForm};
use crate::input::files;
use crate::input::policies::{self, PolicyFile};
use crate::render::numbers::count;
use crate::{output, render};

/// What is said about one file.
struct Verdict {
    file: String,
    content: Option<Content>,
    findings: Vec<Finding>,
}

/// What a file that can be used holds.
enum Content {
    Model(Box<Model>),
    Policies(Box<PolicyFile>),
}

/// Checks models and policies.
pub fn run(arguments: &Check) -> Result<Exit, Failure> {
    let models = arguments.models.iter().map(|path| judge(path, arguments));
    let verdicts: Vec<Verdict> = models.chain(arguments.policies.iter().map(|path| judge_policies(path))).collect();
    match arguments.output {
        ReportForm::Text => {
            for verdict in &verdicts {
                say(verdict)?;
            }
        }
        ReportForm::Json => {
            let files: Vec<Value> = verdicts.iter().map(value).collect();
            output::print_raw(write::json(&json!({ "files": files }))?.as_bytes())?;
        }
    }
    let is_good = verdicts.iter().all(|v| v.content.is_some());
    Ok(if is_good { Exit::Solved } else { Exit::Invalid })
}

fn judge(path: &Path, arguments: &Check) -> Verdict {
    let source = match files::read(path) {
        Ok(source) => source,
        Err(failure) => {
            return Verdict { file: path.display().to_string(), content: None, findings: failure.findings };
        }
    };
    let file = source.name.clone();
    match interpret(&source, arguments.from, Over::Domains) {
        Ok(model) => Verdict { file, findings: model.warnings.clone(), content: Some(Content::Model(Box::new(model))) },
        Err(errors) => Verdict { file, content: None, findings: findings(&source, errors) },
    }
}

fn judge_policies(path: &Path) -> Verdict {
    let file = path.display().to_string();
    match policies::read(path) {
        Ok(found) => {
            Verdict { file, findings: found.warnings.clone(), content: Some(Content::Policies(Box::new(found))) }
        }
        Err(failure) => Verdict { file, content: None, findings: failure.findings },
    }
}

fn say(verdict: &Verdict) -> Result<(), Failure> {
    render::diagnostics::show(&verdict.findings);
    let warnings = verdict.findings.iter().filter(|f| !f.is_error()).count();
    let with = if warnings == 0 { String::new() } else { format!(", {}", count(warnings, "warning")) };
    match &verdict.content {
        Some(content) => output::print(&format!("{}: ok: {}{with}\n", verdict.file, contents(content))),
        None => {
            let errors = verdict.findings.len() - warnings;
            render::diagnostics::note(&format!("{}: {}{with}", verdict.file, count(errors, "error")));
            Ok(())
        }
    }
}

/// What is in the file.
fn contents(content: &Content) -> String {
    let model = match content {
        Content::Model(model) => model,
        Content::Policies(file) => return policies_word(file.policies.len()),
    };
    let application = &model.application;
    let parts = [
        (application.components.len(), "component"),
        (application.metrics.len(), "metric"),
        (application.constraints.len() + application.soft.len(), "constraint"),
        (application.structure.len(), "structural rule"),
        (application.quotas.len(), "quota"),
        (application.commitments.len(), "commitment"),
    ];
    let shown = parts.iter().enumerate().filter(|(i, (n, _))| *i == 0 || *n > 0);
    shown.map(|(_, (n, word))| count(*n, word)).collect::<Vec<_>>().join(", ")
}

fn policies_word(number: usize) -> String {
    format!("{number} {}", if number == 1 { "policy" } else { "policies" })
}

fn value(verdict: &Verdict) -> Value {
    let findings: Vec<_> = verdict.findings.iter().map(Finding::answer).collect();
    let application = match &verdict.content {
        Some(Content::Policies(file)) => {
            return json!({ "file": verdict.file, "ok": true, "policies": file.policies.len(), "findings": findings });
        }
        Some(Content::Model(model)) => Some(&model.application),
        None => None,
    };
    json!({
        "file": verdict.file,
        "ok": application.is_some(),
        "application": application.map(|a| a.name.as_str()),
        "components": application.map(|a| a.components.len()),
        "metrics": application.map(|a| a.metrics.len()),
        "constraints": application.map(|a| a.constraints.len() + a.soft.len()),
        "findings": findings,
    })
}
