//! What an upload may still bring: looked at before it is received, and while it is, so that nobody fills the disk with
//! what could not be kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Ingest;
use crate::access::Access;
use crate::collection::{Collection, CollectionError};
use crate::store::{Allowance, CollectionId, Counted};

/// What a form has beside the bytes of its files, at most: heads of parts, and short fields.
const MOST_AROUND: u64 = 1 << 20;

/// Bytes that are being received and count against a quota, of all uploads, by whose it is.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<BTreeMap<String, u64>>);

/// Where an upload goes.
#[derive(Clone, Copy)]
pub enum Destination<'a> {
    /// Files that stand alone.
    Alone,
    /// A collection of this name, made once everything has come.
    New(&'a str),
    Collection(&'a Collection),
}

/// An upload that is being received. Its bytes count until they are committed, or it is dropped.
pub struct Reception {
    allowances: Vec<(String, Allowance)>,
    under_way: Arc<UnderWay>,
    bytes: u64,
    /// What documents of the names that came would make room for.
    replaced: (u64, u64),
    documents: u64,
}

impl Ingest {
    /// Begins to receive an upload. `length` is what its whole body is said to have.
    pub async fn receive(
        &self,
        access: &Access,
        destination: Destination<'_>,
        length: Option<u64>,
    ) -> Result<Reception, CollectionError> {
        let store = self.catalog.store();
        if let Some(length) = length {
            store.blobs().check_room(length.saturating_sub(MOST_AROUND))?;
        }
        let (quotas, owner) = (self.quotas.of(access.owner()), access.owner().unwrap_or_default());
        // A collection that is yet to be made has no id, and holds nothing.
        let unmade = CollectionId(String::new());
        let id = match destination {
            Destination::Alone => None,
            Destination::New(_) => Some(&unmade),
            Destination::Collection(collection) => Some(&collection.id),
        };
        let allowances = store.allowances(access.owner(), id, quotas).await?;
        let whose = |allowance: &Allowance| match destination {
            Destination::Collection(collection) if !allowance.of_owner => {
                format!("collection {}", collection.id)
            }
            Destination::New(name) if !allowance.of_owner => format!("new collection of {owner}: {name}"),
            _ => format!("key {owner}"),
        };
        let allowances = allowances.into_iter().map(|allowance| (whose(&allowance), allowance)).collect();
        let (under_way, bytes) = (self.under_way.clone(), 0);
        let reception = Reception { allowances, under_way, bytes, replaced: (0, 0), documents: 0 };
        // As if it took the place of all that the collection has.
        if let Some(length) = length.map(|length| length.saturating_sub(MOST_AROUND)) {
            for (_, allowance) in reception.of(Counted::Bytes) {
                allowance.check(length, allowance.replaceable)?;
            }
        }
        Ok(reception)
    }

    /// A file begins, for this collection or alone.
    pub async fn receive_file(
        &self,
        reception: &mut Reception,
        collection: Option<&Collection>,
        filename: &str,
    ) -> Result<(), CollectionError> {
        if reception.allowances.is_empty() {
            return Ok(());
        }
        reception.documents += 1;
        if let Some(collection) = collection {
            for document in self.catalog.store().documents_named(&collection.id, filename).await? {
                reception.replaced.0 += 1;
                reception.replaced.1 += document.bytes;
            }
        }
        for (_, allowance) in reception.of(Counted::Documents) {
            let less = reception.replaced.0.min(allowance.replaceable);
            allowance.check(reception.documents, less)?;
        }
        Ok(())
    }
}

impl Reception {
    fn of(&self, counted: Counted) -> impl Iterator<Item = &(String, Allowance)> {
        self.allowances.iter().filter(move |(_, allowance)| allowance.counted == counted)
    }

    /// More bytes of a file came.
    pub fn take(&mut self, bytes: u64) -> Result<(), CollectionError> {
        if self.allowances.is_empty() {
            return Ok(());
        }
        self.bytes += bytes;
        let mut all = self.under_way.0.lock();
        for (whose, _) in self.of(Counted::Bytes) {
            *all.entry(whose.clone()).or_default() += bytes;
        }
        for (whose, allowance) in self.of(Counted::Bytes) {
            let less = self.replaced.1.min(allowance.replaceable);
            allowance.check(all.get(whose).copied().unwrap_or(0), less)?;
        }
        Ok(())
    }

    /// So many of them were committed: from now on the store counts them.
    pub fn committed(&mut self, bytes: u64) {
        let committed = bytes.min(self.bytes);
        self.bytes -= committed;
        self.give_back(committed);
    }

    fn give_back(&self, less: u64) {
        let mut all = self.under_way.0.lock();
        for (whose, _) in self.of(Counted::Bytes) {
            if let Some(bytes) = all.get_mut(whose) {
                *bytes = bytes.saturating_sub(less);
            }
        }
        all.retain(|_, bytes| *bytes > 0);
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}
