//! Solves in worker processes: what goes wrong is the failure of one job, at the time that was set, and no process is
//! left behind.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cardinal_worker::{Answer, CatalogText, Cause, Job, Phase, Pool, Program, Text, Watch, Worker};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use support::{Scratch, program, run};

const SHOP: &str = include_str!("data/shop.yaml");
const LONG: &str = include_str!("data/split.yaml");
const OFFERS: &str = include_str!("data/offers.csv");

/// Longer than any test may take; reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn worker_program(arguments: &[&str]) -> Program {
    let all = ["solve-worker"].iter().chain(arguments);
    Program { path: env!("CARGO_BIN_EXE_cardinal").into(), arguments: all.map(Into::into).collect() }
}

fn text(name: &str, text: &str) -> Text {
    Text { name: name.to_owned(), text: text.to_owned() }
}

fn job(model: &str) -> Job {
    Job {
        model: text("model.yaml", model),
        from: None,
        catalogs: vec![CatalogText::Text(text("offers.csv", OFFERS))],
        networks: Vec::new(),
        metrics: Vec::new(),
        maximize: None,
        minimize: None,
        current: None,
        time_limit_ms: None,
        gap: 0.0,
        explain: false,
        purpose: Default::default(),
        form: Default::default(),
    }
}

/// A job that takes far longer than a test may.
fn long() -> Job {
    Job { catalogs: vec![CatalogText::Builtin], ..job(LONG) }
}

