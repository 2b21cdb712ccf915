//! The parent's side: starts a worker, gives it a job, watches it, ends it.

use std::ffi::OsString;
use std::io::{BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::line;
use crate::wire::{Answer, Job, LINE_BYTES_MAX, Message, Phase, Request};

/// How often the parent looks whether it has been asked to stop.
const LOOK: Duration = Duration::from_millis(20);
/// How long a worker may take to answer after it was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// The last lines of standard error that a failure shows.
const LAST_WORDS: usize = 8;
/// What the allocators of Rust and C++ say before they give up.
const ALLOCATION_FAILED: [&str; 3] = ["memory allocation of", "bad_alloc", "Cannot allocate memory"];

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments; with them it must call [`crate::serve`].
    pub arguments: Vec<OsString>,
}

/// A worker could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {}", .path.display())]
pub struct StartError {
    path: PathBuf,
    #[source]
    cause: std::io::Error,
}

/// Why a job has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// There is no worker.
    #[error("no worker could be started")]
    Start(#[source] StartError),
    /// A signal ended the worker, such as 11 (invalid memory access) or 6 (abort).
    #[error("the solver crashed (signal {signal}){}", words(.said))]
    Crashed {
        /// The signal.
        signal: i32,
        /// The last lines of standard error.
        said: Vec<String>,
    },
    /// The worker wanted more memory than it may have.
    #[error("the solver needs more memory than it may have")]
    OutOfMemory,
    /// The worker ended without an answer.
    #[error("the solver ended without an answer (exit status {status}){}", words(.said))]
    Ended {
        /// The exit status.
        status: i32,
        /// The last lines of standard error.
        said: Vec<String>,
    },
    /// The worker took longer than it may and was ended.
    #[error("the solver was ended: it was still at work after {:.1} s", .0.as_secs_f64())]
    Overdue(Duration),
    /// The worker was asked to stop, did not, and was ended.
    #[error("the solver was ended: it did not stop when asked")]
    Unresponsive,
    /// What the worker says is no message.
    #[error("the solver does not keep to the protocol: {0}")]
    Garbled(String),
}

fn words(said: &[String]) -> String {
    if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) }
}

/// A job without an answer. The worker is gone; no other job is touched.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// Why.
    #[source]
    pub cause: Cause,
    /// The best answer that was known by then.
    pub incumbent: Option<Answer>,
}

/// Follows a job.
pub trait Watch {
    /// The job has got so far.
    fn phase(&mut self, worker: u32, phase: Phase) {
        let _ = (worker, phase);
    }
    /// A checked answer is known.
    fn incumbent(&mut self, answer: &Answer) {
        let _ = answer;
    }
    /// The worker has written a line to its standard error.
    fn said(&mut self, line: &str) {
        let _ = line;
    }
}

/// Follows nothing.
impl Watch for () {}

enum Event {
    Message(Message),
    Said(String),
    Garbled(String),
    /// Both streams have ended.
    Silence,
}

/// A worker process. Dropped, it is ended.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    requests: Option<Sender<Request>>,
    events: Receiver<Event>,
}

