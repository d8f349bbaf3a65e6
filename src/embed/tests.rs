//! The embedding thread as its callers see it, with a tiny random model; and real models against
//! vectors of an independent implementation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use serde::Deserialize;

use super::device::DeviceChoice;
use super::model::Model;
use super::sides::Side;
use super::*;

pub mod tiny;

use tiny::{CONFIG, save, tiny_model, weights};

const TEXTS: [&str; 6] = [
    "cats sat on mats",
    "",
    "dogs run in the park and cats sat on the mats and dogs run and run and run in a park",
    "a",
    "unknown words, and: punctuation",
    "the park",
];

pub fn load(folder: &Path) -> Result<Model, ModelError> {
    Model::load(folder, Device::Cpu, "cpu".to_owned())
}

fn embed(model: &Model, texts: &[&str]) -> Vec<Vec<f32>> {
    let ids: Vec<_> = texts.iter().map(|text| model.encode(Side::Passage, text).expect("encodes")).collect();
    model.embed(&ids, &mut || {}).expect("computes")
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[track_caller]
fn assert_same(ours: &[Vec<f32>], theirs: &[Vec<f32>], least: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let cosine = cosine(a, b);
        assert!(cosine >= least, "text {i}: cosine {cosine}");
    }
}

/// The mean of the token vectors of candle's own BERT, text by text.
fn stock(model: &Model, weights: HashMap<String, Tensor>) -> Vec<Vec<f32>> {
    let config: Config = serde_json::from_str(CONFIG).expect("parses");
    let bert = BertModel::load(VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu), &config);
    let bert = bert.expect("loads");
    let one = |text: &&str| {
        let ids = model.encode(Side::Passage, text).expect("encodes");
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        bert.forward(&ids, &ids.zeros_like()?, None)?.mean(1)?.squeeze(0)?.to_vec1()
    };
    TEXTS.iter().map(one).collect::<candle_core::Result<_>>().expect("computes")
}

#[test]
fn the_encoder_agrees_with_candles_own() {
    let folder = tiny_model();
    let model = load(folder.path()).expect("loads");
    let ours = embed(&model, &TEXTS);
    assert_same(&ours, &stock(&model, weights()), 0.99999);
    let length: f32 = ours[0].iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5, "not normalised: {length}");
}

/// The CPU multiplies operands of any strides; a GPU refuses most of them, with every text of more than one token.
#[test]
fn a_gpu_is_given_operands_that_it_multiplies() {
    let folder = tiny_model();
    let model = load(folder.path()).expect("loads");
    // Loading a model embeds texts of its own.
    layouts::looked_at();
    embed(&model, &TEXTS);
    // Six products a layer, two of them for each text.
    let (products, refused) = layouts::looked_at();
    assert_eq!((products, refused), (2 * (4 + 2 * TEXTS.len()), Vec::new()));
}

#[test]
fn prefixed_names_and_half_precision_are_read() {
    let folder = tiny_model();
    let expected = embed(&load(folder.path()).expect("loads"), &TEXTS);
    for (prefix, dtype, least) in [("bert.", DType::F16, 0.9999), ("roberta.", DType::BF16, 0.999)] {
        let renamed = weights()
            .into_iter()
            .map(|(name, tensor)| (format!("{prefix}{name}"), tensor.to_dtype(dtype).expect("converts")));
        save(folder.path(), &renamed.collect());
        assert_same(&embed(&load(folder.path()).expect("loads"), &TEXTS), &expected, least);
    }
}

#[test]
fn a_robertas_positions_begin_behind_its_padding() {
    let folder = tiny_model();
    let change = CONFIG.replace(
        r#""pad_token_id": 0, "model_type": "bert""#,
        r#""pad_token_id": 1, "model_type": "roberta""#,
    );
    std::fs::write(folder.path().join("config.json"), change).expect("writes");
    let model = load(folder.path()).expect("loads");
    assert_eq!(model.info.max_tokens, 48 - 2 - 2);
    let mut moved = weights();
    let positions = moved.remove("embeddings.position_embeddings.weight").expect("is there");
    let rotated = Tensor::cat(
        &[positions.narrow(0, 2, 46).expect("cuts"), positions.narrow(0, 0, 2).expect("cuts")],
        0,
    );
    moved.insert("embeddings.position_embeddings.weight".to_owned(), rotated.expect("joins"));
    assert_same(&embed(&model, &TEXTS), &stock(&model, moved), 0.99999);
}