fn start(arguments: &[&str]) -> Worker {
    match Worker::start(&worker_program(arguments)) {
        Ok(worker) => worker,
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

fn status(answer: &Answer) -> String {
    let answer: Value = serde_json::from_str(&answer.text).expect("the answer is JSON");
    answer["status"].as_str().unwrap_or_default().to_owned()
}

fn signal(id: u32, signal: Signal) {
    let id = Pid::from_raw(id.cast_signed()).expect("a process id");
    kill_process(id, signal).expect("the process is there");
}

/// What a wild pointer does. The first signal takes away the handler of Rust's runtime, which then waits for the fault to
/// happen again; so does this.
fn segv(id: u32) {
    const SEGV: u64 = 1 << 10;
    let is_handled = || {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SEGV != 0)
    };
    signal(id, Signal::SEGV);
    let begin = Instant::now();
    while is_handled() && begin.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    signal(id, Signal::SEGV);
}

fn is_gone(id: u32) -> bool {
    Pid::from_raw(id.cast_signed()).is_none_or(|id| test_kill_process(id).is_err())
}

/// Does something as soon as the solver works.
struct WhenSolving<F: FnMut(u32)>(F);

impl<F: FnMut(u32)> Watch for WhenSolving<F> {
    fn phase(&mut self, worker: u32, phase: Phase) {
        if phase == Phase::Solving {
            (self.0)(worker);
        }
    }
}

static NEVER: AtomicBool = AtomicBool::new(false);

#[test]
fn one_worker_does_job_after_job() {
    let mut worker = start(&["--memory-limit", "4 GiB"]);
    let direct = run("solve shop.yaml --catalog offers.csv --no-explain --output json").expect(0).json();
    for _ in 0..3 {
        let answer = worker.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect("an answer");
        let isolated: Value = serde_json::from_str(&answer.text).expect("the answer is JSON");
        assert_eq!((answer.exit, &isolated["nodes"]), (0, &direct["nodes"]));
        assert_eq!(isolated["utility"], direct["utility"]);
    }
    let wrong = worker.solve(&job("application: ["), Some(PATIENCE), &NEVER, &mut ()).expect("a refusal");
    assert_eq!((wrong.exit, wrong.text.as_str()), (2, ""));
    assert!(wrong.refusal.contains("model.yaml:1:"), "{}", wrong.refusal);
    // A refused job does not end the worker.
    assert_eq!(status(&worker.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect("an answer")), "optimal");
}

#[test]
fn a_crash_in_the_middle_of_a_solve_is_the_failure_of_that_job() {
    let crashes: [(fn(u32), i32); 3] =
        [(segv, 11), (|id| signal(id, Signal::ABORT), 6), (|id| signal(id, Signal::KILL), 9)];
    for (crash, number) in crashes {
        let mut worker = start(&[]);
        let mut crash = WhenSolving(crash);
        let failure = worker.solve(&long(), Some(PATIENCE), &NEVER, &mut crash).expect_err("it crashed");
        assert!(matches!(failure.cause, Cause::Crashed { signal, .. } if signal == number), "{failure:?}");
        assert!(!worker.is_alive());
        let mut other = start(&[]);
        assert_eq!(status(&other.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect("an answer")), "optimal");
    }
}

#[test]
fn a_crash_leaves_the_best_answer_that_was_known() {
    let mut worker = start(&[]);
    let mut crash = WhenSolving(|id| signal(id, Signal::ABORT));
    let knapsack = Job { model: text("knapsack.yaml", include_str!("data/knapsack.yaml")), ..long() };
    let failure = worker.solve(&knapsack, Some(PATIENCE), &NEVER, &mut crash).expect_err("it crashed");
    assert!(matches!(failure.cause, Cause::Crashed { signal: 6, .. }), "{failure:?}");
    let known = failure.incumbent.expect("an answer");
    let answer: Value = serde_json::from_str(&known.text).expect("the answer is JSON");
    let number = |key: &str| answer[key].as_f64().expect("a number");
    assert_eq!((known.exit, &answer["status"]), (4, &json!("feasible")));
    assert!(number("utility") > 0.0 && number("bound") >= number("utility"));
    // How close it is, is shown and not asserted: subgradient steps alone bound a knapsack loosely.
    println!("gap {}", number("gap"));
}

#[test]
fn a_worker_that_hangs_is_ended_at_its_wall_clock() {
    let mut worker = start(&[]);
    let id = worker.id();
    let begin = Instant::now();
    // A stopped process is one that nothing but SIGKILL ends.
    let mut hang = WhenSolving(|id| signal(id, Signal::STOP));
    let wall = Duration::from_secs(2);
    let failure = worker.solve(&long(), Some(wall), &NEVER, &mut hang).expect_err("it hangs");
    assert!(matches!(failure.cause, Cause::Overdue(after) if after == wall), "{failure:?}");
    assert!(begin.elapsed() >= wall);
    assert!(is_gone(id));
}

#[test]
fn a_worker_that_never_reads_its_job_is_ended_too() {
    let mut worker = start(&[]);
    signal(worker.id(), Signal::STOP);
    // More than a pipe holds.
    let job = Job { current: Some(text("x", &"x".repeat(1 << 20))), ..job(SHOP) };
    let failure = worker.solve(&job, Some(Duration::from_millis(300)), &NEVER, &mut ()).expect_err("it hangs");
    assert!(matches!(failure.cause, Cause::Overdue(_)), "{failure:?}");
}

#[test]
fn more_memory_than_allowed_is_a_failure_of_its_own() {
    let mut worker = start(&["--memory-limit", "256 MiB"]);
    let mut offers = String::from("provider,region,zones,machine_type,cores,memory_gib,price\n");
    for i in 0..400_000 {
        offers += &format!("aws,eu-central-1,,m{i},2,4,0.10\n");
    }
    let hungry = Job { catalogs: vec![CatalogText::Text(text("many.csv", &offers))], ..job(SHOP) };
    let failure = worker.solve(&hungry, Some(PATIENCE), &NEVER, &mut ()).expect_err("too much memory");
    assert!(matches!(failure.cause, Cause::OutOfMemory), "{failure:?}");
    let mut other = start(&["--memory-limit", "256 MiB"]);
    assert_eq!(status(&other.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect("an answer")), "optimal");
}

#[test]
fn a_cancelled_job_answers_with_what_it_has() {
    let mut worker = start(&[]);
    let cancel = AtomicBool::new(false);
    let mut stop = WhenSolving(|_| cancel.store(true, Ordering::SeqCst));
    let answer = worker.solve(&long(), Some(PATIENCE), &cancel, &mut stop).expect("an answer");
    assert_eq!(answer.exit, 4);
    // The cancellation was of that job alone.
    let again = worker.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect("an answer");
    assert_eq!(status(&again), "optimal");
}

#[test]
fn a_cancelled_worker_that_hangs_is_ended() {
    let mut worker = start(&[]);
    let cancel = AtomicBool::new(false);
    let mut hang = WhenSolving(|id| {
        signal(id, Signal::STOP);
        cancel.store(true, Ordering::SeqCst);
    });
    let failure = worker.solve(&long(), None, &cancel, &mut hang).expect_err("it hangs");
    assert!(matches!(failure.cause, Cause::Unresponsive), "{failure:?}");
}

#[test]
fn what_is_no_message_is_noticed() {
    let garbage = Program { path: "/bin/echo".into(), arguments: vec!["hello".into()] };
    let mut worker = Worker::start(&garbage).expect("echo starts");
    let failure = worker.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect_err("no message");
    assert!(matches!(failure.cause, Cause::Garbled(_)), "{failure:?}");
    let silent = Program { path: "/bin/false".into(), arguments: Vec::new() };
    let mut worker = Worker::start(&silent).expect("false starts");
    let failure = worker.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect_err("no message");
    assert!(matches!(failure.cause, Cause::Ended { status: 1, .. }), "{failure:?}");
    assert!(Worker::start(&Program { path: "/nowhere".into(), arguments: Vec::new() }).is_err());
}

#[test]
fn a_pool_keeps_its_workers_and_replaces_the_dead() {
    let pool = Arc::new(Pool::new(worker_program(&[]), 2));
    pool.warm_up(2).expect("workers start");
    assert_eq!(pool.idle_count(), 2);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let pool = pool.clone();
            scope.spawn(move || {
                let answer = pool.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect("an answer");
                assert_eq!(status(&answer), "optimal");
            });
        }
    });
    assert_eq!(pool.idle_count(), 2);
    let mut crash = WhenSolving(segv);
    assert!(pool.solve(&long(), Some(PATIENCE), &NEVER, &mut crash).is_err());
    assert_eq!(pool.idle_count(), 1);
    let answer = pool.solve(&job(SHOP), Some(PATIENCE), &NEVER, &mut ()).expect("an answer");
    assert_eq!(status(&answer), "optimal");
}

