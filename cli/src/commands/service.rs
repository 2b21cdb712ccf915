//! The commands that talk to a running service: `app`, `plan`, `decisions`, `watch`, `metrics`.

use std::time::Duration;

use cardinal_adapter::time::UnixMs;
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::write;
use serde_json::{Value, json};

use super::token::{instant, unusable};
use crate::arguments::AnswerForm;
use crate::arguments::service::{App, Decisions, Metrics, PlanCommand, Remote, WatchCommand};
use crate::client::{Client, Sent};
use crate::clock::now;
use crate::input::files;
use crate::output;
use crate::render::service as show;

/// Between two attempts to take up a stream that broke.
const AGAIN: Duration = Duration::from_secs(2);

/// Prints an answer in the form that is asked for.
fn print(remote: &Remote, answer: &Value, table: impl FnOnce(&Value) -> String) -> Result<Exit, Failure> {
    let text = match remote.output {
        AnswerForm::Table => table(answer),
        AnswerForm::Json => write::json(answer)?,
        AnswerForm::Yaml => write::yaml(answer)?,
    };
    output::print(&text)?;
    Ok(Exit::Solved)
}

/// A name as a part of a path.
fn part(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn of(name: &str, rest: &str) -> String {
    format!("/v1/applications/{}{rest}", part(name))
}

/// `cardinal app`
pub fn app(command: &App) -> Result<Exit, Failure> {
    match command {
        App::Submit { model, name, replace, remote } => {
            let source = files::read(model)?;
            let is_xml = source.text.trim_start().starts_with('<');
            let sent = || Sent {
                media: if is_xml { "application/xml" } else { "application/yaml" },
                body: source.text.as_bytes(),
            };
            let client = Client::of(remote)?;
            let query = name.as_ref().map(|name| format!("?name={}", part(name))).unwrap_or_default();
            let known = match (name, replace) {
                (_, false) => None,
                (Some(name), true) => Some(name.clone()),
                (None, true) => {
                    let checked = client.call("POST", "/v1/applications:validate", &[], Some(sent()))?;
                    checked["application"].as_str().map(str::to_owned)
                }
            };
            let is_there = match &known {
                Some(name) => client.get(&of(name, "")).is_ok_and(|found| found["status"] != "gone"),
                None => false,
            };
            let answer = match known.filter(|_| is_there) {
                Some(name) => client.call("PUT", &of(&name, ""), &[], Some(sent()))?,
                None => client.call("POST", &format!("/v1/applications{query}"), &[], Some(sent()))?,
            };
            print(remote, &answer, show::submitted)
        }
        App::List { remote } => {
            let client = Client::of(remote)?;
            let (mut items, mut after) = (Vec::new(), String::new());
            loop {
                let page = client.get(&format!("/v1/applications?limit=200{after}"))?;
                items.extend(page["items"].as_array().into_iter().flatten().cloned());
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={}", part(next)),
                    None => break,
                }
            }
            print(remote, &json!(items), show::applications)
        }
        App::Show { name, remote } => {
            let client = Client::of(remote)?;
            let answer = json!({
                "application": client.get(&of(name, ""))?,
                "deployment": client.get(&of(name, "/deployment"))?,
                "metrics": client.get(&of(name, "/metrics"))?,
                "decisions": client.get(&of(name, "/decisions?limit=1"))?["items"],
            });
            print(remote, &answer, show::application)
        }
        App::Delete { name, detach, remote } => {
            let mode = if *detach { "?mode=detach" } else { "" };
            let answer = Client::of(remote)?.call("DELETE", &of(name, mode), &[], None)?;
            let told = if *detach { "let go; what runs is left alone" } else { "is being taken down" };
            print(remote, &answer, |_| format!("{name}: {told}\n"))
        }
        App::Settings { name, change, remote } => {
            let client = Client::of(remote)?;
            let path = of(name, "/settings");
            let answer = match change {
                None => client.get(&path)?,
                Some(file) => {
                    let source = files::read(file)?;
                    let patch: Value = serde_saphyr::from_str(&source.text).map_err(|error| {
                        let what = format!("`{}`: {}", source.name, error.without_snippet());
                        unusable(what, "write settings as YAML or JSON")
                    })?;
                    let body = patch.to_string();
                    let sent = Sent { media: "application/merge-patch+json", body: body.as_bytes() };
                    client.call("PATCH", &path, &[], Some(sent))?
                }
            };
            let yaml = write::yaml(&answer)?;
            print(remote, &answer, |_| yaml)
        }
        App::Decide { name, remote } => order(remote, name, "decide", &json!({}), "a decision is asked for"),
        App::Pause { name, reason, remote } => order(remote, name, "pause", &json!({ "reason": reason }), "paused"),
        App::Resume { name, remote } => order(remote, name, "resume", &json!({}), "resumed"),
    }
}

