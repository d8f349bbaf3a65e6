//! Copies of the database, of the originals and of the indexes that are put back, in any order: nothing is lost, no index
//! names other text, and the doctor says what is missing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::doctor::doctor;
use super::world::program::Program;
use super::world::{World, eventually};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let place = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &place) } else { fs::copy(&path, place).map(|_| ()).expect("copied") }
    }
}

/// Puts parts of a copy of the data folder in the place of what is there.
fn restore(kept: &Path, world: &World, parts: &[&str]) {
    for part in parts {
        let (from, to) = (kept.join(part), world.data().join(part));
        if from.is_dir() {
            fs::remove_dir_all(&to).expect("removed");
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("restored");
        }
    }
}

fn originals(world: &World) -> Vec<PathBuf> {
    let folders = fs::read_dir(world.data().join("blobs")).expect("the originals");
    let folders = folders.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    folders
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"))
        .map(|e| e.expect("an entry").path())
        .collect()
}

fn trash(world: &World) -> usize {
    fs::read_dir(world.data().join("trash")).map_or(0, Iterator::count)
}

async fn stop(program: Program) {
    program.terminate().await;
    assert!(program.ended().await.success());
}

async fn upload(world: &World, name: &str) -> Value {
    let text = format!("The {name} is kept in the {name} room of the tower.");
    world.upload("manual", &[(&format!("{name}.txt"), &text)]).await.remove(0)
}

/// What a search for each of these words finds: its own document, or nothing.
async fn assert_finds(world: &World, there: &[&str], gone: &[&str]) {
    for name in there {
        let found = world.search("manual", name).await;
        assert!(found.iter().any(|text| text.contains(&format!("The {name} "))), "{name}: {found:?}");
    }
    for name in gone {
        assert_eq!(world.search("manual", name).await, Vec::<String>::new(), "{name}");
    }
}

/// A data folder after `anchor` and `beacon`, and as it is after `beacon` was deleted and `compass` came.
async fn two_states(world: World) -> (World, tempfile::TempDir, tempfile::TempDir) {
    let (world, program) = world.start_program("").await;
    upload(&world, "anchor").await;
    let beacon = upload(&world, "beacon").await;
    stop(program).await;
    let older = tempfile::tempdir().expect("a folder");
    copy(&world.data(), older.path());
    let (world, program) = world.start_program("").await;
    let target = format!("/v1/vector_stores/manual/documents/{}", beacon["id"].as_str().expect("an id"));
    assert_eq!(world.delete(&target).await.status, 200);
    upload(&world, "compass").await;
    stop(program).await;
    let newer = tempfile::tempdir().expect("a folder");
    copy(&world.data(), newer.path());
    assert_eq!((originals(&world).len(), trash(&world)), (2, 0));
    (world, older, newer)
}

#[tokio::test]
async fn the_database_alone_and_forward_again() {
    let (world, older, newer) = two_states(World::prepared("").await).await;
    restore(older.path(), &world, &["lastro.sqlite3"]);
    let (world, program) = world.start_program("").await;
    assert_finds(&world, &["anchor", "beacon"], &["compass"]).await;
    // Its chunk gets the number that the compass had in the time that was lost.
    upload(&world, "drum").await;
    assert_finds(&world, &["anchor", "beacon", "drum"], &["compass"]).await;
    let (well, text) = doctor(&world, &[]).await;
    assert!(!well && text.contains("fail  originals: 1 of 3 are missing: beacon.txt"), "{text}");
    assert!(text.contains("warn  originals: database and blobs do not belong together"), "{text}");
    assert_eq!((originals(&world).len(), trash(&world)), (3, 0), "the compass is still there");
    stop(program).await;

    restore(newer.path(), &world, &["lastro.sqlite3"]);
    let (world, program) = world.start_program("").await;
    assert_finds(&world, &["anchor", "compass"], &["beacon", "drum"]).await;
    assert_eq!((originals(&world).len(), trash(&world)), (3, 0), "and now the drum is");
    upload(&world, "drum").await;
    assert_finds(&world, &["anchor", "compass", "drum"], &["beacon"]).await;
    stop(program).await;
    let (world, program) = world.start_program("").await;
    eventually(|| async {
        let (well, text) = doctor(&world, &[]).await;
        (well && text.contains("ok    originals: all 3 are there")).then_some(())
    })
    .await;
    assert_eq!((originals(&world).len(), trash(&world)), (3, 0));
    drop(program);
}

