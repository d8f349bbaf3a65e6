//! A file that was edited and sent again: the old version answers until the new one is complete, and goes in that moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::world::{World, eventually, form, question_body, within};

const TARGET: &str = "/v1/vector_stores/manual/documents";

async fn send(world: &World, query: &str, files: &[(&str, &str)]) -> Value {
    let files: Vec<_> = files.iter().map(|(name, text)| ("file", *name, text.as_bytes())).collect();
    let reply = world.send_files(&format!("{TARGET}?create=true&{query}"), &files).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["data"].clone()
}

async fn listed(world: &World) -> Vec<Value> {
    world.get(TARGET).await.json()["data"].as_array().expect("a list").clone()
}

/// Waits until nothing is in progress.
async fn settled(world: &World) -> Vec<Value> {
    eventually(|| async {
        Some(listed(world).await).filter(|all| all.iter().all(|d| d["status"] != "in_progress"))
    })
    .await
}

fn version(n: usize) -> String {
    format!("The valve is closed in version v{n}.")
}

#[tokio::test]
async fn an_edited_file_replaces_what_was_read_of_it() {
    let world = World::start("").await;
    let first =
        send(&world, "wait=60", &[("valve.txt", &version(1)), ("pump.txt", "The pump is red.")]).await;
    assert!(first[0]["replaces"].is_null(), "{first}");
    let second = send(&world, "wait=60", &[("valve.txt", &version(2))]).await;
    assert_eq!((&second[0]["status"], &second[0]["replaces"]), (&"completed".into(), &first[0]["id"]));
    assert_ne!(second[0]["id"], first[0]["id"]);
    assert_eq!(world.search("manual", "valve").await, [version(2)]);
    let names: Vec<_> = listed(&world).await.iter().map(|d| d["filename"].clone()).collect();
    assert_eq!(names, ["pump.txt", "valve.txt"]);
    world
        .get(&format!("{TARGET}/{}", first[0]["id"].as_str().expect("an id")))
        .await
        .error(404, "document_not_found");
    let one = world.get(&format!("{TARGET}/valve.txt")).await.json();
    assert_eq!((&one["id"], &one["replaces"]), (&second[0]["id"], &Value::Null));
    let reply = world.chat("manual", "When is the valve closed?", &[("X-RAG-Document", "valve.txt")]).await;
    assert_eq!(reply.header("x-rag-hits"), Some("1"));
    assert!(world.upstream.last().text().contains("v2"));
    // The same once more is the same document.
    let again = send(&world, "wait=60", &[("valve.txt", &version(2))]).await;
    assert_eq!(again[0]["id"], second[0]["id"]);
    // What it was before is another version.
    let back = send(&world, "wait=60", &[("valve.txt", &version(1))]).await;
    assert_eq!(back[0]["replaces"], second[0]["id"]);
    assert_eq!(world.search("manual", "valve").await, [version(1)]);
}

