//! Documents: uploaded, read, listed, found, deleted. Whatever is sent, the server goes on.

use super::world::{Request, World, eventually, form, question_body};

const UPLOAD: &str = "/v1/vector_stores/manual/documents?create=true&wait=60";

#[tokio::test]
async fn files_are_uploaded_together_and_known_by_id_and_name() {
    let world = World::start("").await;
    let files: &[(&str, &str, &[u8])] = &[
        ("file", "a.txt", b"The first pump is red."),
        ("files", "b.md", b"# Pumps\n\nThe second pump is green."),
        ("file[]", "c.html", b"<html><body><p>The third pump is blue.</p></body></html>"),
        ("files[]", "d.json", b"{\"fourth\": \"pump\"}"),
    ];
    let reply = world.send_files(UPLOAD, files).await.json();
    assert_eq!(reply["object"], "list");
    let documents = reply["data"].as_array().expect("a list");
    assert_eq!(documents.len(), 4);
    for ((_, name, bytes), document) in files.iter().zip(documents) {
        assert_eq!(document["filename"], *name);
        assert_eq!(
            (&document["status"], &document["last_error"]),
            (&"completed".into(), &serde_json::Value::Null)
        );
        assert_eq!(document["bytes"], bytes.len());
        assert!(document["chunks"].as_u64() > Some(0), "{document}");
        for key in [document["id"].as_str().expect("an id"), name] {
            let one = world.get(&format!("/v1/vector_stores/manual/documents/{key}")).await;
            assert_eq!(one.json(), *document);
        }
    }
    let store = world.get("/v1/vector_stores/manual").await.json();
    assert_eq!((&store["object"], &store["name"]), (&"vector_store".into(), &"manual".into()));
    assert_eq!((&store["file_counts"]["completed"], &store["file_counts"]["total"]), (&4.into(), &4.into()));
    assert_eq!(store["usage_bytes"], files.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>());
}

/// Whoever waited for a document can search for it.
#[tokio::test]
async fn completed_means_found() {
    let world = World::start("").await;
    for n in 0..10 {
        world.upload("manual", &[("a.txt", &format!("The word of the day is lantern{n}."))]).await;
        assert_eq!(world.search("manual", &format!("lantern{n}")).await.len(), 1, "document {n}");
    }
}

#[tokio::test]
async fn the_same_bytes_twice_are_one_document() {
    let world = World::start("").await;
    let first =
        world.upload("manual", &[("a.txt", "The pump is red."), ("copy.txt", "The pump is red.")]).await;
    let second = world.upload("manual", &[("again.txt", "The pump is red.")]).await;
    assert_eq!(first, second);
    assert_eq!(world.search("manual", "red pump").await.len(), 1);
    // In another collection they are another document, and outlive the first.
    let other = world.upload("other", &[("a.txt", "The pump is red.")]).await;
    assert_ne!(first[0]["id"], other[0]["id"]);
    assert_eq!(world.delete("/v1/vector_stores/manual").await.status, 200);
    let reply = world.chat("other", "Which pump is red?", &[]).await;
    assert_eq!(reply.header("x-rag-hits"), Some("1"));
}

#[tokio::test]
async fn names_are_only_names() {
    let world = World::start("").await;
    let files: &[(&str, &str, &[u8])] = &[
        ("file", "../../../etc/passwd", b"One."),
        ("file", "C:\\temp\\relat\u{f3}rio.txt", b"Two."),
        ("file", "..", b"Three."),
        ("file", "a\tb.txt", b"Four."),
    ];
    let reply = world.send_files(UPLOAD, files).await.json();
    let names: Vec<_> =
        reply["data"].as_array().expect("a list").iter().map(|d| d["filename"].clone()).collect();
    assert_eq!(names, ["passwd", "relat\u{f3}rio.txt", "document", "ab.txt"]);
    assert!(!world.data().join("etc").exists());
}

