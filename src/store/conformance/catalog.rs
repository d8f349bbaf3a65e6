//! What every [`Store`] must do for a process that follows what another changes of collections and keys.

use std::future::Future;

use super::*;

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    collections_are_followed(&empty().await).await;
    keys_are_followed(&empty().await).await;
    who_knows_nothing_is_told_all(&empty().await).await;
}

/// What changed since a revision, which goes on to the new one: names of collections and of keys.
async fn news(
    store: &dyn Store,
    since: &mut CatalogRevision,
) -> (Vec<String>, Vec<CollectionId>, Vec<String>) {
    let changes = store.catalog_changes(*since).await.expect("changes");
    assert!(!changes.anew && changes.revision >= *since);
    *since = changes.revision;
    let names = changes.collections.into_iter().map(|collection| collection.name).collect();
    (names, changes.removed_collections, changes.keys.into_iter().map(|key| key.name).collect())
}

fn nothing() -> (Vec<String>, Vec<CollectionId>, Vec<String>) {
    (vec![], vec![], vec![])
}

/// A revision from which on changes are told, and not all that there is.
async fn begun(store: &dyn Store) -> CatalogRevision {
    store.create_collection(new_collection("first")).await.expect("a collection");
    store.catalog_changes(0).await.expect("changes").revision
}

async fn collections_are_followed(store: &dyn Store) {
    let mut at = begun(store).await;
    assert_eq!(news(store, &mut at).await, nothing());
    let one = store.create_collection(new_collection("one")).await.expect("a collection").id;
    let two = store.create_collection(new_collection("two")).await.expect("a collection").id;
    let before = at;
    assert_eq!(news(store, &mut at).await, (vec!["one".into(), "two".into()], vec![], vec![]));
    assert!(at > before);
    assert_eq!(news(store, &mut at).await, nothing(), "it is told once");
    let update = CollectionUpdate { settings: Some("{\"k\":1}".into()), ..CollectionUpdate::default() };
    store.update_collection(&one, update).await.expect("updated");
    let changes = store.catalog_changes(at).await.expect("changes");
    assert_eq!(changes.collections.len(), 1);
    assert_eq!((&changes.collections[0].id, changes.collections[0].settings.as_str()), (&one, "{\"k\":1}"));
    assert_eq!(news(store, &mut at).await.0, ["one"]);
    store.expire_collection(&two).await.expect("expired");
    assert!(store.catalog_changes(at).await.expect("changes").collections[0].expired);
    assert_eq!(news(store, &mut at).await.0, ["two"]);
    // How often a collection is used is nobody's news.
    store.touch_collections(vec![(one.clone(), 9_999_999_999)]).await.expect("touched");
    assert_eq!(news(store, &mut at).await, nothing());
    delete_collection(store, &one).await;
    assert_eq!(news(store, &mut at).await, (vec![], vec![one.clone()], vec![]));
    // Made and gone between two looks: it is only said to be gone, and a second removal is the second news.
    let brief = store.create_collection(new_collection("brief")).await.expect("a collection").id;
    store.delete_collection(&brief).await.expect("deleted");
    store.delete_collection(&two).await.expect("deleted");
    assert_eq!(news(store, &mut at).await, (vec![], vec![brief, two], vec![]));
    let refused = store.update_collection(&one, CollectionUpdate::default()).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))));
    assert_eq!(news(store, &mut at).await, nothing(), "what was refused changed nothing");
}

fn key(id: &str, collections: Vec<CollectionId>) -> NewKey {
    NewKey {
        id: id.into(),
        name: id.into(),
        hash: [7; 32],
        scopes: "chat".into(),
        all_collections: false,
        default_collection: collections.first().cloned(),
        collections,
        limits: "{}".into(),
        expires_at: None,
    }
}

async fn keys_are_followed(store: &dyn Store) {
    let mut at = begun(store).await;
    let one = store.create_collection(new_collection("one")).await.expect("a collection").id;
    news(store, &mut at).await;
    store.create_key(key("key_1", vec![one.clone()])).await.expect("a key");
    store.create_key(key("key_2", vec![])).await.expect("a key");
    assert_eq!(news(store, &mut at).await, (vec![], vec![], vec!["key_1".into(), "key_2".into()]));
    assert!(store.create_key(key("key_2", vec![])).await.is_err());
    assert_eq!(news(store, &mut at).await, nothing(), "what was refused changed nothing");
    store.grant("key_2", std::slice::from_ref(&one)).await.expect("granted");
    let changes = store.catalog_changes(at).await.expect("changes");
    assert_eq!(changes.keys[0].collections, std::slice::from_ref(&one));
    assert_eq!(news(store, &mut at).await.2, ["key_2"]);
    // A collection is granted to the key that makes it, and taken from all with its end.
    let own = NewCollection { owner: Some("key_2".into()), ..new_collection("own") };
    store.create_collection(own).await.expect("a collection");
    assert_eq!(news(store, &mut at).await, (vec!["own".into()], vec![], vec!["key_2".into()]));
    store.delete_collection(&one).await.expect("deleted");
    let changes = store.catalog_changes(at).await.expect("changes");
    assert!(changes.keys.iter().all(|key| !key.collections.contains(&one)));
    assert_eq!(changes.keys[0].default_collection, None);
    assert_eq!(news(store, &mut at).await, (vec![], vec![one], vec!["key_1".into(), "key_2".into()]));
    store.revoke_key("key_1").await.expect("revoked");
    assert!(store.catalog_changes(at).await.expect("changes").keys[0].revoked_at.is_some());
    assert_eq!(news(store, &mut at).await.2, ["key_1"]);
}

async fn who_knows_nothing_is_told_all(store: &dyn Store) {
    let gone = store.create_collection(new_collection("gone")).await.expect("a collection").id;
    store.create_collection(new_collection("kept")).await.expect("a collection");
    store.create_key(key("key_1", vec![])).await.expect("a key");
    store.delete_collection(&gone).await.expect("deleted");
    // At the beginning, and from a store of another past that had come further.
    for since in [0, 1_000_000] {
        let all = store.catalog_changes(since).await.expect("changes");
        assert!(all.anew && all.revision < 1_000_000 && all.removed_collections.is_empty());
        assert_eq!(all.collections.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["kept"]);
        assert_eq!(all.keys.len(), 1);
    }
}
