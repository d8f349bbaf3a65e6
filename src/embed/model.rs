//! A model folder: `config.json`, `tokenizer.json`, `model.safetensors`, and what may lie beside them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use sha2::{Digest, Sha256};

use super::bert::Bert;
use super::config::BertConfig;
use super::error::ModelError;
use super::generic;
use super::info::{ModelInfo, Relevance};
use super::profile::Profile;
use super::sides::{Side, Sides};
use super::tokens::Tokens;
use super::weights::Weights;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
/// Goes into the fingerprint: to be raised when the same files begin to give other vectors.
const FINGERPRINT_VERSION: &str = "lastro embedding 1, f32";

/// A loaded model.
pub struct Model {
    pub info: Arc<ModelInfo>,
    pub sides: Arc<Sides>,
    profile: Profile,
    bert: Bert,
}

impl Model {
    pub fn load(folder: &Path, device: Device, device_name: String) -> Result<Self, ModelError> {
        if !folder.is_dir() {
            let what = format!("it must be a folder with {CONFIG}, {TOKENIZER} and {WEIGHTS}");
            return Err(ModelError::Missing(folder.to_owned(), what));
        }
        let config_json = read(folder, CONFIG)?;
        let path = folder.join(CONFIG);
        let config = BertConfig::parse(&config_json).map_err(|why| ModelError::broken(&path, &why))?;
        let profile = Profile::read(folder, &config)?;
        let path = folder.join(TOKENIZER);
        let tokenizer_json = read(folder, TOKENIZER)?;
        let tokens = Tokens::parse(&path, &tokenizer_json, profile.window)?;
        let room = |prefix: &str| tokens.room(prefix).map_err(|e| ModelError::broken(&path, &e.to_string()));
        let max_tokens = room(&profile.query_prefix)?.min(room(&profile.passage_prefix)?);
        if tokens.vocabulary() > config.vocab_size {
            let (has, takes) = (tokens.vocabulary(), config.vocab_size);
            let why = format!(
                "it has {has} tokens but the model takes {takes}: the two belong to different models"
            );
            return Err(ModelError::broken(&path, &why));
        }
        let path = weights_path(folder)?;
        let mut weights = Weights::open(&path)?;
        // Of `config.json`, `tokenizer.json`, the header and size of the weights with a sample of their bytes, pooling,
        // normalisation, prefixes, window and number format.
        let mut hasher = Sha256::new();
        for part in [FINGERPRINT_VERSION.as_bytes(), &config_json, &tokenizer_json] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        weights.hash_sample(&mut hasher)?;
        let Profile { pooling, normalize, query_prefix, passage_prefix, window, .. } = &profile;
        hasher.update(format!("{pooling:?} {normalize} {query_prefix:?} {passage_prefix:?} {window}"));
        let mut info = ModelInfo {
            name: name(folder),
            fingerprint: hex::encode(hasher.finalize()),
            dimensions: config.hidden_size,
            window: *window,
            max_tokens,
            languages: profile.languages.clone(),
            floor: profile.floor,
            relevance: None,
            device: device_name,
        };
        let sides = Sides::new(tokens, query_prefix.clone(), passage_prefix.clone());
        let bert = Bert::load(&config, &mut weights, &device)?;
        let calibration = profile.relevance;
        let mut model = Model { info: Arc::new(info.clone()), sides: Arc::new(sides), profile, bert };
        info.relevance = model.anything().map(|anything| Relevance { calibration, anything });
        model.info = Arc::new(info);
        Ok(model)
    }

    /// The mean vector of questions about anything. None where the model cannot embed them, as it will not any other
    /// text.
    fn anything(&self) -> Option<Arc<[f32]>> {
        let encoded: Result<Vec<_>, _> =
            generic::QUESTIONS.iter().map(|question| self.encode(Side::Query, question)).collect();
        match self.embed(&encoded.ok()?, &mut || ()) {
            Ok(vectors) => generic::mean(&vectors).map(Arc::from),
            Err(error) => {
                tracing::warn!(%error, "passages are not judged by their vectors");
                None
            }
        }
    }

    /// The ids of a text with its side's prefix, cut at the window.
    pub fn encode(&self, side: Side, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        self.sides.encode(side, text)
    }

    /// One vector for each text of [`Model::encode`]; `pause` is called between layers.
    pub fn embed(&self, texts: &[Vec<u32>], pause: &mut dyn FnMut()) -> candle_core::Result<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let mut vectors = self.bert.forward(texts, self.profile.pooling, pause)?.to_vec2::<f32>()?;
        for vector in &mut vectors {
            let norm = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
            if !norm.is_finite() || norm == 0.0 {
                candle_core::bail!("the model gave a vector of length {norm}; its weights are damaged");
            }
            if self.profile.normalize {
                vector.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
            }
        }
        Ok(vectors)
    }

    pub fn on_cpu(&self) -> bool {
        self.bert.device().is_cpu()
    }
}

/// A model goes by its folder's name.
pub fn name(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let what = format!("a model folder holds {CONFIG}, {TOKENIZER} and {WEIGHTS}; download it again");
            ModelError::Missing(path, what)
        }
        _ => ModelError::Unreadable(path, error),
    })
}

fn weights_path(folder: &Path) -> Result<PathBuf, ModelError> {
    let path = folder.join(WEIGHTS);
    if path.exists() {
        return Ok(path);
    }
    let has = |name: &str| folder.join(name).exists();
    let what = if has("model.safetensors.index.json") {
        "weights in several files cannot be read; save the model in one"
    } else if has("pytorch_model.bin") {
        "pytorch_model.bin cannot be read; save the model in the safetensors format"
    } else {
        "download the model's weights in the safetensors format"
    };
    Err(ModelError::Missing(path, what.to_owned()))
}
