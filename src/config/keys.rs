//! Keys that are given as a setting: `KEY:SCOPE,...`, for deployments that inject secrets.

use super::values::{KeyEntry, Value};
use crate::access::{Limits, Scopes, Secret, Terms};

impl Value for Vec<KeyEntry> {
    type Checked = Vec<Terms>;

    fn check(self) -> Result<Vec<Terms>, String> {
        read(&self)
    }
}

/// Reads what each entry allows. No message holds any part of a key.
fn read(entries: &[KeyEntry]) -> Result<Vec<Terms>, String> {
    let mut keys: Vec<Terms> = Vec::new();
    // A variable that is put together of others may hold line breaks.
    for (place, entry) in entries.iter().flat_map(|entry| entry.0.split_whitespace()).enumerate() {
        let bad = |problem: &str| format!("entry {}: {problem}", place + 1);
        let form =
            "must be KEY:SCOPE,... as in sk-lastro-...:chat,ingest, with a KEY of `lastro keys generate`";
        let (text, scopes) = entry.split_once(':').ok_or_else(|| bad(form))?;
        let secret = Secret::parse(text).ok_or_else(|| bad(form))?;
        let scopes: Scopes =
            scopes.parse().map_err(|_| bad("scopes are chat, relay, ingest, metrics and admin"))?;
        if scopes.is_empty() {
            return Err(bad(form));
        }
        if keys.iter().any(|key| key.id == secret.id) {
            return Err(bad("the same key stands there before: name its scopes in one entry"));
        }
        keys.push(Terms {
            hash: secret.hash(),
            id: secret.id,
            scopes,
            all_collections: true,
            collections: Default::default(),
            default_collection: None,
            limits: Limits::default(),
            expires_at: None,
        });
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;

    fn read_one(text: &str) -> Result<Vec<Terms>, String> {
        read(&[KeyEntry(text.to_owned())])
    }

    #[test]
    fn each_entry_is_a_key_and_what_it_is_for() {
        let (one, two) = (Secret::new().expect("random bytes"), Secret::new().expect("random bytes"));
        let text = format!(" {}:admin\n{}:chat,ingest  ", one.reveal(), two.reveal());
        let keys = read_one(&text).expect("keys");
        assert_eq!(keys.iter().map(|key| &key.id).collect::<Vec<_>>(), [&one.id, &two.id]);
        assert!(keys[0].scopes.allow(Scope::Metrics) && !keys[1].scopes.allow(Scope::Metrics));
        assert!(keys[1].scopes.allow(Scope::Ingest) && keys[1].all_collections);
        assert!(read(&[]).expect("none").is_empty() && read_one(" ").expect("none").is_empty());
        // As a list of the file has them.
        let entries = [format!("{}:admin", one.reveal()), format!("{}:chat", two.reveal())].map(KeyEntry);
        assert_eq!(read(&entries).expect("keys").len(), 2);
    }

    #[test]
    fn mistakes_are_named_without_the_key() {
        let key = Secret::new().expect("random bytes");
        let (text, proof) = (key.reveal(), &key.reveal()[27..]);
        for (entry, says) in [
            (text.to_owned(), "entry 1: must be KEY:SCOPE"),
            (format!("{text}:"), "entry 1: must be KEY:SCOPE"),
            (format!("{text}0:chat"), "lastro keys generate"),
            ("secret:chat".to_owned(), "lastro keys generate"),
            (format!("{text}:chat,read"), "scopes are chat"),
            (format!("{text}:chat {text}:ingest"), "entry 2: the same key"),
            (format!("{text}:chat, ingest"), "entry 2: must be"),
        ] {
            let problem = read_one(&entry).expect_err(&entry);
            assert!(problem.contains(says), "{entry}: {problem}");
            assert!(!problem.contains(proof) && !problem.contains("secret"), "{problem}");
        }
    }
}
