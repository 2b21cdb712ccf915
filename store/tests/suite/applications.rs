//! Applications and their models.

use cardinal_store::{Clash, Filter, Page, Status, StoreError};

use crate::site::{START, Site, digest, lead, model, on_both, state, submit};

on_both!(
    a_submission_is_read_back_with_every_generation,
    a_change_is_refused_when_it_was_made_on_something_older,
    of_changes_at_once_on_the_same_generation_one_wins,
    of_submissions_at_once_of_the_same_name_one_wins,
    lists_go_by_name_in_pages_and_filters,
    a_gone_name_is_used_again_without_what_is_over,
    what_is_no_name_or_no_text_is_refused,
);

async fn a_submission_is_read_back_with_every_generation(site: Site) {
    let store = site.open().await;
    let first = store.submit(&model("crm", "one", START), "{\"mode\":\"observe\"}").await.unwrap();
    assert_eq!((first.generation, first.status, first.created_at), (1, Status::Active, START));
    let later = START.plus_ms(5);
    let second = store.replace(&model("crm", "two", later), "{}", Some(1)).await.unwrap();
    assert_eq!((second.generation, second.digest, second.created_at), (2, digest("two"), START));
    assert_eq!((second.updated_at, second.settings.as_str()), (later, "{}"));
    assert_eq!(store.application("crm").await.unwrap(), second);

    let versions = store.models("crm").await.unwrap();
    assert_eq!(versions.iter().map(|v| v.generation).collect::<Vec<_>>(), [2, 1]);
    let old = store.model("crm", 1).await.unwrap();
    assert_eq!((old.text.as_str(), old.version.by.as_str(), old.version.digest), ("one", "ann", digest("one")));
    assert_eq!(store.model_by_digest(digest("two")).await.unwrap().version, versions[0]);
    assert!(matches!(store.model("crm", 3).await, Err(StoreError::Lacking { .. })));
    assert!(matches!(store.model_by_digest(digest("?")).await, Err(StoreError::NotFound { .. })));
    assert!(store.models("nobody").await.unwrap().is_empty());

    let told = store.events_after(0, Some("crm"), &[], 10).await.unwrap();
    assert_eq!(told.iter().map(|e| e.event.kind.as_str()).collect::<Vec<_>>(), ["submitted", "replaced"]);
    assert!(told[1].event.body.contains("\"generation\":2"), "{}", told[1].event.body);
    // A second service on the same database sees the same.
    assert_eq!(site.open().await.application("crm").await.unwrap(), second);
}

async fn a_change_is_refused_when_it_was_made_on_something_older(site: Site) {
    let store = site.open().await;
    let new = model("crm", "new", START);
    assert!(matches!(store.replace(&new, "{}", None).await, Err(StoreError::NotFound { .. })));
    submit(&store, "crm").await;
    assert!(matches!(store.submit(&new, "{}").await, Err(StoreError::Conflict { clash: Clash::Exists, .. })));
    let stale = store.replace(&new, "{}", Some(7)).await.unwrap_err();
    assert!(
        matches!(&stale, StoreError::Conflict { clash: Clash::Generation { expected: 7, found: 1 }, .. }),
        "{stale}"
    );
    assert!(stale.to_string().contains("read it again"), "{stale}");
    store.set_status("crm", Status::Leaving, "ann", START).await.unwrap();
    let leaving = store.replace(&new, "{}", None).await.unwrap_err();
    assert!(matches!(&leaving, StoreError::Conflict { clash: Clash::Leaving, .. }), "{leaving}");
    assert_eq!(store.models("crm").await.unwrap().len(), 1, "nothing of a refused change is kept");
    assert_eq!(store.last_event().await.unwrap(), 2);
}

