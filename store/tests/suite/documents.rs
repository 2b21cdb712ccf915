//! Catalogs, metric values and idempotency keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cardinal_adapter::time::UnixMs;
use cardinal_store::{Answer, Catalog, Clash, IN_FLIGHT_MS_MAX, KEY_KEPT_MS, MetricRow, Repeat, StoreError};

use crate::site::{START, Site, digest, on_both, submit};

on_both!(
    catalogs_are_kept_and_one_counts,
    the_latest_value_of_each_metric_is_kept,
    what_is_no_value_is_refused,
    who_polls_for_values_misses_none,
    a_request_that_is_repeated_is_answered_as_before,
    of_requests_at_once_with_one_key_one_is_carried_out,
);

fn catalog(name: &str) -> (Catalog, Vec<u8>) {
    // Not text, so that nothing on the way takes it for text.
    let text = [name.as_bytes(), &[0, 255, 128]].concat();
    let catalog = Catalog {
        digest: digest(name),
        name: name.to_owned(),
        format: "csv".to_owned(),
        offers: 12,
        by: "ann".to_owned(),
        at: START,
    };
    (catalog, text)
}

async fn catalogs_are_kept_and_one_counts(site: Site) {
    let store = site.open().await;
    assert_eq!(store.current_catalog().await.unwrap(), None);
    let (one, text) = catalog("one");
    let (two, _) = catalog("two");
    store.put_catalog(&one, &text).await.unwrap();
    store.put_catalog(&one, &text).await.unwrap();
    store.put_catalog(&two, b"").await.unwrap();
    assert_eq!(store.catalogs().await.unwrap().len(), 2);
    assert_eq!(store.catalog(one.digest).await.unwrap(), (one.clone(), text));
    assert!(matches!(store.catalog(digest("?")).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.make_current(digest("?"), "ann", START).await, Err(StoreError::NotFound { .. })));

    let first = store.make_current(one.digest, "ann", START).await.unwrap();
    assert_eq!(store.make_current(one.digest, "ann", START).await.unwrap(), first, "nothing changes");
    let second = store.make_current(two.digest, "ann", START).await.unwrap();
    let third = store.make_current(one.digest, "ann", START).await.unwrap();
    assert!(first.change < second.change && second.change < third.change);
    assert_eq!(store.current_catalog().await.unwrap(), Some(third));
    assert_eq!(store.events_after(0, None, &["catalog"], 9).await.unwrap().len(), 3);

    let refused = store.delete_catalog(one.digest).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict { clash: Clash::InUse, .. }), "{refused}");
    store.delete_catalog(two.digest).await.unwrap();
    assert!(matches!(store.delete_catalog(two.digest).await, Err(StoreError::NotFound { .. })));
}

fn value(name: &str, value: f64, at: UnixMs) -> MetricRow {
    MetricRow { name: name.to_owned(), value, at, labels: None }
}

async fn the_latest_value_of_each_metric_is_kept(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let labelled = MetricRow { labels: Some("{\"zone\":\"a\"}".to_owned()), ..value("cpu", 0.1 + 0.2, START) };
    assert_eq!(store.put_metrics("crm", &[labelled.clone(), value("rt", -1e300, START)], START).await.unwrap(), 2);
    assert_eq!(store.metrics("crm").await.unwrap(), [labelled, value("rt", -1e300, START)]);

    let later = START.plus_ms(1);
    // Of one batch the latest counts, and what is older than what is known is passed over.
    let batch = [value("cpu", 1.0, later), value("cpu", 2.0, START), value("rt", 3.0, UnixMs(START.0 - 1))];
    assert_eq!(store.put_metrics("crm", &batch, later).await.unwrap(), 1);
    assert_eq!(store.metrics("crm").await.unwrap(), [value("cpu", 1.0, later), value("rt", -1e300, START)]);
    assert_eq!(store.put_metrics("crm", &[value("cpu", 5.0, later)], later).await.unwrap(), 1, "as old is not older");

    // More than one piece of every size.
    let many: Vec<_> = (0..203).map(|i| value(&format!("m{i:03}"), f64::from(i), later)).collect();
    assert_eq!(store.put_metrics("crm", &many, later).await.unwrap(), 203);
    assert_eq!(store.metrics("crm").await.unwrap()[1..204], many);
    assert_eq!(store.put_metrics("crm", &[], later).await.unwrap(), 0);
}