impl Worker {
    /// Starts a worker, in a process group of its own, so that a Ctrl-C at the terminal reaches the parent alone.
    pub fn start(program: &Program) -> Result<Self, StartError> {
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |cause| StartError { path: program.path.clone(), cause };
        let mut child = command.spawn().map_err(failed)?;
        let started = speak(&mut child).and_then(|requests| Ok((requests, listen(&mut child)?)));
        match started {
            Ok((requests, events)) => Ok(Worker { child, requests: Some(requests), events }),
            Err(cause) => {
                // What has started without being heard is of no use.
                let _ = child.kill();
                let _ = child.wait();
                Err(failed(cause))
            }
        }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// False when the process has ended.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Has a job done. The job's own time limit is the worker's to keep; `wall` is when it is ended if it does not,
    /// counted from now. Raising `cancel` asks for the best that there is; a worker that does not answer that within
    /// five seconds is ended too.
    ///
    /// After a failure the worker is gone.
    pub fn solve(
        &mut self,
        job: &Job,
        wall: Option<Duration>,
        cancel: &AtomicBool,
        watch: &mut dyn Watch,
    ) -> Result<Answer, Failure> {
        let begin = Instant::now();
        let mut shift = Shift { deadline: wall.map(|wall| (begin + wall, wall)), asked: None, incumbent: None };
        let said = &mut Vec::new();
        // A worker that is gone says so below.
        self.request(Request::Solve(Box::new(job.clone())));
        let cause = loop {
            if cancel.load(Ordering::SeqCst) && shift.asked.is_none() {
                shift.asked = Some(Instant::now());
                self.request(Request::Cancel);
            }
            match self.events.recv_timeout(LOOK) {
                Ok(Event::Message(Message::Answer(answer))) => return Ok(answer),
                Ok(Event::Message(Message::Incumbent(answer))) => {
                    watch.incumbent(&answer);
                    shift.incumbent = Some(answer);
                }
                Ok(Event::Message(Message::Phase(phase))) => watch.phase(self.child.id(), phase),
                Ok(Event::Said(line)) => {
                    watch.said(&line);
                    remember(said, line);
                }
                Ok(Event::Garbled(why)) => break Cause::Garbled(why),
                Ok(Event::Silence) | Err(RecvTimeoutError::Disconnected) => break self.post_mortem(said),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(cause) = shift.over() {
                break cause;
            }
        };
        self.end();
        Err(Failure { cause, incumbent: shift.incumbent })
    }

    /// Lets an idle worker end by itself, and hears what it has to say; one that takes longer is ended.
    pub fn finish(mut self, within: Duration, watch: &mut dyn Watch) {
        self.requests = None;
        let deadline = Instant::now() + within;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Said(line)) => watch.said(&line),
                Ok(Event::Message(_) | Event::Garbled(_)) => {}
                Ok(Event::Silence) | Err(_) => return,
            }
        }
    }

    /// Hands a request to the thread that writes: a worker that does not read must not hold up the one who watches the
    /// clock.
    fn request(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // A worker that is gone has said so, or will.
            let _ = requests.send(request);
        }
    }

    /// What ended a worker that has fallen silent.
    fn post_mortem(&mut self, said: &[String]) -> Cause {
        let status = self.child.wait();
        let lacked = said.iter().any(|line| ALLOCATION_FAILED.iter().any(|words| line.contains(words)));
        if lacked {
            return Cause::OutOfMemory;
        }
        let signal = status.as_ref().ok().and_then(ExitStatus::signal);
        let code = status.ok().and_then(|status| status.code()).unwrap_or(-1);
        match signal {
            Some(signal) => Cause::Crashed { signal, said: said.to_vec() },
            None => Cause::Ended { status: code, said: said.to_vec() },
        }
    }

    fn end(&mut self) {
        self.requests = None;
        // A process that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is known while a job runs.
struct Shift {
    deadline: Option<(Instant, Duration)>,
    asked: Option<Instant>,
    incumbent: Option<Answer>,
}

impl Shift {
    fn over(&self) -> Option<Cause> {
        let now = Instant::now();
        match (self.deadline, self.asked) {
            (Some((deadline, wall)), _) if now >= deadline => Some(Cause::Overdue(wall)),
            (_, Some(asked)) if now >= asked + STOP_GRACE => Some(Cause::Unresponsive),
            _ => None,
        }
    }
}

/// Writes requests on a thread that ends, and closes the worker's input, when nobody sends any more.
fn speak(child: &mut Child) -> Result<Sender<Request>, std::io::Error> {
    let (requests, received) = channel::<Request>();
    let input = child.stdin.take();
    std::thread::Builder::new().name("worker requests".to_owned()).spawn(move || {
        let Some(mut input) = input else { return };
        for request in received {
            let Ok(mut text) = serde_json::to_vec(&request) else { return };
            text.push(b'\n');
            // A worker that takes no more is found out by its silence.
            if input.write_all(&text).and_then(|()| input.flush()).is_err() {
                return;
            }
        }
    })?;
    Ok(requests)
}

fn remember(said: &mut Vec<String>, line: String) {
    if said.len() == LAST_WORDS {
        said.remove(0);
    }
    said.push(line);
}

/// Reads both streams of a worker, each on a thread; the threads end with the streams.
fn listen(child: &mut Child) -> Result<Receiver<Event>, std::io::Error> {
    let (events, received) = channel();
    let said = events.clone();
    let errors = child.stderr.take();
    let errors = std::thread::Builder::new().name("worker errors".to_owned()).spawn(move || {
        let Some(errors) = errors else { return };
        let (mut errors, mut bytes) = (BufReader::new(errors), Vec::new());
        loop {
            let goes_on = matches!(line::read(&mut errors, &mut bytes, LINE_BYTES_MAX), Ok(true));
            // Last words may break off.
            let is_heard = goes_on || !bytes.is_empty();
            let line = String::from_utf8_lossy(&bytes).into_owned();
            let is_lost = is_heard && said.send(Event::Said(line)).is_err();
            if is_lost || !goes_on {
                return;
            }
        }
    })?;
    let output = child.stdout.take();
    std::thread::Builder::new().name("worker messages".to_owned()).spawn(move || {
        if let Some(output) = output {
            messages(BufReader::new(output), &events);
        }
        // What it said last is heard before its silence.
        let _ = errors.join();
        let _ = events.send(Event::Silence);
    })?;
    Ok(received)
}

fn messages(mut output: impl std::io::BufRead, events: &Sender<Event>) {
    let mut bytes = Vec::new();
    loop {
        let event = match line::read(&mut output, &mut bytes, LINE_BYTES_MAX) {
            Ok(true) => match serde_json::from_slice(&bytes) {
                Ok(message) => Event::Message(message),
                Err(error) => Event::Garbled(error.to_string()),
            },
            // The end, or a message that broke off because the worker died.
            Ok(false) | Err(_) => return,
        };
        if events.send(event).is_err() {
            return;
        }
    }
}
