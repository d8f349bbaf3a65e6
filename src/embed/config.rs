//! What a model's `config.json` says of its encoder.

use serde::Deserialize;

/// What `config.json` must say about a BERT-type encoder.
#[derive(Clone, Debug, Deserialize)]
pub struct BertConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub layer_norm_eps: f32,
    pub hidden_act: Activation,
    #[serde(default)]
    pub pad_token_id: usize,
    #[serde(default)]
    pub model_type: Option<String>,
    #[serde(default)]
    pub position_embedding_type: Option<String>,
    #[serde(default, rename = "_name_or_path")]
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// By the error function.
    #[serde(alias = "gelu_python")]
    Gelu,
    /// By tanh.
    #[serde(alias = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_approximate", alias = "gelu_fast")]
    GeluTanh,
    Relu,
}

impl BertConfig {
    /// The position of a text's first token: RoBERTa's count begins behind the padding's.
    pub fn first_position(&self) -> usize {
        match self.model_type.as_deref() {
            Some("roberta" | "xlm-roberta" | "camembert") => self.pad_token_id + 1,
            _ => 0,
        }
    }

    /// Reads a `config.json`; the error says what this encoder cannot run.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        /// Other architectures name their sizes otherwise, so the type is looked at first.
        #[derive(Deserialize)]
        struct Kind {
            model_type: Option<String>,
        }
        let kind: Kind = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let kind = kind.model_type.as_deref().unwrap_or("bert");
        if !["bert", "roberta", "xlm-roberta", "camembert"].contains(&kind) {
            return Err(format!("model_type {kind} is not supported; bert, roberta and xlm-roberta are"));
        }
        let config: BertConfig = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        match config.unsupported() {
            Some(why) => Err(why),
            None => Ok(config),
        }
    }

    fn unsupported(&self) -> Option<String> {
        let positions = self.position_embedding_type.as_deref().unwrap_or("absolute");
        if positions != "absolute" {
            return Some(format!("position_embedding_type {positions} is not supported; absolute is"));
        }
        let heads = self.num_attention_heads;
        if heads == 0 || self.hidden_size == 0 || !self.hidden_size.is_multiple_of(heads) {
            let width = self.hidden_size;
            return Some(format!("hidden_size {width} cannot be divided over {heads} attention heads"));
        }
        None
    }
}

/// How the vectors of a text's tokens become one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    Mean,
    /// The vector of the first token.
    Cls,
}
