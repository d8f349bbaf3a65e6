//! What every [`Store`] must do with keys.

use std::future::Future;

use super::*;

pub(super) async fn store<S, F>(empty: impl Fn() -> F)
where
    S: Store,
    F: Future<Output = S>,
{
    keys_are_kept_with_their_grants_and_never_forgotten(&empty().await).await;
}

async fn keys_are_kept_with_their_grants_and_never_forgotten(store: &dyn Store) {
    assert!(store.keys().await.expect("keys").is_empty());
    let (one, two) = (collection(store, "one").await.id, collection(store, "two").await.id);
    let new = NewKey {
        id: "key_1".into(),
        name: "tenant".into(),
        hash: [7; 32],
        scopes: "chat".into(),
        all_collections: false,
        collections: vec![one.clone()],
        default_collection: Some(one.clone()),
        limits: "{}".into(),
        expires_at: Some(99),
    };
    let made = store.create_key(new.clone()).await.expect("create");
    assert_eq!((made.hash, made.expires_at, made.revoked_at), ([7; 32], Some(99), None));
    assert_eq!(made.collections, std::slice::from_ref(&one));
    let again = NewKey { id: "key_2".into(), ..new.clone() };
    assert!(matches!(store.create_key(again.clone()).await, Err(StoreError::KeyNameTaken(_))));
    let nowhere = CollectionId("vs_nowhere".into());
    let astray = NewKey { name: "b".into(), collections: vec![nowhere.clone()], ..again.clone() };
    assert!(matches!(store.create_key(astray).await, Err(StoreError::NotFound("collection"))));

    let both = store.grant("key_1", &[two.clone(), one.clone()]).await.expect("grant").collections;
    assert!(both.len() == 2 && both.contains(&two));
    let partly = store.grant("key_1", &[two.clone(), nowhere]).await;
    assert!(matches!(partly, Err(StoreError::NotFound("collection"))));
    assert!(matches!(store.grant("key_9", &[]).await, Err(StoreError::NotFound("key"))));
    delete_collection(store, &one).await;
    let left = store.keys().await.expect("keys");
    assert_eq!((&left[0].collections, &left[0].default_collection), (&vec![two], &None));

    store.revoke_key("key_1").await.expect("revoke");
    assert!(matches!(store.revoke_key("key_1").await, Err(StoreError::NotFound("key"))));
    assert!(matches!(store.grant("key_1", &[]).await, Err(StoreError::NotFound("key"))));
    let free = NewKey { collections: vec![], default_collection: None, ..again };
    store.create_key(free).await.expect("the name is free again");
    let all = store.keys().await.expect("keys");
    assert_eq!(all.iter().map(|key| key.revoked_at.is_some()).collect::<Vec<_>>(), [true, false]);
}
