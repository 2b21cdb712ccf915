//! Leases: one leader at a time, and none that is late.

use std::collections::BTreeSet;

use cardinal_store::{StoreError, StoreOptions};

use crate::site::{Site, lead, on_both, state, submit};

on_both!(
    of_many_who_acquire_at_once_no_two_get_the_same,
    replicas_that_are_alive_share_alike,
    who_comes_late_is_fenced_off,
    a_lease_that_is_renewed_stays,
    what_is_given_back_is_free_at_once,
);

const TTL_MS: u64 = 60_000;
/// On a server the tests wait for its clock.
const SHORT_MS: u64 = 300;

async fn of_many_who_acquire_at_once_no_two_get_the_same(site: Site) {
    const APPLICATIONS: usize = 40;
    let store = site.open().await;
    for i in 0..APPLICATIONS {
        submit(&store, &format!("a{i:02}")).await;
    }
    let options = StoreOptions { connections_max: 4, ..Site::options(crate::site::KEY) };
    let mut tries = Vec::new();
    for i in 0..10 {
        // Every other replica has connections of its own, as another process has.
        let store = match i % 2 {
            0 => store.clone(),
            _ => cardinal_store::Store::open(&site.url, &options).await.unwrap(),
        };
        let now = site.now();
        tries.push(tokio::spawn(async move {
            let mut got = Vec::new();
            for _ in 0..20 {
                got.extend(store.acquire(&format!("r{i}"), now, TTL_MS, 3).await.unwrap());
                tokio::task::yield_now().await;
            }
            got
        }));
    }
    let mut got = Vec::new();
    for one in tries {
        got.extend(one.await.unwrap());
    }
    let names: BTreeSet<_> = got.iter().map(|l| l.application.as_str()).collect();
    assert_eq!((got.len(), names.len()), (APPLICATIONS, APPLICATIONS), "each application has one leader");
    assert!(got.iter().all(|l| l.epoch == 1));
    for lease in &got {
        assert_eq!(store.leader(&lease.application, site.now()).await.unwrap().as_ref(), Some(lease));
    }
}

async fn replicas_that_are_alive_share_alike(site: Site) {
    let store = site.open().await;
    for i in 0..10 {
        submit(&store, &format!("a{i}")).await;
    }
    assert_eq!(store.acquire("r1", site.now(), TTL_MS, 4).await.unwrap().len(), 4, "no more than was asked for");
    assert_eq!(store.acquire("r1", site.now(), TTL_MS, 99).await.unwrap().len(), 6);
    assert!(store.acquire("r2", site.now(), TTL_MS, 99).await.unwrap().is_empty(), "all are taken");
    let holding = store.renew("r1", site.now(), TTL_MS).await.unwrap();
    assert_eq!((holding.leases.len(), holding.share), (10, 5));
    store.release_some(&holding.leases[holding.share..]).await.unwrap();
    assert!(store.acquire("r1", site.now(), TTL_MS, 99).await.unwrap().is_empty(), "it has its share");
    assert_eq!(store.acquire("r2", site.now(), TTL_MS, 99).await.unwrap().len(), 5);
}

async fn who_comes_late_is_fenced_off(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let old = store.acquire("r1", site.now(), SHORT_MS, 1).await.unwrap().remove(0);
    store.commit(&old, site.now(), &state("by r1")).await.unwrap();
    assert!(store.acquire("r2", site.now(), SHORT_MS, 1).await.unwrap().is_empty());
    site.until_free(&store, "crm", 300).await;

    // Late, although nobody has taken over yet.
    let error = store.commit(&old, site.now(), &state("late")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Fenced { .. }), "{error}");
    assert!(error.to_string().contains("acquire it anew"), "{error}");
    assert!(store.renew("r1", site.now(), TTL_MS).await.unwrap().leases.is_empty());

    let new = lead(&store, &site, "r2").await;
    assert_eq!((new.epoch, new.holder.as_str()), (old.epoch + 1, "r2"));
    store.commit(&new, site.now(), &state("by r2")).await.unwrap();
    assert!(matches!(store.commit(&old, site.now(), &state("late")).await, Err(StoreError::Fenced { .. })));
    assert!(matches!(store.set_cloud(&old, site.now(), "late").await, Err(StoreError::Fenced { .. })));
    store.release_some(std::slice::from_ref(&old)).await.unwrap();
    store.release("r1").await.unwrap();
    assert_eq!(store.leader("crm", site.now()).await.unwrap(), Some(new), "r1 can give back only what it has");
    assert_eq!(store.loop_state("crm").await.unwrap().as_deref(), Some("by r2"));
    assert_eq!(store.cloud("crm").await.unwrap(), None);

    // The same replica under a lease of its own former time is late as well.
    store.release("r2").await.unwrap();
    let back = lead(&store, &site, "r1").await;
    assert!(back.epoch > old.epoch);
    assert!(matches!(store.commit(&old, site.now(), &state("late")).await, Err(StoreError::Fenced { .. })));
}

async fn a_lease_that_is_renewed_stays(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = store.acquire("r1", site.now(), TTL_MS, 1).await.unwrap().remove(0);
    for _ in 0..5 {
        site.pass(40_000);
        let held = store.renew("r1", site.now(), TTL_MS).await.unwrap().leases;
        assert_eq!((held.len(), held[0].epoch), (1, lease.epoch));
        assert!(held[0].until >= lease.until);
        store.commit(&lease, site.now(), &state("still here")).await.unwrap();
        assert!(store.acquire("r2", site.now(), TTL_MS, 1).await.unwrap().is_empty());
    }
}

async fn what_is_given_back_is_free_at_once(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    store.release("r1").await.unwrap();
    assert_eq!(store.leader("crm", site.now()).await.unwrap(), None);
    assert!(matches!(store.commit(&lease, site.now(), &state("x")).await, Err(StoreError::Fenced { .. })));
    assert_eq!(lead(&store, &site, "r2").await.epoch, lease.epoch + 1);
}
