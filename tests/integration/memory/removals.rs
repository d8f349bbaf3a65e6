//! What goes with what: chunks with their document, a file with its last document, bytes with their last file.

use lastro::store::*;

use super::state::{Departed, List, Removal, State};

impl State {
    /// Removes what was read from a document. Indexes are told of what they know.
    pub fn remove_chunks(&mut self, key: DocumentKey) -> Result<()> {
        let collection = self.by_key(key)?.collection.clone();
        let told: Vec<ChunkId> =
            self.chunks_of(key).filter(|(_, chunk)| chunk.revision > 0).map(|(id, _)| id).collect();
        if !told.is_empty() {
            let revision = self.raise_revision(&collection)?;
            let removal = |chunk| Removal { collection: collection.clone(), revision, chunk };
            self.removals.extend(told.into_iter().map(removal));
        }
        self.chunks.retain(|_, chunk| chunk.document != key);
        let document = self.by_key_mut(key)?;
        (document.outline, document.prompt_tokens) = (Outline::default(), None);
        Ok(())
    }

    /// Removes a document with all that was read from it, and its file where nothing else needs that. A version that waited
    /// for it alone waits no more.
    pub fn remove_document(&mut self, key: DocumentKey) -> Result<()> {
        self.remove_chunks(key)?;
        let gone = self.record(self.by_key(key)?)?;
        let file = FileId(gone.id.0.clone());
        let (place, stands_alone) = self.file_of(&file).map(|file| (file.number, file.stands_alone))?;
        let departed = |list: &List, viewer, place| Departed {
            list: list.clone(),
            id: gone.id.0.clone(),
            viewer,
            place,
        };
        let documents = List::DocumentsOf(gone.collection.clone());
        let batches = self.batches.iter().filter(|batch| batch.documents.contains(&key));
        self.departed.extend(batches.map(|batch| departed(&documents, Some(batch.id.0.clone()), key)));
        self.departed.push(departed(&documents, None, key));
        self.departed.push(departed(&List::Files, Some(gone.collection.0.clone()), place));
        self.batches.iter_mut().for_each(|batch| batch.documents.retain(|other| *other != key));
        self.jobs.remove(&key);
        self.documents.retain(|document| document.key != key);
        if !stands_alone && self.documents.iter().all(|document| document.file != file) {
            self.remove_file(&file)?;
        }
        self.release(&gone.collection, &gone.filename)
    }

    fn remove_file(&mut self, id: &FileId) -> Result<()> {
        let (place, owner) = self.file_of(id).map(|file| (file.number, file.record.owner.clone()))?;
        let departed = |viewer| Departed { list: List::Files, id: id.0.clone(), viewer, place };
        self.departed.push(departed(None));
        self.departed.extend(owner.map(|owner| departed(Some(owner))));
        self.files.retain(|file| file.record.id != *id);
        Ok(())
    }

    pub fn delete_file(&mut self, id: &FileId) -> Result<Vec<CollectionId>> {
        let of_it = self.documents.iter().filter(|document| document.file == *id);
        let documents: Vec<_> = of_it.map(|document| (document.key, document.collection.clone())).collect();
        for (_, collection) in &documents {
            if self.collection(collection)?.origin == Origin::Folder {
                return Err(StoreError::Synced);
            }
        }
        // Until its last document is gone it stands alone, however it came.
        self.files.iter_mut().filter(|file| file.record.id == *id).for_each(|file| file.stands_alone = true);
        documents.iter().try_for_each(|(key, _)| self.remove_document(*key))?;
        self.remove_file(id)?;
        Ok(documents.into_iter().map(|(_, collection)| collection).collect())
    }
}
