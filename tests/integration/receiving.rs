//! An upload that could not be kept is refused before it is received, or while it is, and not once it is on the disk.

use std::time::Duration;

use lastro::config::Config;
use serde_json::json;

use super::world::upstream::chunk;
use super::world::{Request, Response, World, eventually, form, within};

const HEAD: &[u8] = b"--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n";
const MIB: usize = 1 << 20;

fn staged(world: &World) -> (usize, u64) {
    let entries = std::fs::read_dir(world.data().join("staging")).expect("a folder");
    let sizes: Vec<u64> = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).collect();
    (sizes.len(), sizes.iter().sum())
}

async fn nothing_stays(world: &World) {
    eventually(|| async { (staged(world).0 == 0).then_some(()) }).await;
}

fn upload(target: &str, key: &str) -> Request {
    Request::new("POST", target).header("Content-Type", "multipart/form-data; boundary=limit").key(key)
}

/// Sends many times what a key or a collection may hold here, until nobody takes it any more.
async fn sends_too_much(world: &World, sending: &mut Response) {
    for _ in 0..200 {
        if sending.try_write(&chunk(&[b'x'; 100_000])).await.is_err() {
            break;
        }
        assert!(staged(world).1 <= MIB as u64, "more is on the disk than may be held");
    }
}

/// A key that may hold a MiB and three documents, and its collection.
async fn with_key() -> (World, String) {
    let world = World::start("").await;
    let key = small_key(&world).await;
    (world, key)
}

async fn small_key(world: &World) -> String {
    let wanted = json!({
        "name": "small", "scopes": ["chat", "ingest"], "limits": { "max_bytes": MIB, "max_documents": 3 }
    });
    let (_, key) = world.key(wanted).await;
    let reply = world.ask(form_of(&key, "manual", &[("a.txt", &[b'a'; 1_000])])).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    key
}

/// No file is read: there is nothing to read it with.
fn nothing_is_read(config: &mut Config) {
    config.ingest.parser.program = config.data.with_file_name("nosuch");
    config.ingest.pauses = vec![Duration::from_secs(600); 3];
}

fn form_of(key: &str, collection: &str, files: &[(&str, &[u8])]) -> Request {
    let files: Vec<_> = files.iter().map(|(name, bytes)| ("file", *name, *bytes)).collect();
    form(&format!("/v1/vector_stores/{collection}/documents?create=true"), &files).key(key)
}

#[tokio::test]
async fn an_upload_that_says_it_is_too_large_is_refused_before_it_comes() {
    let (world, key) = with_key().await;
    for target in
        ["/v1/vector_stores/manual/documents", "/v1/vector_stores/other/documents?create=true", "/v1/files"]
    {
        // Not a byte of it is sent.
        let reply = upload(target, &key).announced(40 * MIB).send(world.address).await.reply().await;
        let message = reply.error(403, "quota_exceeded");
        assert!(message.contains("this key"), "{message}");
        assert_eq!(staged(&world).0, 0, "{target}");
        // As much as no disk has.
        let reply =
            upload(target, &world.local_key).announced(1 << 60).send(world.address).await.reply().await;
        reply.error(507, "disk_full");
    }
}

#[tokio::test]
async fn an_upload_of_unknown_length_is_refused_as_soon_as_it_is_too_much() {
    let (world, key) = with_key().await;
    for target in ["/v1/vector_stores/manual/documents", "/v1/files"] {
        let mut sending = upload(target, &key).chunked().open(world.address).await;
        sending.write(&chunk(HEAD)).await;
        sends_too_much(&world, &mut sending).await;
        nothing_stays(&world).await;
        let file: &[(&str, &str, &[u8])] = &[("purpose", "", b"assistants"), ("file", "b.txt", &[b'b'; MIB])];
        let reply = world.ask(form(target, file).key(&key)).await;
        reply.error(403, "quota_exceeded");
    }
    nothing_stays(&world).await;
}

/// What may be in any one collection holds for one that is yet to be made, and nothing is made where it is too much.
#[tokio::test]
async fn an_upload_that_makes_its_collection_is_refused_as_early() {
    let world = World::start("collection_mib = 1\ncollection_documents = 2").await;
    let target = "/v1/vector_stores/new/documents?create=true";
    let key = &world.local_key;
    let reply = upload(target, key).announced(40 * MIB).send(world.address).await.reply().await;
    let message = reply.error(403, "quota_exceeded");
    assert!(message.contains("this collection"), "{message}");
    assert_eq!(staged(&world).0, 0);
    let mut sending = upload(target, key).chunked().open(world.address).await;
    sending.write(&chunk(HEAD)).await;
    sends_too_much(&world, &mut sending).await;
    nothing_stays(&world).await;
    let message = world
        .ask(form_of(key, "new", &[("1.txt", b"one"), ("2.txt", b"two"), ("3.txt", b"three")]))
        .await
        .error(403, "quota_exceeded");
    assert!(message.contains("2 documents"), "{message}");
    let found = world.ask(Request::new("GET", "/v1/vector_stores").key(key)).await.json();
    assert_eq!(found["data"], json!([]), "a collection was made for what it may not hold");
    assert_eq!(world.ask(form_of(key, "new", &[("1.txt", b"one"), ("2.txt", b"two")])).await.status, 200);
}

