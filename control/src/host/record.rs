//! What a step writes, as rows of the store.

use cardinal_adapter::digest::canonical_json;
use cardinal_adapter::journal::Ending;
use cardinal_adapter::time::UnixMs;
use cardinal_store::{Commit, DecisionRow, DecisionSummary, Glance, JournalRow, NewEvent, PlanRow, PlanStatus, Status};
use serde_json::{Value, json};

use crate::decision::{Answer, Decision, Next};
use crate::input::DecisionInput;
use crate::state::{Course, LoopState, Notice, Write};

/// What is known of an application when its step is written.
pub struct Ground<'a> {
    /// The state as it is stored.
    pub stored: Option<&'a LoopState>,
    /// The input of the decision under way.
    pub deciding: Option<&'a DecisionInput>,
    /// The time.
    pub now: UnixMs,
}

/// The rows of a step, and the state that they leave stored, when it is another one.
pub fn rows(writes: Vec<Write>, ground: &Ground<'_>) -> (Commit, Option<Box<LoopState>>) {
    let mut commit = Commit::default();
    let mut state = None;
    for write in writes {
        match write {
            Write::State(new) => state = Some(new),
            Write::Decision(decision) => decided(&decision, ground, &mut commit),
            Write::Journal { plan, entry } => {
                let (sequence, entry) = (entry.sequence as i64, canonical_json(&entry));
                commit.journal.push(JournalRow { plan, sequence, entry });
            }
            Write::Notice(notice) => noted(&notice, ground.now, &mut commit),
        }
    }
    let state = state.filter(|new| is_news(new, ground.stored));
    commit.state = state.as_ref().map(canonical_json);
    commit.glance = state.as_deref().map(glance);
    (commit, state)
}

/// What lists show of a loop.
fn glance(state: &LoopState) -> Glance {
    Glance {
        course: state.course.word().to_owned(),
        pause: state.pause.as_ref().map(canonical_json),
        violated: state.violated.iter().cloned().collect(),
    }
}

/// Values of metrics are kept in a table of their own: a state that differs by them alone is not written.
fn is_news(new: &LoopState, stored: Option<&LoopState>) -> bool {
    let Some(stored) = stored else { return true };
    let same = LoopState { readings: stored.readings.clone(), observe_at: stored.observe_at, ..new.clone() };
    same != *stored
}

fn decided(decision: &Decision, ground: &Ground<'_>, commit: &mut Commit) {
    let Some(input) = ground.deciding.filter(|input| input.number == decision.number) else { return };
    let proven = matches!(&decision.answer, Answer::Solved(solved) if solved.proven);
    commit.decisions.push(DecisionRow {
        summary: DecisionSummary {
            application: decision.application.clone(),
            number: decision.number as i64,
            at: decision.at,
            digest: decision.digest(),
            model: input.model,
            catalog: input.catalog,
            next: word(&decision.next),
            proven,
            sentence: decision.sentence.clone(),
        },
        input: canonical_json(input),
        decision: canonical_json(decision),
    });
    if let Some(plan) = &decision.plan {
        let status = match decision.next {
            Next::Nothing => "held",
            Next::Approval => "proposed",
            Next::Apply => "adopted",
        };
        commit.plans.push(PlanRow {
            hash: plan.hash(),
            application: decision.application.clone(),
            decision: decision.number as i64,
            at: decision.at,
            status: status.to_owned(),
            ended_at: None,
            text: canonical_json(plan),
        });
    }
}

/// An event for those who listen, and the plan's fate when it tells of one.
fn noted(notice: &Notice, now: UnixMs, commit: &mut Commit) {
    let body = json!(notice);
    let kind = word(&body["event"]);
    let fate = match notice {
        Notice::PlanDropped { plan, .. } => Some((*plan, "dropped", true)),
        Notice::PlanDenied { plan, .. } => Some((*plan, "denied", true)),
        Notice::PlanBegan { plan, .. } => Some((*plan, "executing", false)),
        Notice::Stuck { plan, .. } => Some((*plan, "stuck", false)),
        Notice::PlanEnded { plan, ending } => Some((*plan, ended(*ending), true)),
        _ => None,
    };
    if let Some((plan, status, is_over)) = fate {
        let ended_at = is_over.then_some(now);
        commit.plan_statuses.push(PlanStatus { plan, status: status.to_owned(), ended_at });
    }
    if *notice == Notice::Gone {
        commit.status = Some(Status::Gone);
    }
    commit.events.push(NewEvent { application: None, at: now, kind, body: body.to_string() });
}

/// How a plan has ended, in a word.
fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Reached => "reached",
        Ending::Unwound => "unwound",
        Ending::Superseded => "superseded",
        Ending::Accepted => "accepted",
    }
}

/// The text of something that serialises to one.
fn word(value: &impl serde::Serialize) -> String {
    match json!(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The plan whose journal a restart needs.
pub fn executing(state: &LoopState) -> Option<cardinal_adapter::digest::Digest> {
    match &state.course {
        Course::Executing { plan, .. } => Some(plan.hash()),
        Course::Idle | Course::Deciding { .. } | Course::Proposed { .. } | Course::Gone => None,
    }
}
