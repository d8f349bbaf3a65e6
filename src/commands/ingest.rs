//! `lastro ingest`: files and folders into a collection.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};

use super::CommandError;
use super::connection::{Connection, checked, segment};
use super::output::{self, say};
use crate::config::Config;
use crate::ingest::{files_below, shared};
use crate::openai::{DocumentObject, List};
use crate::store::compared_name;

const POLL: Duration = Duration::from_millis(200);

/// Uploads what is named, waits until it is read, and prints what became of it. The exit code says whether nothing failed.
pub async fn ingest(config: Config, collection: &str, paths: &[PathBuf]) -> Result<ExitCode, CommandError> {
    let files = files(paths)?;
    let connection = Connection::open(config).await?;
    let base = connection.url(&format!("/v1/vector_stores/{}/documents", segment(collection)));
    let bar = ProgressBar::new(files.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{prefix:>9} [{bar:30}] {pos}/{len} {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix("uploading");
    let mut warned: Vec<(String, String)> = Vec::new();
    let mut failed: Vec<(String, String)> = Vec::new();
    let mut waiting: Vec<DocumentObject> = Vec::new();
    for (file, filename) in files.iter().zip(names(&files)) {
        let name = file.display().to_string();
        bar.set_message(name.clone());
        match upload(&connection, &base, file, filename).await {
            Ok(document) => waiting.push(document),
            Err(error) => failed.push((name, error.to_string())),
        }
        bar.inc(1);
    }
    bar.set_prefix("reading");
    bar.set_position(0);
    bar.set_length(waiting.len() as u64);
    let (mut documents, mut pages, mut chunks) = (0u64, 0u64, 0u64);
    for document in &waiting {
        bar.set_message(document.filename.clone());
        let read = match until_read(&connection.client, &format!("{base}/{}", segment(&document.id))).await {
            // Deleted meanwhile, or replaced by a newer version: the others are still read.
            Err(CommandError::Refused(why)) => Err((document.filename.clone(), why)),
            read => Ok(read?),
        };
        bar.inc(1);
        let document = match read {
            Ok(document) => document,
            Err(gone) => {
                failed.push(gone);
                continue;
            }
        };
        warned.extend(document.warning.map(|warning| (document.filename.clone(), warning.message)));
        match document.last_error {
            Some(error) => failed.push((document.filename, error.message)),
            None => {
                documents += 1;
                pages += u64::from(document.pages.unwrap_or(0));
                chunks += u64::from(document.chunks);
            }
        }
    }
    bar.finish_and_clear();
    let of_pages = if pages > 0 { format!(", {pages} pages") } else { String::new() };
    let of = files.len();
    let all = std::iter::once(format!(
        "{documents} of {of} documents are in {collection}{of_pages}, {chunks} passages."
    ))
    .chain(warned.iter().map(|(name, what)| format!("warning: {name}: {what}")))
    .chain(failed.iter().map(|(name, why)| format!("failed: {name}: {why}")));
    output::read_or_not(all.into_iter().try_for_each(|line| say!("{line}")))?;
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(files_below(path).map_err(|e| CommandError::Usage(e.to_string()))?);
        } else if path.is_file() {
            files.push(path.clone());
        } else {
            return Err(CommandError::Usage(format!("{}: no such file or folder", path.display())));
        }
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        return Err(CommandError::Usage("there are no files in what was named".to_owned()));
    }
    Ok(files)
}

/// What each file is called in the collection: by its own name, and where several have that, with so many of the folders
/// above as tell them apart. One of a name that the collection has already takes the other's place.
fn names(files: &[PathBuf]) -> Vec<String> {
    let name = |file: &PathBuf, folders: usize| {
        let parts = file.components().filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy()),
            _ => None,
        });
        let parts: Vec<_> = parts.collect();
        parts[parts.len().saturating_sub(folders + 1)..].join(" - ")
    };
    let deepest = files.iter().map(|file| file.components().count()).max().unwrap_or(0);
    let mut folders = vec![0; files.len()];
    for _ in 0..deepest {
        let names: Vec<String> =
            files.iter().zip(&folders).map(|(file, folders)| name(file, *folders)).collect();
        let shared = shared(names.iter().map(String::as_str));
        for (folders, name) in folders.iter_mut().zip(&names) {
            *folders += usize::from(shared.contains(&compared_name(name)));
        }
    }
    files.iter().zip(folders).map(|(file, folders)| name(file, folders)).collect()
}

async fn upload(
    connection: &Connection,
    base: &str,
    file: &Path,
    name: String,
) -> Result<DocumentObject, CommandError> {
    let length = tokio::fs::metadata(file).await?.len();
    let stream = tokio_util::io::ReaderStream::new(tokio::fs::File::open(file).await?);
    let part = Part::stream_with_length(reqwest::Body::wrap_stream(stream), length).file_name(name);
    let form = Form::new().part("file", part);
    let request = connection.client.post(format!("{base}?create=true")).multipart(form);
    let uploaded: List<DocumentObject> = checked(request.send().await?).await?.json().await?;
    let first = uploaded.data.into_iter().next();
    first.ok_or_else(|| CommandError::Refused("the server took no document".to_owned()))
}

async fn until_read(client: &reqwest::Client, document: &str) -> Result<DocumentObject, CommandError> {
    loop {
        let response = client.get(document).send().await?;
        // A server that has too much to do to say so goes on reading.
        if response.status() != StatusCode::TOO_MANY_REQUESTS {
            let document: DocumentObject = checked(response).await?.json().await?;
            if document.status != "in_progress" {
                return Ok(document);
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::connection::http_client;
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_busy_is_asked_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let read = r#"{"id":"file-1","object":"vector_store.file","vector_store_id":"vs_1","filename":"a.txt",
            "status":"completed","last_error":null,"created_at":1,"bytes":1,"pages":null,"chunks":1,"language":null}"#;
        let answers = [
            ("429 Too Many Requests", r#"{"error":{"message":"try again in a moment"}}"#),
            ("200 OK", read),
            ("404 Not Found", "gone"),
        ];
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut client, _) = listener.accept().await.expect("a client");
                let _asked = client.read(&mut [0; 4096]).await.expect("a request");
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                client.write_all(format!("{head}{body}").as_bytes()).await.expect("it is sent");
            }
        });
        let (client, url) = (http_client("a-key").expect("a client"), format!("http://{address}/file-1"));
        let document = until_read(&client, &url).await.expect("it was read");
        assert_eq!((document.filename.as_str(), document.chunks), ("a.txt", 1));
        let gone = until_read(&client, &url).await;
        assert!(matches!(&gone, Err(CommandError::Refused(why)) if why.contains("gone")), "{gone:?}");
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_their_folders() {
        let files = ["docs/a/README.md", "docs/b/README.md", "docs/b/c.md", "README.md", "x/a/README.md"];
        let files = files.map(PathBuf::from);
        let expected = ["docs - a - README.md", "b - README.md", "c.md", "README.md", "x - a - README.md"];
        assert_eq!(names(&files), expected);
    }
}
