//! Configuration files of `cardinal serve`: the names and values of options, with their places.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use cardinal_edge::failure::Failure;
use cardinal_edge::finding::Finding;
use cardinal_models::diagnostic::{Source, did_you_mean};
use cardinal_models::span::Span;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, CommandFactory};
use saphyr_parser::{Event, Parser};

use super::files;
use crate::arguments::Arguments;

/// An option that a file sets.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name, without the dashes.
    pub name: String,
    /// Its value, as it would stand on the command line.
    pub value: String,
    name_span: Span,
    value_span: Span,
}

/// The command whose options a configuration file sets.
const SERVE: &str = "serve";
/// Options that cannot stand in a file: the file itself, secrets, and what concerns one run.
const NOT_IN_FILES: [&str; 5] = ["config", "secret-key", "color", "help", "version"];

/// The options that a configuration file may set.
pub fn options() -> Vec<Arg> {
    let root = Arguments::command();
    let serve = root.find_subcommand(SERVE).cloned().unwrap_or_default();
    let is_open = |arg: &&Arg| arg.get_long().is_some_and(|name| !NOT_IN_FILES.contains(&name));
    serve.get_arguments().filter(is_open).cloned().collect()
}

/// Reads a configuration file.
///
/// # Errors
/// Every mistake of the file, with its place and the mend.
pub fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let source = files::read(path)?;
    let entries = entries(&source)?;
    let mut findings = Vec::new();
    let mut seen: HashMap<&str, ()> = HashMap::new();
    let options = options();
    for entry in &entries {
        if seen.insert(&entry.name, ()).is_some() {
            let message = format!("`{}` is set twice", entry.name);
            findings.push(Finding::error(message).help("remove one of the two").at(&source, entry.name_span));
        }
        findings.extend(judge(entry, &options).map(|(finding, span)| finding.at(&source, span)));
    }
    if findings.is_empty() { Ok(entries) } else { Err(Failure::invalid(findings)) }
}

/// The names and values of a mapping without nesting.
fn entries(source: &Arc<Source>) -> Result<Vec<Entry>, Failure> {
    let offsets: Vec<usize> = source.text.char_indices().map(|(at, _)| at).chain([source.text.len()]).collect();
    let offset = |index: usize| offsets.get(index).copied().unwrap_or(source.text.len());
    let place = |span: saphyr_parser::Span| Span::new(offset(span.start.index()), offset(span.end.index()));
    let refuse = |message: &str, help: &str, span| Failure::from(Finding::error(message).help(help).at(source, span));
    let (mut entries, mut name, mut depth) = (Vec::new(), None::<(String, Span)>, 0);
    let mut parser = Parser::new_from_str(&source.text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let at = offset(error.marker().index());
            refuse(&format!("this is no YAML: {}", error.info()), "write `NAME: VALUE` on each line", Span::new(at, at))
        })?;
        let span = place(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::MappingStart(..) if depth == 0 => depth = 1,
            Event::MappingEnd => depth = 0,
            Event::Scalar(text, ..) if depth == 1 => match name.take() {
                None => name = Some((text.into_owned(), span)),
                Some((name, name_span)) => {
                    entries.push(Entry { name, value: text.into_owned(), name_span, value_span: span });
                }
            },
            // An empty file sets nothing.
            Event::Scalar(text, ..) if text.is_empty() || text == "~" => {}
            _ => return Err(refuse("an option has one value", "write `NAME: VALUE` on each line", span)),
        }
    }
    Ok(entries)
}

/// What is wrong with an entry, and where.
fn judge(entry: &Entry, options: &[Arg]) -> Option<(Finding, Span)> {
    let Some(option) = options.iter().find(|arg| arg.get_long() == Some(entry.name.as_str())) else {
        let names = options.iter().filter_map(Arg::get_long);
        let mend = match did_you_mean(&entry.name, names) {
            _ if NOT_IN_FILES.contains(&entry.name.as_str()) => {
                "it cannot stand in a file; secrets are given by the environment".to_owned()
            }
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`cardinal config show` lists the options".to_owned(),
        };
        let message = format!("`cardinal serve` has no option `{}`", entry.name);
        return Some((Finding::error(message).help(mend), entry.name_span));
    };
    if matches!(option.get_action(), ArgAction::SetTrue) {
        let is_known = matches!(entry.value.as_str(), "true" | "false");
        let message = format!("`{}` is true or false, not `{}`", entry.name, entry.value);
        return (!is_known).then(|| (Finding::error(message).help("write `true` or `false`"), entry.value_span));
    }
    let command = Command::new(SERVE).no_binary_name(true).arg(option.clone().env(None::<&str>));
    let error = command.try_get_matches_from([format!("--{}={}", entry.name, entry.value)]).err()?;
    let why = std::error::Error::source(&error).map(ToString::to_string);
    let message = match why {
        Some(why) => format!("`{}` cannot be `{}`: {why}", entry.name, entry.value),
        None => format!("`{}` cannot be `{}`", entry.name, entry.value),
    };
    let known = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(known)) if !known.is_empty() => format!("write one of {}", known.join(", ")),
        _ => match option.get_help() {
            Some(help) => format!("it is: {help}"),
            None => "see `cardinal serve --help`".to_owned(),
        },
    };
    Some((Finding::error(message).help(known), entry.value_span))
}

/// The command line with the options of a file as the defaults of `serve`: what stands on the command line or in the
/// environment comes before them.
pub fn with_defaults(root: Command, entries: &[Entry]) -> Command {
    let set = |command: Command| {
        entries.iter().fold(command, |command, entry| {
            // Lives as long as the process; a file is read once.
            let value: &'static str = Box::leak(entry.value.clone().into_boxed_str());
            command.mut_arg(entry.name.replace('-', "_"), |arg| arg.default_value(value))
        })
    };
    root.mut_subcommand(SERVE, set).mut_subcommand("config", |config| config.mut_subcommand("show", set))
}
