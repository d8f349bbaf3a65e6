//! Rows of `files`.

use rusqlite::{Row, Transaction, params};

use super::departed::{self, Departed, EVERYBODY};
use super::pages::{self, Listed};
use super::{fresh_id, not_found, quotas};
use crate::store::blobs::Blobs;
use crate::store::*;
use crate::system::now;

/// A failure is told to who sees the document that failed: it may name what is the collection's alone.
const COLUMNS: &str = "SELECT f.id, f.owner, f.name, f.purpose, f.blob, b.bytes, f.created_at, f.expires_at,
        (SELECT iif(min(d.status = 'failed'), max(d.failure_message), NULL) FROM documents d WHERE d.file = f.id
            AND (:collections = '' OR d.collection IN
                (SELECT value FROM json_each(iif(:collections = '', '[]', :collections)))))
    FROM files f JOIN blobs b ON b.sha256 = f.blob";

/// A file whose time is over is gone, whether it was removed already or not.
const ALIVE: &str = "(f.expires_at IS NULL OR f.expires_at > unixepoch())";

fn record(row: &Row<'_>) -> rusqlite::Result<FileRecord> {
    Ok(FileRecord {
        id: FileId(row.get(0)?),
        owner: row.get(1)?,
        filename: row.get(2)?,
        purpose: row.get(3)?,
        sha256: row.get(4)?,
        bytes: row.get::<_, i64>(5)? as u64,
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
        failure: row.get(8)?,
    })
}

/// The condition that a file exists for a sight, with its two parameters `:owner` and `:collections`.
fn seen(sight: &Sight) -> Result<(&'static str, Option<String>, String)> {
    Ok(match sight {
        Sight::Everything => ("(:owner IS NULL AND :collections = '')", None, String::new()),
        Sight::Of { owner, collections } => {
            let ids = serde_json::to_string(collections).map_err(|e| StoreError::Damaged(e.to_string()))?;
            let condition = "(f.owner = :owner OR EXISTS (SELECT 1 FROM documents d
                WHERE d.file = f.id AND d.collection IN (SELECT value FROM json_each(:collections))))";
            (condition, Some(owner.clone()), ids)
        }
    })
}

/// A row of a file, of which `standing` says whether it is kept without a document.
pub(super) fn insert(
    t: &Transaction<'_>,
    blobs: &Blobs,
    blob: StagedBlob,
    file: &FileRecord,
    standing: bool,
) -> Result<()> {
    // Also for bytes that are known: this writes them again where the file was lost.
    blobs.adopt(blob)?;
    t.execute(
        "INSERT INTO blobs (sha256, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![file.sha256, file.bytes as i64],
    )?;
    // Deleted before, and not removed yet.
    t.prepare_cached("DELETE FROM removed_blobs WHERE sha256 = ?1")?.execute([&file.sha256])?;
    t.execute(
        "INSERT INTO files (id, blob, name, created_at, owner, purpose, expires_at, standing, rowid)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            file.id.0,
            file.sha256,
            file.filename,
            file.created_at,
            file.owner,
            file.purpose,
            file.expires_at,
            standing,
            departed::next(t, "files", "files")?,
        ],
    )?;
    Ok(())
}

pub(super) fn add(t: &Transaction<'_>, blobs: &Blobs, new: NewFile) -> Result<FileRecord> {
    quotas::check_bytes(t, new.owner.as_deref(), new.quota, (new.blob.bytes, 0))?;
    let created_at = now();
    let file = FileRecord {
        id: FileId(fresh_id("file-")?),
        owner: new.owner,
        filename: new.filename,
        purpose: new.purpose,
        sha256: new.blob.sha256.clone(),
        bytes: new.blob.bytes,
        created_at,
        expires_at: new.expires_in.map(|seconds| created_at + i64::from(seconds)),
        failure: None,
    };
    insert(t, blobs, new.blob, &file, true)?;
    Ok(file)
}

pub(super) fn one(t: &Transaction<'_>, sight: &Sight, id: &FileId) -> Result<FileRecord> {
    let (seen, owner, collections) = seen(sight)?;
    t.prepare_cached(&format!("{COLUMNS} WHERE {seen} AND {ALIVE} AND f.id = :id"))?
        .query_row(
            rusqlite::named_params! { ":owner": owner, ":collections": collections, ":id": id.0 },
            record,
        )
        .map_err(|error| match not_found(error, "file") {
            StoreError::NotFound(_) => StoreError::UnknownFile(id.0.clone()),
            error => error,
        })
}

pub(super) fn page(
    t: &Transaction<'_>,
    sight: &Sight,
    purpose: Option<&str>,
    page: &Page,
) -> Result<Paged<FileRecord>> {
    let (seen, owner, collections) = seen(sight)?;
    let filter = format!("({ALIVE} AND (:purpose IS NULL OR f.purpose = :purpose))");
    let viewers = match sight {
        Sight::Everything => vec![EVERYBODY],
        Sight::Of { owner, collections } => {
            [owner.as_str()].into_iter().chain(collections.iter().map(|c| c.0.as_str())).collect()
        }
    };
    let departed = Departed { list: "files", viewers };
    let list =
        Listed { columns: COLUMNS, all: seen, filter: &filter, id: "f.id", order: "f.rowid", departed };
    let params: pages::Params<'_> =
        &[(":owner", &owner), (":collections", &collections), (":purpose", &purpose)];
    pages::read(t, &list, params, page, record)
}

pub(super) fn over_their_time(t: &Transaction<'_>) -> Result<Vec<FileId>> {
    let mut statement = t.prepare_cached("SELECT id FROM files WHERE expires_at <= ?1")?;
    let rows = statement.query_map([now()], |row| row.get(0).map(FileId))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
