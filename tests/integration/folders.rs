//! Collections kept equal to a folder.

use std::fs;
use std::path::Path;

use lastro::access::Access;
use lastro::config::{Config, Options, SyncedFolder};
use lastro::ingest::{self, Synced};
use serde_json::json;

use super::world::{Request, World, eventually, question_body};

/// Waits until a collection has so many documents and none is in progress; gives their names and statuses.
pub async fn settled(world: &World, collection: &str, documents: usize) -> Vec<(String, String)> {
    eventually(|| async {
        let reply = world.get(&format!("/v1/vector_stores/{collection}/documents")).await;
        if reply.status == 404 {
            return None;
        }
        let list = reply.json()["data"].as_array().expect("a list").clone();
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let mut found: Vec<_> = list.iter().map(|d| (text(&d["filename"]), text(&d["status"]))).collect();
        found.sort();
        let done = found.len() == documents && found.iter().all(|(_, status)| status != "in_progress");
        done.then_some(found)
    })
    .await
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a document");
    }
}

fn names(documents: &[(String, String)]) -> Vec<&str> {
    documents.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn the_folder_is_followed_from_start_to_start() {
    let mut world = World::start_with("", |root| {
        write(
            root,
            &[
                ("pumps/a.txt", "The first pump is red."),
                ("pumps/sub/b.md", "# The second\n\nThe second pump is green."),
                ("pumps/copy-of-a.txt", "The first pump is red."),
                ("pumps/.hidden.txt", "Hidden words."),
                ("pumps/collection.toml", "title = \"Pumps\""),
                ("boats/c.txt", "The boat is blue."),
                (".git/d.txt", "Not a collection."),
                ("loose.txt", "Not in a collection."),
            ],
        );
    })
    .await;
    assert_eq!(names(&settled(&world, "pumps", 2).await), ["a.txt", "sub/b.md"]);
    settled(&world, "boats", 1).await;
    assert_eq!(world.get("/v1/vector_stores").await.json()["data"].as_array().map(Vec::len), Some(2));

    write(
        &world.collections(),
        &[("pumps/a.txt", "The first pump is yellow now."), ("pumps/new.txt", "A third pump.")],
    );
    fs::remove_file(world.collections().join("pumps/copy-of-a.txt")).expect("removes");
    fs::remove_file(world.collections().join("pumps/sub/b.md")).expect("removes");
    fs::remove_dir_all(world.collections().join("boats")).expect("removes");
    world.restart("").await;
    eventually(|| async { (world.get("/v1/vector_stores/boats").await.status == 404).then_some(()) }).await;
    eventually(|| async {
        let found = settled(&world, "pumps", 2).await;
        (names(&found) == ["a.txt", "new.txt"]).then_some(())
    })
    .await;
    assert!(world.search("pumps", "green").await.is_empty());
    assert!(world.search("pumps", "red").await.is_empty());
    let found =
        eventually(|| async { Some(world.search("pumps", "yellow").await).filter(|f| !f.is_empty()) });
    assert_eq!(found.await, ["The first pump is yellow now."]);
    world.chat("boats", "Which boat?", &[]).await.error(404, "collection_not_found");
}

#[tokio::test]
async fn a_keys_default_is_forgotten_with_its_folder() {
    let mut world = World::start_with("", |root| {
        write(root, &[("pumps/a.txt", "The pump is red."), ("boats/b.txt", "The boat is blue.")]);
    })
    .await;
    settled(&world, "pumps", 1).await;
    settled(&world, "boats", 1).await;
    let (_, key) = world.key(json!({ "name": "a", "default_collection": "boats" })).await;
    let chat = || {
        let request = Request::new("POST", "/v1/chat/completions");
        request.json(question_body("Which boat is blue?")).key(&key)
    };
    assert_eq!(world.ask(chat()).await.header("x-rag-status"), Some("hit"));

    fs::remove_dir_all(world.collections().join("boats")).expect("removes");
    world.restart("").await;
    eventually(|| async {
        let boats = Request::new("GET", "/v1/vector_stores/boats").key(&world.local_key);
        (world.ask(boats).await.status == 404).then_some(())
    })
    .await;
    let reply = world.ask(chat()).await;
    assert_eq!((reply.status, reply.header("x-rag-status")), (200, None));
}

/// A mount that is missing looks like a folder that was emptied.
#[tokio::test]
async fn what_was_synced_from_a_folder_that_is_empty_now_is_kept() {
    let files: &[(&str, &str)] = &[
        ("pumps/a.txt", "The first pump is red."),
        ("pumps/collection.toml", "title = \"Pumps\""),
        ("boats/b.txt", "The boat is blue."),
    ];
    let mut world = World::start_with("", |root| write(root, files)).await;
    settled(&world, "pumps", 1).await;
    settled(&world, "boats", 1).await;
    let root = world.collections();
    world.stop().await;
    // The place of one collection; that of all; what a fresh disk holds.
    empty(&root.join("pumps"));
    assert_eq!(sync(&world).await, Synced { kept: 2, ..Synced::default() });
    empty(&root);
    assert_eq!(sync(&world).await, Synced::default());
    fs::create_dir(root.join("lost+found")).expect("a folder");
    assert_eq!(sync(&world).await, Synced::default());
    // The folder itself.
    fs::remove_dir_all(&root).expect("removes");
    let options = Options { collections: Some(SyncedFolder(root.clone())), ..Options::default() };
    let refused = Config::load(options, None).expect_err("it is not there").to_string();
    assert!(refused.contains("mount"), "{refused}");
    // It is back, and nothing was lost.
    write(&root, files);
    assert_eq!(sync(&world).await, Synced { kept: 2, ..Synced::default() });
    world.run().await;
    assert_eq!(world.search("pumps", "red").await.len(), 1);
    assert_eq!(world.get("/v1/vector_stores/pumps").await.json()["name"], "pumps");
    world.stop().await;
    // And then it is meant to be empty: one collection first, then all.
    empty(&root.join("pumps"));
    write(&root, &[("pumps/.empty", "")]);
    assert_eq!(sync(&world).await, Synced { removed: 1, kept: 1, ..Synced::default() });
    empty(&root);
    write(&root, &[(".empty", "")]);
    assert_eq!(sync(&world).await, Synced::default());
    assert!(world.open().await.catalog.list(&Access::everything()).is_empty());
}

/// What a start makes of the folder.
async fn sync(world: &World) -> Synced {
    let app = world.open().await;
    ingest::sync_folder(&app.catalog, &app.ingest, &world.collections()).await.expect("the folder is read")
}

fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removes");
    }
}

