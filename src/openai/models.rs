//! The model list: upstream's, and the same models with a collection behind them.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct RawList<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawModel {
    id: String,
    /// vLLM.
    #[serde(default)]
    max_model_len: Option<u64>,
    /// llama.cpp.
    #[serde(default)]
    meta: Option<RawMeta>,
}

#[derive(Deserialize)]
struct RawMeta {
    #[serde(default)]
    n_ctx: Option<u64>,
}

/// Ids and windows in a `/v1/models` body. `None` if it is not one.
pub fn read_models(body: &[u8]) -> Option<Vec<(String, Option<u64>)>> {
    let list: RawList<'_> = serde_json::from_slice(body).ok()?;
    let models = list.data.iter().filter_map(|raw| {
        let model: RawModel = serde_json::from_str(raw.get()).ok()?;
        let window = model.max_model_len.or(model.meta.and_then(|m| m.n_ctx)).filter(|w| *w > 0);
        Some((model.id, window))
    });
    Some(models.collect())
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
    let at = last.get().as_ptr() as usize - text.as_ptr() as usize + last.get().len();
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
    let span = |raw: &RawValue| {
        let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
        start..start + raw.get().len()
    };
    let named = list
        .data
        .iter()
        .find(|raw| serde_json::from_str(raw.get()).is_ok_and(|model: RawModel| model.id == id));
    if let Some(named) = named {
        let span = span(named);
        return Some([&body[..span.start], ours.as_bytes(), &body[span.end..]].concat());
    }
    match list.data.last() {
        Some(last) => {
            let at = span(last).end;
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
