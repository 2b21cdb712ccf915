//! Events and error budgets.

use super::fields::Reader;
use super::tree::{Kind, Node};
use crate::document::{BurnDocument, ErrorBudgetDocument, EventDocument, Severity};

pub(super) const EVENT_KEYS: &[&str] =
    &["description", "all", "any", "sequence", "repeats", "times", "within", "severity"];
pub(super) const ERROR_BUDGET_KEYS: &[&str] = &["description", "bad", "total", "target", "window", "burn"];
pub(super) const BURN_KEYS: &[&str] = &["share", "over", "and", "severity"];
pub(super) const SEVERITIES: &[(&str, Severity)] =
    &[("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

pub(super) fn event(reader: &mut Reader, node: &Node, path: &str) -> Option<EventDocument> {
    let mut f = reader.fields(node, path, "an event such as `{all: [slow, full], within: 5m}`", EVENT_KEYS)?;
    Some(EventDocument {
        description: f.words("description"),
        all: f.names("all"),
        any: f.names("any"),
        sequence: f.names("sequence"),
        repeats: f.text("repeats"),
        times: f.scalar("times"),
        within: f.scalar("within"),
        severity: f.choice("severity", SEVERITIES),
    })
}

pub(super) fn error_budget(reader: &mut Reader, node: &Node, path: &str) -> Option<ErrorBudgetDocument> {
    let expected = "an error budget such as `{bad: errors, total: requests, target: 99.9 %}`";
    let mut f = reader.fields(node, path, expected, ERROR_BUDGET_KEYS)?;
    let description = f.words("description");
    let bad = f.required("bad", "name the metric that counts what went wrong", |r, n, p| r.text(n, p, "a metric"));
    let total = f.required("total", "name the metric that counts everything", |r, n, p| r.text(n, p, "a metric"));
    let target = f.required("target", "write it like `99.9 %`", |r, n, p| r.scalar(n, p, "a share such as `99.9 %`"));
    let window = f.scalar("window");
    let burn = f.read("burn", |r, n, p| match &n.kind {
        Kind::List(items) => r.list(items, p, burn),
        _ => {
            r.wrong_type(n, p, "a list such as `[{share: 2 %, over: 1h}]`", None);
            None
        }
    });
    Some(ErrorBudgetDocument {
        description,
        bad: bad?,
        total: total?,
        target: target?,
        window,
        burn: burn.unwrap_or_default(),
    })
}

fn burn(reader: &mut Reader, node: &Node, path: &str) -> Option<BurnDocument> {
    let mut f = reader.fields(node, path, "a limit such as `{share: 2 %, over: 1h}`", BURN_KEYS)?;
    let share = f.required("share", "write it like `2 %`", |r, n, p| r.scalar(n, p, "a share such as `2 %`"));
    let over = f.required("over", "write it like `1h`", |r, n, p| r.scalar(n, p, "a time such as `1h`"));
    let (and, severity) = (f.scalar("and"), f.choice("severity", SEVERITIES));
    Some(BurnDocument { share: share?, over: over?, and, severity })
}
