//! Jobs: every one ends, only for its own fault, and none keeps another from it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lastro::access::Access;
use lastro::app::App;
use lastro::config::Config;
use lastro::ingest::PAUSES;
use lastro::ingest::{LEASE, WORKER};
use lastro::store::{Job, OnConflict, Stage};
use serde_json::{Value, json};

use super::folders::settled;
use super::world::model::{HeldBack, give_model, model_folder, with_model, write_model, write_model_without};
use super::world::{Request, World, eventually, form};

/// Nothing is tried for long, and nobody waits for it.
fn few_pauses(config: &mut Config) {
    config.ingest.pauses = vec![Duration::from_millis(2); 3];
}

/// It is tried until it works.
fn many_pauses(config: &mut Config) {
    config.ingest.pauses = vec![Duration::from_millis(20); 10_000];
}

/// The program that reads files, which the test puts there.
fn program_of(config: &Config) -> PathBuf {
    config.data.with_file_name("reader")
}

fn own_program(config: &mut Config) {
    many_pauses(config);
    config.ingest.parser.program = program_of(config);
}

fn own_program_for_a_while(config: &mut Config) {
    few_pauses(config);
    config.ingest.parser.program = program_of(config);
}

fn install(program: &Path, script: Option<&str>) {
    let _missing = fs::remove_file(program);
    match script {
        None => symlink(env!("CARGO_BIN_EXE_lastro"), program).expect("a link"),
        Some(script) => {
            fs::write(program, format!("#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n")).expect("a script");
            fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("it may run");
        }
    }
}

async fn send(world: &World, collection: &str, name: &str, text: &str, wait: u32) -> Value {
    let target = format!("/v1/vector_stores/{collection}/documents?create=true&wait={wait}");
    let reply = world.ask(form(&target, &[("file", name, text.as_bytes())])).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["data"][0].clone()
}

async fn document(world: &World, collection: &str, name: &str) -> Value {
    world.get(&format!("/v1/vector_stores/{collection}/documents/{name}")).await.json()
}

/// The document once it is so.
async fn until(world: &World, collection: &str, name: &str, so: impl Fn(&Value) -> bool) -> Value {
    eventually(|| async { Some(document(world, collection, name).await).filter(|d| so(d)) }).await
}

async fn retry(world: &World, collection: &str, name: &str) -> super::world::Reply {
    world.post(&format!("/v1/vector_stores/{collection}/documents/{name}/retry"), &[], "").await
}

#[tokio::test]
async fn indexes_that_cannot_be_written_block_nobody_and_fail_nothing() {
    let mut world = World::prepared("").await;
    world.adjust(many_pauses);
    world.run().await;
    for name in ["one", "two"] {
        world.upload(name, &[("first.txt", "The first lantern is red.")]).await;
    }
    // Whatever is made of that: nothing can be written below a file.
    let indexes = world.data().join("indexes");
    fs::remove_dir_all(&indexes).expect("the indexes are removed");
    fs::write(&indexes, b"in the way").expect("a file");
    for name in ["one", "two"] {
        for n in 0..3 {
            send(&world, name, &format!("{n}.txt"), &format!("The lantern of {name} has code LX-{n}."), 0)
                .await;
        }
    }
    for name in ["one", "two"] {
        for n in 0..3 {
            let ended = until(&world, name, &format!("{n}.txt"), |d| d["status"] != "in_progress").await;
            assert_eq!(
                (&ended["status"], &ended["last_error"]),
                (&json!("completed"), &Value::Null),
                "{ended}"
            );
            assert_eq!(ended["warning"]["code"], "index_behind", "{ended}");
        }
    }
    let files = world.get("/v1/vector_stores/one/files").await.json();
    assert_eq!(files["data"][0]["warning"]["code"], "index_behind", "{files}");
    fs::remove_file(&indexes).expect("the way is free");
    for name in ["one", "two"] {
        until(&world, name, "2.txt", |d| d["warning"] == Value::Null).await;
        assert!(world.search(name, "LX-2").await[0].contains("LX-2"));
        assert_eq!(world.search(name, "lantern").await.len(), 4);
    }
}

