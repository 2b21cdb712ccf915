//! What parent and child say to each other: one JSON value on each line.

use serde::{Deserialize, Serialize};

/// The longest line that either side reads, in bytes: catalogs of all offers of all clouds are a tenth of it.
pub const LINE_BYTES_MAX: usize = 512 << 20;

/// What the parent says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Solve this. One job at a time; a job that comes before the answer to the last one waits.
    Solve(Box<Job>),
    /// Stop the running job with the best that it has. Without one, nothing happens.
    Cancel,
}

/// What the child says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The job has got so far.
    Phase(Phase),
    /// A checked answer that may still be improved.
    Incumbent(Answer),
    /// The last message about a job.
    Answer(Answer),
}

/// A text with the name that messages about it use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Its name, such as that of its file.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Offers to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogText {
    /// Those that are built in.
    Builtin,
    /// A catalog in any form that is read.
    Text(Text),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// For programs: the JSON of `cardinal solve --output json`.
    #[default]
    Json,
    /// The same as YAML.
    Yaml,
    /// For people.
    Table,
}

/// Everything that a decision depends on, as texts: the same job has the same answer, unless a limit ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The model, in any form that is read.
    pub model: Text,
    /// The form of the model; recognised when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The offers, later ones win; the built-in ones when empty.
    #[serde(default)]
    pub catalogs: Vec<CatalogText>,
    /// Routes between places, beside those of the catalogs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Text>,
    /// Values of metrics, `NAME=VALUE` each.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// What is to be maximised instead of the model's utility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximize: Option<String>,
    /// What is to be minimised instead of the model's utility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimize: Option<String>,
    /// What runs now: a deployment, or an earlier answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Text>,
    /// The longest time to solve, in milliseconds; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u64>,
    /// The relative gap at which to stop; 0 for the optimum.
    #[serde(default)]
    pub gap: f64,
    /// Say why the answer is what it is.
    #[serde(default)]
    pub explain: bool,
    /// What is wanted.
    #[serde(default, skip_serializing_if = "Purpose::is_solve")]
    pub purpose: Purpose,
    /// How the answer is written.
    #[serde(default)]
    pub form: Form,
}

/// What is wanted of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The best placement.
    #[default]
    Solve,
    /// The best placement, everything about why, and why not these: `COMPONENT on OFFER x NUMBER` each. It takes up to as
    /// long again as the solve may.
    Explain(Vec<String>),
    /// The best placement as it is and in each scenario of these files.
    Compare(Vec<Text>),
    /// The best placement over one range or two, `WHAT=LOW..HIGH[:log][:STEPS]` each, and where it changes.
    Sweep(Vec<String>),
    /// The decision of the service on this input, a JSON text: metrics, the deployment and the limits come from there.
    Decide(String),
}

impl Purpose {
    fn is_solve(&self) -> bool {
        *self == Purpose::Solve
    }
}

/// How far a job has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its texts are being read.
    Reading,
    /// The solver works.
    Solving,
    /// The reasons of the answer are being found.
    Explaining,
}

/// An answer, or the refusal of a job whose texts are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The exit status that `cardinal solve` would have: 0 solved, 1 internal failure, 2 invalid job, 3 infeasible,
    /// 4 a limit was reached.
    pub exit: u8,
    /// The answer in the form that was asked for; empty where there is none.
    pub text: String,
    /// Why there is none: what is wrong with the job, with its places, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refusal: String,
    /// The same for programs, each finding a document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<serde_json::Value>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_job_needs_no_more_than_a_model() {
        let request: Request =
            serde_json::from_str(r#"{"solve": {"model": {"name": "m", "text": "application: a"}}}"#).unwrap();
        let Request::Solve(job) = &request else { panic!("{request:?}") };
        assert_eq!((job.gap, job.form, job.catalogs.len()), (0.0, Form::Json, 0));
        assert_eq!(serde_json::from_str::<Request>(&serde_json::to_string(&request).unwrap()).unwrap(), request);
        assert_eq!(serde_json::to_string(&Request::Cancel).unwrap(), r#""cancel""#);
        assert!(serde_json::from_str::<Request>(r#"{"solve": {"model": {"name": "m"}}}"#).is_err());
        assert!(serde_json::from_str::<Request>(r#"{"solve": {"modle": 1}}"#).is_err());
    }
}
