//! Steps of the loop: whole or not at all, by the leader alone, each order once.

use std::collections::BTreeSet;

use cardinal_adapter::digest::Digest;
use cardinal_store::{
    Before, Clash, Commit, Filter, Glance, JournalRow, Page, PlanRow, PlanStatus, Status, StoreError,
};

use crate::site::{START, Site, decision, event, lead, on_both, plan, state, submit};

on_both!(
    everything_of_a_step_is_there_afterwards,
    a_loop_is_seen_at_a_glance,
    nothing_of_a_refused_step_is_there,
    a_dropped_plan_may_be_proposed_anew_and_a_begun_one_is_never_written_over,
    a_journal_has_no_gap_and_is_never_written_over,
    a_lease_writes_about_its_own_application,
    decisions_and_plans_are_listed_latest_first,
    each_order_is_taken_once_while_leaders_change,
    a_step_can_end_the_application,
);

fn entry(plan: Digest, sequence: i64) -> JournalRow {
    JournalRow { plan, sequence, entry: format!("{{\"entry\":{sequence}}}") }
}

fn glance(course: &str) -> Glance {
    let pause = "{\"by\":\"ann\"}".to_owned();
    Glance { course: course.to_owned(), pause: Some(pause), violated: vec!["capacity".to_owned()] }
}

async fn a_loop_is_seen_at_a_glance(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let seen = async || store.overview("crm").await.unwrap();
    assert_eq!((seen().await.glance, seen().await.broken), (None, None));
    let lease = lead(&store, &site, "r1").await;
    let broken = Commit { broken: Some("no driver".to_owned()), ..Commit::default() };
    store.commit(&lease, site.now(), &broken).await.unwrap();
    assert_eq!((seen().await.glance, seen().await.broken.as_deref()), (None, Some("no driver")));
    let idle = Commit { glance: Some(glance("idle")), ..state("one") };
    store.commit(&lease, site.now(), &idle).await.unwrap();
    assert_eq!((seen().await.glance, seen().await.broken), (Some(glance("idle")), None));
    store.commit(&lease, site.now(), &broken).await.unwrap();
    let listed = store.applications(&Page { after: None, limit: 9 }, &Filter::default()).await.unwrap().rows;
    assert_eq!(listed, [seen().await]);
    assert_eq!((&listed[0].glance, listed[0].broken.as_deref()), (&Some(glance("idle")), Some("no driver")));
    // Another life of the name begins without what was seen of the last one.
    store.remove("crm", "ann", START).await.unwrap();
    submit(&store, "crm").await;
    assert_eq!((seen().await.glance, seen().await.broken), (None, None));
}

async fn everything_of_a_step_is_there_afterwards(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    let order = store.order("crm", "bob", "{\"order\":\"decide\"}", START).await.unwrap();
    let waiting = store.orders("crm").await.unwrap();
    assert_eq!((waiting.len(), waiting[0].id, waiting[0].by.as_str()), (1, order, "bob"));
    let made = plan("crm", 1);
    let commit = Commit {
        state: Some("{\"state\":1}".to_owned()),
        glance: Some(glance("executing")),
        broken: None,
        decisions: vec![decision("crm", 1, "apply")],
        plans: vec![made.clone()],
        plan_statuses: vec![PlanStatus { plan: made.hash, status: "under-way".to_owned(), ended_at: None }],
        journal: (0..3).map(|i| entry(made.hash, i)).collect(),
        events: vec![event("decided", "{}"), event("plan-began", "{}")],
        orders: vec![order],
        cloud: Some("{\"nodes\":[]}".to_owned()),
        status: Some(Status::Leaving),
    };
    let last = store.commit(&lease, site.now(), &commit).await.unwrap();

    assert_eq!(store.loop_state("crm").await.unwrap(), commit.state);
    assert_eq!(store.cloud("crm").await.unwrap(), commit.cloud);
    assert_eq!(store.decision("crm", 1).await.unwrap(), commit.decisions[0]);
    let stored = store.plan(made.hash).await.unwrap();
    assert_eq!((stored.status.as_str(), &stored.text), ("under-way", &made.text));
    assert_eq!(store.journal(made.hash).await.unwrap(), ["{\"entry\":0}", "{\"entry\":1}", "{\"entry\":2}"]);
    assert!(store.orders("crm").await.unwrap().is_empty());
    assert_eq!(store.application("crm").await.unwrap().status, Status::Leaving);
    let told = store.events_after(0, Some("crm"), &[], 10).await.unwrap();
    assert_eq!(told.iter().map(|e| e.event.kind.as_str()).collect::<Vec<_>>(), ["submitted", "decided", "plan-began"]);
    assert_eq!(last, told.last().map(|e| e.id));
    assert_eq!(store.commit(&lease, site.now(), &state("two")).await.unwrap(), None);
}