#[tokio::test]
async fn a_parser_that_is_told_to_end_with_the_server_fails_no_document() {
    let mut world = World::prepared("").await;
    world.adjust(own_program);
    world.run().await;
    let program = program_of(&world.config());
    // As Ctrl-C and systemd do, while the server still lets answers end.
    install(&program, Some("echo told >> \"$0.told\"; kill -15 $$"));
    send(&world, "lamps", "lamp.txt", "The lamp of the tower has code LX-3.", 0).await;
    let told = PathBuf::from(format!("{}.told", program.display()));
    eventually(|| async { fs::read_to_string(&told).ok().filter(|text| text.lines().count() > 3) }).await;
    let waits = document(&world, "lamps", "lamp.txt").await;
    assert_eq!((&waits["status"], &waits["last_error"]), (&json!("in_progress"), &Value::Null), "{waits}");
    install(&program, None);
    let ended = until(&world, "lamps", "lamp.txt", |d| d["status"] != "in_progress").await;
    assert_eq!(ended["status"], "completed", "{ended}");
}

#[tokio::test]
async fn a_parser_that_cannot_be_started_is_tried_until_it_can() {
    let mut world = World::prepared("").await;
    world.adjust(own_program);
    world.run().await;
    let program = program_of(&world.config());
    // No such program; one that the system does not start; one that it kills; one that gets no thread.
    send(&world, "manual", "a.txt", "The lantern is red.", 0).await;
    for script in ["", "kill -9 $$", "exit 71", "exit 74"] {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(document(&world, "manual", "a.txt").await["status"], "in_progress", "{script}");
        if script.starts_with("exit") {
            install(&program, Some(script));
        }
    }
    install(&program, None);
    until(&world, "manual", "a.txt", |d| d["status"] == "completed").await;
}

#[tokio::test]
async fn what_went_wrong_before_makes_no_file_too_large() {
    let mut world = World::prepared("").await;
    world.adjust(|config| {
        config.ingest.pauses = vec![Duration::from_secs(1); 1_000];
        config.ingest.parser.program = program_of(config);
    });
    let tried = world.data().with_file_name("tried");
    let script = |end: &str| format!("echo >> {}; {end}", tried.display());
    let times = || fs::read_to_string(&tried).map_or(0, |text| text.lines().count());
    install(&program_of(&world.config()), Some(&script("exit 71")));
    world.run().await;
    send(&world, "manual", "a.txt", "The lantern is red.", 0).await;
    eventually(|| async { (times() >= 3).then_some(()) }).await;
    install(&program_of(&world.config()), Some(&script("kill -9 $$")));
    let before = times();
    eventually(|| async { (times() > before).then_some(()) }).await;
    install(&program_of(&world.config()), None);
    let ended = until(&world, "manual", "a.txt", |d| d["status"] != "in_progress").await;
    assert_eq!(ended["status"], "completed", "{ended}");
}

#[tokio::test]
async fn what_the_machine_cannot_do_fails_in_the_end_and_is_tried_again_when_asked_to() {
    let mut world = World::prepared("").await;
    world.adjust(own_program_for_a_while);
    world.run().await;
    let program = program_of(&world.config());
    for (name, script, code) in
        [("a.txt", None, "parser_unavailable"), ("b.txt", Some("kill -9 $$"), "out_of_memory")]
    {
        if script.is_some() {
            install(&program, script);
        }
        let failed = send(&world, "manual", name, &format!("The lantern of {name} is red."), 60).await;
        assert_eq!((&failed["status"], &failed["last_error"]["code"]), (&json!("failed"), &json!(code)));
        let message = failed["last_error"]["message"].as_str().expect("a message");
        assert!(message.contains("try this document again"), "{message}");
    }
    install(&program, None);
    for name in ["a.txt", "b.txt"] {
        let reply = retry(&world, "manual", name).await;
        assert_eq!((reply.status, &reply.json()["last_error"]), (200, &Value::Null), "{}", reply.text());
        until(&world, "manual", name, |d| d["status"] == "completed").await;
        retry(&world, "manual", name).await.error(409, "document_not_failed");
    }
    retry(&world, "manual", "c.txt").await.error(404, "document_not_found");
    retry(&world, "other", "a.txt").await.error(404, "collection_not_found");
    assert_eq!(world.search("manual", "lantern").await.len(), 2);
}

