//! What stands in the data folder, and who holds it. A server that runs on it is asked.

use std::path::Path;

use serde::Deserialize;

use super::report::Report;
use crate::commands::CommandError;
use crate::commands::connection::{Connection, checked};
use crate::openai::{KeyObject, List};
use crate::store::{Content, DataLock, Holder, Inspection, inspect, originals_without_database};

/// A key, as far as the other checks need it.
pub struct KnownKey {
    pub name: String,
    pub expires_at: Option<i64>,
    pub revoked: bool,
}

/// What the data folder told.
#[derive(Default)]
pub struct Found {
    /// None where they could not be read.
    pub keys: Option<Vec<KnownKey>>,
    /// What the running server says of its embedding model.
    pub served: Option<Served>,
    pub content: Option<Content>,
}

/// The part of `/ready` that is needed.
#[derive(Deserialize)]
pub struct Served {
    pub embedding: ServedModel,
    #[serde(default)]
    pub storage: ServedStorage,
}

#[derive(Deserialize)]
pub struct ServedModel {
    pub status: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub dimensions: u32,
    #[serde(default)]
    pub device: String,
}

#[derive(Default, Deserialize)]
pub struct ServedStorage {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub message: String,
}

pub async fn check(data: &Path, report: &mut Report) -> Result<Found, CommandError> {
    if let Some(server) = Connection::running(data).await? {
        return ask(&server, report).await;
    }
    match DataLock::holder(data) {
        Ok(Holder::Nobody) => {}
        Ok(Holder::Process(holder)) => {
            let holder = holder.unwrap_or_else(|| "another process".to_owned());
            let advice = "if it has just been started, wait a moment; otherwise look at its log, and end it before another is started";
            report.fail("store", format!("held by {holder}, which does not answer"), advice);
            return Ok(Found::default());
        }
        Err(error) => {
            report.fail(
                "store",
                error.to_string(),
                "lastro must be able to read its data folder: give it to the user that it runs as",
            );
            return Ok(Found::default());
        }
    }
    Ok(look(data, report))
}

fn look(data: &Path, report: &mut Report) -> Found {
    match inspect(data) {
        Ok(None) => {
            empty(data, report);
            Found { keys: Some(Vec::new()), ..Found::default() }
        }
        Ok(Some(Inspection { content: Some(content), format, .. })) => {
            report.ok("store", format!("format version {format}, {}", counted(&content)));
            if content.waiting > 0 {
                let message = format!("{} documents wait to be read or embedded", content.waiting);
                report.warn("store", message, "they are worked on as soon as the server runs: lastro serve");
            }
            let keys = content.keys.iter().map(|key| KnownKey {
                name: key.name.clone(),
                expires_at: key.expires_at,
                revoked: key.revoked_at.is_some(),
            });
            Found { keys: Some(keys.collect()), content: Some(content), served: None }
        }
        Ok(Some(Inspection { format, known, .. })) if format > known => {
            let message = format!("format version {format}, and this lastro knows up to {known}");
            report.fail(
                "store",
                message,
                "use the newer lastro that wrote it, or another --data folder; nothing was changed",
            );
            Found::default()
        }
        Ok(Some(Inspection { format, known, .. })) => {
            let message = format!("format version {format}: the next start brings it to {known}");
            let advice = "a copy of the database is kept beside it; make one of the whole data folder if you may want to go back";
            report.warn("store", message, advice);
            Found::default()
        }
        Err(error) => {
            let advice = "look at the rights of the data folder and at the disk; `sqlite3 lastro.sqlite3 'PRAGMA integrity_check'` looks deeper";
            report.fail("store", error.to_string(), advice);
            Found::default()
        }
    }
}

/// Says that there is no database, which is well where nothing lies beside the place for one.
fn empty(data: &Path, report: &mut Report) {
    match originals_without_database(data) {
        Ok(0) => report.ok("store", "empty: nothing was uploaded yet"),
        Ok(files) => report.fail(
            "store",
            format!("there is no database (lastro.sqlite3), and {files} originals that one knew"),
            "put the database of a backup back before lastro is started; a start makes a new one, which knows none of them and removes none",
        ),
        Err(error) => report.fail(
            "store",
            error.to_string(),
            "lastro must be able to read its data folder: give it to the user that it runs as",
        ),
    }
}

fn counted(content: &Content) -> String {
    let Content { collections, documents, chunks, .. } = content;
    format!("{collections} collections, {documents} documents, {chunks} passages")
}

async fn ask(server: &Connection, report: &mut Report) -> Result<Found, CommandError> {
    let ready = server.client.get(server.url("/ready")).send().await?;
    let served: Served = ready.json().await?;
    report.ok("store", format!("held by the server at {}, which answers", server.url("")));
    if served.storage.status == "failed" {
        report.fail(
            "store",
            served.storage.message.clone(),
            "make room on the disk, or bring its mount back; the server goes on by itself then",
        );
    }
    let keys = checked(server.client.get(server.url("/admin/keys")).send().await?).await?;
    let keys: List<KeyObject> = keys.json().await?;
    let keys = keys.data.into_iter().map(|key| KnownKey {
        name: key.name,
        expires_at: key.expires_at,
        revoked: key.revoked_at.is_some(),
    });
    Ok(Found { keys: Some(keys.collect()), served: Some(served), content: None })
}
