//! Keys that are made, granted more and revoked: in the store first, then in force at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use super::App;
use crate::access::{Access, Hash, Keys, Limits, Scope, Scopes, Secret, Terms};
use crate::collection::CollectionError;
use crate::store::{CollectionId, KeyRecord, NewKey, Store, StoreError};
use crate::system::{now, seconds};
use crate::tasks::to_its_end;

const DAY: u64 = 86_400;
/// A hundred years: longer is a slip.
const MOST_DAYS: u32 = 36_500;
/// What stands for the name of a key that the settings name.
const GIVEN: &str = "(of the settings)";
const LONGEST_NAME: usize = 64;

/// A key that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub name: String,
    pub scopes: Scopes,
    pub all_collections: bool,
    /// Ids or names.
    pub collections: Vec<String>,
    pub default_collection: Option<String>,
    pub limits: Limits,
    pub expires_days: Option<u32>,
}

/// Why a key could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("no key '{0}' is in force: `lastro keys list` shows them")]
    Unknown(String),
    #[error("{field}: {problem}")]
    Bad { field: &'static str, problem: String },
    #[error(transparent)]
    Collection(#[from] CollectionError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl From<JoinError> for KeyError {
    fn from(died: JoinError) -> Self {
        Self::Store(died.into())
    }
}

fn bad(field: &'static str, problem: impl Into<String>) -> KeyError {
    KeyError::Bad { field, problem: problem.into() }
}

/// The registry of what the store knows and the settings name.
pub(super) async fn open(store: &dyn Store, given: &[Terms]) -> Result<Keys, KeyError> {
    let records = store.keys().await?;
    let required = !records.is_empty() || !given.is_empty();
    let in_force = records.into_iter().filter(|record| record.revoked_at.is_none());
    let mut terms: Vec<Terms> = in_force.map(terms).collect::<Result<_, _>>()?;
    terms.extend_from_slice(given);
    Ok(Keys::new(terms, required)?)
}

/// A key as those who administer keys see it: the store's record, with its scopes and limits read.
#[derive(Clone, Debug)]
pub struct ListedKey {
    pub id: String,
    pub name: String,
    pub scopes: Scopes,
    pub all_collections: bool,
    /// Those that it was granted, also where it sees all.
    pub collections: Vec<CollectionId>,
    pub default_collection: Option<CollectionId>,
    pub limits: Limits,
    /// Seconds since 1970.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

impl ListedKey {
    fn read(record: KeyRecord) -> Result<Self, StoreError> {
        let damaged = |what: String| StoreError::Damaged(format!("key {}: {what}", record.id));
        Ok(Self {
            scopes: record.scopes.parse().map_err(damaged)?,
            limits: serde_json::from_str(&record.limits).map_err(|e| damaged(e.to_string()))?,
            id: record.id,
            name: record.name,
            all_collections: record.all_collections,
            collections: record.collections,
            default_collection: record.default_collection,
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
        })
    }

    /// A key of the settings, in the shape of those of the store.
    fn given(terms: &Terms, since: i64) -> Self {
        Self {
            id: terms.id.clone(),
            name: GIVEN.to_owned(),
            scopes: terms.scopes,
            all_collections: terms.all_collections,
            collections: Vec::new(),
            default_collection: None,
            limits: terms.limits,
            created_at: since,
            expires_at: None,
            revoked_at: None,
        }
    }

    /// What it allows, to whoever has the secret of this hash.
    fn terms(&self, hash: Hash) -> Terms {
        Terms {
            id: self.id.clone(),
            hash,
            scopes: self.scopes,
            all_collections: self.all_collections,
            collections: self.collections.iter().map(|id| id.0.clone()).collect(),
            default_collection: self.default_collection.as_ref().map(|id| id.0.clone()),
            limits: self.limits,
            expires_at: self.expires_at,
        }
    }
}

fn terms(record: KeyRecord) -> Result<Terms, StoreError> {
    let hash = Hash::from(record.hash);
    Ok(ListedKey::read(record)?.terms(hash))
}

impl App {
    /// Makes a key. It is in force when this returns, and from the first one on nobody gets in without.
    pub async fn create_key(self: &Arc<Self>, wanted: Wanted) -> Result<(ListedKey, Secret), KeyError> {
        let name_is_good = (1..=LONGEST_NAME).contains(&wanted.name.chars().count())
            && !wanted.name.chars().any(char::is_control)
            && !wanted.name.starts_with("key_")
            && wanted.name.trim() == wanted.name;
        if !name_is_good {
            let rule = "1 to 64 characters, not beginning with 'key_' nor with a space";
            return Err(bad("name", rule));
        }
        if wanted.scopes.is_empty() {
            return Err(bad("scopes", "name at least one of chat, relay, ingest, metrics and admin"));
        }
        for (field, limit) in [
            ("requests_per_minute", wanted.limits.requests_per_minute),
            ("streams", wanted.limits.streams),
            ("expires_days", wanted.expires_days),
        ] {
            if limit == Some(0) {
                return Err(bad(field, "must be more than 0"));
            }
        }
        if wanted.expires_days.is_some_and(|days| days > MOST_DAYS) {
            return Err(bad("expires_days", format!("must be at most {MOST_DAYS}")));
        }
        let mut collections = self.ids(&wanted.collections)?;
        let default_collection = match &wanted.default_collection {
            None => None,
            Some(named) => self.ids(std::slice::from_ref(named))?.pop(),
        };
        // A default that the key does not see would be none.
        let unseen = default_collection.iter().filter(|id| !collections.contains(id));
        let unseen: Vec<CollectionId> = unseen.cloned().collect();
        collections.extend(unseen);
        let secret = Secret::new()?;
        let lifetime = wanted.expires_days.map(|days| Duration::from_secs(u64::from(days) * DAY));
        let new = NewKey {
            id: secret.id.clone(),
            name: wanted.name,
            hash: *secret.hash().bytes(),
            scopes: wanted.scopes.to_string(),
            all_collections: wanted.all_collections,
            collections,
            default_collection,
            limits: serde_json::to_string(&wanted.limits).map_err(|e| bad("limits", e.to_string()))?,
            expires_at: lifetime.map(|lifetime| now() + lifetime.as_secs() as i64),
        };
        let app = self.clone();
        to_its_end(async move {
            let _one_at_a_time = app.changing_keys.lock().await;
            let record = app.store.create_key(new).await?;
            let key = ListedKey::read(record)?;
            app.keys.add(key.terms(secret.hash()));
            tracing::info!(key = key.id, name = key.name, scopes = key.scopes.to_string(), "key made");
            Ok((key, secret))
        })
        .await
    }

    /// All keys that were ever made, oldest first, and those of the settings.
    pub async fn all_keys(&self) -> Result<Vec<ListedKey>, KeyError> {
        let mut keys = self.store.keys().await?;
        // One that was made here too is told as the settings have it, since that holds.
        keys.retain(|key| self.config.keys.iter().all(|given| given.id != key.id));
        let mut keys: Vec<_> = keys.into_iter().map(ListedKey::read).collect::<Result<_, _>>()?;
        let since = seconds(self.opened);
        keys.extend(self.config.keys.iter().map(|given| ListedKey::given(given, since)));
        Ok(keys)
    }

    /// Revokes a key by id or name: no request is answered with it once this has returned.
    pub async fn revoke_key(self: &Arc<Self>, id_or_name: &str) -> Result<KeyRecord, KeyError> {
        let (app, named) = (self.clone(), id_or_name.to_owned());
        to_its_end(async move {
            let _one_at_a_time = app.changing_keys.lock().await;
            let record = app.key(&named).await?;
            app.store.revoke_key(&record.id).await?;
            app.keys.revoke(&record.id);
            tracing::info!(key = record.id, name = record.name, "key revoked");
            Ok(record)
        })
        .await
    }

    /// Grants collections, by ids or names, to a key by id or name.
    pub async fn grant_key(
        self: &Arc<Self>,
        id_or_name: &str,
        collections: &[String],
    ) -> Result<ListedKey, KeyError> {
        if collections.is_empty() {
            return Err(bad("collections", "name at least one"));
        }
        let collections = self.ids(collections)?;
        let (app, named) = (self.clone(), id_or_name.to_owned());
        to_its_end(async move {
            let _one_at_a_time = app.changing_keys.lock().await;
            let id = app.key(&named).await?.id;
            let record = app.store.grant(&id, &collections).await?;
            app.keys.granted(&id, collections.into_iter().map(|id| id.0));
            Ok(ListedKey::read(record)?)
        })
        .await
    }

    /// A key that is not revoked. Only one has a name.
    async fn key(&self, id_or_name: &str) -> Result<KeyRecord, KeyError> {
        if self.config.keys.iter().any(|given| given.id == id_or_name) {
            let problem =
                format!("{id_or_name} is of the setting `keys`: change it there, and start the server again");
            return Err(bad("key", problem));
        }
        let mut keys = self.store.keys().await?.into_iter().filter(|key| key.revoked_at.is_none());
        let found = keys.find(|key| key.id == id_or_name || key.name == id_or_name);
        found.ok_or_else(|| KeyError::Unknown(id_or_name.to_owned()))
    }

    fn ids(&self, named: &[String]) -> Result<Vec<CollectionId>, KeyError> {
        let mut ids = Vec::new();
        for name in named {
            let id = self.catalog.find(&Access::everything(), name)?.id.clone();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Refuses to serve other machines without keys, unless told so in so many words.
    pub fn check_exposure(&self) -> Result<(), Exposed> {
        let server = &self.config.server;
        let open = !self.keys.are_required() && !server.allow_remote_without_keys;
        if open && !server.listen.ip().is_loopback() {
            return Err(Exposed(server.listen));
        }
        Ok(())
    }
}

/// Everybody could do everything.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} can be reached by others, and there are no keys: make one with `lastro keys create NAME --admin` on the same --data folder, listen on 127.0.0.1, or say --allow-remote-without-keys"
)]
pub struct Exposed(std::net::SocketAddr);

/// Scopes by their names.
pub fn scopes(names: Option<&[String]>) -> Result<Scopes, KeyError> {
    let Some(names) = names else { return Ok(Scopes::from_iter([Scope::Chat])) };
    let each = names.iter().map(|name| name.parse::<Scope>());
    each.collect::<Result<_, _>>().map_err(|problem| bad("scopes", problem))
}