#[tokio::test]
async fn originals_without_a_database_are_told_of_before_a_start() {
    let (world, program) = World::prepared("").await.start_program("").await;
    upload(&world, "anchor").await;
    stop(program).await;
    for name in ["lastro.sqlite3", "lastro.sqlite3-wal", "lastro.sqlite3-shm"] {
        let _not_there = fs::remove_file(world.data().join(name));
    }
    let (well, text) = doctor(&world, &[]).await;
    assert!(!well && text.contains("fail  store: there is no database"), "{text}");
    assert!(text.contains("1 originals") && !text.contains("nothing was uploaded"), "{text}");
    assert_eq!(originals(&world).len(), 1);
}

#[tokio::test]
async fn the_originals_alone_and_then_the_database() {
    let (world, older, _newer) = two_states(World::prepared("").await).await;
    restore(older.path(), &world, &["blobs"]);
    let (world, program) = world.start_program("").await;
    assert_finds(&world, &["anchor", "compass"], &["beacon"]).await;
    eventually(|| async { (trash(&world) == 1).then_some(()) }).await;
    let (well, text) = doctor(&world, &[]).await;
    assert!(!well && text.contains("1 of 2 are missing, 1 in the trash"), "{text}");
    assert!(text.contains("compass.txt"), "{text}");
    stop(program).await;
    restore(older.path(), &world, &["lastro.sqlite3"]);
    let (world, program) = world.start_program("").await;
    assert_finds(&world, &["anchor", "beacon"], &["compass"]).await;
    assert_eq!((originals(&world).len(), trash(&world)), (2, 0), "the beacon is back from the trash");
    stop(program).await;
    let (well, text) = doctor(&world, &[]).await;
    assert!(well && text.contains("ok    originals: all 2 are there"), "{text}");
}

#[tokio::test]
async fn database_and_originals_while_the_indexes_stay() {
    let (mut world, older, newer) = two_states(World::prepared("").await).await;
    for (kept, there, gone) in [(&older, "beacon", "compass"), (&newer, "compass", "beacon")] {
        restore(kept.path(), &world, &["lastro.sqlite3", "blobs"]);
        let (running, program) = world.start_program("").await;
        assert_finds(&running, &["anchor", there], &[gone]).await;
        // The numbers of the lost time come again.
        for name in ["drum", "engine", "ferry"] {
            upload(&running, name).await;
        }
        assert_finds(&running, &["anchor", there, "drum", "engine", "ferry"], &[gone]).await;
        assert_eq!((originals(&running).len(), trash(&running)), (5, 0));
        stop(program).await;
        world = running;
    }
}

/// Indexes of a later time beside an older database.
#[tokio::test]
async fn the_indexes_alone() {
    let (world, older, newer) = two_states(World::prepared("").await).await;
    restore(older.path(), &world, &["indexes"]);
    let (world, program) = world.start_program("").await;
    assert_finds(&world, &["anchor", "compass"], &["beacon"]).await;
    stop(program).await;
    restore(older.path(), &world, &["lastro.sqlite3", "blobs"]);
    restore(newer.path(), &world, &["indexes"]);
    let (world, program) = world.start_program("").await;
    upload(&world, "drum").await;
    assert_finds(&world, &["anchor", "beacon", "drum"], &["compass"]).await;
    drop(program);
}

#[tokio::test]
async fn a_database_that_is_missing_at_one_start() {
    let (world, _older, newer) = two_states(World::prepared("").await).await;
    fs::remove_file(world.data().join("lastro.sqlite3")).expect("removed");
    let (world, program) = world.start_program("").await;
    upload(&world, "drum").await;
    assert_finds(&world, &["drum"], &["anchor", "compass"]).await;
    let (_, text) = doctor(&world, &[]).await;
    assert!(text.contains("do not belong together") && text.contains("2 ("), "{text}");
    stop(program).await;
    assert_eq!((originals(&world).len(), trash(&world)), (3, 0));
    restore(newer.path(), &world, &["lastro.sqlite3"]);
    let (world, program) = world.start_program("").await;
    assert_finds(&world, &["anchor", "compass"], &["drum"]).await;
    assert_eq!((originals(&world).len(), trash(&world)), (3, 0));
    drop(program);
}
