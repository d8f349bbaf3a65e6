//! Indexing and search over a real store, with an embedder that can be late or broken.

mod ranking;

use std::fs;
use std::future::{pending, ready};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

mod many;

use super::*;
use crate::access::{Access, Keys};
use crate::embed::{EmbedError, Embeddings, Languages, ModelInfo};
use crate::index::{IndexError, LexicalBatch, LexicalRow};
use crate::store::{
    ChunkMark, CollectionUpdate, DocumentKey, DocumentRecord, IndexedChunk, NewChunk, NewDocument, NewFile,
    OnConflict, Outline, Quota, Quotas, ReadDocument, SqliteStore, Store,
};

/// What embedding a question comes to.
#[derive(Clone, Copy, Default, PartialEq)]
enum Question {
    #[default]
    NoModel,
    Answers,
    /// A vector that the index does not take.
    Unusable,
    Fails,
    Never,
}

fn model() -> ModelInfo {
    ModelInfo {
        name: "played".into(),
        fingerprint: "f".into(),
        dimensions: 2,
        window: 512,
        max_tokens: 510,
        languages: Languages::Multilingual,
        floor: Some(0.1),
        relevance: None,
        device: "none".into(),
    }
}

type Answer = BoxFuture<'static, Result<Vec<f32>, EmbedError>>;

fn played(question: Question) -> Option<Embeddings> {
    let answer: fn(&str) -> Answer = match question {
        Question::NoModel => return None,
        Question::Answers => |_| Box::pin(ready(Ok(vec![1.0, 0.0]))),
        Question::Unusable => |_| Box::pin(ready(Ok(vec![1.0; 3]))),
        Question::Fails => |_| Box::pin(ready(Err(EmbedError::Failed("a broken model".into())))),
        Question::Never => |_| Box::pin(pending()),
    };
    Some(Embeddings::played(model(), answer))
}

/// A data folder with a collection.
struct World {
    data: PathBuf,
    store: Arc<dyn Store>,
    catalog: Catalog,
    collection: Arc<Collection>,
}

impl World {
    async fn new(question: Question) -> Self {
        let data = tempfile::tempdir().expect("a folder").keep();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&data).expect("a store"));
        let catalog = catalog_of(&store, &data, question).await;
        let new = New { name: "manual".into(), ..New::default() };
        let collection = catalog.create(&Access::everything(), new).await.expect("a collection");
        Self { data, store, catalog, collection }
    }

    /// The same folder, opened by another process.
    async fn reopened(self, question: Question) -> Self {
        let Self { data, store, catalog, collection } = self;
        let id = collection.id.clone();
        drop((store, catalog, collection));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&data).expect("a store"));
        let catalog = catalog_of(&store, &data, question).await;
        let collection = catalog.by_id(&id).expect("the collection");
        Self { data, store, catalog, collection }
    }

    async fn add(&self, texts: &[&str]) -> DocumentRecord {
        self.add_to(&self.collection, texts).await
    }

    async fn add_to(&self, collection: &Collection, texts: &[&str]) -> DocumentRecord {
        let bytes = texts.join("\n");
        let blob = self.store.blobs().stage(bytes.as_bytes()).await.expect("staged");
        let new = NewDocument {
            collection: collection.id.clone(),
            filename: "a.txt".into(),
            blob,
            owner: None,
            quotas: Quotas::default(),
            on_conflict: OnConflict::Keep,
        };
        let document = self.store.add_document(new).await.expect("added").document;
        let outline = Outline { title: None, opening: String::new(), headings: vec![] };
        let chunks = texts.iter().map(|text| chunk(text)).collect();
        let read = ReadDocument { chunks, outline, ..ReadDocument::default() };
        self.store.commit_chunks(document.key, read, Quotas::default()).await.expect("committed");
        document
    }

    async fn embed(&self, document: DocumentKey) {
        self.embed_as(document, &[1.0, 0.0]).await;
    }

    async fn embed_as(&self, document: DocumentKey, vector: &[f32]) {
        let chunks = self.store.chunks_without_vector("f", Some(document), 0, 1_000).await.expect("chunks");
        let vectors = chunks.iter().map(|chunk| (chunk.id, vector.to_vec())).collect();
        self.store.commit_vectors("f", vectors).await.expect("committed");
    }

    async fn search(&self, question: &str, within: Duration) -> Result<Found, CollectionError> {
        let scope = Scope { collection: self.collection.clone(), documents: None };
        let query = Query {
            texts: &[question],
            limit: 10,
            deadline: Instant::now() + within,
            floor: Floor::Full,
            threshold: None,
            dense_weight: None,
            rerank: false,
        };
        search(&self.catalog, &[scope], query).await
    }

    async fn found(&self, question: &str) -> (Vec<String>, By) {
        let found = self.search(question, MINUTE).await.expect("found");
        (found.hits.into_iter().map(|hit| hit.chunk.chunk.text).collect(), found.by)
    }

    fn index(&self) -> PathBuf {
        self.data.join("indexes").join(&self.collection.id.0).join("lexical")
    }

    /// Says whether the index was built anew.
    fn number(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(self.index()).expect("an index").ino()
    }
}