#[test]
fn pooling_may_be_the_first_token() {
    let folder = tiny_model();
    let mean = embed(&load(folder.path()).expect("loads"), &TEXTS[..1]);
    std::fs::write(folder.path().join("lastro.json"), r#"{"pooling": "cls"}"#).expect("writes");
    let cls = embed(&load(folder.path()).expect("loads"), &TEXTS[..1]);
    assert!(cosine(&mean[0], &cls[0]) < 0.999);
}

#[test]
fn each_missing_or_broken_piece_is_named() {
    type Break = fn(&Path);
    let cases: [(&str, &str, Break); 9] = [
        ("config.json", "missing", |folder| {
            std::fs::remove_file(folder.join("config.json")).expect("removes")
        }),
        ("tokenizer.json", "missing", |folder| {
            std::fs::remove_file(folder.join("tokenizer.json")).expect("removes")
        }),
        ("model.safetensors", "safetensors format", |folder| {
            std::fs::rename(folder.join("model.safetensors"), folder.join("pytorch_model.bin"))
                .expect("renames");
        }),
        ("config.json", "vocab_size", |folder| {
            std::fs::write(folder.join("config.json"), "{}").expect("writes")
        }),
        ("config.json", "distilbert", |folder| {
            let config = r#"{"model_type": "distilbert", "dim": 768, "n_layers": 6}"#;
            std::fs::write(folder.join("config.json"), config).expect("writes");
        }),
        ("tokenizer.json", "not a tokenizer", |folder| {
            std::fs::write(folder.join("tokenizer.json"), "[]").expect("writes");
        }),
        ("model.safetensors", "git lfs pull", |folder| {
            std::fs::write(folder.join("model.safetensors"), "version https://git-lfs").expect("writes");
        }),
        ("model.safetensors", "cut short", |folder| {
            let bytes = std::fs::read(folder.join("model.safetensors")).expect("reads");
            std::fs::write(folder.join("model.safetensors"), &bytes[..bytes.len() - 1]).expect("writes");
        }),
        ("model.safetensors", "config.json implies", |folder| {
            let config = CONFIG.replace("56", "64");
            std::fs::write(folder.join("config.json"), config).expect("writes");
        }),
    ];
    for (file, said, damage) in cases {
        let folder = tiny_model();
        damage(folder.path());
        let error = load(folder.path()).err().expect("refused").to_string();
        assert!(error.contains(file) && error.contains(said), "{error}");
    }
    let error = load(Path::new("/nowhere/model")).err().expect("refused").to_string();
    assert!(error.contains("/nowhere/model") && error.contains("config.json"), "{error}");
}

#[test]
fn a_tensor_that_is_not_there_is_named() {
    let folder = tiny_model();
    let mut weights = weights();
    weights.remove("encoder.layer.1.output.dense.bias");
    save(folder.path(), &weights);
    let error = load(folder.path()).err().expect("refused").to_string();
    assert!(error.contains("encoder.layer.1.output.dense.bias"), "{error}");
}

#[test]
fn the_fingerprint_follows_what_changes_vectors() {
    let folder = tiny_model();
    let fingerprint = || load(folder.path()).expect("loads").info.fingerprint.clone();
    let first = fingerprint();
    assert_eq!(first, fingerprint());
    std::fs::write(folder.path().join("lastro.json"), r#"{"floor": 0.5}"#).expect("writes");
    assert_eq!(first, fingerprint());
    std::fs::write(folder.path().join("lastro.json"), r#"{"passage_prefix": "passage: "}"#).expect("writes");
    let prefixed = fingerprint();
    assert_ne!(first, prefixed);
    let doubled = weights().into_iter().map(|(name, tensor)| (name, (tensor * 2.0).expect("doubles")));
    save(folder.path(), &doubled.collect());
    assert_ne!(prefixed, fingerprint());
}

#[tokio::test]
async fn callers_get_their_own_vectors_in_order() {
    let folder = tiny_model();
    let expected = embed(&load(folder.path()).expect("loads"), &TEXTS);
    let embeddings = Embeddings::start(folder.path().to_owned(), DeviceChoice::Cpu);
    let texts: Vec<String> = TEXTS.iter().cycle().take(600).map(|text| (*text).to_owned()).collect();
    let many = embeddings.embed_passages(texts.clone());
    let few = embeddings.embed_passages(texts[..6].to_vec());
    let none = embeddings.embed_passages(Vec::new());
    let (many, few, none) = tokio::join!(many, few, none);
    let all: Vec<_> = expected.iter().cycle().take(600).cloned().collect();
    let all_of = |reply: Result<Vec<Result<Vec<f32>, _>>, EmbedError>| {
        reply.and_then(|vectors| vectors.into_iter().collect::<Result<Vec<_>, _>>()).expect("embeds")
    };
    assert_same(&all_of(many), &all, 0.99999);
    assert_same(&all_of(few), &expected, 0.99999);
    assert!(none.expect("embeds").is_empty());
    let question = embeddings.embed_query(TEXTS[0]).await.expect("embeds");
    assert_same(&[question], &expected[..1], 0.99999);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_says_why_to_everyone() {
    let embeddings = Embeddings::start(PathBuf::from("/nowhere/model"), DeviceChoice::Cpu);
    for error in [
        embeddings.ready().await.expect_err("fails"),
        embeddings.embed_passages(vec!["a".to_owned()]).await.expect_err("fails"),
        embeddings.embed_query("a").await.expect_err("fails"),
    ] {
        assert!(matches!(&error, EmbedError::NoModel(why) if why.contains("/nowhere/model")), "{error}");
    }
    assert!(matches!(embeddings.state(), State::Failed(_)));
}

/// A model that gives no vector of a text with "dogs" in it.
fn model_without_dogs() -> tempfile::TempDir {
    let folder = tiny_model();
    let mut damaged = weights();
    let words = damaged.remove("embeddings.word_embeddings.weight").expect("is there");
    // The thirteenth token, "dogs", becomes NaN.
    let (before, after) = (words.narrow(0, 0, 12).expect("cuts"), words.narrow(0, 13, 9).expect("cuts"));
    let nan = Tensor::full(f32::NAN, (1, 32), &Device::Cpu).expect("a tensor");
    let words = Tensor::cat(&[before, nan, after], 0).expect("joins");
    damaged.insert("embeddings.word_embeddings.weight".to_owned(), words);
    save(folder.path(), &damaged);
    folder
}

#[tokio::test]
async fn a_text_that_fails_leaves_the_thread_alive() {
    let folder = model_without_dogs();
    let embeddings = Embeddings::start(folder.path().to_owned(), DeviceChoice::Cpu);
    embeddings.ready().await.expect("loads");
    let failed = embeddings.embed_query("dogs run").await.expect_err("fails");
    assert!(failed.to_string().contains("damaged"), "{failed}");
    assert_eq!(embeddings.embed_query("cats sat").await.expect("embeds").len(), 32);
    embeddings.check().await.expect("the model works");
}

#[tokio::test]
async fn a_text_fails_alone_and_not_with_its_batch() {
    let folder = model_without_dogs();
    let embeddings = Embeddings::start(folder.path().to_owned(), DeviceChoice::Cpu);
    embeddings.ready().await.expect("loads");
    // Any place in a batch, and any number of them.
    for bad in [vec![0], vec![6], vec![3, 4], vec![0, 1, 2, 3, 4, 5, 6]] {
        let texts = (0..7)
            .map(|n| if bad.contains(&n) { "dogs run".to_owned() } else { "cats sat on mats".to_owned() });
        let sound = vec!["the park".to_owned(); 5];
        let (mixed, sound) = tokio::join!(
            embeddings.embed_passages(texts.collect()),
            // A caller in the same batch.
            embeddings.embed_passages(sound)
        );
        let failed: Vec<usize> =
            (0..).zip(mixed.expect("answered")).filter_map(|(n, v)| v.err().map(|_| n)).collect();
        assert_eq!(failed, bad);
        assert!(sound.expect("answered").iter().all(Result::is_ok), "{bad:?}");
    }
}

#[derive(Deserialize)]
struct Reference {
    text: String,
    vector: Vec<f32>,
}

/// Needs the real models: `LASTRO_TEST_MODELS` names the folder that holds both.
#[test]
fn real_models_agree_with_reference_vectors() {
    let Some(models) = std::env::var_os("LASTRO_TEST_MODELS").map(PathBuf::from) else {
        println!("skipped: LASTRO_TEST_MODELS is not set");
        return;
    };
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embedding");
    for (name, fixture) in [("all-MiniLM-L6-v2", "minilm.json"), ("multilingual-e5-small", "e5-small.json")] {
        let json = std::fs::read(fixtures.join(fixture)).expect("the fixture is there");
        let reference: Vec<Reference> = serde_json::from_slice(&json).expect("the fixture parses");
        let model = load(&models.join(name)).expect("loads");
        let texts: Vec<&str> = reference.iter().map(|item| item.text.as_str()).collect();
        let vectors: Vec<_> = reference.iter().map(|item| item.vector.clone()).collect();
        assert_eq!(texts.len(), 24);
        assert_same(&embed(&model, &texts), &vectors, 0.9999);
    }
}
