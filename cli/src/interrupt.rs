//! Ctrl-C: the first asks the solver to stop with the best it has, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a process that was ended by Ctrl-C, by the custom of shells.
const INTERRUPTED: i32 = 130;

/// From now on the first Ctrl-C sets the flag that is given back.
pub fn watch() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    let watching = ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            end();
        }
    });
    // Without a handler Ctrl-C ends the process, which is no reason not to solve.
    debug_assert!(watching.is_ok(), "only one watch in a process");
    flag
}

#[allow(clippy::exit, reason = "the second Ctrl-C: the main thread does not listen")]
fn end() {
    std::process::exit(INTERRUPTED);
}