async fn nothing_of_a_refused_step_is_there(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    let order = store.order("crm", "bob", "{}", START).await.unwrap();
    let first = Commit { orders: vec![order], decisions: vec![decision("crm", 1, "nothing")], ..state("one") };
    store.commit(&lease, site.now(), &first).await.unwrap();
    let refused = [
        Commit { orders: vec![order], ..state("two") },
        Commit { decisions: vec![decision("crm", 2, "nothing"), decision("crm", 1, "apply")], ..state("two") },
        Commit { orders: vec![order + 1000], ..state("two") },
    ];
    for commit in refused {
        let commit = Commit { events: vec![event("decided", "{}")], cloud: Some("two".to_owned()), ..commit };
        let error = store.commit(&lease, site.now(), &commit).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(store.loop_state("crm").await.unwrap().as_deref(), Some("one"));
        assert_eq!((store.cloud("crm").await.unwrap(), store.last_event().await.unwrap()), (None, 1));
        assert!(store.decision("crm", 2).await.is_err());
        assert!(store.plan(plan("crm", 1).hash).await.is_err());
    }
    let missing = PlanStatus { plan: plan("crm", 1).hash, status: "done".to_owned(), ended_at: Some(START) };
    let commit = Commit { plan_statuses: vec![missing], ..state("two") };
    assert!(matches!(store.commit(&lease, site.now(), &commit).await, Err(StoreError::NotFound { .. })));
}

async fn a_dropped_plan_may_be_proposed_anew_and_a_begun_one_is_never_written_over(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    let proposed = plan("crm", 1);
    let dropped = PlanStatus { plan: proposed.hash, status: "dropped".to_owned(), ended_at: Some(START) };
    let first = Commit { plans: vec![proposed.clone()], plan_statuses: vec![dropped], ..Commit::default() };
    store.commit(&lease, site.now(), &first).await.unwrap();
    let again = PlanRow { decision: 2, ..proposed.clone() };
    let second = Commit { plans: vec![again.clone()], journal: vec![entry(again.hash, 0)], ..Commit::default() };
    store.commit(&lease, site.now(), &second).await.unwrap();
    assert_eq!(store.plan(again.hash).await.unwrap(), again);
    let third = Commit { plans: vec![PlanRow { decision: 3, ..proposed }], ..Commit::default() };
    let error = store.commit(&lease, site.now(), &third).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    assert_eq!(store.plan(again.hash).await.unwrap(), again);
}

async fn a_journal_has_no_gap_and_is_never_written_over(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    let hash = plan("crm", 1).hash;
    for (wrong, right) in [(1, 0), (0, 1), (3, 2)] {
        let commit = Commit { journal: vec![entry(hash, wrong)], ..Commit::default() };
        let error = store.commit(&lease, site.now(), &commit).await.unwrap_err();
        assert!(matches!(&error, StoreError::Conflict { clash: Clash::OutOfOrder, .. }), "{error}");
        let commit = Commit { journal: vec![entry(hash, right)], ..Commit::default() };
        store.commit(&lease, site.now(), &commit).await.unwrap();
    }
    assert_eq!(store.journal(hash).await.unwrap().len(), 3);
    assert!(store.journal(plan("crm", 2).hash).await.unwrap().is_empty());
}

async fn a_lease_writes_about_its_own_application(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    submit(&store, "shop").await;
    let lease = store.acquire("r1", site.now(), 60_000, 9).await.unwrap().remove(0);
    assert_eq!(lease.application, "crm");
    let order = store.order("shop", "bob", "{}", START).await.unwrap();
    let foreign = [
        Commit { decisions: vec![decision("shop", 1, "nothing")], ..Commit::default() },
        Commit { plans: vec![plan("shop", 1)], ..Commit::default() },
        Commit { orders: vec![order], ..Commit::default() },
    ];
    for commit in foreign {
        assert!(store.commit(&lease, site.now(), &commit).await.is_err(), "{commit:?}");
    }
    assert_eq!(store.orders("shop").await.unwrap().len(), 1);
}

