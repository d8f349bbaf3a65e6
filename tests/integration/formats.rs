//! Data folders of other format versions.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use lastro::app::App;
use tokio::process::Command;

use super::world::{World, within};

fn database(world: &World) -> rusqlite::Connection {
    rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the database")
}

/// Everything in a folder but the lock, by path.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(content(&path));
        } else if !path.ends_with("lock") {
            found.insert(path.display().to_string(), std::fs::read(&path).expect("a file"));
        }
    }
    found
}

async fn serve(world: &World) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(world.data());
    within(command.current_dir(world.collections()).kill_on_drop(true).output()).await.expect("it runs")
}

#[tokio::test]
async fn a_newer_one_is_refused_and_stays_as_it_is() {
    let mut world = World::with_manual("").await;
    world.stop().await;
    drop(world.open().await);
    let newer = database(&world);
    let version: i64 = newer.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version");
    newer.pragma_update(None, "user_version", 99).expect("it is changed");
    newer.pragma_update(None, "wal_checkpoint", "TRUNCATE").expect("it is written");
    drop(newer);
    // What an upload left that was broken off.
    std::fs::write(world.data().join("staging/half"), b"half").expect("a file");
    let before = content(&world.data());
    let refused = serve(&world).await;
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8(refused.stderr).expect("text");
    for says in ["format version 99", "newer lastro", "--data"] {
        assert!(message.contains(says), "{message}");
    }
    let after = content(&world.data());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    assert!(before == after, "nothing was changed");
    // The newer one goes on with it.
    database(&world).pragma_update(None, "user_version", version).expect("it is changed");
    world.run().await;
    assert_eq!(world.search("manual", "valve").await.len(), 1);
}

#[tokio::test]
async fn one_that_cannot_be_read_says_so() {
    let world = World::prepared("").await;
    std::fs::create_dir(world.data()).expect("a folder");
    std::fs::write(world.data().join("lastro.sqlite3"), b"this is no database, whatever its name says")
        .expect("a file");
    let error = match App::open(world.config()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("not a database"), "{error}");
}
