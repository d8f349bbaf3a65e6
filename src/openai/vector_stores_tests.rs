use serde_json::json;

use super::super::request::parse_body;
use super::*;

fn parse<T: Body>(value: &Value) -> Result<T> {
    parse_body(value.to_string().as_bytes())
}

/// Each body is refused, and the error names the field.
fn refused<T: Body + std::fmt::Debug>(cases: &[(Value, &str)]) {
    for (body, param) in cases {
        let error = parse::<T>(body).expect_err(&body.to_string());
        assert_eq!(error.param, *param, "{body}: {error}");
        assert!(!error.message.is_empty());
    }
}

fn fixed(size: i64, overlap: i64) -> Value {
    json!({"type": "static", "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}})
}

#[test]
fn vector_stores_are_made_within_limits() {
    assert_eq!(parse(&json!({})), Ok(CreateVectorStore::default()));
    let nulls = json!({"name": null, "file_ids": null, "expires_after": null, "chunking_strategy": null, "metadata": null});
    assert_eq!(parse(&nulls), Ok(CreateVectorStore::default()));
    let body = json!({
        "name": "Política de férias", "description": "two\nlines", "file_ids": ["b", "a", "b"],
        "chunking_strategy": fixed(100, 50), "expires_after": {"anchor": "last_active_at", "days": 365.0},
        "metadata": {"team": "hr"}
    });
    let made: CreateVectorStore = parse(&body).expect("a vector store");
    assert_eq!(made.name.as_deref(), Some("Política de férias"));
    assert_eq!(made.file_ids, ["b", "a"]);
    let chunking = Chunking::Static { max_chunk_size_tokens: 100, chunk_overlap_tokens: 50 };
    assert_eq!((made.chunking, made.expires_days), (chunking, Some(365)));
    assert_eq!(made.metadata["team"], "hr");
    let expiry = |anchor: &str, days: i64| json!({"expires_after": {"anchor": anchor, "days": days}});
    refused::<CreateVectorStore>(&[
        (json!([]), ""),
        (json!({"nome": "x"}), "nome"),
        (json!({"name": 7}), "name"),
        (json!({"name": "é".repeat(257)}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": "a\u{0}b"}), "name"),
        (json!({"description": "x".repeat(4_097)}), "description"),
        (json!({"file_ids": "file-1"}), "file_ids"),
        (json!({"file_ids": ["file-1", 2]}), "file_ids[1]"),
        (json!({"file_ids": vec!["f"; 501]}), "file_ids"),
        (expiry("created_at", 1), "expires_after.anchor"),
        (expiry("last_active_at", 0), "expires_after.days"),
        (expiry("last_active_at", 366), "expires_after.days"),
        (json!({"expires_after": {"anchor": "last_active_at"}}), "expires_after.days"),
        (json!({"expires_after": {"days": 1}}), "expires_after.anchor"),
        (json!({"expires_after": {"anchor": "last_active_at", "days": "7"}}), "expires_after.days"),
        (json!({"expires_after": {"anchor": "last_active_at", "days": 1.5}}), "expires_after.days"),
        (json!({"expires_after": 7}), "expires_after"),
        (json!({"metadata": {"k": 1}}), "metadata.k"),
        (json!({"metadata": {"k": "x".repeat(513)}}), "metadata.k"),
        (json!({"chunking_strategy": "auto"}), "chunking_strategy"),
        (json!({"chunking_strategy": {}}), "chunking_strategy.type"),
        (json!({"chunking_strategy": {"type": "other"}}), "chunking_strategy.type"),
        (json!({"chunking_strategy": {"type": "auto", "static": {}}}), "chunking_strategy.static"),
        (json!({"chunking_strategy": {"type": "static"}}), "chunking_strategy.static"),
        (json!({"chunking_strategy": fixed(99, 0)}), "chunking_strategy.static.max_chunk_size_tokens"),
        (json!({"chunking_strategy": fixed(4_097, 0)}), "chunking_strategy.static.max_chunk_size_tokens"),
        (json!({"chunking_strategy": fixed(101, 51)}), "chunking_strategy.static.chunk_overlap_tokens"),
        (json!({"chunking_strategy": fixed(101, -1)}), "chunking_strategy.static.chunk_overlap_tokens"),
    ]);
    let error = parse_body::<CreateVectorStore>(b"{\"name\":").expect_err("half a body");
    assert_eq!((error.code, error.param.as_str()), ("invalid_json", ""));
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    assert_eq!(parse_body::<CreateVectorStore>(deep.as_bytes()).expect_err("too deep").code, "invalid_json");
}

#[test]
fn a_change_tells_absent_null_and_set_apart() {
    assert_eq!(parse(&json!({})), Ok(UpdateVectorStore::default()));
    let nulls = UpdateVectorStore { name: Some(None), expires_days: Some(None), metadata: Some(None) };
    assert_eq!(parse(&json!({"name": null, "expires_after": null, "metadata": null})), Ok(nulls));
    let body = json!({"name": "n", "expires_after": {"anchor": "last_active_at", "days": 7}, "metadata": {}});
    let set = UpdateVectorStore {
        name: Some(Some("n".into())),
        expires_days: Some(Some(7)),
        metadata: Some(Some(Metadata::new())),
    };
    assert_eq!(parse(&body), Ok(set));
    refused::<UpdateVectorStore>(&[
        (json!({"file_ids": []}), "file_ids"),
        (json!({"name": "\t"}), "name"),
        (json!({"metadata": [1]}), "metadata"),
    ]);
}

#[test]
fn files_are_attached_with_attributes() {
    let body =
        json!({"file_id": "file-1", "attributes": {"year": 2024}, "chunking_strategy": {"type": "auto"}});
    let file: CreateVectorStoreFile = parse(&body).expect("a file");
    assert_eq!(file.attributes.to_json().expect("JSON"), r#"{"year":2024}"#);
    refused::<CreateVectorStoreFile>(&[
        (json!({}), "file_id"),
        (json!({"file_id": null}), "file_id"),
        (json!({"file_id": 1}), "file_id"),
        (json!({"file_id": "f", "attributes": {"k": []}}), "attributes.k"),
        (json!({"file_id": "f", "atributes": {}}), "atributes"),
    ]);
    let none: UpdateVectorStoreFile = parse(&json!({"attributes": null})).expect("none");
    assert_eq!(none.attributes, Attributes::default());
    refused::<UpdateVectorStoreFile>(&[
        (json!({}), "attributes"),
        (json!({"attributes": {"a": null}}), "attributes.a"),
    ]);
}

#[test]
fn batches_are_lists_of_ids_or_of_files() {
    let body =
        json!({"file_ids": ["a", "b", "a"], "attributes": {"k": true}, "chunking_strategy": fixed(200, 0)});
    let batch: CreateFileBatch = parse(&body).expect("a batch");
    assert_eq!(batch.files.iter().map(|file| file.file_id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(batch.files.iter().all(|file| file.attributes.0.len() == 1 && file.chunking != Chunking::Auto));
    let body = json!({"files": [{"file_id": "a", "attributes": {"k": 1}}, {"file_id": "b"}], "attributes": {"all": 1}});
    let batch: CreateFileBatch = parse(&body).expect("a batch");
    let attributes: Vec<_> =
        batch.files.iter().map(|file| file.attributes.to_json().expect("JSON")).collect();
    assert_eq!(attributes, [r#"{"k":1}"#, "{}"]);
    refused::<CreateFileBatch>(&[
        (json!({}), "file_ids"),
        (json!({"file_ids": []}), "file_ids"),
        (json!({"files": []}), "files"),
        (json!({"file_ids": vec!["f"; 2_001]}), "file_ids"),
        (json!({"file_ids": ["a"], "files": [{"file_id": "b"}]}), "files"),
        (json!({"files": ["a"]}), "files[0]"),
        (
            json!({"files": [{"file_id": "a"}, {"file_id": "b", "attributes": {"k": {}}}]}),
            "files[1].attributes.k",
        ),
        (json!({"files": [{"file_id": "a"}, {"file_id": "a"}]}), "files[1].file_id"),
        (json!({"file_ids": ["a"], "attributes": {"k": "x".repeat(513)}}), "attributes.k"),
    ]);
}
