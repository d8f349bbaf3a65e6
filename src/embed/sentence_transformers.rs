//! The files that Sentence-Transformers leaves in a model folder, all of them optional.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::config::Pooling;
use super::error::ModelError;

#[derive(Deserialize)]
struct Module {
    path: String,
    r#type: String,
}

#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    pooling_mode: Option<String>,
}

#[derive(Deserialize)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

/// `max_seq_length` of `sentence_bert_config.json`.
pub fn window(folder: &Path) -> Result<Option<usize>, ModelError> {
    let config: Option<SentenceConfig> = read_json(&folder.join("sentence_bert_config.json"))?;
    Ok(config.and_then(|config| config.max_seq_length))
}

/// How token vectors are pooled, if the files say so.
pub fn pooling(folder: &Path) -> Result<Option<Pooling>, ModelError> {
    let path = folder.join("modules.json");
    let modules: Vec<Module> = read_json(&path)?.unwrap_or_default();
    let mut place = "1_Pooling".to_owned();
    for module in modules {
        match module.r#type.rsplit('.').next().unwrap_or_default() {
            "Transformer" | "Normalize" => {}
            "Pooling" => place = module.path,
            other => {
                let why =
                    format!("it lists a module {other}; Transformer, Pooling and Normalize are supported");
                return Err(ModelError::broken(&path, &why));
            }
        }
    }
    let path = folder.join(place).join("config.json");
    let Some(config) = read_json::<PoolingConfig>(&path)? else { return Ok(None) };
    match (config.pooling_mode_mean_tokens, config.pooling_mode_cls_token, config.pooling_mode.as_deref()) {
        (true, false, None) | (_, _, Some("mean")) => Ok(Some(Pooling::Mean)),
        (false, true, None) | (_, _, Some("cls")) => Ok(Some(Pooling::Cls)),
        _ => Err(ModelError::broken(&path, "its pooling is neither mean nor cls alone")),
    }
}

/// A JSON file that may be absent.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    match std::fs::read(path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(ModelError::broken(path, &error.to_string())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ModelError::unreadable(path, &error)),
    }
}
