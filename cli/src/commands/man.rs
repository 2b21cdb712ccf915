//! `cardinal man`: the man page, for packagers.

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use clap::CommandFactory;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::output;

/// Prints the page of the program, or of one of its commands.
pub fn run(command: Option<&str>) -> Result<Exit, Failure> {
    let mut root = Arguments::command();
    root.build();
    let page = match command {
        None => root,
        Some(name) => match root.find_subcommand(name) {
            Some(found) => found.clone(),
            None => return Err(Finding::error(format!("there is no command `{name}`")).into()),
        },
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(|error| Failure::internal(format!("cannot write the man page: {error}")))?;
    output::print_raw(&text)?;
    Ok(Exit::Solved)
}