#[tokio::test]
async fn only_who_may_ingest_tries_again() {
    let world = World::start("").await;
    let failed = send(&world, "manual", "a.bin", "\u{0}\u{1}\u{2}\u{0}\u{3}", 60).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    let (_, reader) =
        world.key(json!({ "name": "reader", "collections": ["manual"], "scopes": ["chat"] })).await;
    let (_, writer) =
        world.key(json!({ "name": "writer", "collections": ["manual"], "scopes": ["ingest"] })).await;
    let (_, stranger) = world.key(json!({ "name": "stranger", "scopes": ["ingest"] })).await;
    let ask = |key: &str| {
        world.ask(Request::new("POST", "/v1/vector_stores/manual/documents/a.bin/retry").key(key))
    };
    ask(&reader).await.error(403, "insufficient_scope");
    ask(&stranger).await.error(404, "collection_not_found");
    assert_eq!(ask(&writer).await.json()["status"], "in_progress");
}

#[tokio::test]
async fn a_document_of_a_folder_that_failed_is_tried_again_at_the_next_start() {
    let mut world = World::prepared("").await;
    world.adjust(own_program_for_a_while);
    fs::create_dir(world.collections().join("pumps")).expect("a folder");
    fs::write(world.collections().join("pumps/a.txt"), "The pump is red.").expect("a document");
    world.run().await;
    assert_eq!(settled(&world, "pumps", 1).await[0].1, "failed");
    // While it runs, by the call: nothing was mended.
    assert_eq!(retry(&world, "pumps", "a.txt").await.status, 200);
    assert_eq!(settled(&world, "pumps", 1).await[0].1, "failed");
    world.stop().await;
    install(&program_of(&world.config()), None);
    world.run().await;
    until(&world, "pumps", "a.txt", |d| d["status"] == "completed").await;
    assert_eq!(world.search("pumps", "red").await.len(), 1);
}

/// A document whose job is committed and that nobody works at.
async fn submitted(app: &App, name: &str, text: &str) -> String {
    let everything = Access::everything();
    let collection = app.catalog.find_or_create(&everything, "manual").await.expect("a collection");
    let blob = app.store().blobs().stage(text.as_bytes()).await.expect("the bytes are staged");
    let added = app
        .ingest
        .submit(&everything, &collection, (name, blob), OnConflict::Replace)
        .await
        .expect("it is committed");
    added.document.sha256
}

#[tokio::test]
async fn an_original_that_is_gone_is_told() {
    let mut world = World::prepared("").await;
    {
        let app = world.open().await;
        let sha256 = submitted(&app, "a.txt", "The lantern is red.").await;
        fs::remove_file(app.store().blobs().local(&sha256)).expect("it is removed");
    }
    world.run().await;
    let failed = until(&world, "manual", "a.txt", |d| d["status"] == "failed").await;
    assert_eq!(failed["last_error"]["code"], "original_missing", "{failed}");
}

/// The one job that a data folder holds, as the next server would take it.
async fn job(world: &World) -> Job {
    let app = world.open().await;
    let store = app.store();
    store.release_jobs(WORKER).await.expect("as at a start");
    let job = store.take_job(WORKER, LEASE).await.expect("jobs").expect("a job");
    store.return_job(WORKER, job.document.key).await.expect("it is given back");
    job
}

