//! What turns an encoder into a model of text: pooling, prefixes, window, languages, relevance.
//!
//! Later sources win: what is known of the model's family, the files of Sentence-Transformers
//! (`modules.json`, `1_Pooling/config.json`, `sentence_bert_config.json`), and `lastro.json`.

use std::path::Path;

use serde::Deserialize;

use super::calibration::Calibration;
use super::config::{BertConfig, Pooling};
use super::error::ModelError;
use super::sentence_transformers::{self, read_json};

/// What a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Languages {
    /// Two-letter codes (ISO 639-1).
    Only(Vec<String>),
    Multilingual,
}

impl Languages {
    /// Whether the model can be trusted with text in `language`, a two-letter code.
    pub fn speaks(&self, language: &str) -> bool {
        match self {
            Languages::Only(codes) => codes.iter().any(|code| code.eq_ignore_ascii_case(language)),
            Languages::Multilingual => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub pooling: Pooling,
    pub normalize: bool,
    pub query_prefix: String,
    pub passage_prefix: String,
    /// The most tokens of a text, special ones and the prefix included.
    pub window: usize,
    pub languages: Languages,
    /// Cosine under which a passage is left out, if `lastro.json` has one.
    pub floor: Option<f32>,
    pub relevance: Option<Calibration>,
}

/// `lastro.json`: every field overrides what was found otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Overrides {
    pooling: Option<Pooling>,
    normalize: Option<bool>,
    query_prefix: Option<String>,
    passage_prefix: Option<String>,
    max_tokens: Option<usize>,
    languages: Option<LanguagesSetting>,
    floor: Option<f32>,
    relevance: Option<Calibration>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LanguagesSetting {
    Codes(Vec<String>),
    Word(Word),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Multilingual,
}

impl Profile {
    pub fn read(folder: &Path, config: &BertConfig) -> Result<Self, ModelError> {
        let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let mut profile = Profile::of_family(&name, config);
        if let Some(pooling) = sentence_transformers::pooling(folder)? {
            profile.pooling = pooling;
        }
        if let Some(length) = sentence_transformers::window(folder)? {
            profile.window = length.min(positions(config));
        }
        let path = folder.join("lastro.json");
        if let Some(overrides) = read_json(&path)? {
            profile.apply(overrides, positions(config)).map_err(|why| ModelError::broken(&path, &why))?;
        }
        Ok(profile)
    }

    /// What the names of a model (its folder's, and the one in config.json) and its sizes tell.
    fn of_family(folder: &str, config: &BertConfig) -> Self {
        let names = format!("{folder} {}", config.name.as_deref().unwrap_or_default()).to_lowercase();
        let says = |word: &str| names.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
        // An instruction-tuned e5 takes instructions instead of these prefixes.
        let e5 = says("e5") && !says("instruct");
        let minilm = says("minilm");
        // Vocabularies of one language have 20 to 60 thousand entries, of a hundred languages 250.
        let multilingual = says("multilingual") || config.vocab_size >= 100_000;
        let size = (config.num_hidden_layers, config.hidden_size);
        let prefix = |text: &str| if e5 { text.to_owned() } else { String::new() };
        Profile {
            pooling: Pooling::Mean,
            normalize: true,
            query_prefix: prefix("query: "),
            passage_prefix: prefix("passage: "),
            window: if minilm { positions(config).min(256) } else { positions(config) },
            languages: match multilingual {
                true => Languages::Multilingual,
                false => Languages::Only(vec!["en".to_owned()]),
            },
            floor: None,
            relevance: match (size, multilingual) {
                ((6, 384), false) if minilm => Some(Calibration::MINILM),
                ((12, 384), true) if e5 => Some(Calibration::E5_SMALL),
                _ => None,
            },
        }
    }

    fn apply(&mut self, overrides: Overrides, positions: usize) -> Result<(), String> {
        if let Some(tokens) = overrides.max_tokens {
            if tokens > positions {
                return Err(format!("max_tokens is {tokens} but the model has {positions} positions"));
            }
            self.window = tokens;
        }
        if let Some(floor) = overrides.floor {
            if !(-1.0..=1.0).contains(&floor) {
                return Err(format!("floor is {floor} but a cosine lies between -1 and 1"));
            }
            self.floor = Some(floor);
        }
        if let Some(relevance) = overrides.relevance {
            if let Some(problem) = relevance.problem() {
                return Err(format!("relevance: {problem}"));
            }
            self.relevance = Some(relevance);
        }
        self.pooling = overrides.pooling.unwrap_or(self.pooling);
        self.normalize = overrides.normalize.unwrap_or(self.normalize);
        self.languages = match overrides.languages {
            Some(LanguagesSetting::Codes(codes)) => Languages::Only(codes),
            Some(LanguagesSetting::Word(Word::Multilingual)) => Languages::Multilingual,
            None => self.languages.clone(),
        };
        if let Some(prefix) = overrides.query_prefix {
            self.query_prefix = prefix;
        }
        if let Some(prefix) = overrides.passage_prefix {
            self.passage_prefix = prefix;
        }
        Ok(())
    }
}

/// How many tokens the model has positions for.
fn positions(config: &BertConfig) -> usize {
    config.max_position_embeddings.saturating_sub(config.first_position())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(layers: usize, vocabulary: usize) -> BertConfig {
        serde_json::from_value(serde_json::json!({
            "vocab_size": vocabulary, "hidden_size": 384, "num_hidden_layers": layers,
            "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
        }))
        .expect("a configuration")
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("writes");
        }
        folder
    }

    #[test]
    fn families_are_known_by_name_and_size() {
        let minilm = Profile::of_family("all-MiniLM-L6-v2", &config(6, 30_522));
        assert_eq!((minilm.window, minilm.query_prefix.as_str()), (256, ""));
        assert_eq!(minilm.languages, Languages::Only(vec!["en".to_owned()]));
        assert_eq!((minilm.floor, minilm.relevance), (None, Some(Calibration::MINILM)));
        let e5 = Profile::of_family("multilingual-e5-small", &config(12, 250_037));
        assert_eq!((e5.query_prefix.as_str(), e5.passage_prefix.as_str()), ("query: ", "passage: "));
        assert_eq!((e5.window, e5.relevance), (512, Some(Calibration::E5_SMALL)));
        assert!(e5.languages.speaks("pt") && !minilm.languages.speaks("pt"));
        let other = Profile::of_family("gte-small", &config(12, 30_522));
        assert_eq!((other.relevance, other.passage_prefix.as_str(), other.window), (None, "", 512));
    }

    #[test]
    fn a_renamed_folder_is_known_by_the_name_in_its_configuration() {
        let mut config = config(12, 250_037);
        config.name = Some("intfloat/multilingual-e5-small".to_owned());
        assert_eq!(Profile::of_family("model", &config).query_prefix, "query: ");
        config.name = Some("intfloat/multilingual-e5-large-instruct".to_owned());
        assert_eq!(Profile::of_family("model", &config).query_prefix, "");
    }

    #[test]
    fn files_of_sentence_transformers_are_respected() {
        let there = folder(&[
            ("modules.json", r#"[{"path":"","type":"a.Transformer"},{"path":"2_Pool","type":"a.Pooling"}]"#),
            ("2_Pool/config.json", r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#),
            ("sentence_bert_config.json", r#"{"max_seq_length":128,"do_lower_case":false}"#),
        ]);
        let profile = Profile::read(there.path(), &config(6, 30_522)).expect("reads");
        assert_eq!((profile.pooling, profile.window), (Pooling::Cls, 128));
    }

    #[test]
    fn what_is_not_supported_is_refused_by_file() {
        for (name, text, said) in [
            ("modules.json", r#"[{"path":"2_Dense","type":"a.Dense"}]"#, "Dense"),
            ("1_Pooling/config.json", r#"{"pooling_mode_max_tokens":true}"#, "neither mean nor cls"),
            ("lastro.json", r#"{"prefix":"x"}"#, "prefix"),
            ("lastro.json", r#"{"max_tokens":9000}"#, "512 positions"),
            ("lastro.json", r#"{"floor":7}"#, "between -1 and 1"),
            (
                "lastro.json",
                r#"{"relevance":{"without_words":0.1,"with_words":0.2,"other_language":0.1}}"#,
                "above with_words",
            ),
            ("lastro.json", r#"{"relevance":{"without_words":0.1}}"#, "with_words"),
        ] {
            let there = folder(&[(name, text)]);
            let error = Profile::read(there.path(), &config(6, 30_522)).expect_err("refused").to_string();
            assert!(error.contains(said) && error.contains(name), "{error}");
        }
    }

    #[test]
    fn lastro_json_overrides_everything() {
        let text = r#"{"pooling":"cls","normalize":false,"query_prefix":"q ","passage_prefix":"p ",
            "max_tokens":64,"languages":["pt","en"],"floor":0.25,
            "relevance":{"without_words":0.3,"with_words":0.1,"other_language":0.2}}"#;
        let there =
            folder(&[("lastro.json", text), ("sentence_bert_config.json", r#"{"max_seq_length":128}"#)]);
        let profile = Profile::read(there.path(), &config(6, 30_522)).expect("reads");
        let expected = Profile {
            pooling: Pooling::Cls,
            normalize: false,
            query_prefix: "q ".to_owned(),
            passage_prefix: "p ".to_owned(),
            window: 64,
            languages: Languages::Only(vec!["pt".to_owned(), "en".to_owned()]),
            floor: Some(0.25),
            relevance: Some(Calibration { without_words: 0.3, with_words: 0.1, other_language: 0.2 }),
        };
        assert_eq!(profile, expected);
        let there = folder(&[("lastro.json", r#"{"languages":"multilingual"}"#)]);
        let profile = Profile::read(there.path(), &config(6, 30_522)).expect("reads");
        assert_eq!(profile.languages, Languages::Multilingual);
    }
}
