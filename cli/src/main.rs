//! The command `cardinal`. This file only dispatches: what a command does is in `commands`, what it reads in `input`,
//! how it shows its answer in `render`.
#![forbid(unsafe_code)]

mod arguments;
mod client;
mod clock;
mod commands;
mod input;
mod interrupt;
mod output;
mod plot;
mod progress;
mod render;

use std::process::ExitCode;
use std::time::Instant;

use cardinal_edge::failure::{Exit, Failure};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use arguments::serve::Config;
use arguments::{Arguments, Command};
use input::config::Entry;

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => return refused(&refusal),
    };
    arguments.color.apply();
    let exit = match configured(arguments) {
        Ok(Ok((arguments, setting))) => run(arguments, &setting, started),
        Ok(Err(refusal)) => return refused(&refusal),
        Err(failure) => Err(failure),
    };
    let exit = exit.unwrap_or_else(|failure| {
        render::diagnostics::show(&failure.findings);
        failure.exit
    });
    exit.into()
}

/// Help and version are such refusals too; a closed pipe is no fault of theirs.
fn refused(refusal: &clap::Error) -> ExitCode {
    let _ = refusal.print();
    if refusal.use_stderr() { Exit::Invalid.into() } else { Exit::Solved.into() }
}

/// Where the values of options come from.
#[derive(Default)]
struct Setting {
    matches: ArgMatches,
    entries: Vec<Entry>,
}

/// The arguments, where they name a configuration file with its options.
fn configured(arguments: Arguments) -> Result<Result<(Arguments, Setting), clap::Error>, Failure> {
    let serve = match &arguments.command {
        Command::Serve(serve) => serve,
        Command::Config { command: Config::Show(serve) } => serve,
        _ => return Ok(Ok((arguments, Setting::default()))),
    };
    let entries = serve.config.as_deref().map(input::config::read).transpose()?.unwrap_or_default();
    let root = input::config::with_defaults(Arguments::command(), &entries);
    Ok(root.try_get_matches().and_then(|matches| {
        let arguments = Arguments::from_arg_matches(&matches)?;
        Ok((arguments, Setting { matches, entries }))
    }))
}

fn run(arguments: Arguments, setting: &Setting, started: Instant) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Config { command: Config::Check { file } } => commands::config::check(&file),
        Command::Config { command: Config::Show(serve) } => {
            let shown = setting.matches.subcommand_matches("config").and_then(|m| m.subcommand_matches("show"));
            shown.map_or(Ok(Exit::Solved), |matches| commands::config::show(&serve, matches, &setting.entries))
        }
        Command::Solve(solve) if solve.isolated => commands::solve::isolated::run(&solve, arguments.color),
        Command::Solve(solve) => commands::solve::run(&solve, started),
        Command::SolveWorker(worker) => commands::solve_worker::run(&worker),
        Command::Explain(explain) => commands::explain::run(&explain, started),
        Command::WhatIf(what_if) => commands::what_if::run(&what_if, started),
        Command::Simulate(simulate) => commands::simulate::run(&simulate),
        Command::Serve(serve) => commands::serve::run(&serve),
        Command::Token { command } => commands::token::run(&command),
        Command::App { command } => commands::service::app(&command),
        Command::Plan { command } => commands::service::plan(&command),
        Command::Decisions(decisions) => commands::service::decisions(&decisions),
        Command::Watch(watch) => commands::service::watch(&watch),
        Command::Metrics { command } => commands::service::metrics(&command),
        Command::Replay(replay) => commands::replay::run(&replay),
        Command::Pareto(pareto) => commands::pareto::run(&pareto, started),
        Command::Check(check) => commands::check::run(&check),
        Command::Convert(convert) => commands::convert::run(&convert),
        Command::Schema(schema) => commands::schema::run(&schema),
        Command::Catalog { command } => commands::catalog::run(&command),
        Command::Completions { shell } => commands::completions::run(shell),
        Command::Man { command } => commands::man::run(command.as_deref()),
    }
}
