//! Vectors, and what changed since a revision.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{collections, headings, raise_revision};
use crate::store::*;

/// What a row takes in memory beside its texts.
const ROW_BYTES: usize = 128;

/// Chunks without a vector. Two statements: with one that means both, SQLite goes through all chunks for one document.
pub(super) const OF_ONE_DOCUMENT: &str = "SELECT c.id, c.document, c.headings, c.text FROM chunks c
    WHERE c.document = ?4 AND c.id > ?2
        AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.chunk = c.id AND v.fingerprint = ?1)
    ORDER BY c.id LIMIT ?3";
/// In the order of the chunks, whatever else SQLite might begin with: each call goes on where the last one ended.
const OF_ALL: &str =
    "SELECT c.id, c.document, c.headings, c.text FROM chunks c CROSS JOIN documents d ON d.key = c.document
    WHERE c.id > ?2 AND d.warning_code IS NULL
        AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.document = c.document)
        AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.chunk = c.id AND v.fingerprint = ?1)
    ORDER BY c.id LIMIT ?3";

pub(super) fn without_vector(
    t: &Transaction<'_>,
    fingerprint: &str,
    document: Option<DocumentKey>,
    after: ChunkId,
    limit: usize,
) -> Result<Vec<UnembeddedChunk>> {
    let read = |row: &Row<'_>| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    };
    let rows = match document {
        Some(document) => t
            .prepare_cached(OF_ONE_DOCUMENT)?
            .query_map(params![fingerprint, after as i64, limit as i64, document], read)?
            .collect::<rusqlite::Result<Vec<_>>>()?,
        None => t
            .prepare_cached(OF_ALL)?
            .query_map(params![fingerprint, after as i64, limit as i64], read)?
            .collect::<rusqlite::Result<Vec<_>>>()?,
    };
    let chunk = |(id, document, headings, text): (i64, _, String, _)| {
        Ok(UnembeddedChunk { id: id as u64, document, headings: strings(&headings)?, text })
    };
    rows.into_iter().map(chunk).collect()
}

pub(super) fn vectors_of(
    t: &Transaction<'_>,
    documents: &[DocumentKey],
    fingerprint: &str,
) -> Result<Vec<u32>> {
    let mut statement = t.prepare_cached(
        "SELECT count(*) FROM chunks c JOIN vectors v ON v.chunk = c.id AND v.fingerprint = ?2 WHERE c.document = ?1",
    )?;
    let count = |document| Ok(statement.query_row(params![document, fingerprint], |row| row.get(0))?);
    documents.iter().map(count).collect()
}