async fn decisions_and_plans_are_listed_latest_first(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    let next = |number: i64| if number % 3 == 0 { "apply" } else { "nothing" };
    let commit = Commit {
        decisions: (1..=10).map(|n| decision("crm", n, next(n))).collect(),
        plans: [3, 6, 9].map(|n| plan("crm", n)).to_vec(),
        ..Commit::default()
    };
    store.commit(&lease, site.now(), &commit).await.unwrap();
    let numbers = async |number, limit, next| {
        let part = store.decisions("crm", Before { number, limit }, next).await.unwrap();
        (part.rows.iter().map(|d| d.number).collect::<Vec<_>>(), part.more)
    };
    assert_eq!(numbers(None, 3, None).await, (vec![10, 9, 8], true));
    assert_eq!(numbers(Some(3), 3, None).await, (vec![2, 1], false));
    assert_eq!(numbers(None, 2, Some("apply")).await, (vec![9, 6], true));
    let one = store.decisions("crm", Before { number: Some(2), limit: 1 }, None).await.unwrap();
    assert_eq!(one.rows[0], decision("crm", 1, "nothing").summary);
    assert!(store.decision("shop", 1).await.is_err());

    let plans = store.plans("crm", Before { number: None, limit: 2 }, Some("proposed")).await.unwrap();
    assert_eq!((plans.rows.iter().map(|p| p.decision).collect::<Vec<_>>(), plans.more), (vec![9, 6], true));
    assert_eq!(plans.rows[0], plan("crm", 9));
    assert!(store.plans("crm", Before { number: None, limit: 2 }, Some("done")).await.unwrap().rows.is_empty());
}

/// Replicas that lose their lease again and again all try to take all orders; each order is in exactly one step that was
/// made durable.
async fn each_order_is_taken_once_while_leaders_change(site: Site) {
    const ORDERS: usize = 60;
    let store = site.open().await;
    submit(&store, "crm").await;
    let mut wanted = BTreeSet::new();
    for i in 0..ORDERS {
        wanted.insert(store.order("crm", "bob", &format!("{i}"), START).await.unwrap());
    }
    let replicas: Vec<_> = (0..6)
        .map(|i| {
            let store = store.clone();
            let now = site.now();
            tokio::spawn(async move {
                let holder = format!("r{i}");
                let mut taken = Vec::new();
                for round in 0.. {
                    let waiting = store.orders("crm").await.unwrap();
                    if waiting.is_empty() {
                        break;
                    }
                    let Some(lease) = store.acquire(&holder, now, 60_000, 1).await.unwrap().pop() else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    // Every third time it has lost its lease when it writes.
                    if round % 3 == 0 {
                        store.release(&holder).await.unwrap();
                    }
                    let orders: Vec<i64> = waiting.iter().take(3).map(|o| o.id).collect();
                    let commit = Commit { orders: orders.clone(), ..Commit::default() };
                    match store.commit(&lease, now, &commit).await {
                        Ok(_) => taken.extend(orders),
                        Err(StoreError::Fenced { .. } | StoreError::Conflict { clash: Clash::Taken, .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                    store.release(&holder).await.unwrap();
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for replica in replicas {
        taken.extend(replica.await.unwrap());
    }
    assert_eq!(taken.len(), ORDERS, "no order was taken twice or lost");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), wanted);
}

async fn a_step_can_end_the_application(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    let (_, change) = store.inbox_since(0).await.unwrap();
    store.commit(&lease, site.now(), &Commit { status: Some(Status::Gone), ..state("gone") }).await.unwrap();
    assert_eq!(store.application("crm").await.unwrap().status, Status::Gone);
    assert_eq!(store.inbox_since(change).await.unwrap().0, ["crm"]);
    assert_eq!(store.leader("crm", site.now()).await.unwrap(), None);
    assert!(matches!(store.commit(&lease, site.now(), &state("x")).await, Err(StoreError::Fenced { .. })));
}