async fn of_changes_at_once_on_the_same_generation_one_wins(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let tries: Vec<_> = (0..16)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move { store.replace(&model("crm", &format!("text {i}"), START), "{}", Some(1)).await })
        })
        .collect();
    let mut won = 0;
    for one in tries {
        match one.await.unwrap() {
            Ok(_) => won += 1,
            Err(StoreError::Conflict { clash: Clash::Generation { expected: 1, found: 2 }, .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((won, store.application("crm").await.unwrap().generation), (1, 2));
}

async fn of_submissions_at_once_of_the_same_name_one_wins(site: Site) {
    let store = site.open().await;
    let tries: Vec<_> = (0..16)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move { store.submit(&model("crm", &format!("text {i}"), START), "{}").await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for one in tries {
        won += i32::from(one.await.unwrap());
    }
    assert_eq!((won, store.models("crm").await.unwrap().len()), (1, 1));
}

async fn lists_go_by_name_in_pages_and_filters(site: Site) {
    let store = site.open().await;
    for name in ["b_2", "a", "bx2", "Crm", "100%"] {
        submit(&store, name).await;
    }
    store.set_status("a", Status::Leaving, "ann", START).await.unwrap();
    let mut seen = Vec::new();
    let mut page = Page { after: None, limit: 2 };
    loop {
        let part = store.applications(&page, &Filter::default()).await.unwrap();
        assert!(part.rows.len() <= 2);
        seen.extend(part.rows.iter().map(|a| a.application.name.clone()));
        page.after = seen.last().cloned();
        if !part.more {
            break;
        }
    }
    let mut sorted = seen.clone();
    sorted.sort();
    assert_eq!((seen.len(), &seen), (5, &sorted));

    let names = async |filter: Filter| {
        let all = store.applications(&Page { after: None, limit: 100 }, &filter).await.unwrap();
        assert!(!all.more);
        all.rows.into_iter().map(|a| a.application.name).collect::<Vec<_>>()
    };
    let named = |part: &str| Filter { status: None, name_contains: Some(part.to_owned()) };
    assert_eq!(names(Filter { status: Some(Status::Leaving), name_contains: None }).await, ["a"]);
    assert_eq!(names(named("B_")).await, ["b_2"]);
    assert_eq!(names(named("0%")).await, ["100%"]);
    assert_eq!(names(named("cRM")).await, ["Crm"]);
    assert!(names(named("'; DROP TABLE applications; --")).await.is_empty());
}

async fn a_gone_name_is_used_again_without_what_is_over(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    store.commit(&lease, site.now(), &state("first life")).await.unwrap();
    store.set_cloud(&lease, site.now(), "cloud").await.unwrap();
    store.order("crm", "ann", "{}", START).await.unwrap();
    store.remove("crm", "ann", START).await.unwrap();

    let gone = store.application("crm").await.unwrap();
    assert_eq!(gone.status, Status::Gone);
    assert!(matches!(store.remove("crm", "ann", START).await, Err(StoreError::Conflict { clash: Clash::Gone, .. })));
    assert!(matches!(store.order("crm", "ann", "{}", START).await, Err(StoreError::Conflict { .. })));
    assert!(matches!(store.commit(&lease, site.now(), &state("x")).await, Err(StoreError::Fenced { .. })));
    assert!(store.orders("crm").await.unwrap().is_empty());
    assert!(store.acquire("r2", site.now(), 60_000, 9).await.unwrap().is_empty(), "nobody leads what is gone");

    let again = store.submit(&model("crm", "again", START), "{}").await.unwrap();
    assert_eq!((again.generation, again.status), (2, Status::Active));
    assert_eq!(store.models("crm").await.unwrap().len(), 2, "history stays");
    assert_eq!(store.loop_state("crm").await.unwrap(), None);
    assert_eq!(store.former_loop_state("crm").await.unwrap().as_deref(), Some("first life"));
    assert_eq!(store.cloud("crm").await.unwrap().as_deref(), Some("cloud"));
    let next = lead(&store, &site, "r1").await;
    assert!(next.epoch > lease.epoch);
    assert!(matches!(store.commit(&lease, site.now(), &state("x")).await, Err(StoreError::Fenced { .. })));
    store.commit(&next, site.now(), &state("second life")).await.unwrap();
}

async fn what_is_no_name_or_no_text_is_refused(site: Site) {
    let store = site.open().await;
    for (name, text) in [("", "x"), ("a\nb", "x"), (&"n".repeat(300), "x"), ("crm", "nul \0 inside")] {
        let refused = store.submit(&model(name, text, START), "{}").await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{name:?}");
    }
    assert!(matches!(store.application("crm").await, Err(StoreError::NotFound { .. })));
    let status: Result<Status, _> = "lost".parse();
    assert!(status.unwrap_err().to_string().contains("active leaving gone"));
}
