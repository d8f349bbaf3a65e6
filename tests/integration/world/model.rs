//! A BERT model folder small enough to be made by every test that needs one. Its weights are random: what it finds
//! alike means nothing, that it computes does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};

use super::World;

const CONFIG: &str = r#"{"vocab_size": 22, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 24, "hidden_act": "gelu", "type_vocab_size": 2, "max_position_embeddings": 64,
    "layer_norm_eps": 1e-12, "pad_token_id": 0, "model_type": "bert"}"#;

/// Where a world's model is.
pub fn model_folder(world: &World) -> PathBuf {
    world.data().with_file_name("tiny-model")
}

/// The settings with which it is used.
pub fn with_model(world: &World) -> String {
    format!("device = \"cpu\"\nembedding_model = {:?}", model_folder(world))
}

/// Writes a model for a world, and gives those settings.
pub fn give_model(world: &World) -> String {
    write_model(&model_folder(world));
    with_model(world)
}

/// A world in which a model has embedded two documents, stopped, and its settings.
pub async fn with_two_documents() -> (World, String) {
    let mut world = World::start("").await;
    let options = give_model(&world);
    world.restart(&options).await;
    world.upload("manual", &[("dogs.txt", "Dogs run in the park."), ("cats.txt", "Cats sat on mats.")]).await;
    world.stop().await;
    (world, options)
}

/// A file of a model as a pipe. A pipe is read to its end when somebody has written to it: so long the model is loading.
pub struct HeldBack {
    file: PathBuf,
    content: Vec<u8>,
}

impl HeldBack {
    pub fn new(file: PathBuf) -> Self {
        let content = std::fs::read(&file).expect("the file is read");
        std::fs::remove_file(&file).expect("the file is removed");
        let made = std::process::Command::new("mkfifo").arg(&file).status().expect("mkfifo runs");
        assert!(made.success());
        Self { file, content }
    }

    /// Lets the model be loaded.
    pub fn write(self) {
        // A thread of its own: it waits for whoever reads.
        std::thread::spawn(move || std::fs::write(self.file, self.content).expect("the file is written"));
    }
}

/// Writes the model into a folder, which is made.
pub fn write_model(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let tokenizer = include_bytes!("../../fixtures/embedding/tiny-tokenizer.json");
    std::fs::write(folder.join("config.json"), CONFIG).expect("the configuration is written");
    std::fs::write(folder.join("tokenizer.json"), tokenizer).expect("the tokenizer is written");
    save(folder, &weights());
}

/// The same, but it gives no vector of a text with these words of its vocabulary.
pub fn write_model_without(folder: &Path, words: &[usize]) {
    write_model(folder);
    let mut weights = weights();
    let name = "embeddings.word_embeddings.weight";
    let mut rows = weights[name].to_vec2::<f32>().expect("rows");
    words.iter().for_each(|word| rows[*word].fill(f32::NAN));
    weights.insert(name.to_owned(), Tensor::new(rows, &Device::Cpu).expect("a tensor"));
    save(folder, &weights);
}

fn save(folder: &Path, weights: &HashMap<String, Tensor>) {
    candle_core::safetensors::save(weights, folder.join("model.safetensors"))
        .expect("the weights are written");
}

fn weights() -> HashMap<String, Tensor> {
    let (width, inner) = (16, 24);
    let mut seed = 1_u64;
    let mut random = |shape: &[usize], around: f32| {
        let values = (0..shape.iter().product()).map(|_| {
            // The constants of Knuth's MMIX generator.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            around + (seed >> 40) as f32 / (1 << 24) as f32 - 0.5
        });
        Tensor::from_vec(values.collect(), shape, &Device::Cpu).expect("a tensor")
    };
    let mut all = HashMap::new();
    let embeddings = [("word_embeddings", 22), ("position_embeddings", 64), ("token_type_embeddings", 2)];
    for (name, rows) in embeddings {
        all.insert(format!("embeddings.{name}.weight"), random(&[rows, width], 0.0));
    }
    let layer = "encoder.layer.0";
    let linear = [
        ("attention.self.query", width, width),
        ("attention.self.key", width, width),
        ("attention.self.value", width, width),
        ("attention.output.dense", width, width),
        ("intermediate.dense", inner, width),
        ("output.dense", width, inner),
    ];
    for (name, rows, columns) in linear {
        all.insert(format!("{layer}.{name}.weight"), random(&[rows, columns], 0.0));
        all.insert(format!("{layer}.{name}.bias"), random(&[rows], 0.0));
    }
    let norms = [
        "embeddings.LayerNorm".to_owned(),
        format!("{layer}.attention.output.LayerNorm"),
        format!("{layer}.output.LayerNorm"),
    ];
    for norm in norms {
        all.insert(format!("{norm}.weight"), random(&[width], 1.0));
        all.insert(format!("{norm}.bias"), random(&[width], 0.0));
    }
    all
}