#[tokio::test]
async fn only_the_folder_changes_them() {
    let world = World::start_with("", |root| write(root, &[("pumps/a.txt", "The first pump is red.")])).await;
    settled(&world, "pumps", 1).await;
    let file: &[(&str, &str, &[u8])] = &[("file", "b.txt", b"words")];
    for reply in [
        world.send_files("/v1/vector_stores/pumps/documents", file).await,
        world.send_files("/v1/vector_stores/pumps/documents?create=true", file).await,
        world.delete("/v1/vector_stores/pumps/documents/a.txt").await,
        world.delete("/v1/vector_stores/pumps").await,
    ] {
        let message = reply.error(409, "synced_collection");
        assert!(message.contains("folder"), "{message}");
    }
    assert_eq!(world.search("pumps", "red").await.len(), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_synced_does_not_stop_the_others() {
    let mut world = World::start_with("", |root| {
        write(
            root,
            &[
                ("broken/collection.toml", "pasages = 3"),
                ("broken/a.txt", "Words."),
                ("bad name/a.txt", "Words."),
                ("good/a.txt", "The pump is red."),
                ("good/b.bin", "\u{0}\u{1}\u{2}\u{0}\u{0}\u{3}\u{4}"),
            ],
        );
    })
    .await;
    let found = settled(&world, "good", 2).await;
    assert_eq!(found[0].1, "completed");
    assert_eq!(found[1].1, "failed");
    assert_eq!(world.get("/v1/vector_stores/broken").await.status, 404);
    // A name that an uploaded collection has already stays that collection's.
    world.upload("uploaded", &[("u.txt", "Uploaded words.")]).await;
    write(
        &world.collections(),
        &[("uploaded/a.txt", "Words of the folder."), ("broken/collection.toml", "passages = 3")],
    );
    world.restart("").await;
    settled(&world, "broken", 1).await;
    assert_eq!(names(&settled(&world, "uploaded", 1).await), ["u.txt"]);
}

/// As a file system tells them apart, so do we: neither takes the other's place, at no start.
#[tokio::test]
async fn names_that_differ_in_the_form_of_an_accent_alone_are_two_documents() {
    let (composed, apart) = ("pumps/relat\u{f3}rio.txt", "pumps/relato\u{301}rio.txt");
    let mut world = World::start_with("", |root| {
        write(root, &[(composed, "The first pump is red."), (apart, "The second pump is green.")]);
    })
    .await;
    let ids = async |world: &World| {
        settled(world, "pumps", 2).await;
        let list = world.get("/v1/vector_stores/pumps/documents").await.json();
        let mut ids: Vec<_> =
            list["data"].as_array().expect("a list").iter().map(|d| d["id"].to_string()).collect();
        ids.sort();
        ids
    };
    let first = ids(&world).await;
    world.restart("").await;
    assert_eq!(ids(&world).await, first, "nothing changed");
    write(&world.collections(), &[(apart, "The second pump is yellow.")]);
    world.restart("").await;
    let edited = eventually(|| async {
        let found = world.search("pumps", "pump").await;
        found.iter().any(|text| text.contains("yellow")).then_some(found)
    })
    .await;
    assert_eq!(edited.len(), 2, "{edited:?}");
    assert_eq!(ids(&world).await.iter().filter(|id| first.contains(id)).count(), 1, "the other is as it was");
}