#[tokio::test]
async fn files_of_one_request_count_together() {
    let (world, key) = with_key().await;
    let (half, more) = (vec![b'h'; MIB / 2], vec![b'm'; MIB / 2]);
    world
        .ask(form_of(&key, "manual", &[("h.txt", &half), ("m.txt", &more)]))
        .await
        .error(403, "quota_exceeded");
    let small: Vec<(String, Vec<u8>)> = (0..4).map(|n| (format!("{n}.txt"), vec![b'0' + n; 10])).collect();
    let small: Vec<(&str, &[u8])> = small.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    let message = world.ask(form_of(&key, "manual", &small)).await.error(403, "quota_exceeded");
    assert!(message.contains("3 documents"), "{message}");
    nothing_stays(&world).await;
    assert_eq!(world.ask(form_of(&key, "manual", &[("h.txt", &half)])).await.status, 200);
}

#[tokio::test]
async fn uploads_at_the_same_time_count_together() {
    let (world, key) = with_key().await;
    let target = "/v1/vector_stores/manual/documents";
    let mut first = upload(target, &key).chunked().open(world.address).await;
    let most = vec![b'x'; MIB * 3 / 4];
    first.write(&chunk(&[HEAD, &most].concat())).await;
    eventually(|| async { (staged(&world).1 >= MIB as u64 / 2).then_some(()) }).await;
    let second = form(target, &[("file", "b.txt", &most)]).key(&key);
    world.ask(second.clone()).await.error(403, "quota_exceeded");
    // Another's do not count, and this one's no more once it is over.
    assert_eq!(world.ask(form(target, &[("file", "c.txt", &most)]).key(&world.local_key)).await.status, 200);
    drop(first);
    nothing_stays(&world).await;
    let taken =
        eventually(|| async { Some(world.ask(second.clone()).await).filter(|reply| reply.status == 200) });
    within(taken).await;
}

/// Who waits for a document to be read holds no room beside what it takes in the store.
#[tokio::test]
async fn an_upload_that_waits_counts_once() {
    let mut world = World::prepared("").await;
    world.adjust(nothing_is_read);
    world.run().await;
    let key = small_key(&world).await;
    let target = "/v1/vector_stores/manual/documents";
    let more = vec![b'm'; MIB * 5 / 8];
    let waits = form(&format!("{target}?wait=600"), &[("file", "m.txt", &more)]).key(&key);
    let waiting = waits.open(world.address).await;
    let listed = || async {
        let documents = world.ask(Request::new("GET", target).key(&key)).await.json();
        (documents["data"].as_array()?.len() == 2).then_some(())
    };
    eventually(listed).await;
    let less = vec![b'l'; MIB / 4];
    let second = form(target, &[("file", "l.txt", &less)]).key(&key);
    // While the first still waits.
    eventually(|| async { Some(world.ask(second.clone()).await).filter(|reply| reply.status == 200) }).await;
    drop(waiting);
}

/// What makes room for itself is taken: the same once more, and a new version.
#[tokio::test]
async fn a_full_quota_lets_versions_come() {
    let (world, key) = with_key().await;
    let full = |letter: u8| vec![letter; MIB - 2_000];
    for letter in [b'f', b'f', b'g'] {
        let reply = world.ask(form_of(&key, "manual", &[("full.txt", &full(letter))])).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    world.ask(form_of(&key, "manual", &[("more.txt", &full(b'h'))])).await.error(403, "quota_exceeded");
}

#[tokio::test]
async fn fields_beside_the_files_are_short() {
    let (world, key) = with_key().await;
    for target in ["/v1/vector_stores/manual/documents", "/v1/files"] {
        let long = vec![b'p'; 5_000];
        world.ask(form(target, &[("purpose", "", &long)]).key(&key)).await.error(400, "invalid_value");
        let twice: &[(&str, &str, &[u8])] = &[("purpose", "", b"assistants"), ("purpose", "", b"assistants")];
        world.ask(form(target, twice).key(&key)).await.error(400, "invalid_value");
    }
    nothing_stays(&world).await;
}
