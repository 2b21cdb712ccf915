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
use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => {
            // Help and version are such refusals too; a closed pipe is no fault of theirs.
            let _ = refusal.print();
            return if refusal.use_stderr() { Exit::Invalid.into() } else { Exit::Solved.into() };
        }
    };
    arguments.color.apply();
    let exit = run(arguments, started).unwrap_or_else(|failure| {
        render::diagnostics::show(&failure.findings);
        failure.exit
    });
    exit.into()
}

fn run(arguments: Arguments, started: Instant) -> Result<Exit, Failure> {
    match arguments.command {
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