/// Whoever asks while versions come and go gets one of them each time: never none, never two.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_both_or_neither() {
    let world = Arc::new(World::start("").await);
    send(&world, "wait=60", &[("valve.txt", &version(0))]).await;
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|reader| {
            let (world, over) = (world.clone(), over.clone());
            tokio::spawn(async move {
                let mut asked = 0;
                while !over.load(Ordering::Relaxed) {
                    if reader == 0 {
                        let found = world.search("manual", "When is the valve closed?").await;
                        assert!(found.len() == 1 && found[0].starts_with("The valve"), "{found:?}");
                    } else {
                        let question = question_body("When is the valve closed?");
                        let preview = world.post("/c/manual/v1/rag/preview", &[], question).await.json();
                        assert_eq!(preview["passages"].as_array().map(Vec::len), Some(1), "{preview}");
                    }
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    for n in 1..25 {
        // Also where the next comes before this one is complete.
        let query = if n % 3 == 0 { "" } else { "wait=60" };
        send(&world, query, &[("valve.txt", &version(n))]).await;
    }
    within(settled(&world)).await;
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(within(reader).await.expect("it saw one version each time") > 0);
    }
    assert_eq!(world.search("manual", "valve").await, [version(24)]);
    assert_eq!(listed(&world).await.len(), 1);
}

#[tokio::test]
async fn a_version_that_cannot_be_read_leaves_the_old_one() {
    let world = World::start("").await;
    let first = send(&world, "wait=60", &[("valve.txt", &version(1))]).await;
    let second = send(&world, "wait=60", &[("valve.txt", "")]).await;
    assert_eq!(
        (&second[0]["status"], &second[0]["replaces"]),
        (&"failed".into(), &first[0]["id"]),
        "{second}"
    );
    assert!(second[0]["last_error"]["message"].as_str().is_some_and(|why| why.len() > 10));
    assert_eq!(world.search("manual", "valve").await, [version(1)]);
    let one = world.get(&format!("{TARGET}/valve.txt")).await.json();
    assert_eq!(one["id"], first[0]["id"]);
    let third = send(&world, "wait=60", &[("valve.txt", &version(3))]).await;
    assert_eq!(third[0]["replaces"], first[0]["id"]);
    assert_eq!(listed(&world).await.len(), 1);
    assert_eq!(world.search("manual", "valve").await, [version(3)]);
}

#[tokio::test]
async fn versions_are_kept_beside_one_another_where_that_is_asked_for() {
    let world = World::start("").await;
    let first = send(&world, "wait=60", &[("valve.txt", &version(1))]).await;
    let second = send(&world, "wait=60&on_conflict=keep", &[("valve.txt", &version(2))]).await;
    assert_eq!(second[0]["replaces"], Value::Null);
    assert_eq!(world.search("manual", "valve").await.len(), 2);
    world.get(&format!("{TARGET}/valve.txt")).await.error(404, "document_not_found");
    let headers = [("X-RAG-Document", "valve.txt")];
    world.chat("manual", "Valve?", &headers).await.error(404, "document_not_found");
    for id in [&first[0]["id"], &second[0]["id"]] {
        let headers = [("X-RAG-Document", id.as_str().expect("an id"))];
        assert_eq!(world.chat("manual", "Valve?", &headers).await.header("x-rag-hits"), Some("1"));
    }
    // The next one replaces both.
    send(&world, "wait=60&on_conflict=replace", &[("valve.txt", &version(3))]).await;
    assert_eq!(world.search("manual", "valve").await, [version(3)]);
    assert_eq!(listed(&world).await.len(), 1);
    let file = [("file", "valve.txt", &b"x"[..])];
    world.send_files(&format!("{TARGET}?on_conflict=overwrite"), &file).await.error(400, "invalid_query");
}

#[tokio::test]
async fn two_files_of_one_name_in_a_request_are_refused() {
    let world = World::start("").await;
    let twins =
        [("file", "a/readme.md", &b"The pump is red."[..]), ("file", "b/readme.md", b"The boat is blue.")];
    let message =
        world.send_files(&format!("{TARGET}?create=true"), &twins).await.error(400, "duplicate_name");
    assert!(message.contains("readme.md") && message.contains("on_conflict=keep"), "{message}");
    world.get("/v1/vector_stores/manual").await.error(404, "collection_not_found");
    let reply = world.send_files(&format!("{TARGET}?create=true&wait=60&on_conflict=keep"), &twins).await;
    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(2));
    let same = [("file", "c.md", &b"One."[..]), ("file", "c.md", b"One.")];
    let reply = world.send_files(&format!("{TARGET}?wait=60"), &same).await;
    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_name_is_found_however_its_accents_are_written() {
    let world = World::start("").await;
    send(&world, "wait=60", &[("relato\u{301}rio.txt", &version(1))]).await;
    for name in ["relat%C3%B3rio.txt", "relato%CC%81rio.txt"] {
        let reply = world.chat("manual", "Valve?", &[("X-RAG-Document", name)]).await;
        assert_eq!((reply.status, reply.header("x-rag-hits")), (200, Some("1")), "{name}");
        assert_eq!(world.get(&format!("{TARGET}/{name}")).await.json()["filename"], "relato\u{301}rio.txt");
    }
    let second = send(&world, "wait=60", &[("relat\u{f3}rio.txt", &version(2))]).await;
    assert!(second[0]["replaces"].is_string());
    assert_eq!(listed(&world).await.len(), 1);
}

/// OpenAI's own endpoints know nothing of versions.
#[tokio::test]
async fn files_that_are_attached_replace_nothing() {
    let world = World::start("").await;
    let first = send(&world, "wait=60", &[("valve.txt", &version(1))]).await;
    let second = version(2);
    let files = [("purpose", "", &b"assistants"[..]), ("file", "valve.txt", second.as_bytes())];
    let body = form("/v1/files", &files);
    let file = world.ask(body).await.json()["id"].as_str().expect("an id").to_owned();
    let attach = format!(r#"{{"file_id":"{file}"}}"#);
    assert_eq!(world.post("/v1/vector_stores/manual/files", &[], attach).await.status, 200);
    settled(&world).await;
    assert_eq!(world.search("manual", "valve").await.len(), 2);
    // What is uploaded takes the place of both, and the file that stands for itself stays.
    let third = send(&world, "wait=60", &[("valve.txt", &version(3))]).await;
    assert_eq!(third[0]["replaces"], file.as_str());
    assert_ne!(third[0]["replaces"], first[0]["id"]);
    assert_eq!(world.search("manual", "valve").await, [version(3)]);
    assert_eq!(world.get(&format!("/v1/files/{file}")).await.status, 200);
}

#[tokio::test]
async fn a_process_that_is_killed_in_between_loses_neither() {
    let (mut world, mut program) = World::program("").await;
    send(&world, "wait=60", &[("valve.txt", &version(0))]).await;
    for n in 1..6 {
        let long =
            format!("{}\n\n{}", version(n), "The keeper waits for the second bell. ".repeat(2_000 * (n % 3)));
        let sent = send(&world, "", &[("valve.txt", &long)]).await;
        assert_eq!(sent[0]["filename"], "valve.txt");
        if n % 2 == 0 {
            // Somewhere on the way.
            tokio::time::sleep(std::time::Duration::from_millis(20 * n as u64)).await;
        }
        drop(program);
        (world, program) = world.start_program("").await;
        let found = world.search("manual", "valve closed version").await;
        let versions = found.iter().filter(|text| text.contains("The valve is closed")).count();
        assert_eq!(versions, 1, "{found:?}");
        let all = settled(&world).await;
        assert_eq!((all.len(), &all[0]["status"]), (1, &"completed".into()), "{all:?}");
        let found = world.search("manual", "valve closed version").await;
        assert!(found.iter().any(|text| text.contains(&format!("version v{n}."))), "{found:?}");
    }
}

#[tokio::test]
async fn an_edited_file_of_a_folder_answers_until_its_new_version_does() {
    let write = |root: &std::path::Path, name: &str, text: &str| {
        std::fs::create_dir_all(root.join("manual")).expect("a folder");
        std::fs::write(root.join("manual").join(name), text).expect("a document");
    };
    let mut world = World::start_with("", |root| write(root, "valve.txt", &version(1))).await;
    super::folders::settled(&world, "manual", 1).await;
    let old = listed(&world).await[0].clone();
    assert_eq!(world.search("manual", "valve").await, [version(1)]);
    // Unreadable now: what was read before stays.
    write(&world.collections(), "valve.txt", "");
    world.restart("").await;
    let failed = eventually(|| async {
        let all = listed(&world).await;
        all.iter().find(|d| d["status"] == "failed").cloned()
    })
    .await;
    assert_eq!(failed["replaces"], old["id"]);
    assert_eq!(world.search("manual", "valve").await, [version(1)]);
    world.restart("").await;
    assert_eq!(world.search("manual", "valve").await, [version(1)]);
    // Mended, and a file with its old bytes beside it.
    write(&world.collections(), "valve.txt", &version(2));
    write(&world.collections(), "other.txt", "The boat is blue.");
    world.restart("").await;
    eventually(|| async { (world.search("manual", "valve").await == [version(2)]).then_some(()) }).await;
    eventually(|| async {
        let mut names: Vec<_> = settled(&world).await.iter().map(|d| d["filename"].clone()).collect();
        names.sort_by_key(|name| name.to_string());
        (names == ["other.txt", "valve.txt"]).then_some(())
    })
    .await;
}
