//! Secrets at rest.

use cardinal_store::{Keys, Secret, Store, StoreError, StoreOptions};

use crate::site::{KEY, OTHER_KEY, START, Site, on_both};

on_both!(
    secrets_are_kept_and_never_in_clear,
    another_key_says_so_and_a_ring_changes_keys,
    what_was_swapped_in_the_database_is_noticed,
    without_a_key_a_server_keeps_no_secret,
);

/// Looks for bytes in every file of the database, while it is open and after it was closed.
pub async fn assert_nowhere(site: &Site, store: &Store, bytes: &[u8]) {
    let look = || {
        let files = tokio::task::block_in_place(|| site.files());
        assert!(files.len() > usize::from(site.url.path().is_none()));
        for file in files {
            let content = std::fs::read(&file).unwrap_or_default();
            assert!(!content.windows(bytes.len()).any(|w| w == bytes), "found in {}", file.display());
        }
    };
    look();
    store.close().await;
    look();
}

async fn secrets_are_kept_and_never_in_clear(site: Site) {
    let store = site.open().await;
    let secret = Secret::new(*b"correct horse battery staple");
    store.put_secret("aws", &secret, "ann", START).await.unwrap();
    store.put_secret("gcp", &Secret::new(*b"\0\xff"), "ann", START).await.unwrap();
    assert_eq!(store.secret("aws").await.unwrap(), secret);
    assert_eq!(store.secret("gcp").await.unwrap().expose(), b"\0\xff");
    let second = Secret::new(*b"tr0ub4dor&3 and some more");
    store.put_secret("aws", &second, "bob", START.plus_ms(1)).await.unwrap();
    assert_eq!(store.secret("aws").await.unwrap(), second);

    let listed = store.secrets().await.unwrap();
    assert_eq!(listed.iter().map(|s| (s.name.as_str(), s.version)).collect::<Vec<_>>(), [("aws", 2), ("gcp", 1)]);
    assert_eq!((listed[0].by.as_str(), listed[0].at), ("bob", START.plus_ms(1)));
    store.delete_secret("gcp").await.unwrap();
    assert!(matches!(store.delete_secret("gcp").await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.secret("gcp").await, Err(StoreError::NotFound { .. })));
    let large = Secret::new(vec![1; 70_000]);
    let refused = store.put_secret("large", &large, "ann", START).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Invalid { .. }), "{refused}");

    let shown = format!("{listed:?} {second:?} {second} {store:?} {:?}", Site::options(KEY));
    assert!(!shown.contains("tr0ub4dor") && !shown.contains(KEY), "{shown}");
    assert_nowhere(&site, &store, b"battery staple").await;
    assert_nowhere(&site, &store, b"tr0ub4dor").await;
}

async fn another_key_says_so_and_a_ring_changes_keys(site: Site) {
    let secret = Secret::new(*b"correct horse");
    let store = site.open().await;
    store.put_secret("aws", &secret, "ann", START).await.unwrap();
    let wrong = Store::open(&site.url, &Site::options(OTHER_KEY)).await.unwrap();
    for error in [wrong.secret("aws").await.unwrap_err(), wrong.reencrypt().await.unwrap_err()] {
        assert!(matches!(&error, StoreError::Key(_)), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("`aws`") && shown.contains("add it"), "{shown}");
        assert!(!shown.contains("horse") && !shown.contains(OTHER_KEY), "{shown}");
    }
    let both = Store::open(&site.url, &Site::options(&format!("{OTHER_KEY},{KEY}"))).await.unwrap();
    assert_eq!(both.secret("aws").await.unwrap(), secret);
    assert_eq!((both.reencrypt().await.unwrap(), both.reencrypt().await.unwrap()), (1, 0));
    assert_eq!(wrong.secret("aws").await.unwrap(), secret, "the other key is enough now");
    assert!(matches!(store.secret("aws").await, Err(StoreError::Key(_))));
}

async fn what_was_swapped_in_the_database_is_noticed(site: Site) {
    let store = site.open().await;
    store.put_secret("a", &Secret::new(*b"of a"), "ann", START).await.unwrap();
    store.put_secret("b", &Secret::new(*b"of b"), "ann", START).await.unwrap();
    let swap = "UPDATE secrets SET nonce = (SELECT nonce FROM secrets WHERE name = 'b'), \
                sealed = (SELECT sealed FROM secrets WHERE name = 'b') WHERE name = 'a'";
    crate::opening::execute(&site, swap).await;
    let error = store.secret("a").await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { .. }) && error.to_string().contains("secret `a`"), "{error}");
    assert_eq!(store.secret("b").await.unwrap().expose(), b"of b");
}

async fn without_a_key_a_server_keeps_no_secret(site: Site) {
    let options = StoreOptions { keys: Keys::Beside, ..StoreOptions::default() };
    let store = Store::open(&site.url, &options).await.unwrap();
    let kept = store.put_secret("aws", &Secret::new(*b"horse"), "ann", START).await;
    match site.url.path() {
        // Beside the file there is a key now, and it stays.
        Some(_) => {
            kept.unwrap();
            let again = Store::open(&site.url, &options).await.unwrap();
            assert_eq!(again.secret("aws").await.unwrap().expose(), b"horse");
        }
        None => {
            let error = kept.unwrap_err().to_string();
            assert!(error.contains("CARDINAL_SECRET_KEY"), "{error}");
        }
    }
}