#[tokio::test]
async fn files_that_cannot_be_read_fail_with_a_reason() {
    let world = World::start("").await;
    let cases: &[(&str, &[u8], &str, &str)] = &[
        ("empty.txt", b"", "empty_file", "empty"),
        ("photo.pdf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "unsupported_file", "PNG"),
        ("noise.pdf", b"\x01\x02\x03\x00\x00\x00\x07\x08\x00\x00\x01", "damaged_file", "not a PDF"),
        ("tool.txt", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", "unsupported_file", "program"),
        ("blank.md", b"   \n\n  ", "", ""),
    ];
    let files: Vec<_> = cases.iter().map(|(name, bytes, _, _)| ("file", *name, *bytes)).collect();
    let reply = world.send_files(UPLOAD, &files).await.json();
    for (n, (name, _, code, words)) in cases.iter().enumerate() {
        let document = &reply["data"][n];
        assert_eq!(
            (&document["filename"], &document["status"]),
            (&(*name).into(), &"failed".into()),
            "{reply}"
        );
        let error = &document["last_error"];
        assert!(code.is_empty() || error["code"] == *code, "{name}: {error}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(words) && message.len() > 20, "{name}: {message}");
        assert!(!message.contains(&world.data().display().to_string()), "{name}: {message}");
    }
    let counts = world.get("/v1/vector_stores/manual").await.json()["file_counts"].clone();
    assert_eq!((&counts["failed"], &counts["completed"]), (&5.into(), &0.into()));
    // What is failed is tried anew when it is sent again, and the rest goes on.
    let again = world.send_files(UPLOAD, &files[..1]).await.json();
    assert_eq!(again["data"][0]["status"], "failed");
    world.upload("manual", &[("good.txt", "The pump is red.")]).await;
    assert_eq!(world.chat("manual", "Which pump?", &[]).await.header("x-rag-status"), Some("hit"));
}

#[tokio::test]
async fn a_file_is_what_it_holds_not_what_it_is_called() {
    let world = World::start("").await;
    let page = b"<!DOCTYPE html><title>T</title><body><p>The pump is red.</p><script>evil()</script></body>";
    let files: &[(&str, &str, &[u8])] = &[("file", "page.pdf", page), ("file", "words.docx", b"Just words.")];
    let reply = world.send_files(UPLOAD, files).await.json();
    assert_eq!(
        (&reply["data"][0]["status"], &reply["data"][1]["status"]),
        (&"completed".into(), &"completed".into())
    );
    world.chat("manual", "Which pump?", &[]).await;
    let sent = world.upstream.last().text();
    assert!(sent.contains("The pump is red.") && !sent.contains("evil()"), "{sent}");
}

/// The originals on disk.
fn blobs(world: &World) -> usize {
    let entries = std::fs::read_dir(world.data().join("blobs")).expect("the folder of originals");
    let folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    folders.map(|folder| std::fs::read_dir(folder).expect("a folder").count()).sum()
}

#[tokio::test]
async fn what_is_deleted_is_gone_everywhere() {
    let world = World::start("").await;
    let documents = world
        .upload("manual", &[("a.txt", "The code of the pump is KX-1."), ("b.txt", "The boat is blue.")])
        .await;
    assert_eq!(blobs(&world), 2);
    let id = documents[0]["id"].as_str().expect("an id");
    let target = format!("/v1/vector_stores/manual/documents/{id}");
    let reply = world.delete(&target).await;
    assert_eq!(
        reply.json(),
        serde_json::json!({ "id": id, "object": "vector_store.document.deleted", "deleted": true })
    );
    assert!(world.search("manual", "code of the pump").await.is_empty());
    for headers in [&[][..], &[("X-RAG-K", "5")]] {
        world.chat("manual", "What is the code of the pump?", headers).await;
        assert!(!world.upstream.last().text().contains("KX-1"));
    }
    world.get(&target).await.error(404, "document_not_found");
    world.delete(&target).await.error(404, "document_not_found");
    assert_eq!(blobs(&world), 1);
    // The whole collection.
    assert_eq!(world.delete("/v1/vector_stores/manual").await.json()["deleted"], true);
    world.chat("manual", "Which boat?", &[]).await.error(404, "collection_not_found");
    assert_eq!(blobs(&world), 0);
    let indexes = std::fs::read_dir(world.data().join("indexes")).expect("the folder of indexes");
    let names: Vec<_> = indexes.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["belongs-to"]);
    // A new one of that name begins empty.
    world.upload("manual", &[("c.txt", "Nothing of the kind.")]).await;
    assert!(world.search("manual", "boat").await.is_empty());
}

#[tokio::test]
async fn a_document_deleted_while_it_is_read_does_not_come_back() {
    let world = World::start("").await;
    let text = "The lantern is lit at dusk. ".repeat(20_000);
    for n in 0..4 {
        let text = format!("{n} {text}");
        let target = "/v1/vector_stores/manual/documents?create=true";
        let reply = world.send_files(target, &[("file", "long.txt", text.as_bytes())]).await.json();
        assert_eq!(reply["data"][0]["status"], "in_progress", "it was read before it could be deleted");
        let id = reply["data"][0]["id"].as_str().expect("an id").to_owned();
        let reply = world.delete(&format!("/v1/vector_stores/manual/documents/{id}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    // The workers take jobs in order: once this is done, so are they.
    world.upload("manual", &[("after.txt", "The boat is blue."), ("later.txt", "The buoy is red.")]).await;
    let list = world.get("/v1/vector_stores/manual/documents").await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2), "{list}");
    assert!(world.search("manual", "lantern dusk").await.is_empty());
    eventually(|| async { (blobs(&world) == 2).then_some(()) }).await;
}

#[tokio::test]
async fn uploads_that_cannot_be_taken_say_why() {
    let world = World::start("max_file_mib = 1\nmax_body_mib = 1").await;
    world.upload("manual", &[("a.txt", "The pump is red.")]).await;
    let plain = "/v1/vector_stores/manual/documents";
    let large = vec![b'a'; (1 << 20) + 1];
    let multipart = ("Content-Type", "multipart/form-data; boundary=limit");
    let broken =
        b"--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf".to_vec();
    let cases: Vec<(&str, Request, u16, &str)> = vec![
        ("too large", form(plain, &[("file", "large.txt", &large)]), 413, "too_large"),
        (
            "missing",
            form("/v1/vector_stores/nowhere/documents", &[("file", "a", b"a")]),
            404,
            "collection_not_found",
        ),
        ("no form", Request::new("POST", plain).json("{}"), 400, "invalid_body"),
        ("no type", Request::new("POST", plain).body("words"), 400, "invalid_body"),
        ("no file", form(plain, &[]), 400, "no_file"),
        ("purpose alone", form(plain, &[("purpose", "", b"assistants")]), 400, "no_file"),
        ("unknown field", form(plain, &[("file", "b", b"b"), ("chunking", "", b"1")]), 400, "unknown_field"),
        ("half", Request::new("POST", plain).headers(&[multipart]).body(broken), 400, "broken_body"),
        (
            "name",
            form("/v1/vector_stores/bad%20name/documents?create=true", &[("file", "a", b"a")]),
            400,
            "invalid_name",
        ),
        (
            "wait",
            form("/v1/vector_stores/manual/documents?wait=soon", &[("file", "a", b"a")]),
            400,
            "invalid_query",
        ),
        (
            "long wait",
            form("/v1/vector_stores/manual/documents?wait=1e9", &[("file", "a", b"a")]),
            400,
            "invalid_query",
        ),
    ];
    for (name, request, status, code) in cases {
        let reply = world.ask(request).await;
        let message = reply.error(status, code);
        assert!(message.len() > 15, "{name}: {message}");
        // Nothing of it was stored, and the server goes on.
        let list = world.get(plain).await.json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{name}: {list}");
    }
    assert_eq!(std::fs::read_dir(world.data().join("staging")).map_or(0, Iterator::count), 0);
    let long = question_body(&"a".repeat(1 << 20));
    world.post("/v1/chat/completions", &[], long).await.error(413, "too_large");
    assert_eq!(world.chat("manual", "Which pump?", &[]).await.header("x-rag-status"), Some("hit"));
}

#[tokio::test]
async fn many_who_upload_the_same_at_once_make_one_document() {
    let world = World::start("").await;
    let uploads = (0..12).map(|n| {
        let name = format!("{n}.txt");
        let world = &world;
        async move { world.send_files(UPLOAD, &[("file", &name, b"The pump is red.")]).await }
    });
    let replies = futures_util::future::join_all(uploads).await;
    let first = replies[0].json()["data"][0].clone();
    assert_eq!(first["status"], "completed", "{}", replies[0].text());
    assert!(replies.iter().all(|reply| reply.json()["data"][0] == first));
    let stores = world.get("/v1/vector_stores").await.json();
    assert_eq!(stores["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(stores["data"][0]["file_counts"]["total"], 1);
    assert_eq!(world.search("manual", "pump").await.len(), 1);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let world = World::start("").await;
    let head = "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n";
    let multipart = ("Content-Type", "multipart/form-data; boundary=limit");
    let request = Request::new("POST", UPLOAD).headers(&[multipart]).chunked();
    let mut broken = request.open(world.address).await;
    broken.write(format!("{:x}\r\n{head}\r\n4\r\nhalf\r\n", head.len()).as_bytes()).await;
    let staged = || std::fs::read_dir(world.data().join("staging")).map_or(0, Iterator::count);
    eventually(|| async { (staged() == 1).then_some(()) }).await;
    drop(broken);
    eventually(|| async { (staged() == 0).then_some(()) }).await;
    world.get("/v1/vector_stores/manual").await.error(404, "collection_not_found");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let world = World::start("").await;
    for (target, kind, body) in [
        (
            UPLOAD,
            "multipart/form-data; boundary=limit",
            "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nThe pump is red.\r\n--limit--\r\n",
        ),
        ("/v1/chat/completions", "application/json", "{}"),
        ("/v1/embeddings", "application/json", "{}"),
    ] {
        let headers = [("Content-Type", kind), ("Expect", "100-continue")];
        let mut exchange = Request::new("POST", target).headers(&headers).chunked().open(world.address).await;
        assert!(exchange.try_any_head().await, "{target}: the connection was closed");
        assert_eq!(exchange.status, 100, "{target}");
        exchange.write(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes()).await;
        exchange.read_head().await;
        assert_eq!(exchange.reply().await.status, 200, "{target}");
    }
    assert!(world.upstream.requests().iter().all(|request| request.header("expect").is_none()));
}
