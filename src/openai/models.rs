//! The model list: upstream's, and the same models with a collection behind them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::span;

#[derive(Deserialize)]
struct RawList<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawModel {
    id: String,
    /// vLLM: what an adapter was trained on, and the path that a model was loaded from.
    #[serde(default)]
    parent: Value,
    #[serde(default)]
    root: Value,
    /// vLLM, SGLang.
    #[serde(default)]
    max_model_len: Value,
    /// OpenRouter, Together.
    #[serde(default)]
    context_length: Value,
    /// Groq.
    #[serde(default)]
    context_window: Value,
    /// Mistral.
    #[serde(default)]
    max_context_length: Value,
    /// LiteLLM, Anthropic: the prompt's part alone.
    #[serde(default)]
    max_input_tokens: Value,
    /// OpenRouter: of who is asked first, which may be less.
    #[serde(default)]
    top_provider: Value,
    /// llama.cpp.
    #[serde(default)]
    meta: Value,
}

/// llama.cpp before it told `n_ctx` told the length that a model was trained on, and ran it with this much by default.
const LLAMA_CPP_DEFAULT: u64 = 4096;

impl RawModel {
    /// The window that an entry tells of its own: the smallest, where it tells several.
    fn window(&self) -> Option<u64> {
        let trained = match &self.meta["n_ctx"] {
            Value::Null => tokens(&self.meta["n_ctx_train"]).map(|trained| trained.min(LLAMA_CPP_DEFAULT)),
            told => tokens(told),
        };
        let told = [
            &self.max_model_len,
            &self.context_length,
            &self.context_window,
            &self.max_context_length,
            &self.max_input_tokens,
            &self.top_provider["context_length"],
        ];
        told.into_iter().filter_map(tokens).chain(trained).min()
    }
}

/// A number of tokens, also where it was written as a text or with a fraction of nothing.
fn tokens(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_u64().or_else(|| Some(number.as_f64()? as u64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|tokens| *tokens > 0)
}

/// Ids and windows in a `/v1/models` body. An adapter that tells no window has that of the model it belongs to. `None` if
/// it is not a list.
pub fn read_models(body: &[u8]) -> Option<Vec<(String, Option<u64>)>> {
    let list: RawList<'_> = serde_json::from_slice(body).ok()?;
    let models: Vec<RawModel> =
        list.data.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect();
    let ids: HashMap<&str, &RawModel> = models.iter().rev().map(|model| (model.id.as_str(), model)).collect();
    let roots: HashMap<&str, &RawModel> =
        models.iter().rev().filter_map(|model| Some((model.root.as_str()?, model))).collect();
    let window = |model: &RawModel| {
        let (mut at, mut steps) = (model, models.len());
        loop {
            if let Some(window) = at.window() {
                return Some(window);
            }
            let parent = at.parent.as_str()?;
            // An adapter names its model as it is listed, or by where that was loaded from.
            let next = ids.get(parent).or_else(|| roots.get(parent).filter(|root| root.id != at.id));
            at = match next {
                Some(next) if steps > 0 => next,
                Some(_) => return None,
                None => return only_base(&models),
            };
            steps -= 1;
        }
    };
    Some(models.iter().map(|model| (model.id.clone(), window(model))).collect())
}

/// The window of what adapters of a model that is not listed belong to, where there is but one possibility.
fn only_base(models: &[RawModel]) -> Option<u64> {
    let mut told = models.iter().filter(|model| !model.parent.is_string()).map(RawModel::window);
    let first = told.next()??;
    told.all(|window| window == Some(first)).then_some(first)
}

/// The JSON of the model of that id in a `/v1/models` body.
pub fn find_model<'a>(body: &'a [u8], id: &str) -> Option<&'a str> {
    let list: RawList<'a> = serde_json::from_slice(body).ok()?;
    let is_it = |raw: &&RawValue| serde_json::from_str(raw.get()).is_ok_and(|model: RawModel| model.id == id);
    list.data.into_iter().find(is_it).map(RawValue::get)
}