fn order(remote: &Remote, name: &str, what: &str, body: &Value, told: &str) -> Result<Exit, Failure> {
    let answer = Client::of(remote)?.post(&of(name, &format!("/{what}")), body)?;
    print(remote, &answer, |_| format!("{name}: {told}\n"))
}

/// `cardinal plan`
pub fn plan(command: &PlanCommand) -> Result<Exit, Failure> {
    match command {
        PlanCommand::Show { application, plan, remote } => {
            let client = Client::of(remote)?;
            let hash = match plan {
                Some(hash) => Some(hash.clone()),
                None => {
                    let listed = client.get(&of(application, "/plans?limit=1"))?;
                    listed["items"][0]["hash"].as_str().map(str::to_owned)
                }
            };
            let Some(hash) = hash else {
                let last = client.get(&of(application, "/decisions?limit=1"))?;
                return print(remote, &last, show::no_plan);
            };
            let answer = client.get(&of(application, &format!("/plans/{}", part(&hash))))?;
            print(remote, &answer, show::plan)
        }
        PlanCommand::Approve { application, plan, remote } => {
            let body = plan.as_ref().map_or_else(|| json!({}), |hash| json!({ "plan": hash }));
            order(remote, application, "approve", &body, "approved")
        }
        PlanCommand::Reject { application, plan, remote } => {
            let body = plan.as_ref().map_or_else(|| json!({}), |hash| json!({ "plan": hash }));
            order(remote, application, "reject", &body, "rejected")
        }
    }
}

/// `cardinal decisions`
pub fn decisions(arguments: &Decisions) -> Result<Exit, Failure> {
    let Decisions { application, number, limit, remote } = arguments;
    let client = Client::of(remote)?;
    match number {
        Some(number) => print(remote, &client.get(&of(application, &format!("/decisions/{number}")))?, show::decision),
        None => {
            let answer = client.get(&of(application, &format!("/decisions?limit={limit}")))?;
            print(remote, &answer["items"], show::decisions)
        }
    }
}

/// `cardinal watch`
pub fn watch(arguments: &WatchCommand) -> Result<Exit, Failure> {
    let WatchCommand { application, after, until, remote } = arguments;
    let client = Client::of(remote)?;
    let path = match application {
        Some(name) => format!("/v1/events?application={}", part(name)),
        None => "/v1/events".to_owned(),
    };
    let (mut after, mut is_over) = (*after, false);
    let mut failures = 0;
    while !is_over {
        let followed = client.follow(&path, after, &mut |id, kind, body| {
            if is_over {
                return Ok(());
            }
            let text = match remote.output {
                AnswerForm::Table => show::event(kind, body, instant(now())),
                AnswerForm::Json | AnswerForm::Yaml => format!("{}\n", json!({"id": id, "event": kind, "data": body})),
            };
            output::print(&text)?;
            is_over = until.as_deref() == Some(kind);
            if is_over { Err(Failure { exit: Exit::Solved, findings: Vec::new() }) } else { Ok(()) }
        });
        match followed {
            Ok(last) => (after, failures) = (last, 0),
            Err(failure) if failure.exit == Exit::Solved => {}
            // A service that is started anew is waited for; one that refuses is not.
            Err(failure) if failure.exit == Exit::Internal && failures < 5 => failures += 1,
            Err(failure) => return Err(failure),
        }
        if !is_over {
            std::thread::sleep(AGAIN);
        }
    }
    Ok(Exit::Solved)
}

/// `cardinal metrics`
pub fn metrics(command: &Metrics) -> Result<Exit, Failure> {
    match command {
        Metrics::Push { application, values, remote } => {
            let values = values.iter().map(|text| value(text, now())).collect::<Result<Vec<_>, _>>()?;
            let answer = Client::of(remote)?.post(&of(application, "/metrics"), &json!({ "values": values }))?;
            print(remote, &answer, show::pushed)
        }
        Metrics::Show { application, remote } => {
            print(remote, &Client::of(remote)?.get(&of(application, "/metrics"))?, show::metrics)
        }
    }
}

fn value(text: &str, at: UnixMs) -> Result<Value, Failure> {
    let wrong = || unusable(format!("`{text}` is no value of a metric"), "write NAME=VALUE, such as `requests=260`");
    let (name, number) = text.split_once('=').ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    if name.trim().is_empty() || !number.is_finite() {
        return Err(wrong());
    }
    Ok(json!({ "name": name.trim(), "value": number, "at": at.0 }))
}
