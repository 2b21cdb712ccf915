//! Where a test keeps its database, the time that it passes in, and what it writes.

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;
use cardinal_store::{
    Backend, Commit, DecisionRow, DecisionSummary, KeyRing, Keys, Lease, NewEvent, NewModel, PlanRow, Store,
    StoreOptions, StoreUrl,
};
use tempfile::TempDir;

use crate::cluster;

pub const START: UnixMs = UnixMs(1_790_000_000_000);
/// 32 bytes in base64.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const OTHER_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// A database of one test.
pub struct Site {
    pub url: StoreUrl,
    pub folder: TempDir,
    now: AtomicI64,
}

impl Site {
    pub fn sqlite() -> Site {
        let folder = tempfile::tempdir().unwrap();
        Site { url: StoreUrl::file(folder.path().join("cardinal.db")), folder, now: AtomicI64::new(START.0) }
    }

    pub fn postgres() -> Option<Site> {
        let url = cluster::cluster()?.database();
        Some(Site { url, folder: tempfile::tempdir().unwrap(), now: AtomicI64::new(START.0) })
    }

    pub fn options(keys: &str) -> StoreOptions {
        StoreOptions { keys: Keys::Given(KeyRing::parse(keys).unwrap()), ..StoreOptions::default() }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, &Site::options(KEY)).await.unwrap()
    }

    /// The time that is passed in.
    pub fn now(&self) -> UnixMs {
        UnixMs(self.now.load(Ordering::Relaxed))
    }

    pub fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// Waits until nobody leads an application: by the clock of leases, which only a server's clock has to be waited for.
    pub async fn until_free(&self, store: &Store, application: &str, ttl_ms: i64) {
        self.pass(ttl_ms);
        while store.leader(application, self.now()).await.unwrap().is_some() {
            assert_eq!(store.backend(), Backend::Postgres);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Every file that the database consists of.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        if self.url.backend() == Backend::Postgres {
            let cluster = cluster::cluster().unwrap();
            cluster.execute("postgres", "CHECKPOINT").unwrap();
            folders.push(cluster.data());
        }
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }
}

/// Makes a test of each function for each database.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { $crate::site::block_on(super::$test($crate::site::Site::sqlite())); })+
        }
        mod postgres {
            $(#[test] fn $test() {
                if let Some(site) = $crate::site::Site::postgres() {
                    $crate::site::block_on(super::$test(site));
                }
            })+
        }
    };
}
pub(crate) use on_both;

pub fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

pub fn model(application: &str, text: &str, at: UnixMs) -> NewModel {
    NewModel {
        application: application.to_owned(),
        digest: digest(text),
        format: "native".to_owned(),
        media_type: "application/yaml".to_owned(),
        text: text.to_owned(),
        by: "ann".to_owned(),
        at,
    }
}

pub async fn submit(store: &Store, application: &str) {
    store.submit(&model(application, &format!("application: {application}"), START), "{}").await.unwrap();
}

pub fn event(kind: &str, body: &str) -> NewEvent {
    NewEvent { application: None, at: START, kind: kind.to_owned(), body: body.to_owned() }
}

pub fn decision(application: &str, number: i64, next: &str) -> DecisionRow {
    let summary = DecisionSummary {
        application: application.to_owned(),
        number,
        at: START,
        digest: digest(&format!("{application}/{number}")),
        model: digest("model"),
        catalog: digest("catalog"),
        next: next.to_owned(),
        proven: number % 2 == 1,
        sentence: format!("Decision {number}: nothing is better."),
    };
    DecisionRow { summary, input: format!("{{\"number\":{number}}}"), decision: "{\"next\":\"nothing\"}".to_owned() }
}

pub fn plan(application: &str, number: i64) -> PlanRow {
    PlanRow {
        hash: digest(&format!("plan {application}/{number}")),
        application: application.to_owned(),
        decision: number,
        at: START,
        status: "proposed".to_owned(),
        ended_at: None,
        text: "{\"actions\":[]}".to_owned(),
    }
}

/// The lease of an application that was just submitted.
pub async fn lead(store: &Store, site: &Site, holder: &str) -> Lease {
    store.acquire(holder, site.now(), 60_000, 1).await.unwrap().remove(0)
}

pub fn state(text: &str) -> Commit {
    Commit { state: Some(text.to_owned()), ..Commit::default() }
}