async fn what_is_no_value_is_refused(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    for bad in [value("x", f64::NAN, START), value("x", f64::INFINITY, START), value("", 1.0, START)] {
        let batch = [value("good", 1.0, START), bad];
        assert!(matches!(store.put_metrics("crm", &batch, START).await, Err(StoreError::Invalid { .. })));
    }
    assert!(store.metrics("crm").await.unwrap().is_empty());
    let unknown = store.put_metrics("shop", &[value("x", 1.0, START)], START).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
}

/// A reader that asks with the number it was given last sees the last value of every series, whoever wrote at the time.
async fn who_polls_for_values_misses_none(site: Site) {
    let store = site.open().await;
    for i in 0..4 {
        submit(&store, &format!("a{i}")).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, over) = (site.open().await, Arc::clone(&over));
        tokio::spawn(async move {
            let mut seen = std::collections::BTreeMap::new();
            let mut change = 0;
            loop {
                let was_over = over.load(Ordering::SeqCst);
                let (rows, next) = store.metrics_since(change).await.unwrap();
                assert!(next >= change);
                change = next;
                for row in rows {
                    let known = seen.insert((row.application, row.metric.name), row.metric.value);
                    assert!(known.is_none_or(|k| k <= row.metric.value), "values never go back");
                }
                if was_over {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let mut writers = Vec::new();
    for i in 0..4 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for round in 0..30_u64 {
                let batch: Vec<_> = (0..3_u64)
                    .filter(|m| (round + m) % 2 == 0)
                    .map(|m| value(&format!("m{m}"), f64::from(u32::try_from(round).unwrap()), START.plus_ms(round)))
                    .collect();
                store.put_metrics(&format!("a{i}"), &batch, START).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    assert_eq!(seen.len(), 12);
    for ((_, name), last) in seen {
        assert_eq!(last, if name == "m1" { 29.0 } else { 28.0 }, "{name}");
    }
}

fn answer() -> Answer {
    Answer { status: 201, headers: "location: /v1/applications/crm".to_owned(), body: vec![123, 0, 255] }
}

async fn a_request_that_is_repeated_is_answered_as_before(site: Site) {
    let store = site.open().await;
    let begin = async |principal, request: &str, now| {
        store.idempotent_begin("key", principal, digest(request), now).await.unwrap()
    };
    assert_eq!(begin("ann", "put", START).await, Repeat::Fresh);
    assert_eq!(begin("ann", "put", START.plus_ms(1)).await, Repeat::InFlight);
    assert_eq!(begin("ann", "other", START.plus_ms(1)).await, Repeat::Mismatch);
    assert_eq!(begin("bob", "other", START.plus_ms(1)).await, Repeat::Fresh, "keys belong to principals");
    store.idempotent_end("key", "ann", &answer()).await.unwrap();
    let late = START.plus_ms(KEY_KEPT_MS - 1);
    assert_eq!(begin("ann", "put", late).await, Repeat::Replay(answer()));
    assert_eq!(begin("ann", "other", late).await, Repeat::Mismatch);
    store.idempotent_forget("key", "ann").await.unwrap();
    assert_eq!(begin("ann", "put", late).await, Repeat::Replay(answer()), "what has an answer is not forgotten");
    assert_eq!(begin("ann", "other", START.plus_ms(KEY_KEPT_MS)).await, Repeat::Fresh, "a day later it is free");
    // The process that began died.
    assert_eq!(begin("bob", "other", START.plus_ms(IN_FLIGHT_MS_MAX)).await, Repeat::InFlight);
    assert_eq!(begin("bob", "other", START.plus_ms(IN_FLIGHT_MS_MAX + 1)).await, Repeat::Fresh);
    store.idempotent_forget("key", "bob").await.unwrap();
    assert_eq!(begin("bob", "third", START.plus_ms(IN_FLIGHT_MS_MAX + 2)).await, Repeat::Fresh);
}

async fn of_requests_at_once_with_one_key_one_is_carried_out(site: Site) {
    let store = site.open().await;
    let tries: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.idempotent_begin("key", "ann", digest("put"), START).await.unwrap() })
        })
        .collect();
    let mut fresh = 0;
    for one in tries {
        match one.await.unwrap() {
            Repeat::Fresh => fresh += 1,
            other => assert_eq!(other, Repeat::InFlight),
        }
    }
    assert_eq!(fresh, 1);
}
