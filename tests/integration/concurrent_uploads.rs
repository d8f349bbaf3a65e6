//! One file from many at once, and a client that leaves in the middle of its upload.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::world::{Request, World, eventually, form, within};

const AT_ONCE: usize = 20;

/// Files below a folder of the data folder.
fn files(world: &World, folder: &str) -> usize {
    fn below(folder: &std::path::Path) -> usize {
        let entries =
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        // Beside the originals lies which database they belong to.
        let counted = |path: std::path::PathBuf| usize::from(!path.ends_with("belongs-to"));
        entries.map(|path| if path.is_dir() { below(&path) } else { counted(path) }).sum()
    }
    below(&world.data().join(folder))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_file_from_many_at_once_is_one_document() {
    let world = World::start("").await;
    // Into a collection that none of them found, and into one that was there.
    for round in 0..3 {
        let text = format!("The lantern of round {round} is green.");
        let target = "/v1/vector_stores/manual/documents?create=true&wait=60";
        let request = Arc::new(form(target, &[("file", &format!("lantern{round}.txt"), text.as_bytes())]));
        let mut uploads = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (request, address) = (request.clone(), world.address);
            uploads.spawn(async move { request.send(address).await.reply().await });
        }
        let mut ids = BTreeSet::new();
        for reply in within(uploads.join_all()).await {
            assert_eq!(reply.status, 200, "{}", reply.text());
            let documents = reply.json()["data"].as_array().expect("a list").clone();
            assert_eq!(documents.len(), 1);
            assert_eq!(documents[0]["status"], "completed");
            ids.insert(documents[0]["id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(ids.len(), 1, "{ids:?}");
        let list = world.get("/v1/vector_stores/manual/documents").await.json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(round + 1), "{list}");
        assert_eq!(world.search("manual", &text).await.iter().filter(|found| **found == text).count(), 1);
        assert_eq!((files(&world, "blobs"), files(&world, "staging")), (round + 1, 0));
    }
    let stores = world.get("/v1/vector_stores").await.json();
    assert_eq!(stores["data"].as_array().map(Vec::len), Some(1), "{stores}");
}

#[tokio::test]
async fn nothing_stays_of_a_client_that_leaves_in_the_middle() {
    let world = World::start("").await;
    world.upload("manual", &[("valve.txt", "The valve is closed at noon.")]).await;
    let head = b"--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n";
    for (target, chunked) in
        [("/v1/vector_stores/manual/documents", false), ("/v1/files", false), ("/v1/files", true)]
    {
        let request =
            Request::new("POST", target).header("Content-Type", "multipart/form-data; boundary=limit");
        let request = if chunked { request.chunked() } else { request.announced(1 << 20) };
        let half = [&head[..], &vec![b'a'; 300_000]].concat();
        let mut upload = request.open(world.address).await;
        let bytes = if chunked { super::world::upstream::chunk(&half) } else { half };
        upload.write(&bytes).await;
        eventually(|| async { (files(&world, "staging") == 1).then_some(()) }).await;
        drop(upload);
        eventually(|| async { (files(&world, "staging") == 0).then_some(()) }).await;
    }
    assert_eq!(files(&world, "blobs"), 1);
    assert_eq!(world.get("/v1/files").await.json()["data"].as_array().map(Vec::len), Some(1));
    // Its page is loaded again, and the same file comes whole.
    world.upload("manual", &[("a.txt", "The lamp is lit at dusk.")]).await;
    assert_eq!(world.search("manual", "lamp").await.len(), 1);
}
