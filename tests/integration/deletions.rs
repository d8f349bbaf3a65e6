//! What is deleted is gone: from answers and traces at once, and from every file after a clean stop.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::world::{Reply, World, eventually};

/// Stands in every document that is to go, in its name, title, headings and text. Stemmed it stays recognizable.
const MARKER: &str = "zephyrin";

fn marked(name: &str) -> String {
    let section = |n: usize| {
        format!(
            "## The {MARKER} of {name} {n}\n\nIn {name} the keeper of the tower writes of {MARKER}e number {n}, and closes \
             the valve before the second bell of {MARKER}{n} is heard in the harbour.\n\n"
        )
    };
    format!("# A {MARKER}e called {name}\n\n{}", (0..60).map(section).collect::<String>())
}

/// Files below a folder whose name or content holds the marker.
fn holding(folder: &Path) -> Vec<PathBuf> {
    let holds = |bytes: &[u8]| bytes.windows(MARKER.len()).any(|part| part == MARKER.as_bytes());
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let each = entries.flat_map(|path| {
        let named = holds(path.file_name().expect("a name").as_encoded_bytes());
        let below = if path.is_dir() { holding(&path) } else { Vec::new() };
        let found = named || (path.is_file() && holds(&std::fs::read(&path).expect("a file")));
        found.then_some(path).into_iter().chain(below)
    });
    each.collect()
}

/// Words of all indexes that hold the marker. Their files keep words in a way that no search for bytes sees.
fn indexed(world: &World) -> Vec<String> {
    let folders = std::fs::read_dir(world.data().join("indexes")).expect("the indexes");
    let folders =
        folders.map(|entry| entry.expect("an entry").path().join("lexical")).filter(|path| path.is_dir());
    let words = |folder: PathBuf| {
        let index = tantivy::Index::open_in_dir(folder).expect("an index");
        let searcher = index.reader().expect("a reader").searcher();
        let mut words = Vec::new();
        for (field, entry) in index.schema().fields() {
            if !matches!(entry.field_type(), tantivy::schema::FieldType::Str(_)) {
                continue;
            }
            for segment in searcher.segment_readers() {
                let inverted = segment.inverted_index(field).expect("words");
                let mut terms = inverted.terms().stream().expect("words");
                while terms.advance() {
                    words.push(String::from_utf8_lossy(terms.key()).into_owned());
                }
            }
        }
        words
    };
    folders.flat_map(words).filter(|word| word.contains(MARKER)).collect()
}

/// How many originals there are.
fn originals(world: &World) -> usize {
    let folders = std::fs::read_dir(world.data().join("blobs")).expect("the originals");
    let folders = folders.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    folders.map(|folder| std::fs::read_dir(folder).expect("a folder").count()).sum()
}

async fn file(world: &World, name: &str) -> String {
    let (filename, text) = (format!("{MARKER}-{name}.md"), marked(name));
    let parts = [("purpose", "", b"assistants".as_slice()), ("file", &filename, text.as_bytes())];
    let boundary = parts.iter().map(|(field, filename, bytes)| {
        let filename = if filename.is_empty() { String::new() } else { format!("; filename=\"{filename}\"") };
        let head = format!("--limit\r\nContent-Disposition: form-data; name=\"{field}\"{filename}\r\n\r\n");
        [head.as_bytes(), bytes, b"\r\n"].concat()
    });
    let body = [boundary.flatten().collect::<Vec<u8>>(), b"--limit--\r\n".to_vec()].concat();
    let request = super::world::Request::new("POST", "/v1/files")
        .header("Content-Type", "multipart/form-data; boundary=limit")
        .body(body);
    let reply = world.ask(request).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["id"].as_str().expect("an id").to_owned()
}

