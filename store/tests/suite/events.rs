//! Events: numbered in the order in which they become visible.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cardinal_store::{Commit, NewEvent, StoreError};

use crate::site::{START, Site, event, lead, on_both, submit};

on_both!(
    who_reads_while_others_write_misses_nothing,
    events_are_chosen_by_application_and_kind,
    changes_are_told_to_whoever_polls,
);

async fn who_reads_while_others_write_misses_nothing(site: Site) {
    const WRITERS: usize = 6;
    const EACH: usize = 25;
    let store = site.open().await;
    for i in 0..WRITERS {
        submit(&store, &format!("a{i}")).await;
    }
    let before = store.last_event().await.unwrap();
    let leases = store.acquire("r1", site.now(), 600_000, WRITERS).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, over) = (site.open().await, Arc::clone(&over));
        tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut last = before;
            loop {
                let was_over = over.load(Ordering::SeqCst);
                let part = store.events_after(last, None, &[], 7).await.unwrap();
                seen.extend(part.iter().map(|e| e.id));
                match part.last() {
                    Some(event) => last = event.id,
                    None if was_over => return seen,
                    None => tokio::task::yield_now().await,
                }
            }
        })
    };
    let mut writers = Vec::new();
    for lease in leases {
        let (store, now) = (store.clone(), site.now());
        writers.push(tokio::spawn(async move {
            for i in 0..EACH {
                // One and two at a time, inside of a step and outside.
                let events = vec![event("tick", "{}"); 1 + i % 2];
                match i % 3 {
                    0 => store.announce(&events).await.unwrap(),
                    _ => store.commit(&lease, now, &Commit { events, ..Commit::default() }).await.unwrap(),
                };
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    let count = i64::try_from(WRITERS * (EACH + EACH / 2)).unwrap();
    assert_eq!(seen, (before + 1..=before + count).collect::<Vec<_>>());
}

async fn events_are_chosen_by_application_and_kind(site: Site) {
    let store = site.open().await;
    let of = |application: Option<&str>, kind: &str| NewEvent {
        application: application.map(str::to_owned),
        ..event(kind, "{\"x\":1}")
    };
    let told = [of(None, "catalog"), of(Some("a"), "decided"), of(Some("b"), "decided"), of(Some("a"), "stuck")];
    assert_eq!(store.announce(&told).await.unwrap(), Some(4));
    assert_eq!(store.announce(&[]).await.unwrap(), None);
    let ids = async |after, application, kinds: &[&str], most| {
        let found = store.events_after(after, application, kinds, most).await.unwrap();
        found.iter().map(|e| e.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(0, None, &[], 10).await, [1, 2, 3, 4]);
    assert_eq!(ids(1, None, &[], 2).await, [2, 3]);
    assert_eq!(ids(0, Some("a"), &[], 10).await, [2, 4]);
    assert_eq!(ids(0, None, &["stuck", "catalog"], 10).await, [1, 4]);
    assert_eq!(ids(0, Some("a"), &["stuck"], 10).await, [4]);
    assert_eq!(store.events_after(1, None, &[], 1).await.unwrap()[0].event, of(Some("a"), "decided"));
    assert_eq!(store.last_event().await.unwrap(), 4);
    let many = vec!["kind"; 65];
    assert!(matches!(store.events_after(0, None, &many, 10).await, Err(StoreError::Invalid { .. })));
}

async fn changes_are_told_to_whoever_polls(site: Site) {
    let store = site.open().await;
    let (names, start) = store.inbox_since(0).await.unwrap();
    assert!(names.is_empty());
    submit(&store, "b").await;
    submit(&store, "a").await;
    let (names, one) = store.inbox_since(start).await.unwrap();
    assert_eq!(names, ["a", "b"]);
    store.order("b", "ann", "{}", START).await.unwrap();
    let (names, two) = store.inbox_since(one).await.unwrap();
    assert_eq!((names.as_slice(), two > one), (["b".to_owned()].as_slice(), true));
    // A step without a change of status is nothing to tell.
    let lease = lead(&store, &site, "r1").await;
    store.commit(&lease, site.now(), &crate::site::state("x")).await.unwrap();
    assert_eq!(store.inbox_since(two).await.unwrap(), (Vec::new(), two));
}
