//! API tokens.

use cardinal_store::{NewToken, Scope, StoreError};

use crate::site::{START, Site, on_both};

on_both!(a_token_lets_in_until_it_ends, what_is_no_token_lets_nobody_in, the_text_of_a_token_is_kept_nowhere);

fn new(name: &str) -> NewToken {
    NewToken { name: name.to_owned(), scope: Scope::Operator, applications: None, expires_at: None }
}

async fn a_token_lets_in_until_it_ends(site: Site) {
    let store = site.open().await;
    let limited =
        NewToken { applications: Some(vec!["crm".to_owned()]), expires_at: Some(START.plus_s(100)), ..new("ci") };
    let (info, text) = store.create_token(limited, START).await.unwrap();
    let text = text.expose_text().unwrap();
    assert!(text.starts_with("cdl_") && text.len() == 47 && text.starts_with(&info.prefix), "{}", text.len());
    assert!(info.covers("crm") && !info.covers("shop") && info.scope > Scope::Viewer && info.scope < Scope::Admin);

    assert_eq!(store.authenticate(text, START).await.unwrap().as_ref(), Some(&info));
    let used = async || store.tokens().await.unwrap()[0].used_at;
    assert_eq!(used().await, Some(START));
    assert!(store.authenticate(text, START.plus_s(59)).await.unwrap().is_some());
    assert_eq!(used().await, Some(START), "noted once a minute");
    assert!(store.authenticate(text, START.plus_s(60)).await.unwrap().is_some());
    assert_eq!(used().await, Some(START.plus_s(60)));
    assert_eq!(store.authenticate(text, START.plus_s(100)).await.unwrap(), None, "it has expired");

    let (other, other_text) = store.create_token(new("person"), START.plus_s(1)).await.unwrap();
    assert!(other.covers("anything"));
    let other_text = other_text.expose_text().unwrap();
    assert!(store.authenticate(other_text, START).await.unwrap().is_some());
    store.revoke_token(&other.id, START.plus_s(2)).await.unwrap();
    store.revoke_token(&other.id, START.plus_s(3)).await.unwrap();
    assert_eq!(store.authenticate(other_text, START).await.unwrap(), None, "it is revoked");
    let listed = store.tokens().await.unwrap();
    assert_eq!(listed.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["ci", "person"]);
    assert_eq!(listed[1].revoked_at, Some(START.plus_s(2)));
    assert!(matches!(store.revoke_token("nothing", START).await, Err(StoreError::NotFound { .. })));
}

async fn what_is_no_token_lets_nobody_in(site: Site) {
    let store = site.open().await;
    let (info, text) = store.create_token(new("ci"), START).await.unwrap();
    let text = text.expose_text().unwrap();
    // One that shares what is shown of it.
    let mut forged = text.to_owned();
    forged.replace_range(46.., if text.ends_with('A') { "B" } else { "A" });
    for wrong in
        ["", "cdl_", &info.prefix, &forged, &text[..46], &format!("{text}x"), &"ü".repeat(24), "cdl_' OR 1=1 --"]
    {
        assert_eq!(store.authenticate(wrong, START).await.unwrap(), None, "{wrong}");
    }
    assert!(store.authenticate(text, START).await.unwrap().is_some());
    assert!(store.create_token(new(""), START).await.is_err());
}

async fn the_text_of_a_token_is_kept_nowhere(site: Site) {
    let store = site.open().await;
    let (info, text) = store.create_token(new("ci"), START).await.unwrap();
    store.authenticate(text.expose_text().unwrap(), START).await.unwrap();
    let shown = format!("{info:?} {text:?} {text} {store:?} {:?}", store.tokens().await.unwrap());
    let random = &text.expose_text().unwrap()[info.prefix.len()..];
    assert!(!shown.contains(random));
    crate::secrets::assert_nowhere(&site, &store, random.as_bytes()).await;
}
