//! `cardinal convert`: a model of any known format as native YAML.

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::write;
use cardinal_interop::ConversionReport;
use cardinal_interop::report::LeftOut;
use cardinal_models::write::to_yaml;
use serde_json::{Value, json};

use crate::arguments::{Convert, ReportForm};
use crate::input::model;
use crate::{output, render};

/// Converts a model.
pub fn run(arguments: &Convert) -> Result<Exit, Failure> {
    let model = model::load(&arguments.model, arguments.from)?;
    match arguments.report {
        ReportForm::Text => {
            render::diagnostics::show(&model.warnings);
            let report = render::diagnostics::clean(&model.report.to_string());
            if !report.is_empty() {
                render::diagnostics::note(report.trim_end());
            }
        }
        ReportForm::Json => {
            let mut report = value(&model.report);
            report["warnings"] = model.warnings.iter().map(|finding| json!(finding.answer())).collect();
            render::diagnostics::note(write::json(&report)?.trim_end());
        }
    }
    output::write(arguments.output.as_deref(), &to_yaml(&model.document))?;
    Ok(Exit::Solved)
}

fn value(report: &ConversionReport) -> Value {
    let ConversionReport { decisions, left_out, unknown } = report;
    let group = |LeftOut { kind, count, why, examples }: &LeftOut| json!({ "kind": kind, "count": count, "why": why, "examples": examples });
    json!({
        "decisions": decisions.iter().map(|d| json!({ "subject": d.subject, "text": d.text })).collect::<Vec<_>>(),
        "left_out": left_out.iter().map(group).collect::<Vec<_>>(),
        "unknown": unknown.iter().map(group).collect::<Vec<_>>(),
    })
}
