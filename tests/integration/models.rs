//! The embedding model: search by words until it is there, by meaning from then on, by words where it is broken.

use super::world::model::{HeldBack, give_model, model_folder, with_two_documents};
use super::world::{Reply, World, eventually};

/// A question that passages are searched for.
async fn ask(world: &World) -> Reply {
    world.chat("manual", "dogs in the park", &[("X-RAG-K", "2")]).await
}

#[tokio::test]
async fn words_answer_from_the_start_and_meaning_joins_without_a_restart() {
    let (mut world, _) = with_two_documents().await;
    let settings = HeldBack::new(model_folder(&world).join("config.json"));
    world.run().await;
    let reply = ask(&world).await;
    assert_eq!((reply.header("x-rag-status"), reply.header("x-rag-hits")), (Some("lexical"), Some("1")));
    let timing = reply.header("server-timing").expect("timings");
    assert!(timing.contains("lexical;dur=") && !timing.contains("dense;dur="), "{timing}");
    assert_eq!(world.get("/ready").await.json()["embedding"]["status"], "loading");

    settings.write();
    let reply = eventually(|| async {
        Some(ask(&world).await).filter(|reply| reply.header("x-rag-status") == Some("hit"))
    })
    .await;
    // The vectors of the run before: nothing was embedded anew.
    assert_eq!(reply.header("x-rag-hits"), Some("2"));
}

#[tokio::test]
async fn documents_from_before_the_model_are_found_by_meaning() {
    let mut world = World::start("").await;
    world.upload("manual", &[("dogs.txt", "Dogs run in the park."), ("cats.txt", "Cats sat on mats.")]).await;
    let reply = ask(&world).await;
    assert_eq!((reply.header("x-rag-status"), reply.header("x-rag-hits")), (Some("lexical"), Some("1")));
    let options = give_model(&world);
    world.restart(&options).await;
    let embedding = world.ready().await["embedding"].clone();
    assert_eq!(
        (&embedding["status"], &embedding["model"], &embedding["dimensions"]),
        (&"ready".into(), &"tiny-model".into(), &16.into())
    );
    // Both documents have vectors: the one that shares no word with the question is found as well.
    let reply = eventually(|| async {
        let reply = ask(&world).await;
        (reply.header("x-rag-status") == Some("hit") && reply.header("x-rag-hits") == Some("2"))
            .then_some(reply)
    })
    .await;
    let timing = reply.header("server-timing").expect("timings");
    assert!(timing.contains("embed;dur=") && timing.contains("dense;dur="), "{timing}");
    let id = reply.header("x-rag-trace-id").expect("a trace");
    let trace = world.get(&format!("/v1/rag/traces/{id}")).await.json();
    for n in 0..2 {
        let cosine = trace["passages"][n]["dense"].as_f64().expect("a cosine");
        assert!((-1.001..=1.001).contains(&cosine), "{trace}");
    }
    // And what comes now is embedded at once; what is deleted is gone from this index, too.
    world.upload("manual", &[("late.txt", "The cats run and the dogs sat.")]).await;
    let found =
        eventually(|| async { Some(world.search("manual", "dogs").await).filter(|f| f.len() == 3) }).await;
    assert!(found.iter().any(|text| text.starts_with("Cats sat")), "{found:?}");
    assert_eq!(world.delete("/v1/vector_stores/manual/documents/cats.txt").await.status, 200);
    let found = world.search("manual", "dogs").await;
    assert!(found.len() == 2 && !found.iter().any(|text| text.starts_with("Cats sat")), "{found:?}");
    // Vectors are kept: the next start has them without being asked to wait.
    world.restart(&options).await;
    world.ready().await;
    eventually(|| async { (ask(&world).await.header("x-rag-status") == Some("hit")).then_some(()) }).await;
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_named_and_words_answer() {
    for missing in ["config.json", "tokenizer.json", "model.safetensors"] {
        let mut world = World::prepared("").await;
        let options = give_model(&world);
        std::fs::remove_file(model_folder(&world).join(missing)).expect("the file is removed");
        world.run_with(&options).await;
        let embedding = world.ready().await["embedding"].clone();
        assert_eq!(embedding["status"], "failed");
        assert!(embedding["message"].as_str().is_some_and(|m| m.contains(missing)), "{missing}: {embedding}");
        world.upload("manual", &[("dogs.txt", "Dogs run in the park.")]).await;
        assert_eq!(world.search("manual", "dogs").await.len(), 1);
        assert_eq!(ask(&world).await.header("x-rag-status"), Some("lexical"));
    }
}