pub(super) fn commit_vectors(
    t: &Transaction<'_>,
    fingerprint: &str,
    vectors: &[(ChunkId, Vec<f32>)],
) -> Result<()> {
    let mut revisions: BTreeMap<String, i64> = BTreeMap::new();
    let mut documents: BTreeSet<DocumentKey> = BTreeSet::new();
    for (chunk, vector) in vectors {
        let found: Option<(String, DocumentKey, i64)> = t
            .prepare_cached("SELECT collection, document, revision FROM chunks WHERE id = ?1")?
            .query_row([*chunk as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((collection, document, of_chunk)) = found else { continue };
        documents.insert(document);
        let revision = match revisions.get(&collection) {
            // The chunk is not told to the indexes yet, and its vector goes with it.
            _ if of_chunk == 0 => 0,
            Some(revision) => *revision,
            None => {
                let revision = raise_revision(t, &collection)?;
                revisions.insert(collection.clone(), revision);
                revision
            }
        };
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        t.prepare_cached(
            "INSERT INTO vectors (chunk, fingerprint, collection, revision, vector) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (chunk, fingerprint) DO UPDATE SET vector = excluded.vector, revision = excluded.revision",
        )?
        .execute(params![*chunk as i64, fingerprint, collection, revision, bytes])?;
    }
    for document in documents {
        t.prepare_cached("UPDATE jobs SET attempts = 0, failures = 0 WHERE document = ?1")?
            .execute([document])?;
    }
    Ok(())
}

/// Fingerprints in collections where every chunk has a vector of another one that is kept.
pub(super) fn replaced_vectors(t: &Transaction<'_>, kept: &str) -> Result<Vec<(String, String)>> {
    let mut ids = t.prepare("SELECT id FROM collections")?;
    let ids: Vec<String> = ids.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    // Not DISTINCT, which would read every row.
    let mut next =
        t.prepare("SELECT min(fingerprint) FROM vectors WHERE collection = ?1 AND fingerprint > ?2")?;
    let mut is_complete = t.prepare(
        "SELECT (SELECT count(*) FROM chunks WHERE collection = ?1)
             <= (SELECT count(*) FROM vectors WHERE collection = ?1 AND fingerprint = ?2)",
    )?;
    let mut replaced = Vec::new();
    for id in ids {
        let mut dead = Vec::new();
        let mut after = String::new();
        while let Some(found) = next.query_row([&id, &after], |row| row.get::<_, Option<String>>(0))? {
            if found != kept {
                dead.push((id.clone(), found.clone()));
            }
            after = found;
        }
        if !dead.is_empty() && is_complete.query_row(params![id, kept], |row| row.get::<_, bool>(0))? {
            replaced.append(&mut dead);
        }
    }
    Ok(replaced)
}

/// The last revision of chunks that are there or were removed, where there is one.
pub(super) fn chunk_revisions(t: &Transaction<'_>) -> Result<Vec<(CollectionId, Revision)>> {
    let mut statement = t.prepare_cached(
        "SELECT id, max(coalesce((SELECT max(revision) FROM chunks WHERE collection = collections.id), 0),
             coalesce((SELECT max(revision) FROM removals WHERE collection = collections.id), 0)) AS last
         FROM collections WHERE doomed = 0 AND last > 0 ORDER BY last_active_at DESC, rowid DESC",
    )?;
    let rows =
        statement.query_map([], |row| Ok((CollectionId(row.get(0)?), row.get::<_, i64>(1)? as u64)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether removals up to a revision are told.
pub(super) fn are_removals(t: &Transaction<'_>, collection: &CollectionId, until: Revision) -> Result<bool> {
    let mut statement =
        t.prepare_cached("SELECT 1 FROM removals WHERE collection = ?1 AND revision <= ?2 LIMIT 1")?;
    Ok(statement.exists(params![collection.0, until as i64])?)
}

/// Forgets some removals up to a revision, and says whether there are more.
pub(super) fn forget_some_removals(
    t: &Transaction<'_>,
    collection: &CollectionId,
    until: Revision,
    most: usize,
) -> Result<bool> {
    let last: Option<i64> = t
        .prepare_cached(
            "SELECT max(revision) FROM (SELECT revision FROM removals WHERE collection = ?1 AND revision <= ?2
             ORDER BY revision LIMIT ?3)",
        )?
        .query_row(params![collection.0, until as i64, most as i64], |row| row.get(0))?;
    let Some(last) = last else { return Ok(false) };
    t.prepare_cached("DELETE FROM removals WHERE collection = ?1 AND revision <= ?2")?
        .execute(params![collection.0, last])?;
    t.prepare_cached("UPDATE collections SET removals_since = max(removals_since, ?2) WHERE id = ?1")?
        .execute(params![collection.0, last])?;
    Ok(true)
}

/// Chunks removed after a revision and up to another.
fn removed(
    t: &Transaction<'_>,
    collection: &CollectionId,
    since: Revision,
    until: Revision,
) -> Result<Vec<ChunkId>> {
    let mut statement = t.prepare_cached(
        "SELECT chunk FROM removals WHERE collection = ?1 AND revision > ?2 AND revision <= ?3
         ORDER BY revision, chunk",
    )?;
    let rows =
        statement.query_map(params![collection.0, since as i64, until as i64], |row| row.get::<_, i64>(0))?;
    rows.map(|row| Ok(row? as u64)).collect()
}

pub(super) fn of_chunks(
    t: &Transaction<'_>,
    collection: &CollectionId,
    since: ChunkMark,
    most_bytes: usize,
) -> Result<ChunkChanges> {
    let newest = collections::one(t, collection)?.revision;
    let (revision, id) = since.part.unwrap_or((since.revision, i64::MAX as u64));
    // In the order of the index, whose entries end in the id: nothing is sorted, and nothing is read beyond the part.
    let mut statement = t.prepare_cached(
        "SELECT c.id, c.document, c.headings, c.text, c.revision, d.attributes, d.language
         FROM chunks c CROSS JOIN documents d ON d.key = c.document
         WHERE c.collection = ?1 AND c.revision >= ?2 AND (c.revision > ?2 OR c.id > ?3) ORDER BY c.revision, c.id",
    )?;
    let mut rows = statement.query(params![collection.0, revision as i64, id as i64])?;
    let (mut added, mut bytes, mut last) = (Vec::new(), 0, None);
    let mut more = false;
    while let Some(row) = rows.next()? {
        if bytes >= most_bytes && last.is_some() {
            more = true;
            break;
        }
        let chunk = IndexedChunk {
            id: row.get::<_, i64>(0)? as u64,
            document: row.get(1)?,
            language: language_of(&row.get::<_, String>(5)?, row.get(6)?),
            text: row.get(3)?,
            headings: strings(&row.get::<_, String>(2)?)?,
        };
        bytes += ROW_BYTES + chunk.text.len() + chunk.headings.iter().map(String::len).sum::<usize>();
        last = Some((row.get::<_, i64>(4)? as u64, chunk.id));
        added.push(chunk);
    }
    // Within a revision only what is before it is told whole.
    let until = match last {
        Some((revision, id)) if more => {
            ChunkMark { revision: since.revision.max(revision.saturating_sub(1)), part: Some((revision, id)) }
        }
        _ => ChunkMark::at(newest),
    };
    let told = until.part.map_or(newest, |(revision, _)| revision);
    // Also to an index that stands at the beginning: it may hold a part of a first fill that was cut off.
    let removed = removed(t, collection, since.revision, told)?;
    Ok(ChunkChanges { until, removed, added, more })
}

pub(super) fn of_vectors(
    t: &Transaction<'_>,
    collection: &CollectionId,
    fingerprint: &str,
    since: Revision,
    most: usize,
) -> Result<VectorChanges> {
    let newest = collections::one(t, collection)?.revision;
    let before = i64::try_from(most.saturating_sub(1)).unwrap_or(i64::MAX);
    let full: Option<i64> = t
        .prepare_cached(
            "SELECT revision FROM vectors WHERE collection = ?1 AND fingerprint = ?2 AND revision > ?3
             ORDER BY revision LIMIT 1 OFFSET ?4",
        )?
        .query_row(params![collection.0, fingerprint, since as i64, before], |row| row.get(0))
        .optional()?;
    let revision = full.map_or(newest, |revision| revision as u64);
    // In the order of the index: sorting by chunk would carry every vector through a sorter.
    let mut statement = t.prepare_cached(
        "SELECT v.chunk, c.document, v.vector FROM vectors v JOIN chunks c ON c.id = v.chunk
         WHERE v.collection = ?1 AND v.fingerprint = ?2 AND v.revision > ?3 AND v.revision <= ?4
         ORDER BY v.revision",
    )?;
    let mut rows = statement.query(params![collection.0, fingerprint, since as i64, revision as i64])?;
    let mut added = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)? as u64;
        let damaged = || StoreError::Damaged(format!("vector of chunk {id}"));
        let bytes = row.get_ref(2)?.as_blob().map_err(|_| damaged())?;
        let (values, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(damaged());
        }
        added.push((id, row.get(1)?, values.iter().map(|b| f32::from_le_bytes(*b)).collect()));
    }
    // An index at revision 0 holds nothing that could have been removed.
    let removed = if since == 0 { Vec::new() } else { removed(t, collection, since, revision)? };
    Ok(VectorChanges { revision, removed, added })
}

/// A chunk's headings. Those that were committed before there were bounds are cut.
pub(super) fn strings(json: &str) -> Result<Vec<String>> {
    let headings = serde_json::from_str(json).map_err(|e| StoreError::Damaged(e.to_string()))?;
    Ok(headings::bounded(headings))
}
