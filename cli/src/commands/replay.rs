//! `cardinal replay`: a stored decision is made again from everything that it depended on.

use cardinal_adapter::digest::Digest;
use cardinal_control::decide::{InProcess, Resources, decide};
use cardinal_control::host::{Library, application};
use cardinal_control::{Decision, DecisionInput, LoopSettings};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::write;
use cardinal_store::{DecisionRow, Store};
use serde::Serialize;
use serde_json::Value;

use super::database::{open, refused, runtime};
use super::token::{instant, unusable};
use crate::arguments::AnswerForm;
use crate::arguments::serve::Replay;
use crate::input::files;
use crate::output;
use crate::render::diagnostics::clean;
use crate::render::style::{BOLD, DIM, GREEN, RED, YELLOW, paint};

/// What came of a replay. The fields are a contract.
#[derive(Serialize)]
struct Replayed {
    application: String,
    number: u64,
    at: String,
    /// True when it came out as stored, to the last bit.
    same: bool,
    stored: Told,
    replayed: Told,
    /// Paths of the decision where the two differ.
    differences: Vec<String>,
}

/// A decision in short.
#[derive(Serialize)]
struct Told {
    digest: Digest,
    next: String,
    sentence: String,
}

/// Replays decisions.
pub fn run(arguments: &Replay) -> Result<Exit, Failure> {
    let (name, first, last) = range(&arguments.decision)?;
    let over = arguments.settings.as_deref().map(files::read).transpose()?;
    let over: Option<Value> = match over {
        Some(source) => Some(serde_saphyr::from_str(&source.text).map_err(|error| {
            unusable(format!("`{}`: {}", source.name, error.without_snippet()), "write settings as YAML or JSON")
        })?),
        None => None,
    };
    let replayed = runtime()?.block_on(async {
        let store = open(&arguments.database).await?;
        let (library, mut all) = (Library::default(), Vec::new());
        for number in first..=last {
            let row = store.decision(&name, number).await.map_err(refused)?;
            all.push(replay(&store, &library, row, over.as_ref()).await?);
        }
        Ok::<_, Failure>(all)
    })?;
    let text = match arguments.output {
        AnswerForm::Json => write::json(&replayed)?,
        AnswerForm::Yaml => write::yaml(&replayed)?,
        AnswerForm::Table => replayed.iter().map(|one| table(one, over.is_some())).collect(),
    };
    output::print(&text)?;
    let differs = over.is_none() && replayed.iter().any(|one| !one.same);
    Ok(if differs { Exit::Internal } else { Exit::Solved })
}

/// `NAME/NUMBER` or `NAME/FIRST..LAST`.
fn range(text: &str) -> Result<(String, i64, i64), Failure> {
    let parsed = text.rsplit_once('/').and_then(|(name, numbers)| {
        let (first, last) = numbers.split_once("..").unwrap_or((numbers, numbers));
        Some((name.to_owned(), first.parse().ok()?, last.parse().ok()?))
    });
    parsed
        .filter(|(_, first, last)| *first >= 1 && first <= last)
        .ok_or_else(|| unusable(format!("`{text}` is no decision"), "write APPLICATION/NUMBER, such as `shop/17`"))
}

async fn replay(store: &Store, library: &Library, row: DecisionRow, over: Option<&Value>) -> Result<Replayed, Failure> {
    let name = row.summary.application.clone();
    let damaged = |error: serde_json::Error| Failure::internal(format!("the stored decision cannot be read: {error}"));
    let mut input: DecisionInput = serde_json::from_str(&row.input).map_err(damaged)?;
    if let Some(over) = over {
        input.settings = changed(&input.settings, over)?;
    }
    let stored: Decision = serde_json::from_str(&row.decision).map_err(damaged)?;
    let model = store.model_by_digest(input.model).await.map_err(refused)?;
    let unreadable = |error: cardinal_control::host::LoadError| Failure::internal(error.to_string());
    let offers = library.catalog(store, input.catalog).await.map_err(unreadable)?;
    let meaning = application(&name, &model.version.format, &model.text).map_err(unreadable)?;
    let resources = Resources { application: meaning, catalog: offers.catalog.clone() };
    let again = decide(&input, &resources, &InProcess);
    let mut differences = Vec::new();
    differ("", &value(&stored), &value(&again), &mut differences);
    Ok(Replayed {
        application: name,
        number: stored.number,
        at: instant(stored.at),
        same: again.digest() == row.summary.digest,
        stored: told(&stored),
        replayed: told(&again),
        differences,
    })
}

fn told(decision: &Decision) -> Told {
    let next = value(&decision.next).as_str().unwrap_or_default().to_owned();
    Told { digest: decision.digest(), next, sentence: decision.sentence.clone() }
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

/// The settings with others laid over them.
fn changed(settings: &LoopSettings, over: &Value) -> Result<LoopSettings, Failure> {
    let mut merged = value(settings);
    merge(&mut merged, over);
    let help = "`cardinal simulate MODEL --show-settings` prints all settings";
    let settings: LoopSettings =
        serde_json::from_value(merged).map_err(|error| unusable(format!("--settings: {error}"), help))?;
    match settings.mistakes().first() {
        Some(mistake) => Err(unusable(format!("--settings: {mistake}"), help)),
        None => Ok(settings),
    }
}

/// RFC 7396, without removal.
fn merge(slot: &mut Value, over: &Value) {
    match (slot, over) {
        (Value::Object(slot), Value::Object(over)) => {
            for (name, value) in over {
                merge(slot.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (slot, over) => *slot = over.clone(),
    }
}

/// The places where two values differ, as JSON pointers.
fn differ(at: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let names: std::collections::BTreeSet<&String> = x.keys().chain(y.keys()).collect();
            for name in names {
                let null = Value::Null;
                differ(&format!("{at}/{name}"), x.get(name).unwrap_or(&null), y.get(name).unwrap_or(&null), found);
            }
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            for (i, (x, y)) in x.iter().zip(y).enumerate() {
                differ(&format!("{at}/{i}"), x, y, found);
            }
        }
        (a, b) if a != b => found.push(at.to_owned()),
        _ => {}
    }
}

fn table(one: &Replayed, is_asked_otherwise: bool) -> String {
    let name = format!("{}/{}", clean(&one.application), one.number);
    let mut text = format!("{} {}\n", paint(BOLD, &name), paint(DIM, &one.at));
    text.push_str(&format!("  stored    {}: {}\n", one.stored.next, clean(&one.stored.sentence)));
    if one.same {
        text.push_str(&format!("  {}\n", paint(GREEN, "replayed: the same, bit for bit")));
        return text;
    }
    text.push_str(&format!("  replayed  {}: {}\n", one.replayed.next, clean(&one.replayed.sentence)));
    let colour = if is_asked_otherwise { YELLOW } else { RED };
    let places = one.differences.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    let more = one.differences.len().saturating_sub(8);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    text.push_str(&format!("  {}\n", paint(colour, &format!("differs in {places}{more}"))));
    text
}