/// The JSON of a model under another id, with all else that is said of it.
pub fn model_as(model: &str, id: &str) -> Option<String> {
    let mut model: serde_json::Map<String, serde_json::Value> = serde_json::from_str(model).ok()?;
    model.insert("id".to_owned(), id.into());
    serde_json::to_string(&model).ok()
}

/// The JSON of a model of ours.
pub fn own_model(id: &str, created: i64) -> String {
    serde_json::json!({ "id": id, "object": "model", "created": created, "owned_by": "lastro" }).to_string()
}

/// Upstream's `/v1/models` body with `{model}@{collection}` added for each of both. Upstream's own bytes stay as they are.
/// `None` if the body is not a model list.
pub fn with_collections(body: &[u8], collections: &[String]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let list: RawList<'_> = serde_json::from_str(text).ok()?;
    let Some(last) = list.data.last() else { return Some(body.to_vec()) };
    let at = span(text, last).end;
    let mut added = String::new();
    for raw in &list.data {
        let RawModel { id, .. } = serde_json::from_str(raw.get()).ok()?;
        for collection in collections {
            added.push(',');
            added.push_str(&model_as(raw.get(), &format!("{id}@{collection}"))?);
        }
    }
    Some([&body[..at], added.as_bytes(), &body[at..]].concat())
}

