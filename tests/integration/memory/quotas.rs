//! How much an owner or a collection holds, against how much it may.

use lastro::store::*;

use super::state::{Document, State};

/// Refuses more than a quota allows. What goes for it makes room.
fn within(
    (whose, what): (&'static str, &'static str),
    most: Option<u64>,
    held: u64,
    (more, less): (u64, u64),
) -> Result<()> {
    match most {
        Some(most) if held.saturating_sub(less) + more > most => Err(StoreError::Quota { whose, what, most }),
        _ => Ok(()),
    }
}

fn is_of(owner: Option<&str>, of: &Option<String>) -> bool {
    owner.is_some() && of.as_deref() == owner
}

impl State {
    fn bytes_of(&self, document: &Document) -> u64 {
        self.file_of(&document.file).map_or(0, |file| file.record.bytes)
    }

    fn bytes_of_owner(&self, owner: Option<&str>) -> u64 {
        let files = self.files.iter().filter(|file| is_of(owner, &file.record.owner));
        files.map(|file| file.record.bytes).sum()
    }

    fn bytes_in(&self, collection: &CollectionId) -> u64 {
        self.documents_in(collection).map(|document| self.bytes_of(document)).sum()
    }

    /// Bytes of an owner's files that go with these documents: not those that stand alone, or are in another collection.
    pub fn bytes_freed(&self, owner: Option<&str>, documents: &[DocumentRecord]) -> u64 {
        let goes = |document: &&DocumentRecord| {
            let of_it = self.documents.iter().filter(|other| other.file.0 == document.id.0);
            let file = self.file_of(&FileId(document.id.0.clone()));
            of_it.count() == 1 && file.is_ok_and(|f| !f.stands_alone && is_of(owner, &f.record.owner))
        };
        documents.iter().filter(goes).map(|document| document.bytes).sum()
    }

    /// Whether an owner may hold so many bytes of files more, and others less.
    pub fn check_bytes(&self, owner: Option<&str>, quota: Quota, more: u64, less: u64) -> Result<()> {
        within(("this key", "bytes"), quota.bytes, self.bytes_of_owner(owner), (more, less))
    }

    /// Whether so many documents of together so many bytes may be added, where these go.
    pub fn check_documents(
        &self,
        owner: Option<&str>,
        collection: &CollectionId,
        quotas: Quotas,
        (documents, bytes): (u64, u64),
        gone: &[DocumentRecord],
    ) -> Result<()> {
        let of_owner = self.documents.iter().filter(|document| is_of(owner, &document.owner)).count() as u64;
        let gone_of_owner = gone.iter().filter(|document| is_of(owner, &document.owner)).count() as u64;
        let more = (documents, gone_of_owner);
        within(("this key", "documents"), quotas.owner.documents, of_owner, more)?;
        let in_it = self.documents_in(collection).count() as u64;
        let more = (documents, gone.len() as u64);
        within(("this collection", "documents"), quotas.collection.documents, in_it, more)?;
        let more = (bytes, gone.iter().map(|document| document.bytes).sum());
        within(("this collection", "bytes"), quotas.collection.bytes, self.bytes_in(collection), more)
    }

    /// Whether a document may have so many chunks. Those that it has now do not count, nor do those whose place it takes.
    pub fn check_chunks(&self, document: &DocumentRecord, quotas: Quotas, chunks: u64) -> Result<()> {
        let earlier = self.named(&document.collection, &document.filename)?;
        let goes = |key| {
            let is_earlier = earlier.iter().any(|other| other.key == key && key < document.key);
            key == document.key || (document.replaces.is_some() && is_earlier)
        };
        let held = |counts: &dyn Fn(&&Document) -> bool| -> u64 {
            let stay = self.documents.iter().filter(counts).filter(|other| !goes(other.key));
            stay.map(|other| self.chunks_of(other.key).count() as u64).sum()
        };
        let of_owner = held(&|other| is_of(document.owner.as_deref(), &other.owner));
        within(("this key", "chunks"), quotas.owner.chunks, of_owner, (chunks, 0))?;
        let in_it = held(&|other| other.collection == document.collection);
        within(("this collection", "chunks"), quotas.collection.chunks, in_it, (chunks, 0))
    }

    /// How much is used of each quota of documents and bytes. Without a collection files are meant that stand alone.
    pub fn allowances(
        &self,
        owner: Option<&str>,
        collection: Option<&CollectionId>,
        quotas: Quotas,
    ) -> Vec<Allowance> {
        let mut found = Vec::new();
        let in_it: Vec<&Document> = collection.map_or(Vec::new(), |id| self.documents_in(id).collect());
        let mut used = |of_owner, counted, most: Option<u64>, held: u64, replaceable: u64| {
            found.extend(most.map(|most| Allowance { of_owner, counted, most, held, replaceable }));
        };
        if owner.is_some() {
            let is_owners = |document: &&Document| is_of(owner, &document.owner);
            if collection.is_some() {
                let held = self.documents.iter().filter(is_owners).count() as u64;
                let replaceable = in_it.iter().filter(|document| is_owners(document)).count() as u64;
                used(true, Counted::Documents, quotas.owner.documents, held, replaceable);
            }
            let with_it = in_it.iter().filter_map(|document| self.file_of(&document.file).ok());
            let with_it = with_it.filter(|f| !f.stands_alone && is_of(owner, &f.record.owner));
            let replaceable = with_it.map(|file| file.record.bytes).sum();
            used(true, Counted::Bytes, quotas.owner.bytes, self.bytes_of_owner(owner), replaceable);
        }
        if let Some(id) = collection {
            let (documents, bytes) = (in_it.len() as u64, self.bytes_in(id));
            used(false, Counted::Documents, quotas.collection.documents, documents, documents);
            used(false, Counted::Bytes, quotas.collection.bytes, bytes, bytes);
        }
        found
    }
}
