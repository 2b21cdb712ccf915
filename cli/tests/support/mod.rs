//! Runs the program and looks at what it says.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a run gave.
pub struct Run {
    /// The exit status.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Run {
    /// The answer as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.out) {
            Ok(value) => value,
            Err(error) => panic!("standard output is no JSON: {error}\n{}\n{}", self.out, self.err),
        }
    }

    /// Fails unless the exit status is the expected one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Fails unless standard error contains the text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "`{text}` is not in standard error:\n{}", self.err);
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Run { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// The program, in the folder of the test data.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cardinal"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

/// Runs it with arguments that are separated by spaces.
#[track_caller]
pub fn run(arguments: &str) -> Run {
    finish(program().args(arguments.split(' ')).output())
}

/// Runs it with a text on standard input.
#[track_caller]
pub fn run_with(arguments: &str, input: &str) -> Run {
    let mut command = program();
    command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().and_then(|mut child| {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    });
    finish(child)
}

#[track_caller]
fn finish(output: std::io::Result<Output>) -> Run {
    match output {
        Ok(output) => output.into(),
        Err(error) => panic!("the program does not run: {error}"),
    }
}

/// A file for one test, removed at its end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// Writes a file; `name` must be unique among the tests.
    #[track_caller]
    pub fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        if let Err(error) = std::fs::write(&path, content) {
            panic!("cannot write {}: {error}", path.display());
        }
        Scratch(path)
    }

    /// Its path.
    pub fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it is overwritten by the next run.
        let _ = std::fs::remove_file(&self.0);
    }
}
