//! Forgetting what is too old, and nothing else.

use cardinal_adapter::time::UnixMs;
use cardinal_store::{
    Before, Commit, Failure, JournalRow, MetricRow, NewToken, NewWebhook, PlanStatus, Pruned, Retention, Scope,
};

use crate::site::{START, Site, decision, event, lead, on_both, plan, submit};

on_both!(what_is_too_old_and_not_needed_is_forgotten);

fn until(before: UnixMs) -> Retention {
    Retention { events_before: before, decisions_before: before, decisions_min: 2 }
}

async fn what_is_too_old_and_not_needed_is_forgotten(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    let orders =
        [store.order("crm", "ann", "1", START).await.unwrap(), store.order("crm", "ann", "2", START).await.unwrap()];
    let entry = |number| JournalRow { plan: plan("crm", number).hash, sequence: 0, entry: "{}".to_owned() };
    let ended = |number| PlanStatus {
        plan: plan("crm", number).hash,
        status: "done".to_owned(),
        ended_at: Some(START.plus_s(1)),
    };
    let commit = Commit {
        decisions: (1..=6).map(|n| decision("crm", n, "apply")).collect(),
        plans: [1, 2, 6].map(|n| plan("crm", n)).to_vec(),
        journal: vec![entry(1), entry(2), entry(6)],
        plan_statuses: vec![ended(1), ended(6)],
        orders: vec![orders[0]],
        ..Commit::default()
    };
    store.commit(&lease, site.now(), &commit).await.unwrap();
    let value = MetricRow { name: "load".to_owned(), value: 1.0, at: START, labels: None };
    store.put_metrics("crm", &[value], START).await.unwrap();
    let token = NewToken { name: "old".to_owned(), scope: Scope::Viewer, applications: None, expires_at: Some(START) };
    store.create_token(token, START).await.unwrap();
    let new =
        NewWebhook { url: "https://example.org".to_owned(), secret: "s".to_owned(), kinds: None, application: None };
    let hook = store.add_webhook(new, START).await.unwrap();
    store.announce(&[event("catalog", "{}"), event("catalog", "{}")]).await.unwrap();
    store.enqueue_deliveries(START).await.unwrap();
    store.announce(&[event("catalog", "{}")]).await.unwrap();
    store.delivered(&hook.id, 2, 200).await.unwrap();

    let now = START.plus_s(1_000_000);
    let nothing = store.prune(until(START), START).await.unwrap();
    assert_eq!(nothing, Pruned::default(), "all is from that time or later");
    let pruned = store.prune(until(now), now).await.unwrap();
    // Event 3 is still to be delivered and event 4 to be queued; plan 2 has not ended; the last two decisions stay.
    assert_eq!((pruned.events, pruned.decisions, pruned.plans, pruned.orders, pruned.metrics), (2, 3, 1, 1, 1));
    let events = store.events_after(0, None, &[], 10).await.unwrap();
    assert_eq!(events.iter().map(|e| e.id).collect::<Vec<_>>(), [3, 4]);
    let left = store.decisions("crm", Before { number: None, limit: 9 }, None).await.unwrap().rows;
    assert_eq!(left.iter().map(|d| d.number).collect::<Vec<_>>(), [6, 5, 2]);
    let left = store.plans("crm", Before { number: None, limit: 9 }, None).await.unwrap().rows;
    assert_eq!(left.iter().map(|p| p.decision).collect::<Vec<_>>(), [6, 2]);
    assert!(store.journal(plan("crm", 1).hash).await.unwrap().is_empty());
    assert_eq!(store.journal(plan("crm", 2).hash).await.unwrap().len(), 1);
    assert_eq!(store.orders("crm").await.unwrap().len(), 1);
    assert!(store.tokens().await.unwrap().is_empty());

    // What gave up does not keep its event for ever.
    let failure = Failure { status: None, error: "gone".to_owned(), retry_at: None };
    store.delivery_failed(&hook.id, 3, &failure).await.unwrap();
    store.enqueue_deliveries(now).await.unwrap();
    store.delivered(&hook.id, 4, 200).await.unwrap();
    assert_eq!(store.prune(until(now), now).await.unwrap().events, 2);
    assert_eq!(store.last_event().await.unwrap(), 4, "numbers go on");
}
