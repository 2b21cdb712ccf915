//! The child's side: reads requests, has them answered, and ends with its parent.

use std::io::{BufRead, Error, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Signal, getpid, kill_process};

use crate::line;
use crate::wire::{Answer, Job, LINE_BYTES_MAX, Message, Phase, Request};

/// What the one who answers a job is given: where to speak, and the flag that says stop.
#[derive(Clone)]
pub struct Desk {
    output: Arc<Mutex<dyn Write + Send>>,
    cancel: Arc<AtomicBool>,
}

impl Desk {
    /// Set when the parent wants the best that there is, now.
    pub fn cancel(&self) -> Arc<AtomicBool> {
        self.cancel.clone()
    }

    /// Says how far the job has got.
    pub fn enter(&self, phase: Phase) {
        // A parent that does not listen any more ends this process by closing its input.
        let _ = self.say(&Message::Phase(phase));
    }

    /// Gives a checked answer that may still be improved.
    pub fn offer(&self, answer: Answer) {
        let _ = self.say(&Message::Incumbent(answer));
    }

    fn say(&self, message: &Message) -> Result<(), Error> {
        let mut text = serde_json::to_string(message)?;
        text.push('\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}

/// Answers one job after the other until the input ends. A line that is no request ends it with an error of kind
/// `InvalidData`.
///
/// When the input ends while a job is under way, the process ends at once, by `SIGKILL`: the engine cannot be asked.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write + Send + 'static,
    answer: impl Fn(Job, &Desk) -> Answer,
) -> Result<(), Error> {
    let desk = Desk { output: Arc::new(Mutex::new(output)), cancel: Arc::default() };
    let open = Open { jobs: Arc::default(), cancel: desk.cancel.clone() };
    let (jobs, waiting) = channel();
    let listener = Listener { jobs, open: open.clone() };
    std::thread::Builder::new().name("listener".to_owned()).spawn(move || listener.run(input))?;
    for job in waiting {
        let answer = answer(job?, &desk);
        open.close();
        desk.say(&Message::Answer(answer))?;
    }
    Ok(())
}

/// The number of jobs that have come and have no answer yet. A cancellation is of a job that is open when it comes.
#[derive(Clone)]
struct Open {
    jobs: Arc<Mutex<u32>>,
    cancel: Arc<AtomicBool>,
}

impl Open {
    fn begin(&self) {
        *self.count() += 1;
    }

    fn cancel(&self) {
        let open = self.count();
        self.cancel.store(*open > 0, Ordering::SeqCst);
    }

    fn close(&self) {
        let mut open = self.count();
        *open = open.saturating_sub(1);
        self.cancel.store(false, Ordering::SeqCst);
    }

    fn count(&self) -> MutexGuard<'_, u32> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads requests on a thread of its own, so that it hears the parent while the engine works.
struct Listener {
    jobs: Sender<Result<Job, Error>>,
    open: Open,
}

impl Listener {
    fn run(self, mut input: impl BufRead) {
        let mut bytes = Vec::new();
        loop {
            match line::read(&mut input, &mut bytes, LINE_BYTES_MAX) {
                Ok(true) => {}
                Ok(false) => return self.leave(),
                Err(error) => return self.refuse(error),
            }
            match serde_json::from_slice(&bytes) {
                Ok(Request::Solve(job)) => {
                    self.open.begin();
                    // Nobody waits for jobs any more when the answers cannot be written.
                    if self.jobs.send(Ok(*job)).is_err() {
                        return;
                    }
                }
                Ok(Request::Cancel) => self.open.cancel(),
                Err(error) => {
                    let message = format!("this is no request: {error}");
                    return self.refuse(Error::new(ErrorKind::InvalidData, message));
                }
            }
            bytes = Vec::new();
        }
    }

    fn refuse(&self, error: Error) {
        // As above.
        let _ = self.jobs.send(Err(error));
    }

    /// The parent is gone or wants no more.
    fn leave(&self) {
        if *self.open.count() > 0 {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}
