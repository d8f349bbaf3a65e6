//! The store is the truth: it outlives the process, and every index can be built from it again.

use std::path::{Path, PathBuf};

use lastro::access::Access;
use lastro::app::App;
use lastro::ingest::{LEASE, WORKER};
use lastro::store::OnConflict;

use super::folders::settled;
use super::world::{World, eventually, long_document};

/// A world with a document that a search is needed for.
async fn world() -> World {
    let world = World::start("window = 2000\npassages = 2").await;
    world
        .upload("manual", &[("station.md", &long_document(60)), ("gone.txt", "The lantern code is LX-9.")])
        .await;
    assert_eq!(world.delete("/v1/vector_stores/manual/documents/gone.txt").await.status, 200);
    world
}

/// The document answers, and what was deleted does not.
async fn assert_intact(world: &World) {
    let reply = world.chat("manual", "Which code do the rules for topic31 give?", &[]).await;
    assert_eq!(reply.header("x-rag-status"), Some("lexical"), "{}", reply.text());
    assert!(world.upstream.last().text().contains("CODE-31."));
    assert!(world.search("manual", "topic9").await.iter().any(|text| text.contains("CODE-9.")));
    assert!(world.search("manual", "lantern").await.is_empty());
    let list = world.get("/v1/vector_stores/manual/documents").await.json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{list}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn documents_survive_a_restart() {
    let mut world = world().await;
    world.restart("window = 2000\npassages = 2").await;
    assert_intact(&world).await;
}

#[tokio::test]
async fn indexes_may_be_deleted() {
    let mut world = world().await;
    world.stop().await;
    std::fs::remove_dir_all(world.data().join("indexes")).expect("the indexes are removed");
    world.run().await;
    assert_intact(&world).await;
}

#[tokio::test]
async fn damaged_indexes_are_rebuilt() {
    let mut world = world().await;
    let damages: [fn(&Path) -> std::io::Result<()>; 4] = [
        |file| std::fs::write(file, b"not what was written"),
        |file| std::fs::write(file, b""),
        |file| std::fs::remove_file(file),
        // One byte in the middle.
        |file| {
            let mut bytes = std::fs::read(file)?;
            let middle = bytes.len() / 2;
            bytes.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 0x55);
            std::fs::write(file, bytes)
        },
    ];
    for damage in damages {
        // All files at once, then each kind alone.
        for only in [None, Some("json"), Some("idx"), Some("store"), Some("term"), Some("fast")] {
            world.stop().await;
            // The last server's indexes are closed once its data folder is free.
            drop(world.open().await);
            for file in files_below(&world.data().join("indexes")) {
                if only.is_none_or(|kind| file.extension().is_some_and(|extension| extension == kind)) {
                    damage(&file).expect("the index is damaged");
                }
            }
            world.run().await;
            assert_intact(&world).await;
        }
    }
}

#[tokio::test]
async fn one_process_holds_the_data_folder() {
    let world = world().await;
    let error = match App::open(world.config()).await {
        Ok(_) => panic!("two have the folder"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("in use") && error.contains(&world.data().display().to_string()), "{error}");
    assert_intact(&world).await;
}

#[tokio::test]
async fn work_that_was_left_is_finished() {
    let mut world = World::prepared("").await;
    {
        // An app whose workers never run: what a crash right after the acknowledgement leaves.
        let app = world.open().await;
        let collection =
            app.catalog.find_or_create(&Access::everything(), "manual").await.expect("a collection");
        for n in 0..3 {
            let text = format!("The lantern code is LX-{n}.");
            let blob = app.store().blobs().stage(text.as_bytes()).await.expect("the bytes are staged");
            app.ingest
                .submit(&Access::everything(), &collection, (&format!("{n}.txt"), blob), OnConflict::Replace)
                .await
                .expect("the job is committed");
        }
        // One of them was taken by a worker that died.
        app.store().take_job(WORKER, LEASE).await.expect("a job").expect("there is one");
        // And an upload that was never committed.
        let mut upload = app.store().blobs().begin().await.expect("an upload begins");
        upload.write(b"half of").await.expect("it is written");
        std::mem::forget(upload);
    }
    world.run().await;
    let documents = settled(&world, "manual", 3).await;
    assert!(documents.iter().all(|(_, status)| status == "completed"), "{documents:?}");
    eventually(|| async { (world.search("manual", "lantern").await.len() == 3).then_some(()) }).await;
    assert_eq!(files_below(&world.data().join("staging")), Vec::<PathBuf>::new());
    let blobs = files_below(&world.data().join("blobs"));
    assert_eq!(blobs.iter().filter(|path| !path.ends_with("belongs-to")).count(), 3);
}