#[tokio::test]
async fn stops_cost_a_job_nothing_however_many_there_are() {
    let mut world = World::prepared("").await;
    world.adjust(own_program);
    let program = program_of(&world.config());
    let started = world.data().with_file_name("started");
    install(&program, Some(&format!("echo >> {}; exec sleep 600", started.display())));
    world.run().await;
    send(&world, "manual", "a.txt", "The lantern is red.", 0).await;
    for stops in 1..8 {
        // It is being read.
        eventually(|| async {
            let times = fs::read_to_string(&started).map_or(0, |text| text.lines().count());
            (times >= stops).then_some(())
        })
        .await;
        world.stop().await;
        let job = job(&world).await;
        assert_eq!((job.stage, job.attempts, job.failures), (Stage::Extract, 1, 0), "{stops}");
        world.run().await;
    }
    world.stop().await;
    install(&program, None);
    world.run().await;
    until(&world, "manual", "a.txt", |d| d["status"] == "completed").await;
}

/// What a process leaves that dies while it reads, or embeds.
async fn dies_at_work(world: &World, times: usize) {
    for _ in 0..times {
        let app = world.open().await;
        app.store().release_jobs(WORKER).await.expect("as at a start");
        app.store().take_job(WORKER, LEASE).await.expect("jobs").expect("a job");
    }
}

#[tokio::test]
async fn a_file_that_stops_the_server_again_and_again_is_given_up_with_a_true_reason() {
    let mut world = World::prepared("").await;
    submitted(&*world.open().await, "a.txt", "The lantern is red.").await;
    dies_at_work(&world, 4).await;
    world.run().await;
    until(&world, "manual", "a.txt", |d| d["status"] == "completed").await;
    world.stop().await;
    submitted(&*world.open().await, "b.txt", "The lantern is green.").await;
    dies_at_work(&world, 5).await;
    world.run().await;
    let failed = until(&world, "manual", "b.txt", |d| d["status"] == "failed").await;
    assert_eq!(failed["last_error"]["code"], "parser_crashed", "{failed}");
    assert_eq!(retry(&world, "manual", "b.txt").await.status, 200);
    until(&world, "manual", "b.txt", |d| d["status"] == "completed").await;
}

#[tokio::test]
async fn deaths_while_embedding_leave_the_document_to_its_words_and_the_vectors_for_later() {
    let mut world = World::prepared("").await;
    world.adjust(many_pauses);
    {
        let app = world.open().await;
        submitted(&app, "a.txt", "The dogs run in the park.").await;
        let job = app.store().take_job(WORKER, LEASE).await.expect("jobs").expect("a job");
        let chunk = lastro::store::NewChunk {
            text: "The dogs run in the park.".to_owned(),
            page: None,
            last_page: None,
            headings: vec![],
            start: 0,
            end: 25,
            tokens: 7,
        };
        let read = lastro::store::ReadDocument { chunks: vec![chunk], ..Default::default() };
        app.store().commit_chunks(job.document.key, read, Default::default()).await.expect("chunks");
    }
    dies_at_work(&world, 3).await;
    world.run_with(&give_model(&world)).await;
    // By words at once, and by meaning once the pause is over.
    let done = until(&world, "manual", "a.txt", |d| d["status"] == "completed").await;
    assert_eq!(done["chunks"], 1, "{done}");
    until(&world, "manual", "a.txt", |d| d["warning"] == Value::Null).await;
    assert!(by_meaning(&world).await);
}

#[tokio::test]
async fn a_model_that_is_still_loading_counts_against_no_document() {
    let mut world = World::prepared("").await;
    submitted(&*world.open().await, "a.txt", "The dogs run in the park.").await;
    let options = give_model(&world);
    let settings = HeldBack::new(model_folder(&world).join("config.json"));
    world.run_with(&options).await;
    // A job that could be taken would be by now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.get("/ready").await.json()["embedding"]["status"], "loading");
    let database = rusqlite::Connection::open(world.data().join("lastro.sqlite3")).expect("the database");
    let attempts: i64 =
        database.query_row("SELECT attempts FROM jobs", [], |row| row.get(0)).expect("the job");
    // What a kill would leave behind.
    assert_eq!(attempts, 0);
    settings.write();
    until(&world, "manual", "a.txt", |d| d["status"] == "completed").await;
}