/// A `/v1/models` body with a model of ours at its end, in place of one of the same name. All other bytes stay as they
/// are. `None` if the body is not a model list.
pub fn with_own_model(body: &[u8], id: &str, created: i64) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let list: RawList<'_> = serde_json::from_str(text).ok()?;
    let ours = own_model(id, created);
    let named = list
        .data
        .iter()
        .find(|raw| serde_json::from_str(raw.get()).is_ok_and(|model: RawModel| model.id == id));
    if let Some(named) = named {
        let span = span(text, named);
        return Some([&body[..span.start], ours.as_bytes(), &body[span.end..]].concat());
    }
    match list.data.last() {
        Some(last) => {
            let at = span(text, last).end;
            Some([&body[..at], b",", ours.as_bytes(), &body[at..]].concat())
        }
        None => {
            // An empty list has nothing but blanks between its brackets.
            let mut whole: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
            whole.insert("data".to_owned(), serde_json::from_str(&format!("[{ours}]")).ok()?);
            serde_json::to_vec(&whole).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VLLM: &str = r#"{"object":"list","data":[{"id":"qwen","object":"model","max_model_len":2048, "big":123456789012345678901234567890}]}"#;

    #[test]
    fn windows_are_found_where_vllm_and_llama_cpp_put_them() {
        assert_eq!(read_models(VLLM.as_bytes()), Some(vec![("qwen".to_owned(), Some(2048))]));
        let llama = br#"{"models":[{"name":"x"}],"data":[{"id":"x","meta":{"n_ctx":4096}},{"id":"y"}]}"#;
        assert_eq!(read_models(llama), Some(vec![("x".to_owned(), Some(4096)), ("y".to_owned(), None)]));
        assert_eq!(read_models(b"{\"detail\":\"Not Found\"}"), None);
    }

    fn windows(entries: &str) -> Vec<Option<u64>> {
        let models = read_models(format!("{{\"data\":[{entries}]}}").as_bytes()).expect("a list");
        models.into_iter().map(|(_, window)| window).collect()
    }

    #[test]
    fn the_smallest_of_what_is_told_counts() {
        for (entry, window) in [
            (r#""context_length":32768"#, Some(32768)),
            (r#""context_length":32768,"top_provider":{"context_length":16384}"#, Some(16384)),
            (r#""context_length":32768,"top_provider":{"context_length":null}"#, Some(32768)),
            (r#""max_input_tokens":8000,"max_tokens":200"#, Some(8000)),
            (r#""context_window":131072.0"#, Some(131072)),
            (r#""max_context_length":"9000""#, Some(9000)),
            (r#""max_model_len":null,"meta":null"#, None),
            (r#""max_model_len":0"#, None),
            (r#""max_model_len":-4"#, None),
            (r#""max_model_len":"soon","meta":{"n_ctx":2048}"#, Some(2048)),
            (r#""meta":{"n_ctx":8192,"n_ctx_train":2048}"#, Some(8192)),
            (r#""meta":{"n_ctx_train":131072}"#, Some(4096)),
            (r#""meta":{"n_ctx_train":2048}"#, Some(2048)),
        ] {
            assert_eq!(windows(&format!("{{\"id\":\"m\",{entry}}}")), [window], "{entry}");
        }
    }

    #[test]
    fn adapters_have_the_window_of_what_they_belong_to() {
        let base = r#"{"id":"base","root":"org/base","parent":null,"max_model_len":900}"#;
        for (others, expected) in [
            (r#"{"id":"a","root":"/a","parent":"base"}"#, vec![Some(900)]),
            // By where it was loaded from, by a name that nobody knows, along a chain.
            (r#"{"id":"a","parent":"org/base"}"#, vec![Some(900)]),
            (r#"{"id":"a","parent":"elsewhere"}"#, vec![Some(900)]),
            (r#"{"id":"a","parent":"b"},{"id":"b","parent":"base"}"#, vec![Some(900), Some(900)]),
            // Its own goes first; and whoever goes in circles has none.
            (r#"{"id":"a","parent":"base","max_model_len":700}"#, vec![Some(700)]),
            (r#"{"id":"a","parent":"b"},{"id":"b","parent":"a"}"#, vec![None, None]),
            (r#"{"id":"a","root":"a","parent":"a"}"#, vec![None]),
            // Of two bases it cannot be told which.
            (r#"{"id":"a","parent":"elsewhere"},{"id":"c","max_model_len":800}"#, vec![None, Some(800)]),
            (r#"{"id":"a"}"#, vec![None]),
        ] {
            assert_eq!(windows(&format!("{base},{others}"))[1..], expected, "{others}");
        }
    }

    #[test]
    fn collections_are_added_and_upstreams_bytes_stay() {
        let out = with_collections(VLLM.as_bytes(), &["a".into(), "b".into()]).expect("a list");
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(out.starts_with(VLLM.trim_end_matches("]}")), "{out}");
        let ids: Vec<_> = read_models(out.as_bytes()).expect("a list").into_iter().map(|m| m.0).collect();
        assert_eq!(ids, ["qwen", "qwen@a", "qwen@b"]);
        let empty = br#"{"data":[]}"#;
        assert_eq!(with_collections(empty, &["a".into()]).as_deref(), Some(&empty[..]));
    }

    #[test]
    fn a_model_is_found_by_its_id() {
        let model = find_model(VLLM.as_bytes(), "qwen").expect("a model");
        assert!(model.ends_with(r#" "big":123456789012345678901234567890}"#), "{model}");
        assert_eq!((find_model(VLLM.as_bytes(), "qwe"), find_model(b"{}", "qwen")), (None, None));
        let other: serde_json::Value =
            serde_json::from_str(&model_as(model, "qwen@a/b").expect("a model")).expect("JSON");
        assert_eq!((&other["id"], &other["max_model_len"]), (&"qwen@a/b".into(), &2048.into()));
    }

    #[test]
    fn our_model_comes_last_or_in_the_place_of_its_name() {
        let ids = |body: &[u8]| {
            let models = read_models(body).expect("a list").into_iter();
            models.map(|(id, window)| format!("{id} {window:?}")).collect::<Vec<_>>()
        };
        let out = with_own_model(VLLM.as_bytes(), "minilm", 7).expect("a list");
        assert_eq!(ids(&out), ["qwen Some(2048)", "minilm None"]);
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(out.starts_with(VLLM.trim_end_matches("]}")), "{out}");
        let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let expected =
            serde_json::json!({"id": "minilm", "object": "model", "created": 7, "owned_by": "lastro"});
        assert_eq!(json["data"][1], expected);
        assert_eq!(ids(&with_own_model(VLLM.as_bytes(), "qwen", 7).expect("a list")), ["qwen None"]);
        assert_eq!(
            ids(&with_own_model(br#"{"data":[ ], "object":"list"}"#, "a", 7).expect("a list")),
            ["a None"]
        );
        assert_eq!(with_own_model(b"{\"detail\":\"Not Found\"}", "a", 7), None);
    }
}
