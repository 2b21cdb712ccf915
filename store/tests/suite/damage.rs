//! Disks that are full and logs that are torn: words for a person, and nothing lost that was safe.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use cardinal_store::{Filter, Page, Store, StoreError, StoreOptions, StoreUrl};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::crash::{child, lines, say, submit_and_kill, text};
use crate::site::{KEY, START, Site, block_on, model};

const CHILD: &str = "CARDINAL_STORE_TEST_FULL";

async fn submit(store: &Store, name: &str) -> Result<(), StoreError> {
    store.submit(&model(name, &text(name), START), "{}").await.map(drop)
}

async fn names(store: &Store) -> Vec<String> {
    let all = store.applications(&Page { after: None, limit: 10_000 }, &Filter::default()).await.unwrap();
    all.rows.into_iter().map(|a| a.application.name).collect()
}

/// As a child whose files may not grow beyond a limit: submits until that fails, twice, lifts the limit, and goes on.
#[test]
#[allow(clippy::disallowed_methods)]
fn child_fills_the_disk() {
    let Ok(path) = std::env::var(CHILD) else { return };
    block_on(async {
        let store = Store::open(&StoreUrl::file(path), &Site::options(KEY)).await.unwrap();
        // It may go on for a while after the first failure, because the log begins anew where it can.
        for round in 0..2 {
            // Several at a time: they are made durable together, and fail together.
            let tasks = [0, 1, 2, 3].map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    for i in 0.. {
                        let name = format!("a{round}-{task}-{i}");
                        match submit(&store, &name).await {
                            Ok(()) => say(&name),
                            Err(error) => return error,
                        }
                    }
                    unreachable!("no disk is endless")
                })
            });
            for task in tasks {
                let error = task.await.unwrap();
                assert!(matches!(&error, StoreError::Unavailable { .. }), "{error:?}");
                say(&format!("error {error}"));
            }
            let name = names(&store).await.remove(0);
            assert_eq!(store.model(&name, 1).await.unwrap().text, text(&name), "what is there can be read");
        }
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: maximum, maximum }).unwrap();
        submit(&store, "afterwards").await.unwrap();
        say("afterwards");
    });
}

#[test]
fn a_full_disk_says_so_and_loses_nothing() {
    let site = Site::sqlite();
    let path = site.url.path().unwrap();
    // A write beyond the limit is then an error instead of a signal; the unit is 512 bytes.
    let script = "trap '' XFSZ; ulimit -S -f 3000; exec \"$@\"";
    let test = child("damage::child_fills_the_disk");
    let mut child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(test.get_program())
        .args(test.get_args())
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said: Vec<String> = lines(&mut child).collect();
    assert!(child.wait().unwrap().success(), "{said:?}");
    let (errors, acknowledged): (Vec<_>, Vec<_>) = said.into_iter().partition(|l| l.starts_with("error "));
    assert_eq!(errors.len(), 8);
    assert!(errors.iter().all(|e| e.contains("free space")), "{errors:?}");
    assert!(acknowledged.len() > 5 && acknowledged.last().unwrap() == "afterwards", "{acknowledged:?}");
    block_on(async {
        let store = site.open().await;
        for name in &acknowledged {
            assert_eq!(&store.model(name, 1).await.unwrap().text, &text(name));
        }
        assert_eq!(names(&store).await.len(), acknowledged.len());
    });
}

#[test]
fn a_database_at_its_allowed_size_says_so_and_goes_on_when_that_is_raised() {
    let site = Site::sqlite();
    block_on(async {
        let options = |size| StoreOptions { size_bytes_max: Some(size), ..Site::options(KEY) };
        let store = Store::open(&site.url, &options(1 << 20)).await.unwrap();
        let mut count = 0;
        let error = loop {
            match submit(&store, &format!("a{count}")).await {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("raise the limit"), "{error}");
        assert!(count > 10);
        assert_eq!(submit(&store, "again").await.unwrap_err().to_string(), error.to_string());
        assert!(store.probe().await.unwrap_err().to_string().contains("raise the limit"));
        assert_eq!(names(&store).await.len(), count);
        store.close().await;
        assert!(fs::metadata(site.url.path().unwrap()).unwrap().len() <= 1 << 20);

        let store = Store::open(&site.url, &options(2 << 20)).await.unwrap();
        store.probe().await.unwrap();
        submit(&store, "afterwards").await.unwrap();
        assert_eq!(names(&store).await.len(), count + 1);
    });
}

/// A database whose process was killed, with the names that were safe in the file itself and those in its log, in the order
/// in which they were acknowledged.
fn killed() -> (Site, Vec<String>, Vec<String>) {
    let site = Site::sqlite();
    let mut safe = Vec::new();
    block_on(async {
        let store = site.open().await;
        for i in 0..10 {
            safe.push(format!("safe-{i}"));
            submit(&store, &safe[i]).await.unwrap();
        }
        store.close().await;
    });
    let logged = submit_and_kill(&site.url.to_string(), 0, 20);
    (site, safe, logged)
}

fn copy(from: &Path, to: &Path) {
    for ending in ["", "-wal"] {
        let name = |path: &Path| format!("{}{ending}", path.display());
        fs::copy(name(from), name(to)).unwrap();
    }
}

#[test]
fn a_torn_log_loses_only_its_end() {
    let (site, safe, logged) = killed();
    let mut random = fastrand::Rng::with_seed(11);
    let mut lost = 0;
    for round in 0..24 {
        let torn = Site::sqlite();
        let path = torn.url.path().unwrap();
        copy(site.url.path().unwrap(), path);
        let wal = format!("{}-wal", path.display());
        let mut bytes = fs::read(&wal).unwrap();
        let at = random.usize(0..bytes.len());
        match round % 3 {
            0 => bytes.truncate(at),
            1 => bytes[at..].iter_mut().for_each(|b| *b = random.u8(..)),
            // A disk that wrote a block in the middle and not those after it, or one with a bit that fell over.
            _ => bytes[at] ^= 1 << random.u8(0..8),
        }
        fs::write(&wal, bytes).unwrap();
        block_on(async {
            let store = torn.open().await;
            for name in &safe {
                assert_eq!(store.model(name, 1).await.unwrap().text, text(name), "{name} in round {round}");
            }
            let there = names(&store).await;
            for name in &there {
                assert_eq!(store.model(name, 1).await.unwrap().text, text(name), "{name} in round {round}");
            }
            let kept: Vec<bool> = logged.iter().map(|name| there.contains(name)).collect();
            lost += usize::from(kept.contains(&false));
            // Each of the two tasks of the child loses an end, and nothing before something that is there.
            for task in ["r0-0-", "r0-1-"] {
                let of_task = logged.iter().zip(&kept).filter(|(name, _)| name.starts_with(task));
                assert!(of_task.map(|(_, kept)| *kept).is_sorted_by(|a, b| a >= b), "round {round}: {there:?}");
            }
            submit(&store, "afterwards").await.unwrap();
            let checked = crate::opening::fetch_text(&torn, "PRAGMA integrity_check").await;
            assert_eq!(checked, "ok", "round {round}");
        });
    }
    assert!(lost > 0, "no log was torn where it mattered");
}