/// Whether a question is compared with vectors.
async fn by_meaning(world: &World) -> bool {
    let reply = world.chat("manual", "cats sat on mats", &[("X-RAG-K", "4")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("server-timing").is_some_and(|timing| timing.contains("dense;dur="))
}

#[tokio::test]
async fn vectors_that_cannot_be_computed_leave_the_words_and_come_with_a_model_that_works() {
    let mut world = World::prepared("").await;
    world.adjust(few_pauses);
    let folder = model_folder(&world);
    // Of no text at all.
    write_model_without(&folder, &(0..22).collect::<Vec<_>>());
    world.run_with(&with_model(&world)).await;
    let done = send(&world, "manual", "a.txt", "The dogs run in the park, says rule seven.", 60).await;
    assert_eq!(
        (&done["status"], &done["chunks"], &done["last_error"]),
        (&json!("completed"), &json!(1), &Value::Null)
    );
    assert_eq!(done["warning"]["code"], "embedding_failed", "{done}");
    assert_eq!(done["embedded_chunks"], 0, "{done}");
    assert!(world.search("manual", "rule seven").await[0].contains("rule seven"));
    // Asked to, it is tried again, and the document stays what it is.
    let again = retry(&world, "manual", "a.txt").await.json();
    assert_eq!(
        (&again["status"], &again["warning"]["code"]),
        (&json!("completed"), &json!("embedding_failed"))
    );
    world.stop().await;
    write_model(&folder);
    world.run().await;
    until(&world, "manual", "a.txt", |d| d["warning"] == Value::Null).await;
    assert!(by_meaning(&world).await);
}

#[tokio::test]
async fn a_text_without_a_vector_keeps_no_other_from_its_own() {
    let mut world = World::prepared("").await;
    world.adjust(few_pauses);
    let folder = model_folder(&world);
    write_model(&folder);
    write_model_without(&folder, &[12]);
    // From before there was a model: what is embedded after the start, all together.
    world.run().await;
    world
        .upload("manual", &[("a.txt", "The dogs run in the park."), ("b.txt", "The cats sat on mats.")])
        .await;
    world.restart(&with_model(&world)).await;
    until(&world, "manual", "a.txt", |d| d["warning"]["code"] == "embedding_failed").await;
    assert_eq!(document(&world, "manual", "b.txt").await["warning"], Value::Null);
    // And from now on.
    let (dogs, cats) = ("More dogs run in the park and run.", "More cats sat on mats and sat.");
    assert_eq!(send(&world, "manual", "c.txt", dogs, 60).await["warning"]["code"], "embedding_failed");
    assert_eq!(send(&world, "manual", "d.txt", cats, 60).await["warning"], Value::Null);
    assert!(by_meaning(&world).await);
}

#[test]
fn pauses_grow() {
    assert!(PAUSES.is_sorted() && PAUSES[0] <= Duration::from_secs(1));
}

#[tokio::test]
async fn a_wait_ends_with_its_own_documents() {
    let mut world = World::prepared("").await;
    world.adjust(own_program);
    let program = program_of(&world.config());
    install(&program, Some("exec sleep 600"));
    world.run().await;
    // Its reading hangs, and it is deleted under who waits for it: nobody tells that.
    let target = "/v1/vector_stores/manual/documents?create=true&wait=600";
    let waits = world.ask(form(target, &[("file", "a.txt", b"The lantern is red.")]));
    let deletes = async {
        until(&world, "manual", "a.txt", |d| d["status"] == "in_progress").await;
        assert_eq!(world.delete("/v1/vector_stores/manual/documents/a.txt").await.status, 200);
    };
    let (reply, ()) = tokio::join!(waits, deletes);
    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(0), "{}", reply.text());
}
