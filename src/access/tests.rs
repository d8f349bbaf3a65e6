use std::collections::BTreeSet;

use super::*;

fn terms(secret: &Secret, scopes: &str) -> Terms {
    Terms {
        id: secret.id.clone(),
        hash: secret.hash(),
        scopes: scopes.parse().expect("scopes"),
        all_collections: false,
        collections: BTreeSet::from(["vs_1".to_owned()]),
        default_collection: Some("vs_1".to_owned()),
        limits: Limits::default(),
        expires_at: None,
    }
}

fn secret() -> Secret {
    Secret::new().expect("random bytes")
}

#[test]
fn without_keys_everything_is_allowed_but_making_them() {
    let keys = Keys::new([], false).expect("random bytes");
    assert!(!keys.are_required());
    let access = Access::everything();
    assert!(access.sees("vs_1") && access.sees_all() && access.may_create() && access.owns(None));
    assert!(access.may(Scope::Relay) && !access.may(Scope::Admin));
    assert_eq!((access.owner(), access.quota()), (None, Quota::default()));
    let local = keys.authenticate(keys.local().reveal()).expect("the local key");
    assert!(local.may(Scope::Admin) && local.sees("vs_1") && local.owns(Some("key_1")));
    assert_eq!(local.owner(), None);
}

#[test]
fn a_key_may_and_sees_what_it_was_given() {
    let (own, other) = (secret(), secret());
    let keys = Keys::new([terms(&own, "chat,ingest"), terms(&other, "relay")], true).expect("random bytes");
    let access = keys.authenticate(own.reveal()).expect("a key");
    assert!(access.may(Scope::Chat) && access.may(Scope::Ingest) && access.may_create());
    assert!(!access.may(Scope::Relay) && !access.may(Scope::Admin));
    assert!(access.sees("vs_1") && !access.sees("vs_2") && !access.sees_all());
    assert_eq!(access.owner(), Some(own.id.as_str()));
    assert!(access.owns(Some(&own.id)) && !access.owns(Some(&other.id)) && !access.owns(None));
    assert!(!keys.authenticate(other.reveal()).expect("a key").may_create());
    // At once, for who holds an access already.
    keys.granted(&own.id, ["vs_2".to_owned()]);
    access.granted("vs_3");
    assert!(access.sees("vs_2") && access.sees("vs_3"));
    assert_eq!(access.default_collection().as_deref(), Some("vs_1"));
    keys.forget("vs_1");
    assert!(!access.sees("vs_1") && access.default_collection().is_none());
}

#[test]
fn what_is_no_key_in_force_gets_nothing() {
    let (kept, revoked, expired) = (secret(), secret(), secret());
    let over = Terms { expires_at: Some(1), ..terms(&expired, "admin") };
    let later = Terms { expires_at: Some(i64::MAX), ..terms(&kept, "chat") };
    let keys = Keys::new([later, terms(&revoked, "admin"), over], true).expect("random bytes");
    assert!(keys.authenticate(revoked.reveal()).is_some());
    keys.revoke(&revoked.id);
    let good = kept.reveal();
    let wrong_end = format!("{}0", &good[..good.len() - 1]).replace("-00", "-01");
    let (id_only, shouted) = (good[..27].to_owned(), good.to_ascii_uppercase());
    for text in [
        "",
        "sk-lastro-",
        "sk-lastro--",
        &id_only,
        &format!("{good}0"),
        &format!("{good} "),
        &shouted,
        &good[..good.len() - 1],
        revoked.reveal(),
        expired.reveal(),
        secret().reveal(),
        keys.local().id.as_str(),
    ] {
        assert!(keys.authenticate(text).is_none(), "{text}");
    }
    assert!(wrong_end == good || keys.authenticate(&wrong_end).is_none());
    assert!(keys.authenticate(good).is_some());
    keys.revoke(&kept.id);
    assert!(keys.are_required(), "that no key is left opens nothing");
}

#[test]
fn keys_have_their_form_and_are_never_printed_by_accident() {
    let (one, two) = (secret(), secret());
    assert_eq!((one.reveal().len(), one.id.len()), (10 + 16 + 1 + 48, 4 + 16));
    assert!(one.reveal().starts_with(PREFIX) && one.reveal() != two.reveal());
    let access = Keys::new([terms(&one, "chat")], true).expect("random bytes");
    let printed = format!("{one:?} {access:?} {:?}", access.authenticate(one.reveal()));
    let proof = &one.reveal()[27..];
    assert!(printed.contains(&one.id) && !printed.contains(proof), "{printed}");
    assert!(!printed.contains(&hex::encode(one.hash().bytes())), "{printed}");
    let read = Secret::parse(one.reveal()).expect("a key");
    assert_eq!((read.id.as_str(), read.reveal()), (one.id.as_str(), one.reveal()));
    let text = one.reveal();
    for none in
        ["", PREFIX, &text[..74], &format!("{text}0"), &format!(" {text}"), &text[3..], &text.to_uppercase()]
    {
        assert!(Secret::parse(none).is_none(), "{none}");
    }
}

#[test]
fn limits_hold_over_all_requests_of_a_key() {
    let secret = secret();
    let limits = Limits { requests_per_minute: Some(3), streams: Some(2), quota: Quota::default() };
    let keys = Keys::new([Terms { limits, ..terms(&secret, "chat") }], true).expect("random bytes");
    let turn = || keys.authenticate(secret.reveal()).expect("a key").take_turn();
    let (one, two) = (turn().expect("one"), turn().expect("two"));
    assert_eq!(turn().map(|_| ()), Err(Refusal::TooMany { most: 2 }));
    drop(one);
    let three = turn().expect("a place is free");
    drop((two, three));
    let refused = turn().map(|_| ()).expect_err("three in this minute");
    assert!(matches!(refused, Refusal::TooOften { most: 3, .. }));
    assert!(refused.retry_after().as_secs() < 60);
    // A request that is refused for its number holds no place.
    for _ in 0..5 {
        assert!(matches!(turn(), Err(Refusal::TooOften { .. })));
    }
    assert!(Access::everything().take_turn().expect("no limits").is_none());
}

#[test]
fn scopes_are_written_as_they_are_read() {
    let scopes: Scopes = " ingest, chat".parse().expect("scopes");
    assert_eq!(scopes.to_string(), "chat,ingest");
    assert!(scopes.allow(Scope::Chat) && !scopes.allow(Scope::Relay));
    let admin: Scopes = "admin".parse().expect("scopes");
    assert!(Scope::ALL.into_iter().all(|scope| admin.allow(scope)));
    assert!("chat,read".parse::<Scopes>().expect_err("no scope").contains("relay"));
    assert!("".parse::<Scopes>().expect("none").is_empty());
}