fn bare(arguments: &[&str]) -> Child {
    let mut command = program();
    command.arg("solve-worker").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program runs")
}

#[test]
fn a_worker_ends_with_its_parent() {
    let mut child = bare(&[]);
    let mut stdin = child.stdin.take().expect("its input");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
    writeln!(stdin, "{}", json!({"solve": long()})).expect("it reads");
    assert!(lines.any(|line| line == r#"{"phase":"solving"}"#));
    // What happens to the pipe when the parent is killed.
    drop(stdin);
    let begin = Instant::now();
    let ended = child.wait().expect("it ends");
    assert!(!ended.success() && begin.elapsed() < PATIENCE);
}

#[test]
fn an_idle_worker_ends_in_peace() {
    let mut child = bare(&[]);
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn garbage_is_refused_with_the_mend() {
    for garbage in ["hello\n", "{\"solve\": 3}\n", "\n", "{\"solve\": {\"model\"", "\u{0}\n"] {
        let mut child = bare(&[]);
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(garbage.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{garbage:?}: {said}");
        assert!(said.contains("a request is a line like"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_isolated_solve_answers_like_any_other() {
    let strip = |mut answer: Value| {
        for key in ["timing_ms", "warnings"] {
            answer.as_object_mut().expect("an object").shift_remove(key);
        }
        answer
    };
    let plain = run("solve shop.yaml --catalog offers.csv --output json").expect(0);
    let isolated = run("solve shop.yaml --catalog offers.csv --output json --isolated --memory-limit 2GiB").expect(0);
    assert_eq!(strip(isolated.json()), strip(plain.json()));
    let table = run("solve shop.yaml --catalog offers.csv --isolated").expect(0);
    assert!(table.out.contains("web") && !table.out.contains('\u{1b}'), "{}", table.out);
    run("solve conflict.yaml --catalog offers.csv --isolated").expect(3);
    run("solve shop.yaml --metric nonsense=1 --isolated").expect(2).says("there is no metric `nonsense`");
    run("solve shop.yaml --isolated --memory-limit 1MiB").expect(2).says("256 MiB at least");
    run("solve shop.yaml --memory-limit 1GiB").expect(2).says("--isolated");
    let broken = Scratch::new("isolated-broken.yaml", "application: [");
    run(&format!("solve {} --isolated", broken.path())).expect(2).says("isolated-broken.yaml:1:");
    run("solve split.yaml --isolated --time-limit 1s --no-explain").expect(4);
}