async fn attach(world: &World, collection: &str, file: &str) {
    let target = format!("/v1/vector_stores/{collection}/files");
    let reply = world.post(&target, &[], json!({ "file_id": file }).to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    eventually(|| async {
        let status = world.get(&format!("{target}/{file}")).await.json()["status"].clone();
        (status == "completed").then_some(())
    })
    .await;
}

async fn upload(world: &World, collection: &str, name: &str) -> String {
    let documents = world.upload(collection, &[(&format!("{MARKER}-{name}.md"), &marked(name))]).await;
    documents[0]["id"].as_str().expect("an id").to_owned()
}

fn assert_deleted(reply: &Reply) {
    assert_eq!(reply.json()["deleted"], true, "{}", reply.text());
}

#[tokio::test]
async fn no_file_holds_what_was_deleted() {
    let world = World::prepared("").await;
    let synced = world.collections().join("synced");
    std::fs::create_dir(&synced).expect("a folder");
    std::fs::write(synced.join("kept.txt"), "The lamp of the synced folder is lit at dusk.").expect("a file");
    std::fs::write(synced.join(format!("{MARKER}.md")), marked("synced")).expect("a file");
    let (world, program) = world.start_program("").await;
    let kept = [("keep-1.txt", "The valve is closed at noon."), ("keep-2.txt", "The boat is blue and slow.")];
    world.upload("manual", &kept[..1]).await;
    let document = upload(&world, "manual", "document").await;
    world.upload("manual", &kept[1..]).await;
    upload(&world, "gone", "collection").await;
    upload(&world, "brief", "expiring").await;
    let (standing, expiring) = (file(&world, "standing").await, file(&world, "alone").await);
    attach(&world, "manual", &standing).await;
    eventually(|| async { (!world.search("synced", "lamp").await.is_empty()).then_some(()) }).await;
    for collection in ["manual", "gone", "brief", "synced"] {
        let reply = world.chat(collection, &format!("What is a {MARKER}e?"), &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let before = holding(&world.data());
    let originals_before = before.iter().filter(|path| path.starts_with(world.data().join("blobs"))).count();
    assert!(originals_before == 6 && before.len() > 6, "{before:?}");
    assert!(!indexed(&world).is_empty());

    assert_deleted(&world.delete(&format!("/v1/vector_stores/manual/documents/{document}")).await);
    assert_deleted(&world.delete("/v1/vector_stores/gone").await);
    assert_deleted(&world.delete(&format!("/v1/files/{standing}")).await);
    program.terminate().await;
    assert!(program.ended().await.success());
    std::fs::remove_file(synced.join(format!("{MARKER}.md"))).expect("removed");
    let database = rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the database");
    database
        .execute_batch(&format!(
            "UPDATE files SET expires_at = 1 WHERE id = '{expiring}';
             UPDATE collections SET expires_days = 1, last_active_at = 1 WHERE name = 'brief';"
        ))
        .expect("they are over their time");
    drop(database);
    let (world, program) = world.start_program("").await;
    eventually(|| async { (originals(&world) == 3).then_some(()) }).await;
    // What was left is found, before and after the deletions of this run were followed.
    assert_eq!(world.search("manual", "valve").await, ["The valve is closed at noon."]);
    program.terminate().await;
    assert!(program.ended().await.success());
    assert_eq!(holding(&world.data()), Vec::<PathBuf>::new());
    assert_eq!(indexed(&world), Vec::<String>::new());
    let (world, program) = world.start_program("").await;
    assert_eq!(world.search("manual", "boat").await, ["The boat is blue and slow."]);
    assert_eq!(world.search("synced", "lamp").await.len(), 1);
    drop(program);
}

/// Passages that the indexes still find, once they can be read.
fn found_by_words(world: &World) -> Option<u64> {
    let folders = std::fs::read_dir(world.data().join("indexes")).ok()?;
    let folders = folders.flatten().map(|entry| entry.path().join("lexical")).filter(|path| path.is_dir());
    folders
        .map(|folder| Some(tantivy::Index::open_in_dir(folder).ok()?.reader().ok()?.searcher().num_docs()))
        .sum()
}

/// A collection's documents go in steps when its time is over. What a killed process left of them goes at the next start,
/// and the index follows although nobody asks for anything.
#[tokio::test]
async fn the_index_follows_what_the_store_removes_by_itself() {
    let (world, program) = World::prepared("").await.start_program("").await;
    upload(&world, "brief", "expiring").await;
    program.terminate().await;
    assert!(program.ended().await.success());
    assert!(found_by_words(&world) > Some(0));
    let database = rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the database");
    database.execute_batch("UPDATE collections SET expires_days = 1, expired = 1").expect("the first step");
    drop(database);
    let (world, program) = world.start_program("").await;
    eventually(|| async { (originals(&world) == 0).then_some(()) }).await;
    eventually(|| async { (found_by_words(&world) == Some(0)).then_some(()) }).await;
    drop(program);
}

async fn trace(world: &World, collection: &str) -> String {
    let reply = world.chat(collection, &format!("What is a {MARKER}e?"), &[("X-RAG-K", "9")]).await;
    let id = reply.header("x-rag-trace-id").expect("a trace").to_owned();
    let target = format!("/v1/rag/traces/{id}");
    assert!(world.get(&target).await.text().contains(MARKER));
    target
}

#[tokio::test]
async fn traces_go_with_their_documents() {
    let world = World::start("").await;
    let document = upload(&world, "manual", "document").await;
    world.upload("other", &[("a.txt", &marked("other"))]).await;
    let (first, kept) = (trace(&world, "manual").await, trace(&world, "other").await);
    assert_deleted(&world.delete(&format!("/v1/vector_stores/manual/documents/{document}")).await);
    world.get(&first).await.error(404, "trace_not_found");
    assert_eq!(world.get(&kept).await.status, 200, "others stay");

    // A file in two collections: the text lives on in one of them.
    let shared = file(&world, "shared").await;
    upload(&world, "two", "two").await;
    attach(&world, "manual", &shared).await;
    attach(&world, "two", &shared).await;
    let (one, two) = (trace(&world, "manual").await, trace(&world, "two").await);
    assert_deleted(&world.delete(&format!("/v1/vector_stores/manual/files/{shared}")).await);
    world.get(&one).await.error(404, "trace_not_found");
    assert_eq!(world.get(&two).await.status, 200);
    assert_deleted(&world.delete(&format!("/v1/files/{shared}")).await);
    world.get(&two).await.error(404, "trace_not_found");

    let last = trace(&world, "other").await;
    assert_deleted(&world.delete("/v1/vector_stores/other").await);
    for target in [&kept, &last] {
        world.get(target).await.error(404, "trace_not_found");
    }
}
