//! Embeddings: which model a body asks for, the request to ours, and its answer.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RequestError;

/// OpenAI's limit of texts in one request.
const MOST_TEXTS: usize = 2048;

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

/// A request that was checked.
#[derive(Debug, PartialEq, Eq)]
pub struct EmbeddingsRequest {
    pub texts: Vec<String>,
    pub encoding_format: EncodingFormat,
    pub input_type: InputType,
    /// Length of the vectors, where the client insists on one.
    pub dimensions: Option<u64>,
}

/// The model that a body asks for. `None` where that cannot be read.
pub fn embeddings_model(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        model: String,
    }
    serde_json::from_slice(body).ok().map(|named: Named| named.model)
}

impl EmbeddingsRequest {
    /// Reads a request to a model of ours. Fields that are not known are refused, since what they ask for is not done.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields: Map<String, Value> =
            serde_json::from_slice(body).map_err(|e| RequestError::value("", format!("the body: {e}")))?;
        fields.remove("model");
        // Who asks is told for a provider's statistics, which there are none of here.
        if fields.remove("user").is_some_and(|user| !user.is_string() && !user.is_null()) {
            return Err(RequestError::value("user", "user must be a string"));
        }
        let texts = texts(fields.remove("input").unwrap_or_default())?;
        let encoding_format = match word(&mut fields, "encoding_format")?.as_deref() {
            None | Some("float") => EncodingFormat::Float,
            Some("base64") => EncodingFormat::Base64,
            Some(other) => return Err(no_such("encoding_format", other, "float or base64")),
        };
        let input_type = match word(&mut fields, "input_type")?.as_deref() {
            None | Some("document" | "passage") => InputType::Document,
            Some("query") => InputType::Query,
            Some(other) => return Err(no_such("input_type", other, "query, document or passage")),
        };
        let dimensions = match fields.remove("dimensions").unwrap_or_default() {
            Value::Null => None,
            value => Some(value.as_u64().filter(|n| *n > 0).ok_or_else(|| {
                RequestError::value("dimensions", "dimensions must be a whole number of at least 1")
            })?),
        };
        match fields.keys().next() {
            None => Ok(Self { texts, encoding_format, input_type, dimensions }),
            Some(unknown) => Err(RequestError::value(
                unknown,
                format!(
                    "'{unknown}' is not a field of this request: there are model, input, encoding_format, dimensions, input_type and user"
                ),
            )),
        }
    }
}

fn word(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, RequestError> {
    match fields.remove(name).unwrap_or_default() {
        Value::Null => Ok(None),
        Value::String(word) => Ok(Some(word)),
        _ => Err(RequestError::value(name, format!("{name} must be a string"))),
    }
}

fn no_such(name: &str, value: &str, known: &str) -> RequestError {
    RequestError::value(name, format!("{name} is {value:?}, which is not known: it may be {known}"))
}

fn texts(input: Value) -> Result<Vec<String>, RequestError> {
    let refused = |message: String| Err(RequestError::value("input", message));
    let items = match input {
        Value::Null => return refused("input is missing: send a text, or a list of texts".to_owned()),
        Value::String(text) => vec![Value::String(text)],
        Value::Array(items) => items,
        _ => return refused("input must be a text, or a list of texts".to_owned()),
    };
    if !(1..=MOST_TEXTS).contains(&items.len()) {
        return refused(format!("input has {} texts, but may have 1 to {MOST_TEXTS}", items.len()));
    }
    let mut texts = Vec::with_capacity(items.len());
    for (n, item) in items.into_iter().enumerate() {
        match item {
            Value::String(text) if text.is_empty() => {
                return refused(format!("input: text {n} is empty, counted from 0"));
            }
            Value::String(text) => texts.push(text),
            Value::Number(_) | Value::Array(_) => {
                return refused(
                    "input is made of tokens of another model's vocabulary: send texts (in LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"
                        .to_owned(),
                );
            }
            _ => return refused(format!("input: element {n} is not a text, counted from 0")),
        }
    }
    Ok(texts)
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
    use super::*;

    fn parse(body: &str) -> Result<EmbeddingsRequest, RequestError> {
        EmbeddingsRequest::parse(body.as_bytes())
    }

    #[test]
    fn a_request_is_read_with_its_defaults() {
        let expected = EmbeddingsRequest {
            texts: vec!["a".to_owned()],
            encoding_format: EncodingFormat::Float,
            input_type: InputType::Document,
            dimensions: None,
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
        };
        assert_eq!(parse(full), Ok(expected));
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_its_field() {
        let many = format!(r#"{{"input":[{}"a"]}}"#, r#""a","#.repeat(MOST_TEXTS));
        for (body, param, said) in [
            ("[]", "", "the body"),
            ("{}", "input", "missing"),
            (r#"{"input":null}"#, "input", "missing"),
            (r#"{"input":7}"#, "input", "a list of texts"),
            (r#"{"input":""}"#, "input", "text 0 is empty"),
            (r#"{"input":[]}"#, "input", "0 texts"),
            (&many, "input", "2049 texts"),
            (r#"{"input":["a",""]}"#, "input", "text 1 is empty"),
            (r#"{"input":["a",{}]}"#, "input", "element 1"),
            (r#"{"input":["a",null]}"#, "input", "element 1"),
            (r#"{"input":[1,2]}"#, "input", "check_embedding_ctx_length=False"),
            (r#"{"input":[[1,2]]}"#, "input", "check_embedding_ctx_length=False"),
            (r#"{"input":"a","encoding_format":"int8"}"#, "encoding_format", "float or base64"),
            (r#"{"input":"a","encoding_format":1}"#, "encoding_format", "a string"),
            (r#"{"input":"a","input_type":"image"}"#, "input_type", "query, document or passage"),
            (r#"{"input":"a","dimensions":0}"#, "dimensions", "at least 1"),
            (r#"{"input":"a","dimensions":"3"}"#, "dimensions", "whole number"),
            (r#"{"input":"a","user":1}"#, "user", "a string"),
            (r#"{"input":"a","truncate":true}"#, "truncate", "'truncate' is not a field"),
        ] {
            let error = parse(body).expect_err(body);
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
