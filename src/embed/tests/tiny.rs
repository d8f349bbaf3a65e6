//! A model folder small enough to be made by every test that needs one.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use tempfile::TempDir;

use super::super::config::BertConfig;

pub const CONFIG: &str = r#"{"vocab_size": 22, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 56, "hidden_act": "gelu", "type_vocab_size": 2,
    "max_position_embeddings": 48, "layer_norm_eps": 1e-12, "pad_token_id": 0, "model_type": "bert",
    "hidden_dropout_prob": 0.1, "initializer_range": 0.02}"#;
/// Random weights for [`CONFIG`], the same on every run.
pub fn weights() -> HashMap<String, Tensor> {
    let config: BertConfig = serde_json::from_str(CONFIG).expect("parses");
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut seed = 7_u64;
    let mut random = |shape: &[usize], around: f32| {
        let values = (0..shape.iter().product()).map(|_| {
            // The constants of Knuth's MMIX generator.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            around + (seed >> 40) as f32 / (1 << 24) as f32 - 0.5
        });
        Tensor::from_vec(values.collect(), shape, &Device::Cpu).expect("a tensor")
    };
    let mut all = HashMap::new();
    let mut add = |name: String, shape: &[usize], around: f32| {
        all.insert(name, random(shape, around));
    };
    add("embeddings.word_embeddings.weight".into(), &[config.vocab_size, width], 0.0);
    add("embeddings.position_embeddings.weight".into(), &[config.max_position_embeddings, width], 0.0);
    add("embeddings.token_type_embeddings.weight".into(), &[2, width], 0.0);
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    for layer in 0..config.num_hidden_layers {
        let path = format!("encoder.layer.{layer}");
        for (name, rows, columns) in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", inner, width),
            ("output.dense", width, inner),
        ] {
            add(format!("{path}.{name}.weight"), &[rows, columns], 0.0);
            add(format!("{path}.{name}.bias"), &[rows], 0.0);
        }
        norms.extend([format!("{path}.attention.output.LayerNorm"), format!("{path}.output.LayerNorm")]);
    }
    for norm in norms {
        add(format!("{norm}.weight"), &[width], 1.0);
        add(format!("{norm}.bias"), &[width], 0.0);
    }
    all
}

/// A model folder with random weights.
pub fn tiny_model() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let tokenizer = include_bytes!("../../../tests/fixtures/embedding/tiny-tokenizer.json");
    std::fs::write(folder.path().join("config.json"), CONFIG).expect("writes");
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer).expect("writes");
    save(folder.path(), &weights());
    folder
}

pub fn save(folder: &Path, weights: &HashMap<String, Tensor>) {
    candle_core::safetensors::save(weights, folder.join("model.safetensors")).expect("saves");
}
