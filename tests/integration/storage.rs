//! A disk that is full, or away: said clearly, nothing that was acknowledged is lost, and the server goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use lastro::store::room;
use tokio::process::Command;

use super::world::{Reply, World, eventually, form, question_body, within};

/// What is uploaded, distinct and of a size that every index has to write.
fn document(name: &str) -> String {
    let line =
        |n: usize| format!("The keeper of {name} writes entry {n} of {name} into the book of the tower.\n");
    (0..400).map(line).collect()
}

async fn send(world: &World, name: &str, wait: u32) -> Reply {
    let target = format!("/v1/vector_stores/manual/documents?create=true&wait={wait}");
    world.ask(form(&target, &[("file", &format!("{name}.txt"), document(name).as_bytes())])).await
}

/// Files below a folder of the data folder.
fn files(world: &World, folder: &str) -> usize {
    fn below(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        // Beside the originals lies which database they belong to.
        let counted = |path: PathBuf| usize::from(!path.ends_with("belongs-to"));
        entries.map(|path| if path.is_dir() { below(&path) } else { counted(path) }).sum()
    }
    below(&world.data().join(folder))
}

/// Whatever the disk does, what needs none is answered.
async fn assert_goes_on(world: &World) {
    assert_eq!(world.get("/health").await.status, 200);
    let reply = world.post("/v1/chat/completions", &[], question_body("Still there?")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// All documents are read in the end, and each is found.
async fn assert_complete(world: &World, names: &[String]) {
    let list = eventually(|| async {
        let list = world.get("/v1/vector_stores/manual/documents").await.json();
        let documents = list["data"].as_array().expect("a list").clone();
        (documents.iter().all(|document| document["status"] != "in_progress")).then_some(documents)
    })
    .await;
    for document in &list {
        assert_eq!(document["status"], "completed", "{document}");
    }
    assert_eq!((list.len(), files(world, "blobs")), (names.len(), names.len()));
    for name in names {
        let found = world.search("manual", &format!("the keeper of {name}")).await;
        assert!(found.iter().any(|text| text.contains(&format!("keeper of {name} "))), "{name}: {found:?}");
    }
}

/// Mounted in place of the data folder, until dropped.
struct Disk(PathBuf);

impl Disk {
    /// None where this user may not mount one.
    async fn mount(world: &World) -> Option<Self> {
        fs::create_dir(world.data()).expect("a folder");
        let mounted = mount(&["-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs"], &world.data()).await;
        mounted.then(|| Self(world.data()))
    }

    /// The data folder as it is, but nothing can be written there any more.
    async fn read_only(world: &World) -> Option<Self> {
        let data = world.data();
        let path = data.to_str().expect("a path");
        if !mount(&["--bind", path], &data).await {
            return None;
        }
        let disk = Self(data.clone());
        mount(&["-o", "remount,bind,ro"], &data).await.then_some(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Leaves so many bytes free.
    fn leave(&self, bytes: u64) {
        let free = room(&self.0).expect("its room").free_bytes;
        fs::write(self.ballast(), vec![1; free.saturating_sub(bytes) as usize]).expect("it is filled");
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("room is made");
    }
}

/// False where this user may not.
async fn mount(options: &[&str], place: &Path) -> bool {
    let mounted = Command::new("mount").args(options).arg(place).output().await;
    let mounted = mounted.is_ok_and(|done| done.status.success());
    if !mounted {
        println!("skipped: full and read-only disks need the right to mount");
    }
    mounted
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What the server still has open goes with it.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Waits until `/ready` says that the data folder cannot be written, and why: what it saw a moment ago holds a while.
async fn storage_is(world: &World, why: &str) {
    eventually(|| async {
        let storage = world.get("/ready").await.json()["storage"].clone();
        let says = storage["message"].as_str().is_some_and(|text| text.contains(why));
        (storage["status"] == "failed" && says).then_some(())
    })
    .await;
}

async fn storage_is_ready(world: &World) {
    let status = async || world.get("/ready").await.json()["storage"]["status"].clone();
    eventually(|| async { (status().await == "ready").then_some(()) }).await;
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let world = World::prepared("").await;
    let Some(disk) = Disk::mount(&world).await else { return };
    let (world, program) = world.start_program("").await;
    let mut names = vec!["first".to_owned()];
    assert_eq!(send(&world, "first", 60).await.status, 200);
    let mut refused = 0;
    // Full at one place after the other: the upload, the database, the index.
    for free in [0, 4, 16, 36, 48, 64, 96, 128, 192, 256, 384, 512, 1024] {
        let name = format!("room{free}");
        disk.leave(free << 10);
        let reply = send(&world, &name, 0).await;
        assert_goes_on(&world).await;
        if free == 0 {
            let message = reply.error(507, "disk_full");
            assert!(message.contains("free space"), "{message}");
            storage_is(&world, "space").await;
        }
        if reply.status == 200 {
            // While there is no room for what comes of it, it waits.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        } else {
            refused += 1;
            assert!([503, 507].contains(&reply.status), "{free}: {}", reply.text());
            assert_eq!((files(&world, "blobs"), files(&world, "staging")), (names.len(), 0), "{free}");
        }
        disk.make_room();
        storage_is_ready(&world).await;
        let again = send(&world, &name, 60).await;
        assert_eq!(again.json()["data"][0]["status"], "completed", "{free}: {}", again.text());
        names.push(name);
    }
    assert!(refused > 1, "it was never full");
    assert_complete(&world, &names).await;
    // It is all on the disk, and not only in the process.
    drop(program);
    let (world, _program) = world.start_program("").await;
    assert_complete(&world, &names).await;
    drop(disk);
}

#[tokio::test]
async fn a_file_that_does_not_fit_leaves_nothing() {
    let world = World::prepared("").await;
    let Some(disk) = Disk::mount(&world).await else { return };
    let (world, _program) = world.start_program("").await;
    let large = vec![b'a'; 30 << 20];
    for target in ["/v1/vector_stores/manual/documents?create=true", "/v1/files"] {
        let reply = world.send_files(target, &[("file", "large.txt", &large)]).await;
        reply.error(507, "disk_full");
        eventually(|| async { (files(&world, "staging") == 0).then_some(()) }).await;
        assert_eq!(files(&world, "blobs"), 0);
    }
    assert_goes_on(&world).await;
    assert_eq!(send(&world, "small", 60).await.status, 200);
    assert_complete(&world, &["small".to_owned()]).await;
    drop(disk);
}

/// The same wherever no disk can be mounted: files may not grow.
#[tokio::test]
async fn files_that_may_not_grow_lose_nothing() {
    let (world, program) = World::program("").await;
    let mut names = vec!["first".to_owned()];
    assert_eq!(send(&world, "first", 60).await.status, 200);
    // Less than the database has already: its next commit fails, and so does an upload that is larger.
    program.limit_files(Some(16 << 10));
    send(&world, "large", 0).await.error(507, "disk_full");
    let target = "/v1/vector_stores/manual/documents";
    let small = form(target, &[("file", "small.txt", &document("small").as_bytes()[..9_000])]);
    let reply = world.ask(small.clone()).await;
    let message = reply.error(503, "storage_unavailable");
    assert!(message.contains("/ready"), "{message}");
    assert_eq!((files(&world, "blobs"), files(&world, "staging")), (1, 0));
    assert_goes_on(&world).await;
    assert!(!world.search("manual", "keeper of first").await.is_empty());
    program.limit_files(None);
    let reply = world.ask(small).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(send(&world, "large", 60).await.status, 200);
    names.extend(["large".to_owned(), "small".to_owned()]);
    assert_complete(&world, &names).await;
}

#[tokio::test]
async fn a_data_folder_that_goes_away_and_comes_back() {
    let (world, _program) = World::program("").await;
    let mut names = vec!["first".to_owned()];
    assert_eq!(send(&world, "first", 60).await.status, 200);
    let away = world.data().with_extension("away");
    fs::rename(world.data(), &away).expect("it goes away");
    send(&world, "second", 0).await.error(503, "storage_unavailable");
    world.post("/v1/vector_stores", &[], r#"{"name":"new"}"#).await.error(503, "storage_unavailable");
    assert_goes_on(&world).await;
    storage_is(&world, "").await;
    assert_eq!(world.get("/ready").await.status, 200);
    // Another in its place would swallow what is stored in the one that is open.
    fs::create_dir(world.data()).expect("a folder");
    fs::copy(away.join("lastro.sqlite3"), world.data().join("lastro.sqlite3")).expect("a copy");
    world.post("/v1/vector_stores", &[], r#"{"name":"new"}"#).await.error(503, "storage_unavailable");
    storage_is(&world, "replaced").await;
    fs::remove_dir_all(world.data()).expect("it is removed");
    fs::rename(&away, world.data()).expect("it comes back");
    assert_eq!(send(&world, "second", 60).await.status, 200);
    names.push("second".to_owned());
    assert_complete(&world, &names).await;
    storage_is_ready(&world).await;
}

#[tokio::test]
async fn a_data_folder_that_goes_read_only() {
    let (world, _program) = World::program("").await;
    assert_eq!(send(&world, "first", 60).await.status, 200);
    let Some(disk) = Disk::read_only(&world).await else { return };
    let message = send(&world, "second", 0).await.error(503, "storage_unavailable");
    assert!(message.contains("/ready"), "{message}");
    storage_is(&world, "Read-only").await;
    assert_goes_on(&world).await;
    assert!(!world.search("manual", "keeper of first").await.is_empty());
    drop(disk);
    assert_eq!(send(&world, "second", 60).await.status, 200);
    assert_complete(&world, &["first".to_owned(), "second".to_owned()]).await;
}

async fn serve(world: &World, data: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastro"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LASTRO_")) {
        command.env_remove(name);
    }
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    within(command.current_dir(world.collections()).kill_on_drop(true).output()).await.expect("it runs")
}

#[tokio::test]
async fn data_folders_that_cannot_be_made_are_named() {
    let world = World::prepared("").await;
    for (data, says) in
        [("/nowhere/lastro", "mount"), ("/sys/lastro", "/sys/lastro"), ("/dev/null", "/dev/null")]
    {
        let refused = serve(&world, data).await;
        assert_eq!(refused.status.code(), Some(1), "{data}");
        let message = String::from_utf8(refused.stderr).expect("text");
        assert!(message.contains(says) && message.lines().count() == 1, "{message}");
    }
    assert!(!Path::new("/nowhere").exists());
}
