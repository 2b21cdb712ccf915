//! `cardinal config`: the configuration of the service, checked and shown.

use std::path::Path;

use cardinal_edge::failure::{Exit, Failure};
use cardinal_store::StoreUrl;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use super::serve::mistakes;
use crate::arguments::serve::Serve;
use crate::arguments::{Arguments, Command};
use crate::input::config::{Entry, options, read, with_defaults};
use crate::output;

/// Checks a configuration file as `cardinal serve --config FILE` would use it.
pub fn check(file: &Path) -> Result<Exit, Failure> {
    let entries = read(file)?;
    let root = with_defaults(Arguments::command(), &entries).mut_subcommand("serve", |serve| {
        // The environment is another matter.
        serve.mut_args(|arg| arg.env(None::<&str>))
    });
    let matches = root
        .try_get_matches_from(["cardinal", "serve"])
        .map_err(|error| Failure::internal(format!("a configuration that was checked cannot be used: {error}")))?;
    let arguments = Arguments::from_arg_matches(&matches)
        .map_err(|error| Failure::internal(format!("a configuration that was checked cannot be used: {error}")))?;
    if let Command::Serve(serve) = arguments.command {
        mistakes(&serve)?;
    }
    output::print(&format!("{}: ok, {} options\n", file.display(), entries.len()))?;
    Ok(Exit::Solved)
}

/// Prints every option with its value and where it comes from.
pub fn show(serve: &Serve, matches: &ArgMatches, entries: &[Entry]) -> Result<Exit, Failure> {
    let mut text = String::new();
    for option in options() {
        let (Some(name), id) = (option.get_long(), option.get_id().as_str()) else { continue };
        let values = matches.get_raw(id).into_iter().flatten();
        let value: Vec<String> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        let from = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "command line".to_owned(),
            Some(ValueSource::EnvVariable) => {
                format!("environment, {}", option.get_env().unwrap_or_default().to_string_lossy())
            }
            _ if entries.iter().any(|entry| entry.name == name) => "file".to_owned(),
            _ => "default".to_owned(),
        };
        let shown = match value.first() {
            // Shown without its password.
            Some(url) if name == "database" => match url.parse::<StoreUrl>() {
                Ok(parsed) if url.contains("://") => quoted(&parsed.to_string()),
                Err(_) if url.contains("://") => quoted("(not shown: it cannot be read)"),
                _ => quoted(url),
            },
            Some(value) => quoted(value),
            None if id == "dev" || id == "no_loop" => "false".to_owned(),
            None => {
                text.push_str(&format!("# {name}: not set\n"));
                continue;
            }
        };
        text.push_str(&format!("{name}: {shown}  # {from}\n"));
    }
    if serve.database.secret_key().is_some() {
        text.push_str("# The key of the secrets is given by CARDINAL_SECRET_KEY and not shown.\n");
    }
    output::print(&text)?;
    mistakes(serve)?;
    Ok(Exit::Solved)
}

/// A value as YAML reads it back as the same text.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=".contains(c);
    let plain = !value.is_empty() && value.chars().all(is_plain) && !value.starts_with(['-', ':', '=']);
    if plain && !value.ends_with(':') { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}