async fn catalog_of(store: &Arc<dyn Store>, data: &Path, question: Question) -> Catalog {
    let keys = Arc::new(Keys::new([], false).expect("keys"));
    let bounds = Bounds { open: 8, memory: u64::MAX, idle: MINUTE };
    Catalog::open(store.clone(), played(question), keys, data.join("indexes"), bounds)
        .await
        .expect("a catalog")
}

fn chunk(text: &str) -> NewChunk {
    NewChunk {
        text: text.to_owned(),
        page: None,
        last_page: None,
        headings: vec![],
        start: 0,
        end: text.len() as u64,
        tokens: 3,
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const BOTH: By = By { words: true, meaning: true };
const WORDS: By = By { words: true, meaning: false };
const MEANING: By = By { words: false, meaning: true };

/// Holds tantivy's lock, as a writer does.
fn writer(index: &Path) -> impl Drop + use<> {
    let index = tantivy::Index::open_in_dir(index).expect("an index");
    index.writer_with_num_threads::<tantivy::TantivyDocument>(1, 20 << 20).expect("a writer")
}

#[tokio::test]
async fn who_leaves_during_a_delete_leaves_an_index_that_follows() {
    let world = World::new(Question::NoModel).await;
    let document = world.add(&["ballast"; 400]).await;
    world.add(&["keel"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let number = world.number();
    for leave_after in [0, 1, 5] {
        let delete = world.catalog.delete_document(&world.collection, &document.id);
        let left = tokio::time::timeout(Duration::from_millis(leave_after), delete).await;
        if left.is_ok() {
            break;
        }
    }
    // It goes on, however long a busy machine takes.
    while world.store.document(&world.collection.id, &document.id).await.is_ok() {
        tokio::task::yield_now().await;
    }
    world.catalog.sync(&world.collection).await.expect("it is never busy with itself");
    assert_eq!(world.found("ballast").await.0, Vec::<String>::new());
    assert_eq!(world.found("keel").await.0, ["keel"]);
    assert_eq!(world.number(), number, "it was not built anew");
    let index = world.collection.indexes.words.answering().expect("an index");
    assert!(index.search("ballast", 9, &crate::index::Filter::Everything).expect("searched").is_empty());
}

#[tokio::test]
async fn an_index_that_cannot_be_written_now_is_kept_and_answers() {
    let world = World::new(Question::NoModel).await;
    world.add(&["ballast"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let number = world.number();
    let other = writer(&world.index());
    world.add(&["keel"]).await;
    let lags = world.catalog.sync(&world.collection).await.expect_err("somebody else writes");
    let CollectionError::Lagging(cause) = lags else { panic!("{lags}") };
    assert!(matches!(*cause, CollectionError::Index(IndexError::Busy)), "{cause}");
    assert_eq!(world.found("ballast").await, (vec!["ballast".to_owned()], WORDS));
    drop(other);
    world.catalog.sync(&world.collection).await.expect("synced");
    assert_eq!(world.found("keel").await.0, ["keel"]);
    assert_eq!(world.number(), number, "it was not built anew");
}

#[tokio::test]
async fn an_index_that_lags_at_a_start_and_cannot_be_written_then_answers() {
    let world = World::new(Question::NoModel).await;
    world.add(&["ballast"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let number = world.number();
    world.add(&["keel"]).await;
    let world = world.reopened(Question::NoModel).await;
    let other = writer(&world.index());
    assert_eq!(world.found("ballast").await, (vec!["ballast".to_owned()], WORDS));
    world.catalog.sync(&world.collection).await.expect_err("somebody else writes");
    assert_eq!(world.found("ballast").await, (vec!["ballast".to_owned()], WORDS));
    drop(other);
    world.catalog.sync(&world.collection).await.expect("synced");
    assert_eq!(world.found("keel").await.0, ["keel"]);
    assert_eq!(world.number(), number, "it was not built anew");
}

#[tokio::test]
async fn a_damaged_index_is_built_anew_and_an_intact_one_is_not() {
    let world = World::new(Question::NoModel).await;
    world.add(&["ballast"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let number = world.number();
    let world = world.reopened(Question::NoModel).await;
    assert_eq!(world.found("ballast").await.0, ["ballast"]);
    assert_eq!(world.number(), number);
    for entry in fs::read_dir(world.index()).expect("files") {
        let file = entry.expect("a file").path();
        if file.extension().is_some_and(|e| e == "term") {
            fs::write(file, "damaged").expect("written");
        }
    }
    let world = world.reopened(Question::NoModel).await;
    assert_eq!(world.found("ballast").await.0, ["ballast"]);
    assert_ne!(world.number(), number);
    let beside = fs::read_dir(world.index().parent().expect("a folder")).expect("files").count();
    assert_eq!(beside, 1, "nothing else stays");
}

#[tokio::test]
async fn an_index_of_another_store_is_built_anew() {
    let (one, two) = (World::new(Question::NoModel).await, World::new(Question::NoModel).await);
    for (world, text) in [(&one, "ballast"), (&two, "keel")] {
        world.add(&[text]).await;
        world.catalog.sync(&world.collection).await.expect("synced");
    }
    fs::remove_dir_all(one.index()).expect("removed");
    fs::create_dir(one.index()).expect("a folder");
    for entry in fs::read_dir(two.index()).expect("files") {
        let file = entry.expect("a file");
        fs::copy(file.path(), one.index().join(file.file_name())).expect("copied");
    }
    let one = one.reopened(Question::NoModel).await;
    assert_eq!(one.found("keel").await.0, Vec::<String>::new());
    assert_eq!(one.found("ballast").await.0, ["ballast"]);
}

#[tokio::test]
async fn an_index_of_an_older_format_is_built_anew() {
    let world = World::new(Question::NoModel).await;
    world.add(&["ballast"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let marker = world.index().join("format");
    let text = fs::read_to_string(&marker).expect("a marker");
    let older = text.replacen("lexical 3", "lexical 2", 1);
    assert_ne!(older, text);
    fs::write(&marker, older).expect("written");
    let world = world.reopened(Question::NoModel).await;
    assert_eq!(world.found("ballast").await.0, ["ballast"]);
    assert_eq!(fs::read_to_string(&marker).expect("a marker"), text);
}

#[tokio::test]
async fn the_language_of_a_document_can_be_set() {
    let world = World::new(Question::NoModel).await;
    let collection = &world.collection;
    let document = world.add(&["As declarações"]).await;
    world.catalog.sync(collection).await.expect("synced");
    assert!(world.found("declaração").await.0.is_empty(), "nothing is known of its language");
    let set = async |attributes: &str| {
        let set = world.catalog.set_attributes(collection, &document.id, attributes).await;
        set.expect("attributes").language
    };
    assert_eq!(set(r#"{"language":"pt-BR","year":2026}"#).await.as_deref(), Some("pt"));
    assert_eq!(world.found("declaração").await.0, ["As declarações"]);
    assert_eq!(set(r#"{"language":"Portuguese"}"#).await, None);
    assert!(world.found("declaração").await.0.is_empty());
    assert_eq!(world.found("declarações").await.0, ["As declarações"]);
}

#[tokio::test]
async fn while_an_index_for_another_language_cannot_be_built_the_old_one_answers() {
    let world = World::new(Question::NoModel).await;
    world.add(&["As declarações"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    // A file stands where the new one is to be built.
    let blocked = world.index().with_extension("new");
    fs::write(&blocked, "").expect("written");
    let update = CollectionUpdate { language: Some("pt".into()), ..CollectionUpdate::default() };
    world.store.update_collection(&world.collection.id, update).await.expect("updated");
    world.add(&["O regulamento"]).await;
    world.catalog.sync(&world.collection).await.expect_err("it is blocked");
    assert_eq!(world.found("declarações").await.0, ["As declarações"]);
    assert!(world.found("declaração").await.0.is_empty());
    fs::remove_file(blocked).expect("removed");
    world.catalog.sync(&world.collection).await.expect("synced");
    assert_eq!(world.found("declaração").await.0, ["As declarações"]);
    assert_eq!(world.found("regulamentos").await.0, ["O regulamento"]);
}

#[tokio::test]
async fn without_words_meaning_answers_and_without_both_there_is_an_error() {
    for (question, expected) in
        [(Question::Answers, Some(MEANING)), (Question::NoModel, None), (Question::Unusable, None)]
    {
        let world = World::new(question).await;
        let document = world.add(&["ballast"]).await;
        world.embed(document.key).await;
        // No index can be opened or built.
        fs::create_dir_all(world.data.join("indexes")).expect("a folder");
        fs::write(world.index().parent().expect("a folder"), "a file in its place").expect("written");
        world.catalog.sync(&world.collection).await.expect_err("the words lag");
        match (expected, world.search("ballast", MINUTE).await) {
            (Some(by), Ok(found)) => assert_eq!((found.hits.len(), found.by), (1, by)),
            (None, Err(error)) => assert!(error.io_kind().is_some(), "{error}"),
            (_, other) => panic!("{other:?}"),
        }
        fs::remove_file(world.index().parent().expect("a folder")).expect("removed");
        assert!(world.found("ballast").await.1.words, "it mends itself");
    }
}

#[tokio::test]
async fn where_meaning_fails_or_is_late_words_answer() {
    for (question, expected, within) in [
        (Question::Answers, BOTH, MINUTE),
        (Question::Fails, WORDS, MINUTE),
        (Question::Unusable, WORDS, MINUTE),
        (Question::Never, WORDS, Duration::from_secs(2)),
    ] {
        let world = World::new(question).await;
        let document = world.add(&["ballast"]).await;
        world.embed(document.key).await;
        world.catalog.sync(&world.collection).await.expect("synced");
        let found = world.search("ballast", within).await.expect("an answer");
        assert_eq!((found.hits.len(), found.by), (1, expected));
    }
}

/// A fill that was cut off in its first part leaves an index at the beginning that holds something.
#[tokio::test]
async fn what_is_deleted_after_a_first_fill_was_cut_off_leaves_the_index() {
    for restart in [false, true] {
        let mut world = World::new(Question::NoModel).await;
        world.catalog.sync(&world.collection).await.expect("synced");
        let gone = world.add(&["ballast"]).await;
        let told = world.store.chunk_changes(&world.collection.id, ChunkMark::default(), usize::MAX).await;
        let row = |chunk: IndexedChunk| LexicalRow {
            chunk: chunk.id,
            document: chunk.document,
            language: None,
            text: chunk.text,
        };
        let added = told.expect("changes").added.into_iter().map(row).collect();
        let part = LexicalBatch { revision: 0, removed: Vec::new(), added };
        world.collection.indexes.words.answering().expect("an index").apply(&part).expect("a part");
        world.store.delete_document(&world.collection.id, &gone.id).await.expect("deleted");
        if restart {
            world = world.reopened(Question::NoModel).await;
        }
        world.add(&["keel"]).await;
        world.catalog.sync(&world.collection).await.expect("synced");
        let words = world.collection.indexes.words.answering().expect("an index");
        let found =
            |text: &str| words.search(text, 9, &crate::index::Filter::Everything).expect("searched").len();
        assert_eq!((found("ballast"), found("keel")), (0, 1), "{restart}");
    }
}

#[tokio::test]
async fn what_cannot_be_removed_does_not_keep_what_else_is_over_its_time() {
    let world = World::new(Question::NoModel).await;
    let mut files = Vec::new();
    for bytes in [b"1", b"2", b"3"] {
        let new = NewFile {
            owner: None,
            filename: "a.txt".into(),
            purpose: "assistants".into(),
            expires_in: Some(0),
            blob: world.store.blobs().stage(bytes).await.expect("staged"),
            quota: Quota::default(),
        };
        files.push(world.store.add_file(new).await.expect("a file").id);
    }
    let database = rusqlite::Connection::open(world.data.join("lastro.sqlite3")).expect("the database");
    let stuck = &files[0];
    let trigger = format!(
        "CREATE TRIGGER stuck BEFORE DELETE ON files WHEN old.id = '{}' BEGIN SELECT RAISE(ABORT, 'stuck'); END",
        stuck.0
    );
    database.execute_batch(&trigger).expect("a trigger");
    world.catalog.expire().await.expect("what can be removed is");
    let left = |database: &rusqlite::Connection| -> Vec<String> {
        let mut statement = database.prepare("SELECT id FROM files").expect("a statement");
        let ids = statement.query_map([], |row| row.get(0)).expect("rows");
        ids.collect::<rusqlite::Result<_>>().expect("ids")
    };
    assert_eq!(left(&database), std::slice::from_ref(&stuck.0));
    database.execute_batch("DROP TRIGGER stuck").expect("no trigger");
    world.catalog.expire().await.expect("the rest is");
    assert!(left(&database).is_empty());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a file");
    }
}

#[tokio::test]
async fn removals_are_forgotten_once_followed_and_an_older_index_is_built_anew() {
    let world = World::new(Question::Answers).await;
    let (gone, kept) = (world.add(&["ballast"]).await, world.add(&["keel"]).await);
    for document in [&gone, &kept] {
        world.embed(document.key).await;
    }
    world.catalog.sync(&world.collection).await.expect("synced");
    let older = tempfile::tempdir().expect("a folder");
    copy(&world.index(), older.path());
    let since = async || world.store.collection(&world.collection.id).await.expect("a record").removals_since;
    world.store.delete_document(&world.collection.id, &gone.id).await.expect("deleted");
    world.catalog.forget_removals().await.expect("nothing to forget");
    assert_eq!(since().await, 0, "no index followed yet");
    world.catalog.sync(&world.collection).await.expect("synced");
    world.catalog.forget_removals().await.expect("forgotten");
    assert!(since().await > 0);
    // What goes on, and a new process, need not build anything.
    let number = world.number();
    world.add(&["anchor"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let world = world.reopened(Question::Answers).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    assert_eq!(world.number(), number);
    assert_eq!(world.found("keel").await.0, ["keel"]);
    // A copy of the index from before holds what nobody tells to be gone.
    let index = world.index();
    let world = world.reopened(Question::NoModel).await;
    fs::remove_dir_all(&index).expect("removed");
    copy(older.path(), &index);
    world.catalog.sync(&world.collection).await.expect("synced");
    let words = world.collection.indexes.words.answering().expect("an index");
    let found =
        |text: &str| words.search(text, 9, &crate::index::Filter::Everything).expect("searched").len();
    assert_eq!((found("ballast"), found("keel"), found("anchor")), (0, 1, 1));
}
