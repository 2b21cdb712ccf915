//! Webhooks: each event reaches each endpoint.

use cardinal_store::{DELIVERY_MS_MAX, Failure, NewEvent, NewWebhook, Store, StoreError};

use crate::site::{START, Site, event, on_both};

on_both!(
    each_endpoint_gets_what_it_asked_for,
    what_fails_is_tried_again_until_it_is_given_up,
    of_replicas_at_once_one_delivers,
    a_paused_endpoint_gets_it_later,
);

fn new(kinds: Option<&[&str]>, application: Option<&str>) -> NewWebhook {
    NewWebhook {
        url: "https://example.org/hook".to_owned(),
        secret: "hook-key".to_owned(),
        kinds: kinds.map(|k| k.iter().map(|k| (*k).to_owned()).collect()),
        application: application.map(str::to_owned),
    }
}

fn of(application: Option<&str>, kind: &str) -> NewEvent {
    NewEvent { application: application.map(str::to_owned), ..event(kind, "{}") }
}

async fn due(store: &Store, webhook: &str) -> Vec<i64> {
    let due = store.due_deliveries(START, 100).await.unwrap();
    due.iter().filter(|d| d.webhook.id == webhook).map(|d| d.event.id).collect()
}

async fn each_endpoint_gets_what_it_asked_for(site: Site) {
    let store = site.open().await;
    store.announce(&[of(None, "catalog")]).await.unwrap();
    let all = store.add_webhook(new(None, None), START).await.unwrap();
    let some = store.add_webhook(new(Some(&["stuck", "catalog"]), Some("a")), START.plus_ms(1)).await.unwrap();
    assert_eq!(store.webhooks().await.unwrap(), [all.clone(), some.clone()]);
    let told = [of(None, "catalog"), of(Some("a"), "stuck"), of(Some("b"), "stuck"), of(Some("a"), "decided")];
    store.announce(&told).await.unwrap();
    assert_eq!(store.enqueue_deliveries(START).await.unwrap(), 5, "what was before is not told");
    assert_eq!(store.enqueue_deliveries(START).await.unwrap(), 0);
    let taken = store.due_deliveries(START, 100).await.unwrap();
    assert_eq!(taken.len(), 5);
    let of_some: Vec<_> = taken.iter().filter(|d| d.webhook == some).collect();
    assert_eq!((of_some.len(), of_some[0].event.id, of_some[0].attempts), (1, 3, 0));
    assert_eq!(of_some[0].event.event, told[1]);
    for delivery in &taken {
        store.delivered(&delivery.webhook.id, delivery.event.id, 204).await.unwrap();
    }
    assert!(store.due_deliveries(START.plus_ms(DELIVERY_MS_MAX * 9), 100).await.unwrap().is_empty());
    let done = store.deliveries(&all.id, 2).await.unwrap();
    assert_eq!(
        done.iter().map(|d| (d.event, d.state.as_str())).collect::<Vec<_>>(),
        [(5, "delivered"), (4, "delivered")]
    );
    assert_eq!((done[0].attempts, done[0].last_status), (1, Some(204)));
    store.delete_webhook(&all.id).await.unwrap();
    assert!(store.deliveries(&all.id, 9).await.unwrap().is_empty());
    assert!(matches!(store.delete_webhook(&all.id).await, Err(StoreError::NotFound { .. })));
}

async fn what_fails_is_tried_again_until_it_is_given_up(site: Site) {
    let store = site.open().await;
    let hook = store.add_webhook(new(None, None), START).await.unwrap();
    store.announce(&[of(None, "catalog")]).await.unwrap();
    store.enqueue_deliveries(START).await.unwrap();
    assert_eq!(due(&store, &hook.id).await, [1]);
    assert!(due(&store, &hook.id).await.is_empty(), "it is under way");
    // Its process died.
    let after = START.plus_ms(DELIVERY_MS_MAX);
    assert_eq!(store.due_deliveries(after, 100).await.unwrap()[0].attempts, 0);
    let mut failure = Failure { status: Some(503), error: "busy".to_owned(), retry_at: Some(after.plus_s(10)) };
    store.delivery_failed(&hook.id, 1, &failure).await.unwrap();
    assert!(store.due_deliveries(after.plus_s(9), 100).await.unwrap().is_empty());
    assert_eq!(store.due_deliveries(after.plus_s(10), 100).await.unwrap()[0].attempts, 1);
    failure = Failure { status: None, error: "no \0 route".to_owned(), retry_at: None };
    store.delivery_failed(&hook.id, 1, &failure).await.unwrap();
    assert!(store.due_deliveries(after.plus_s(100_000), 100).await.unwrap().is_empty());
    let state = store.deliveries(&hook.id, 9).await.unwrap().remove(0);
    assert_eq!((state.state.as_str(), state.attempts, state.last_status), ("given-up", 2, None));
    assert_eq!(state.last_error.as_deref(), Some("no  route"));
}

async fn of_replicas_at_once_one_delivers(site: Site) {
    let store = site.open().await;
    store.add_webhook(new(None, None), START).await.unwrap();
    for _ in 0..30 {
        store.announce(&[of(None, "catalog")]).await.unwrap();
    }
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                let mut queued = 0;
                for _ in 0..10 {
                    queued += store.enqueue_deliveries(START).await.unwrap();
                    taken.extend(store.due_deliveries(START, 3).await.unwrap().iter().map(|d| d.event.id));
                }
                (queued, taken)
            })
        })
        .collect();
    let (mut queued, mut taken) = (0, Vec::new());
    for one in tries {
        let (q, t) = one.await.unwrap();
        queued += q;
        taken.extend(t);
    }
    taken.sort_unstable();
    assert_eq!((queued, taken), (30, (1..=30).collect::<Vec<i64>>()));
}

async fn a_paused_endpoint_gets_it_later(site: Site) {
    let store = site.open().await;
    let hook = store.add_webhook(new(None, None), START).await.unwrap();
    store.announce(&[of(None, "catalog")]).await.unwrap();
    store.enqueue_deliveries(START).await.unwrap();
    store.pause_webhook(&hook.id, true).await.unwrap();
    store.announce(&[of(None, "catalog")]).await.unwrap();
    assert_eq!(store.enqueue_deliveries(START).await.unwrap(), 0);
    assert!(due(&store, &hook.id).await.is_empty());
    store.pause_webhook(&hook.id, false).await.unwrap();
    assert_eq!(store.enqueue_deliveries(START).await.unwrap(), 1);
    assert_eq!(due(&store, &hook.id).await, [1, 2]);
    assert!(matches!(store.pause_webhook("x", true).await, Err(StoreError::NotFound { .. })));
}
