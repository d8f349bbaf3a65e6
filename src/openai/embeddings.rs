//! Embeddings: which model a body asks for, the request to ours, and its answer.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::{self, Body, Fields, RequestError, list, text, whole};

/// OpenAI's limit of texts in one request.
const MOST_TEXTS: usize = 2048;
/// No model has vectors of more numbers.
const MOST_DIMENSIONS: u64 = 1 << 20;

/// How vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodingFormat {
    Float,
    /// The numbers as 32-bit floats, the least byte first.
    Base64,
}

/// What the texts are: some models tell questions from documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    Query,
    Document,
}

/// Where a text that is too long is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At what the model reads.
    Window,
    /// After so many tokens, special ones included.
    Tokens(u64),
}

/// A request that was checked.
#[derive(Debug, PartialEq, Eq)]
pub struct EmbeddingsRequest {
    pub texts: Vec<String>,
    pub encoding_format: EncodingFormat,
    pub input_type: InputType,
    /// Length of the vectors, where the client insists on one.
    pub dimensions: Option<u64>,
    /// Texts are cut only where that is asked for: their first tokens are read.
    pub cut: Option<Cut>,
}

/// The model that a body asks for. `None` where that cannot be read.
pub fn embeddings_model(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        model: String,
    }
    serde_json::from_slice(body).ok().map(|named: Named| named.model)
}

impl Body for EmbeddingsRequest {
    /// A request to a model of ours. Fields that are not known are refused, since what they ask for is not done.
    fn read(fields: &mut Fields) -> request::Result<Self> {
        fields.needed("model")?;
        // Who asks is told for a provider's statistics, which there are none of here.
        fields.text("user")?;
        Ok(Self {
            texts: texts(fields.needed("input")?)?,
            encoding_format: match fields.word("encoding_format", &["float", "base64"])? {
                Some("base64") => EncodingFormat::Base64,
                _ => EncodingFormat::Float,
            },
            input_type: match fields.word("input_type", &["query", "document", "passage"])? {
                Some("query") => InputType::Query,
                _ => InputType::Document,
            },
            dimensions: fields.whole("dimensions", 1..=MOST_DIMENSIONS)?,
            cut: cut(fields)?,
        })
    }
}

/// vLLM's field: -1 is the window, and of models for embeddings the first tokens stay.
fn cut(fields: &mut Fields) -> request::Result<Option<Cut>> {
    const FIELD: &str = "truncate_prompt_tokens";
    match fields.take(FIELD) {
        None => Ok(None),
        Some(number) if number.as_f64() == Some(-1.0) => Ok(Some(Cut::Window)),
        Some(number) if number.as_f64().is_some_and(|number| number < 1.0) => {
            let message = format!("'{FIELD}' must be -1, for as many as the model reads, or 1 or more");
            Err(RequestError::value(FIELD, message))
        }
        Some(number) => whole(&number, FIELD, 1..=u64::from(u32::MAX)).map(|most| Some(Cut::Tokens(most))),
    }
}

fn texts(input: Value) -> request::Result<Vec<String>> {
    if let Value::String(text) = input {
        return Ok(vec![not_empty(text, "input")?]);
    }
    let items = list(input, "input", 1..=MOST_TEXTS)?;
    let read = |(path, item): (String, Value)| match item {
        Value::Number(_) | Value::Array(_) => Err(RequestError::value(
            "input",
            "'input' is made of tokens, of which a model has its own: send texts (in LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))",
        )),
        item => not_empty(text(item, &path)?, &path),
    };
    items.into_iter().map(read).collect()
}

fn not_empty(text: String, path: &str) -> request::Result<String> {
    match text.is_empty() {
        true => Err(RequestError::value(path, format!("'{path}' is empty: there is nothing to embed"))),
        false => Ok(text),
    }
}

