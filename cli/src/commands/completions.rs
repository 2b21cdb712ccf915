//! `cardinal completions`: what a shell needs to complete the command line.

use cardinal_edge::failure::{Exit, Failure};
use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::arguments::Arguments;
use crate::output;

/// Prints the completions for a shell.
pub fn run(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "cardinal", &mut script);
    output::print_raw(&script)?;
    Ok(Exit::Solved)
}
