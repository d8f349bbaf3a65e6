//! What both legs say of a chunk, and what several collections say together.

use std::collections::BTreeSet;

use super::*;

/// A vector of this cosine with the question's.
fn alike(cosine: f32) -> [f32; 2] {
    [cosine, (1.0 - cosine * cosine).sqrt()]
}

fn query<'a>(texts: &'a [&'a str]) -> Query<'a> {
    Query {
        texts,
        limit: 300,
        deadline: Instant::now() + MINUTE,
        floor: Floor::None,
        threshold: None,
        dense_weight: None,
        rerank: false,
    }
}

fn whole(collection: &Arc<Collection>) -> Scope {
    Scope { collection: collection.clone(), documents: None }
}

impl World {
    async fn collection(&self, name: &str) -> Arc<Collection> {
        let new = New { name: name.into(), ..New::default() };
        self.catalog.create(&Access::everything(), new).await.expect("a collection")
    }

    async fn hits(&self, scopes: &[Scope], question: &str) -> Vec<Hit> {
        search(&self.catalog, scopes, query(&[question])).await.expect("found").hits
    }
}

fn text(hit: &Hit) -> &str {
    &hit.chunk.chunk.text
}

#[tokio::test]
async fn what_one_leg_found_has_the_score_of_the_other() {
    let world = World::new(Question::Answers).await;
    // Deeper than a ranking is read: meaning finds none of these, and words find only some.
    let near = world.add(&["keel"; 150]).await;
    world.embed_as(near.key, &alike(0.9)).await;
    let far = world.add(&["ballast tank"; 150]).await;
    world.embed_as(far.key, &alike(0.2)).await;
    let long = ["ballast ", &"of a ship and its long story ".repeat(30)].concat();
    let meant = world.add(&[&long]).await;
    world.embed_as(meant.key, &alike(0.95)).await;
    let bare = world.add(&["ballast"]).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let hits = world.hits(&[whole(&world.collection)], "ballast").await;
    let of = |document: DocumentKey| hits.iter().filter(move |hit| hit.chunk.document == document);
    assert!(of(near.key).count() > 50 && of(far.key).count() > 50);
    assert!(
        of(near.key).all(|hit| hit.lexical.is_none() && hit.dense.is_some_and(|d| (d - 0.9).abs() < 1e-3))
    );
    assert!(
        of(far.key).all(|hit| hit.lexical.is_some() && hit.dense.is_some_and(|d| (d - 0.2).abs() < 1e-3))
    );
    let meant = of(meant.key).next().expect("meaning finds it");
    assert!(meant.lexical.is_some_and(|score| score > 0.0) && meant.coverage == Some(1.0), "{meant:?}");
    let bare = of(bare.key).next().expect("words find it");
    assert_eq!((bare.dense, bare.coverage), (None, Some(1.0)), "it has no vector yet");
    assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
    assert!(hits.windows(2).all(|pair| pair[0].score >= pair[1].score));
}

#[tokio::test]
async fn a_page_with_one_rare_word_does_not_beat_texts_that_answer() {
    let world = World::new(Question::Answers).await;
    let right = [
        "Ballast water is treated before it is discharged at sea",
        "The discharge of ballast water needs a permit",
        "Ballast tanks are filled with sea water",
        "Treated water leaves the ballast tanks at sea",
        "A ship without cargo takes ballast water",
        "Sea water as ballast: how it is treated",
    ];
    let answers = world.add(&right).await;
    world.embed_as(answers.key, &alike(0.9)).await;
    for number in 0..20 {
        let other = world.add(&["The crew paints the deck of the ship"]).await;
        world.embed_as(other.key, &alike(0.3 + number as f32 / 100.0)).await;
    }
    world.catalog.sync(&world.collection).await.expect("synced");
    for with_vectors in [false, true] {
        let cook = world.collection(&format!("cook {with_vectors}")).await;
        // Rare where it stands, which says nothing where ballast is what it is all about.
        let page = world.add_to(&cook, &["The cook called his first wife the ballast of his life"]).await;
        let mut pages = Vec::new();
        for _ in 0..20 {
            pages.push(world.add_to(&cook, &["He learned to bake bread and to fry fish in butter"; 3]).await);
        }
        if with_vectors {
            // Nothing else there is near the question: measured by its own collection, the page stands out.
            world.embed_as(page.key, &alike(0.6)).await;
            for (number, document) in pages.iter().enumerate() {
                world.embed_as(document.key, &alike(0.1 + number as f32 / 100.0)).await;
            }
        }
        world.catalog.sync(&cook).await.expect("synced");
        for scopes in [[whole(&world.collection), whole(&cook)], [whole(&cook), whole(&world.collection)]] {
            let hits = world.hits(&scopes, "How is ballast water treated at sea?").await;
            let first: BTreeSet<&str> = hits.iter().take(right.len()).map(text).collect();
            assert_eq!(first, right.into(), "{with_vectors}");
            assert!(hits.iter().any(|hit| hit.chunk.document == page.key), "it is found all the same");
        }
    }
}

#[tokio::test]
async fn documents_that_are_none_find_nothing_and_hide_nothing() {
    let world = World::new(Question::Answers).await;
    let document = world.add(&["ballast"]).await;
    world.embed(document.key).await;
    world.catalog.sync(&world.collection).await.expect("synced");
    let other = world.collection("other").await;
    world.add_to(&other, &["ballast too"]).await;
    world.catalog.sync(&other).await.expect("synced");
    let none = |collection: &Arc<Collection>| Scope {
        collection: collection.clone(),
        documents: Some(Arc::default()),
    };
    assert!(world.hits(&[none(&world.collection)], "ballast").await.is_empty());
    let hits = world.hits(&[none(&world.collection), whole(&other)], "ballast").await;
    assert_eq!(hits.iter().map(text).collect::<Vec<_>>(), ["ballast too"]);
    let hits = world.hits(&[whole(&world.collection), none(&other)], "ballast").await;
    assert_eq!(hits.iter().map(text).collect::<Vec<_>>(), ["ballast"]);
}
