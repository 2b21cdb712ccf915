//! Ctrl-C: the first asks the solver to stop with the best it has, the second ends the process. A solver that does not
//! answer in time, to Ctrl-C or to its deadline, is ended from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The exit status of a process that was ended by Ctrl-C, by the custom of shells.
const INTERRUPTED: i32 = 130;
/// The exit status when the time limit was reached before the asked gap.
const OUT_OF_TIME: i32 = 4;
/// How long the solver may take to notice, and the answer to be explained and printed.
const GRACE: Duration = Duration::from_secs(5);

/// From now on the first Ctrl-C sets the flag that is given back.
pub fn watch() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    let watching = ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            end(INTERRUPTED);
        }
        end_after(GRACE, INTERRUPTED, "stopped before an answer was found");
    });
    // Without a handler Ctrl-C ends the process, which is no reason not to solve.
    debug_assert!(watching.is_ok(), "only one watch in a process");
    flag
}

/// Ends the process when a solve is still under way a while after its time limit.
pub fn guard(limit: Duration) {
    end_after(limit.mul_f64(1.1) + GRACE, OUT_OF_TIME, "the time limit was reached before an answer was found");
}

fn end_after(wait: Duration, status: i32, message: &'static str) {
    std::thread::spawn(move || {
        std::thread::sleep(wait);
        eprintln!("error: {message}");
        end(status);
    });
}

#[allow(clippy::exit, reason = "the main thread does not listen")]
fn end(status: i32) {
    std::process::exit(status);
}
