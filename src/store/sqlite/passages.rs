//! Chunks and outlines read back for an answer.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::changes::strings;
use super::headings;
use crate::store::*;

const COLUMNS: &str =
    "SELECT c.id, c.document, f.id, f.name, c.text, c.page, c.last_page, c.headings, c.start,
        c.\"end\", c.tokens, d.attributes
    FROM chunks c JOIN documents d ON d.key = c.document JOIN files f ON f.id = d.file";

fn record(row: &Row<'_>) -> rusqlite::Result<(ChunkRecord, String)> {
    let chunk = NewChunk {
        text: row.get(4)?,
        page: row.get(5)?,
        last_page: row.get(6)?,
        headings: Vec::new(),
        start: row.get::<_, i64>(8)? as u64,
        end: row.get::<_, i64>(9)? as u64,
        tokens: row.get(10)?,
    };
    let record = ChunkRecord {
        id: row.get::<_, i64>(0)? as u64,
        document: row.get(1)?,
        document_id: DocumentId(row.get(2)?),
        filename: row.get(3)?,
        attributes: row.get(11)?,
        chunk,
    };
    Ok((record, row.get(7)?))
}

fn finish((mut record, headings): (ChunkRecord, String)) -> Result<ChunkRecord> {
    record.chunk.headings = strings(&headings)?;
    Ok(record)
}

pub(super) fn by_id(
    t: &Transaction<'_>,
    collection: &CollectionId,
    ids: &[ChunkId],
) -> Result<Vec<ChunkRecord>> {
    let mut statement =
        t.prepare_cached(&format!("{COLUMNS} WHERE c.id = ?1 AND c.collection = ?2 AND d.waits = 0"))?;
    let mut chunks = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(found) = statement.query_row(params![*id as i64, collection.0], record).optional()? {
            chunks.push(finish(found)?);
        }
    }
    Ok(chunks)
}

pub(super) fn whole(
    t: &Transaction<'_>,
    collection: &CollectionId,
    documents: Option<&[DocumentKey]>,
    max_bytes: usize,
) -> Result<Option<Vec<ChunkRecord>>> {
    let Some(keys) = keys_within(t, collection, documents, max_bytes)? else { return Ok(None) };
    let mut statement = t.prepare_cached(&format!(
        "{COLUMNS} WHERE c.document = ?1 AND c.collection = ?2 ORDER BY c.start, c.id"
    ))?;
    let mut chunks = Vec::new();
    for key in keys {
        let rows = statement.query_map(params![key, collection.0], record)?;
        for row in rows {
            chunks.push(finish(row?)?);
        }
    }
    Ok(Some(chunks))
}

/// The documents asked for, unless their texts exceed `max_bytes`: told without reading a text.
fn keys_within(
    t: &Transaction<'_>,
    collection: &CollectionId,
    documents: Option<&[DocumentKey]>,
    max_bytes: usize,
) -> Result<Option<Vec<DocumentKey>>> {
    let mut statement = t.prepare_cached(
        "SELECT key, text_bytes FROM documents WHERE collection = ?1 AND waits = 0 ORDER BY key",
    )?;
    let mut rows = statement.query([&collection.0])?;
    let (mut keys, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        if documents.is_none_or(|documents| documents.contains(&key)) {
            keys.push(key);
            bytes += row.get::<_, i64>(1)? as usize;
        }
        if bytes > max_bytes {
            return Ok(None);
        }
    }
    Ok(Some(keys))
}

pub(super) fn sizes(
    t: &Transaction<'_>,
    collection: &CollectionId,
    documents: Option<&[DocumentKey]>,
    most: u64,
    bytes_per_token: u64,
) -> Result<Option<Vec<WholeSize>>> {
    let mut statement = t.prepare_cached(
        "SELECT key, text_bytes, prompt_tokens FROM documents WHERE collection = ?1 AND text_bytes > 0
         AND waits = 0 ORDER BY key",
    )?;
    let mut rows = statement.query([&collection.0])?;
    let (mut sizes, mut sum) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let document = row.get(0)?;
        if documents.is_some_and(|documents| !documents.contains(&document)) {
            continue;
        }
        let (bytes, tokens) = (row.get::<_, i64>(1)? as u64, row.get::<_, Option<i64>>(2)?);
        let tokens = tokens.map(|tokens| tokens as u64);
        sum += tokens.unwrap_or(bytes / bytes_per_token.max(1));
        if sum > most {
            return Ok(None);
        }
        sizes.push(WholeSize { document, tokens });
    }
    Ok(Some(sizes))
}

pub(super) fn note_size(t: &Transaction<'_>, document: DocumentKey, tokens: u64) -> Result<()> {
    t.prepare_cached("UPDATE documents SET prompt_tokens = ?2 WHERE key = ?1 AND prompt_tokens IS NULL")?
        .execute(params![document, tokens as i64])?;
    Ok(())
}

fn document_keys(
    t: &Transaction<'_>,
    collection: &CollectionId,
    documents: Option<&[DocumentKey]>,
) -> Result<Vec<DocumentKey>> {
    if let Some(documents) = documents {
        return Ok(documents.to_vec());
    }
    let mut statement =
        t.prepare_cached("SELECT key FROM documents WHERE collection = ?1 AND waits = 0 ORDER BY key")?;
    let rows = statement.query_map([&collection.0], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn outlines(
    t: &Transaction<'_>,
    collection: &CollectionId,
    documents: Option<&[DocumentKey]>,
    limit: usize,
) -> Result<Vec<OutlineRecord>> {
    let mut statement = t.prepare_cached(
        "SELECT d.key, f.id, f.name, d.attributes, o.outline FROM outlines o
         JOIN documents d ON d.key = o.document JOIN files f ON f.id = d.file
         WHERE o.document = ?1 AND d.collection = ?2 AND d.chunks > 0 AND d.waits = 0",
    )?;
    let mut outlines = Vec::new();
    for key in document_keys(t, collection, documents)?.into_iter().take(limit) {
        let found = statement
            .query_row(params![key, collection.0], |row| {
                Ok((row.get(0)?, DocumentId(row.get(1)?), row.get(2)?, row.get(3)?, row.get::<_, String>(4)?))
            })
            .optional()?;
        if let Some((document, document_id, filename, attributes, json)) = found {
            let mut outline: Outline =
                serde_json::from_str(&json).map_err(|e| StoreError::Damaged(e.to_string()))?;
            outline.title.iter_mut().for_each(headings::cut);
            outline.headings.iter_mut().for_each(|heading| headings::cut(&mut heading.text));
            outlines.push(OutlineRecord { document, document_id, filename, attributes, outline });
        }
    }
    Ok(outlines)
}
