//! Many collections of which few are open: each is opened by whoever needs it, and closed for others.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::index::{Glance, LexicalIndex};
use crate::store::{CollectionId, DocumentId};

/// Collections, each with a document of its own word.
struct Many {
    world: World,
    all: Vec<Arc<Collection>>,
}

fn word(number: usize) -> String {
    format!("ballast{number} and keel{number}")
}

impl Many {
    async fn new(collections: usize, question: Question) -> Self {
        let mut world = World::new(question).await;
        let mut all = Vec::new();
        for number in 0..collections {
            let new = New { name: format!("c{number}"), ..New::default() };
            let collection = world.catalog.create(&Access::everything(), new).await.expect("a collection");
            world.collection = collection.clone();
            let document = world.add(&[&word(number)]).await;
            world.embed(document.key).await;
            world.catalog.sync(&collection).await.expect("synced");
            all.push(collection);
        }
        Self { world, all }
    }

    /// The same folder, opened by another process that may have so many open.
    async fn reopened(self, open: usize, question: Question) -> Self {
        self.reopened_with(Bounds { open, memory: u64::MAX, idle: Duration::ZERO }, question).await
    }

    async fn reopened_with(self, bounds: Bounds, question: Question) -> Self {
        let Self { world: World { data, store, catalog, collection }, all } = self;
        let ids: Vec<CollectionId> = all.iter().map(|collection| collection.id.clone()).collect();
        drop((store, catalog, collection, all));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&data).expect("a store"));
        let keys = Arc::new(Keys::new([], false).expect("keys"));
        let catalog = Catalog::open(store.clone(), played(question), keys, data.join("indexes"), bounds);
        let catalog = catalog.await.expect("a catalog");
        let all: Vec<_> = ids.iter().map(|id| catalog.by_id(id).expect("the collection")).collect();
        let collection = all[0].clone();
        Self { world: World { data, store, catalog, collection }, all }
    }

    async fn found(&self, number: usize) -> (Vec<String>, By) {
        let scope = Scope { collection: self.all[number].clone(), documents: None };
        let query = Query {
            texts: &[&format!("keel{number}")],
            limit: 10,
            deadline: Instant::now() + MINUTE,
            floor: Floor::None,
            threshold: None,
            dense_weight: None,
            rerank: false,
        };
        let found = search(&self.world.catalog, &[scope], query).await.expect("found");
        (found.hits.into_iter().map(|hit| hit.chunk.chunk.text).collect(), found.by)
    }

    /// Adds two documents without vectors that lie in one file of the index: the first of them.
    async fn add_two(&mut self, number: usize) -> DocumentId {
        self.world.collection = self.all[number].clone();
        let first = self.world.add(&["a rope"]).await.id;
        self.world.add(&["another mast"]).await;
        self.world.catalog.sync(&self.all[number]).await.expect("synced");
        first
    }

    fn lexical(&self, number: usize) -> PathBuf {
        LexicalIndex::folder(&self.world.data.join("indexes"), &self.all[number].id.0)
    }

    fn glance(&self, number: usize) -> Option<Glance> {
        LexicalIndex::glance(&self.lexical(number), self.world.store.identity()).expect("read")
    }

    /// Waits until no more are open than may be.
    async fn settled(&self, open: usize) {
        while self.world.catalog.open_collections() > open {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_question_opens_both_indexes_of_its_collection_and_closes_those_of_another() {
    let many = Many::new(6, Question::Answers).await.reopened(2, Question::Answers).await;
    assert_eq!(many.world.catalog.open_collections(), 0, "nobody asked");
    for number in (0..6).chain((0..6).rev()) {
        assert_eq!(many.found(number).await, (vec![word(number)], BOTH));
        many.settled(2).await;
    }
    for number in [0, 1, 0, 2, 0, 3, 0] {
        let was_open = many.all[0].indexes.are_open();
        many.found(number).await;
        many.settled(2).await;
        assert!(many.all[0].indexes.are_open() && was_open, "the one that is used most lately stays");
    }
}

#[tokio::test]
async fn vectors_beyond_the_memory_are_closed() {
    // Each has one vector of two numbers.
    let bounds = Bounds { open: 8, memory: 2 * 8, idle: Duration::ZERO };
    let many = Many::new(5, Question::Answers).await.reopened_with(bounds, Question::Answers).await;
    for number in (0..5).chain(0..5) {
        assert_eq!(many.found(number).await, (vec![word(number)], BOTH));
        many.settled(2).await;
    }
}

#[tokio::test]
async fn what_is_in_use_is_not_closed() {
    let many = Many::new(3, Question::Answers).await.reopened(1, Question::Answers).await;
    many.found(0).await;
    let in_use = many.all[0].indexes.uses.begin();
    many.found(1).await;
    many.found(2).await;
    many.settled(2).await;
    many.world.catalog.close_one(&many.all[0]).await;
    assert!(many.all[0].indexes.are_open());
    drop(in_use);
    many.world.catalog.close_one(&many.all[0]).await;
    assert!(!many.all[0].indexes.are_open());
    assert_eq!(many.found(0).await, (vec![word(0)], BOTH));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_while_others_search_is_never_seen() {
    let many = Arc::new(Many::new(6, Question::Answers).await.reopened(1, Question::Answers).await);
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (many, over) = (many.clone(), over.clone());
        tasks.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                for collection in &many.all {
                    many.world.catalog.close_one(collection).await;
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    let mut searches = tokio::task::JoinSet::new();
    for task in 0..6 {
        let many = many.clone();
        searches.spawn(async move {
            for round in 0..60 {
                let number = (task + round * 5) % 6;
                assert_eq!(many.found(number).await, (vec![word(number)], BOTH));
            }
        });
    }
    while let Some(done) = searches.join_next().await {
        done.expect("found");
    }
    over.store(true, Ordering::Relaxed);
    while let Some(done) = tasks.join_next().await {
        done.expect("closed");
    }
}

#[tokio::test]
async fn a_closed_index_holds_no_words_of_what_was_removed() {
    let mut many = Many::new(2, Question::Answers).await;
    let document = many.add_two(0).await;
    many.world.catalog.delete_document(&many.all[0], &document).await.expect("deleted");
    assert!(many.glance(0).expect("an index").holds_removed);
    let before = many.world.store.collection(&many.all[0].id).await.expect("a record").removals_since;
    many.world.catalog.close_one(&many.all[0]).await;
    assert!(!many.all[0].indexes.are_open());
    assert!(!many.glance(0).expect("an index").holds_removed);
    let after = many.world.store.collection(&many.all[0].id).await.expect("a record").removals_since;
    assert!(before < after, "what both indexes followed is forgotten");
    assert_eq!(many.found(0).await.0, [word(0)]);
}

#[tokio::test]
async fn a_start_mends_what_owes_something_and_opens_nothing_else() {
    let mut many = Many::new(5, Question::Answers).await;
    // Behind by a document, behind by a removal, with removed words in its files, and missing; the last one is well.
    many.world.collection = many.all[0].clone();
    many.world.add(&["an anchor"]).await;
    for (number, is_followed) in [(1, false), (2, true)] {
        let document = many.add_two(number).await;
        many.world.store.delete_document(&many.all[number].id, &document).await.expect("deleted");
        if is_followed {
            many.world.catalog.sync(&many.all[number]).await.expect("synced");
        }
    }
    fs::remove_dir_all(many.lexical(3)).expect("removed");
    let many = many.reopened(8, Question::Answers).await;
    assert!(many.glance(2).expect("an index").holds_removed && many.glance(3).is_none());
    let well = fs::metadata(many.lexical(4)).expect("a folder").modified().expect("a time");
    many.world.catalog.mend().await;
    assert_eq!(many.world.catalog.open_collections(), 0);
    let revisions = many.world.store.chunk_revisions().await.expect("revisions");
    for number in 0..5 {
        let glance = many.glance(number).expect("an index");
        assert!(!glance.holds_removed, "{number}");
        let wanted = revisions.iter().find(|(id, _)| *id == many.all[number].id);
        assert!(wanted.is_none_or(|(_, revision)| *revision <= glance.revision), "{number}: {glance:?}");
    }
    assert_eq!(fs::metadata(many.lexical(4)).expect("a folder").modified().expect("a time"), well);
    assert_eq!(many.found(4).await, (vec![word(4)], BOTH));
    assert_eq!(many.found(1).await.0, [word(1)]);
}

#[tokio::test]
async fn while_many_vectors_are_computed_words_answer_for_what_is_closed() {
    let many = Many::new(2, Question::Answers).await.reopened(8, Question::Answers).await;
    let refill = many.world.catalog.refill();
    assert_eq!(many.found(0).await, (vec![word(0)], WORDS));
    drop(refill);
    assert_eq!(many.found(0).await, (vec![word(0)], BOTH));
}

#[tokio::test]
async fn a_deleted_collection_is_open_no_more() {
    let many = Many::new(2, Question::Answers).await;
    assert_eq!(many.world.catalog.open_collections(), 2);
    many.world.catalog.delete(&many.all[0]).await.expect("deleted");
    assert_eq!(many.world.catalog.open_collections(), 1);
    assert!(!many.all[0].indexes.are_open());
}

#[tokio::test]
async fn a_name_is_found_from_its_change_on() {
    let many = Many::new(3, Question::NoModel).await;
    let (catalog, everything) = (&many.world.catalog, Access::everything());
    let found = |name: &str| catalog.find(&everything, name).map(|found| found.id.clone());
    let rename = async |number: usize, name: &str| {
        let change = Change { name: Some(name.to_owned()), ..Change::default() };
        catalog.change(&many.all[number], change).await.expect("changed");
    };
    rename(0, "manual of old").await;
    assert!(matches!(found("c0"), Err(CollectionError::Unknown(_))));
    assert_eq!(found("manual of old").expect("found"), many.all[0].id);
    // What is not told of a name in between does not bring the old one back.
    catalog.sync(&many.all[0]).await.expect("synced");
    assert_eq!(found("manual of old").expect("found"), many.all[0].id);
    rename(1, "c2").await;
    assert!(matches!(found("c2"), Err(CollectionError::Ambiguous { ids, .. }) if ids.len() == 2));
    catalog.delete(&many.all[2]).await.expect("deleted");
    assert_eq!(found("c2").expect("found"), many.all[1].id);
    rename(0, "c0").await;
    let listed: Vec<String> = catalog.list(&everything).iter().map(|collection| collection.name()).collect();
    assert_eq!(listed, ["manual", "c0", "c2"]);
}
