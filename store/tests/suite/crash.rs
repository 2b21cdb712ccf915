//! Death of the process at any moment: what was acknowledged is there afterwards.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use cardinal_store::{Filter, Overview, Page, Store, StoreUrl};

use crate::site::{KEY, START, Site, block_on, event, model, on_both};

on_both!(who_gives_up_leaves_nothing_half_and_holds_nobody_up);

const CHILD: &str = "CARDINAL_STORE_TEST_CHILD";
const ROUND: &str = "CARDINAL_STORE_TEST_ROUND";
const ROUNDS: u32 = 20;

/// Speaks past the test harness, on lines of its own.
pub fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n= {word}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// The text of a model is a few pages long, so that a transaction is many writes.
pub fn text(name: &str) -> String {
    format!("application: {name}\n").repeat(600)
}

/// This program again, to run one of its tests as a child.
pub fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).stdin(Stdio::null());
    command
}

/// What a child says, line by line.
pub fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("= ").map(str::to_owned))
}

/// As a child: submits until it is killed, and says each name once the store has acknowledged it. Else does nothing.
#[test]
#[allow(clippy::disallowed_methods)]
fn child_submits() {
    let (Ok(url), Ok(round)) = (std::env::var(CHILD), std::env::var(ROUND)) else { return };
    block_on(async {
        let store = Store::open(&url.parse().unwrap(), &Site::options(KEY)).await.unwrap();
        // Two at a time, so that one is in the middle of its work whenever the other speaks.
        let tasks = [0, 1].map(|task| {
            let (store, round) = (store.clone(), round.clone());
            tokio::spawn(async move {
                for i in 0.. {
                    let name = format!("r{round}-{task}-{i:05}");
                    store.submit(&model(&name, &text(&name), START), "{}").await.unwrap();
                    say(&name);
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Starts a child and kills it after it has said `count` names; gives all that it has said.
pub fn submit_and_kill(address: &str, round: u32, count: usize) -> Vec<String> {
    let mut child = child("crash::child_submits")
        .env(CHILD, address)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = lines(&mut child);
    let mut said: Vec<String> = lines.by_ref().take(count).collect();
    child.kill().unwrap();
    said.extend(lines);
    child.wait().unwrap();
    assert!(said.len() >= count, "the child died by itself: {said:?}");
    said
}

fn nothing_acknowledged_is_lost(url: &StoreUrl, address: &str) {
    let mut random = fastrand::Rng::with_seed(7);
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        acknowledged.extend(submit_and_kill(address, round, random.usize(0..25)));
        block_on(async {
            let store = Store::open(url, &Site::options(KEY)).await.unwrap();
            for name in &acknowledged {
                assert_eq!(store.model(name, 1).await.unwrap().text, text(name), "{name}");
            }
            // What was never acknowledged is there as a whole or not at all.
            let page = Page { after: None, limit: 10_000 };
            let all = store.applications(&page, &Filter::default()).await.unwrap().rows;
            for Overview { application, .. } in &all {
                assert_eq!(store.model(&application.name, 1).await.unwrap().text, text(&application.name));
            }
            assert!(all.len() <= acknowledged.len() + 2 * (round as usize + 1));
            assert_eq!(store.last_event().await.unwrap(), i64::try_from(all.len()).unwrap());
        });
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
}

#[test]
fn a_killed_process_loses_nothing_on_sqlite() {
    let site = Site::sqlite();
    nothing_acknowledged_is_lost(&site.url, &site.url.to_string());
}

#[test]
fn a_killed_process_loses_nothing_on_postgres() {
    let Some(site) = Site::postgres() else { return };
    let name = site.url.to_string();
    let address = crate::cluster::cluster().unwrap().address(name.rsplit('/').next().unwrap());
    nothing_acknowledged_is_lost(&site.url, &address);
}

/// Calls that are dropped at any moment, as when a client closes its connection, beside calls that are not.
async fn who_gives_up_leaves_nothing_half_and_holds_nobody_up(site: Site) {
    let store = site.open().await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(task);
                let mut done = 0;
                for i in 0..40 {
                    let name = format!("{task}-{i}");
                    let new = model(&name, &text(&name), START);
                    let patience = std::time::Duration::from_micros(random.u64(0..20_000));
                    if let Ok(submitted) = tokio::time::timeout(patience, store.submit(&new, "{}")).await {
                        submitted.unwrap();
                        store.application(&name).await.unwrap();
                        done += 1;
                    }
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    // The last who gave up may still be taken back or made durable.
    store.announce(&[event("over", "{}")]).await.unwrap();
    let all = store.applications(&Page { after: None, limit: 1000 }, &Filter::default()).await.unwrap().rows;
    assert!(all.len() >= done, "{} of {done}", all.len());
    for Overview { application, .. } in &all {
        assert_eq!(store.model(&application.name, 1).await.unwrap().text, text(&application.name));
    }
    assert_eq!(store.last_event().await.unwrap(), i64::try_from(all.len()).unwrap() + 1);
}
