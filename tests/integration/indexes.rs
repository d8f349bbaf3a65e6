//! The words index of a collection: what was deleted leaves its files, it stands back for meaning where it cannot be used,
//! and it is built in bounded memory whatever the database holds.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::params;

use super::world::model::with_two_documents;
use super::world::{Request, World, eventually};

/// The folder of a world's only collection.
fn indexes(world: &World) -> PathBuf {
    let entries = fs::read_dir(world.data().join("indexes")).expect("a folder");
    let mut folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let only = folders.next().expect("a collection");
    assert!(folders.next().is_none());
    only
}

/// All words in an index's files, also those that no search would find.
fn words(folder: &Path) -> BTreeSet<String> {
    let index = tantivy::Index::open_in_dir(folder).expect("an index");
    let (schema, reader) = (index.schema(), index.reader().expect("a reader"));
    let mut words = BTreeSet::new();
    for segment in reader.searcher().segment_readers() {
        for field in ["stemmed", "folded"] {
            let field = schema.get_field(field).expect("a field");
            let inverted = segment.inverted_index(field).expect("its words");
            let mut stream = inverted.terms().stream().expect("its words");
            while stream.advance() {
                words.insert(String::from_utf8_lossy(stream.key()).into_owned());
            }
        }
    }
    words
}

#[tokio::test]
async fn words_of_deleted_documents_are_in_no_file_after_a_stop() {
    let mut world = World::start("").await;
    let files = [("kept.txt", "The keel stays."), ("gone.txt", "The zyxwvmarker goes.")];
    world.upload("manual", &files).await;
    world.upload("manual", &[("part.txt", "Another zyxwvmarker, and an anchor.")]).await;
    let folder = indexes(&world).join("lexical");
    assert!(words(&folder).contains("zyxwvmarker"));
    for name in ["gone.txt", "part.txt"] {
        let deleted = world.delete(&format!("/v1/vector_stores/manual/documents/{name}")).await;
        assert_eq!(deleted.status, 200);
    }
    world.stop().await;
    let left = words(&folder);
    assert!(left.contains("keel") && !left.contains("zyxwvmarker") && !left.contains("anchor"), "{left:?}");
    for entry in fs::read_dir(&folder).expect("files") {
        let path = entry.expect("a file").path();
        let bytes = fs::read(&path).expect("a file");
        assert!(!bytes.windows(11).any(|bytes| bytes == b"zyxwvmarker"), "{}", path.display());
    }
    // Neither is an index of a collection that a process deleted half.
    let stranger = world.data().join("indexes/vs_stranger/lexical");
    fs::create_dir_all(&stranger).expect("a folder");
    fs::write(stranger.join("a.term"), "zyxwvmarker").expect("a file");
    world.run().await;
    assert_eq!(world.search("manual", "keel").await, ["The keel stays."]);
    let gone = || async { (!stranger.exists()).then_some(()) };
    eventually(gone).await;
}

#[tokio::test]
async fn a_client_that_leaves_during_a_delete_leaves_an_index_that_follows() {
    let mut world = World::start("").await;
    let long: String = (0..2_000).map(|n| format!("The ballast of ship {n} is stone.\n\n")).collect();
    world.upload("manual", &[("long.txt", &long), ("kept.txt", "The keel stays.")]).await;
    let folder = indexes(&world).join("lexical");
    let number = || fs::metadata(&folder).expect("an index").ino();
    let before = number();
    // One that leaves before its request was read has asked for nothing.
    eventually(|| async {
        let request = Request::new("DELETE", "/v1/vector_stores/manual/documents/long.txt");
        drop(request.open(world.address).await);
        world.search("manual", "ballast").await.is_empty().then_some(())
    })
    .await;
    world.upload("manual", &[("late.txt", "The anchor came late.")]).await;
    assert_eq!(world.search("manual", "anchor").await, ["The anchor came late."]);
    assert_eq!(number(), before, "the index was not built anew");
    world.stop().await;
    let left = words(&folder);
    assert!(left.contains("keel") && !left.contains("ballast"), "{} words", left.len());
}

#[tokio::test]
async fn meaning_answers_while_words_cannot_be_searched() {
    let (mut world, options) = with_two_documents().await;
    // No index can be opened there, and none can be built.
    let folder = indexes(&world);
    fs::remove_dir_all(&folder).expect("removed");
    fs::write(&folder, "").expect("a file in its place");
    world.run_with(&options).await;
    let ask = || async { world.chat("manual", "dogs in the park", &[("X-RAG-K", "2")]).await };
    // Where neither can answer yet, that is said.
    let reply = eventually(|| async { Some(ask().await).filter(|reply| reply.status == 200) }).await;
    assert_eq!((reply.header("x-rag-status"), reply.header("x-rag-hits")), (Some("dense"), Some("2")));
    let query = r#"{"query": "dogs in the park"}"#;
    let found = world.post("/v1/vector_stores/manual/search", &[], query).await;
    assert_eq!((found.status, found.header("x-rag-status")), (200, Some("dense")));
    assert_eq!(found.json()["data"].as_array().map(Vec::len), Some(2));
    fs::remove_file(&folder).expect("removed");
    assert_eq!(ask().await.header("x-rag-status"), Some("hit"), "it mends itself at the next question");
}

/// Rows as they were committed before anything held headings to a length.
fn commit_endless_headings(world: &World, chunks: usize, bytes: usize) {
    let database = rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the database");
    let heading = serde_json::to_string(&[&"heading ".repeat(bytes / 8)]).expect("JSON");
    let (document, collection, revision): (i64, String, i64) = database
        .query_row("SELECT document, collection, max(revision) FROM chunks", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("a chunk");
    let insert = "INSERT INTO chunks (document, collection, revision, text, headings, start, \"end\", tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, 20, 4)";
    for n in 0..chunks {
        let row = params![document, collection, revision + 1, format!("The ballast number {n}."), heading];
        database.execute(insert, row).expect("a row");
    }
    database
        .execute("UPDATE collections SET revision = ?2 WHERE id = ?1", params![collection, revision + 1])
        .expect("a revision");
}

#[tokio::test]
async fn endless_headings_of_before_are_indexed_in_bounded_memory() {
    let (world, program) = World::program("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let Some(idle) = program.peak() else { return };
    program.terminate().await;
    assert!(program.ended().await.success());
    commit_endless_headings(&world, 150, 1 << 20);
    fs::remove_dir_all(indexes(&world)).expect("the index is removed");
    let (world, program) = world.start_program("").await;
    let found = eventually(|| async {
        Some(world.search("manual", "ballast").await).filter(|found| !found.is_empty())
    })
    .await;
    assert!(found.iter().all(|text| text.starts_with("The ballast number")), "{found:?}");
    let peak = program.peak().expect("its memory");
    assert!(peak < idle + (100 << 20), "{} MiB above {}", (peak - idle) >> 20, idle >> 20);
}