/// The answer to an [`EmbeddingsRequest`].
#[derive(Debug, Serialize)]
pub struct EmbeddingsList<'a> {
    object: &'static str,
    data: Vec<EmbeddingObject>,
    model: &'a str,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct EmbeddingObject {
    object: &'static str,
    index: usize,
    embedding: Numbers,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Numbers {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

impl<'a> EmbeddingsList<'a> {
    /// Vectors in the order of the texts, and the tokens that the model read for them.
    pub fn new(model: &'a str, vectors: Vec<Vec<f32>>, tokens: usize, format: EncodingFormat) -> Self {
        let written = |vector: Vec<f32>| match format {
            EncodingFormat::Float => Numbers::Float(vector),
            EncodingFormat::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Numbers::Base64(BASE64_STANDARD.encode(bytes))
            }
        };
        let object =
            |(index, vector)| EmbeddingObject { object: "embedding", index, embedding: written(vector) };
        Self {
            object: "list",
            data: vectors.into_iter().enumerate().map(object).collect(),
            model,
            usage: Usage { prompt_tokens: tokens, total_tokens: tokens },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_body;
    use super::*;

    fn parse(body: &str) -> Result<EmbeddingsRequest, RequestError> {
        parse_body(body.as_bytes())
    }

    #[test]
    fn a_request_is_read_with_its_defaults() {
        let expected = EmbeddingsRequest {
            texts: vec!["a".to_owned()],
            encoding_format: EncodingFormat::Float,
            input_type: InputType::Document,
            dimensions: None,
            cut: None,
        };
        for body in [
            r#"{"model":"m","input":"a"}"#,
            r#"{"model":"m","input":["a"],"encoding_format":"float","input_type":"passage","user":"u"}"#,
            r#"{"model":"m","input":["a"],"encoding_format":null,"input_type":null,"user":null,"dimensions":null}"#,
        ] {
            assert_eq!(parse(body).as_ref(), Ok(&expected), "{body}");
        }
        let full = r#"{"model":"m","input":["a"," "],"encoding_format":"base64","input_type":"query","dimensions":3}"#;
        let expected = EmbeddingsRequest {
            texts: vec!["a".to_owned(), " ".to_owned()],
            encoding_format: EncodingFormat::Base64,
            input_type: InputType::Query,
            dimensions: Some(3),
            cut: None,
        };
        assert_eq!(parse(full), Ok(expected));
        for (number, cut) in [
            ("-1", Some(Cut::Window)),
            ("7", Some(Cut::Tokens(7))),
            ("8.0", Some(Cut::Tokens(8))),
            ("null", None),
        ] {
            let body = format!(r#"{{"model":"m","input":"a","truncate_prompt_tokens":{number}}}"#);
            assert_eq!(parse(&body).expect(&body).cut, cut);
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_its_field() {
        let many = format!(r#"{{"model":"m","input":[{}"a"]}}"#, r#""a","#.repeat(MOST_TEXTS));
        let with = |fields: &str| format!(r#"{{"model":"m",{fields}}}"#);
        for (body, param, said) in [
            ("[]".to_owned(), "", "a JSON object"),
            (r#"{"model":"m"}"#.to_owned(), "input", "missing"),
            (many, "input", "1 to 2048"),
            (with(r#""input":null"#), "input", "missing"),
            (with(r#""input":7"#), "input", "a list"),
            (with(r#""input":"""#), "input", "is empty"),
            (with(r#""input":[]"#), "input", "1 to 2048"),
            (with(r#""input":["a",""]"#), "input[1]", "is empty"),
            (with(r#""input":["a",{}]"#), "input[1]", "a string"),
            (with(r#""input":["a",null]"#), "input[1]", "a string"),
            (with(r#""input":[1,2]"#), "input", "check_embedding_ctx_length=False"),
            (with(r#""input":[[1,2]]"#), "input", "check_embedding_ctx_length=False"),
            (with(r#""input":"a","encoding_format":"int8""#), "encoding_format", "float or base64"),
            (with(r#""input":"a","encoding_format":1"#), "encoding_format", "a string"),
            (with(r#""input":"a","input_type":"image""#), "input_type", "query, document or passage"),
            (with(r#""input":"a","dimensions":0"#), "dimensions", "from 1"),
            (with(r#""input":"a","dimensions":"3""#), "dimensions", "whole number"),
            (with(r#""input":"a","user":1"#), "user", "a string"),
            (with(r#""input":"a","truncate":true"#), "truncate", "not known"),
            (with(r#""input":"a","truncate_prompt_tokens":0"#), "truncate_prompt_tokens", "must be -1"),
            (with(r#""input":"a","truncate_prompt_tokens":-2"#), "truncate_prompt_tokens", "must be -1"),
            (with(r#""input":"a","truncate_prompt_tokens":1.5"#), "truncate_prompt_tokens", "whole number"),
            (with(r#""input":"a","truncate_prompt_tokens":"-1""#), "truncate_prompt_tokens", "whole number"),
        ] {
            let error = parse(&body).expect_err(&body);
            assert_eq!(error.param, param, "{body}");
            assert!(error.message.contains(said), "{body}: {}", error.message);
        }
    }

    #[test]
    fn the_model_is_found_without_reading_the_rest() {
        assert_eq!(
            embeddings_model(br#"{"input":[[1,2]],"x":{"model":"n"},"model":"m"}"#).as_deref(),
            Some("m")
        );
        for body in ["", "{}", "[]", r#"{"model":1}"#, r#"{"model":"a","model":"a"}"#, r#"{"model":"a""#] {
            assert_eq!(embeddings_model(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn vectors_are_numbers_or_the_bytes_of_numbers() {
        let vectors = vec![vec![1.0, -0.5], vec![0.1, 0.0]];
        let json = |format| {
            serde_json::to_value(EmbeddingsList::new("m", vectors.clone(), 7, format)).expect("JSON")
        };
        let list = json(EncodingFormat::Float);
        assert_eq!(list["data"][0]["embedding"], serde_json::json!([1.0, -0.5]));
        assert_eq!((&list["data"][1]["index"], &list["object"]), (&1.into(), &"list".into()));
        assert_eq!(list["usage"], serde_json::json!({"prompt_tokens": 7, "total_tokens": 7}));
        // The bytes 00 00 80 3f 00 00 00 bf.
        assert_eq!(json(EncodingFormat::Base64)["data"][0]["embedding"], "AACAPwAAAL8=");
    }
}
