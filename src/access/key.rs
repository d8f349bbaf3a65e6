//! One key in force.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use parking_lot::RwLock;

use super::limits::{Bucket, Limits, Refusal};
use super::{Hash, Scope, Scopes};

/// What a key is and may.
#[derive(Clone, Debug)]
pub struct Terms {
    pub id: String,
    pub hash: Hash,
    pub scopes: Scopes,
    pub all_collections: bool,
    /// By id.
    pub collections: BTreeSet<String>,
    pub default_collection: Option<String>,
    pub limits: Limits,
    /// Seconds since 1970.
    pub expires_at: Option<i64>,
}

/// A key in force, shared by everything that is asked with it.
#[derive(Debug)]
pub(super) struct Key {
    pub id: String,
    pub hash: Hash,
    scopes: Scopes,
    all_collections: bool,
    granted: RwLock<BTreeSet<String>>,
    default_collection: RwLock<Option<String>>,
    pub limits: Limits,
    expires_at: Option<i64>,
    /// Made by this process for its own commands, and remembered nowhere.
    local: bool,
    bucket: Bucket,
    running: AtomicU32,
}

/// One of the requests of a key that are answered; given up when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Key>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, AcqRel);
    }
}

impl Key {
    pub fn new(terms: Terms) -> Self {
        Self {
            id: terms.id,
            hash: terms.hash,
            scopes: terms.scopes,
            all_collections: terms.all_collections,
            granted: RwLock::new(terms.collections),
            default_collection: RwLock::new(terms.default_collection),
            limits: terms.limits,
            expires_at: terms.expires_at,
            local: false,
            bucket: Bucket::new(),
            running: AtomicU32::new(0),
        }
    }

    /// The key of the commands: it may do everything.
    pub fn local(id: String, hash: Hash) -> Self {
        let terms = Terms {
            id,
            hash,
            scopes: Scopes::from_iter([Scope::Admin]),
            all_collections: true,
            collections: BTreeSet::new(),
            default_collection: None,
            limits: Limits::default(),
            expires_at: None,
        };
        Self { local: true, ..Self::new(terms) }
    }

    pub fn owner(&self) -> Option<&str> {
        (!self.local).then_some(self.id.as_str())
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.allow(scope)
    }

    pub fn sees_all(&self) -> bool {
        self.all_collections || self.may(Scope::Admin)
    }

    pub fn sees(&self, collection: &str) -> bool {
        self.sees_all() || self.granted.read().contains(collection)
    }

    pub fn grant(&self, collections: impl IntoIterator<Item = String>) {
        self.granted.write().extend(collections);
    }

    pub fn default_collection(&self) -> Option<String> {
        self.default_collection.read().clone()
    }

    /// A collection is gone.
    pub fn forget(&self, collection: &str) {
        self.granted.write().remove(collection);
        let mut default = self.default_collection.write();
        if default.as_deref() == Some(collection) {
            *default = None;
        }
    }

    /// Whether its time is over, in seconds since 1970.
    pub fn has_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// One request more, if the limits allow it.
    pub fn take_turn(self: &Arc<Self>) -> Result<Option<Permit>, Refusal> {
        let mut permit = None;
        if let Some(most) = self.limits.streams {
            if !count_up(&self.running, most) {
                return Err(Refusal::TooMany { most });
            }
            permit = Some(Permit(self.clone()));
        }
        if let Some(most) = self.limits.requests_per_minute {
            self.bucket.take(most).map_err(|retry_after| Refusal::TooOften { most, retry_after })?;
        }
        Ok(permit)
    }
}

fn count_up(running: &AtomicU32, most: u32) -> bool {
    running.fetch_update(AcqRel, Relaxed, |running| (running < most).then_some(running + 1)).is_ok()
}
