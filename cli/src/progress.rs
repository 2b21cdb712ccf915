//! What a terminal shows while solves run: that a long one is alive, and how many of many are done.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A solve that is shorter shows no line.
const SILENT: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(200);
const CLEAR_LINE: &str = "\r\x1b[2K";

/// A progress line that goes away when this is dropped.
pub struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// Begins; shows nothing where standard error is no terminal.
    pub fn start(time_limit: Option<Duration>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Progress(None);
        }
        let (stop, stopped) = channel();
        let begin = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut wait = SILENT;
            let mut is_shown = false;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = STEP;
                is_shown = true;
                let elapsed = begin.elapsed().as_secs_f64();
                let of = time_limit.map_or(String::new(), |limit| format!(" of at most {:.0} s", limit.as_secs_f64()));
                // A terminal that is gone is no reason to stop solving.
                let _ = write!(
                    std::io::stderr(),
                    "{CLEAR_LINE}solving: {elapsed:.1} s{of}; Ctrl-C for the best found so far"
                );
            }
            if is_shown {
                let _ = write!(std::io::stderr(), "{CLEAR_LINE}");
            }
        });
        Progress(Some((stop, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            // A panic of the thread was printed by it.
            let _ = thread.join();
        }
    }
}

/// A bar over many solves that goes away when this is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// Begins; shows nothing where standard error is no terminal.
    pub fn start() -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style =
            ProgressStyle::with_template("solving [{bar:40}] {pos} of {len}, {eta} left; Ctrl-C for what is known");
        Bar(match style {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        })
    }

    /// So many are done.
    pub fn show(&self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line that says what is being done, and for how long, and goes away when this is dropped.
pub struct Doing(ProgressBar);

impl Doing {
    /// Begins; shows nothing where standard error is no terminal.
    pub fn start() -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.enable_steady_tick(STEP);
        Doing(match ProgressStyle::with_template("{msg}: {elapsed}; Ctrl-C for what is done") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// What is done now.
    pub fn show(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.reset_elapsed();
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
