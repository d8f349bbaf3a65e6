//! The `file_search` tool, and what it shares with searches.

use serde_json::Value;
use serde_json::value::RawValue;

use super::filter::Filter;
use super::request::{Body, Fields, RequestError, Result, parse_value, text};

/// Collections that one tool may name.
const MOST_COLLECTIONS: usize = 64;
/// OpenAI's limits of `max_num_results`.
const RESULTS: std::ops::RangeInclusive<u64> = 1..=50;
/// OpenAI's default of `max_num_results` in searches.
const DEFAULT_RESULTS: usize = 10;
/// Queries of one search.
const MOST_QUERIES: usize = 32;
/// The ranker that is none.
pub const WITHOUT_RERANKER: &str = "none";
/// Rankers by their names. `none` does without the reranker; the others mean the same.
const RANKERS: [&str; 4] = ["auto", WITHOUT_RERANKER, "default-2024-11-15", "default_2024_08_21"];

/// A `file_search` tool: the collections that a request is to be grounded in, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileSearch {
    /// Ids or names, at least one.
    pub vector_store_ids: Vec<String>,
    pub max_num_results: Option<usize>,
    /// Which files of them.
    pub filter: Option<Filter>,
    pub ranking: Ranking,
}

/// How hits are ranked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// Least score of a hit, 0 to 1.
    pub score_threshold: Option<f32>,
    /// Weights of meaning and of words, not both 0.
    pub hybrid: Option<(f32, f32)>,
    /// As the client spelt it.
    pub ranker: Option<&'static str>,
}

/// A search of one vector store.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    /// At least one, none blank.
    pub queries: Vec<String>,
    pub filter: Option<Filter>,
    pub max_num_results: usize,
    pub ranking: Ranking,
}

impl FileSearch {
    /// Reads the tool's object. Paths of errors begin within it, as in `filters.key`.
    pub fn parse(tool: &RawValue) -> Result<Self> {
        let value: Value = serde_json::from_str(tool.get()).map_err(|error| {
            RequestError::value("", format!("the file_search tool cannot be read: {error}"))
        })?;
        parse_value(value, "")
    }
}

impl Ranking {
    /// Whether the reranker is wanted, where there is one.
    pub fn wants_reranker(&self) -> bool {
        self.ranker != Some(WITHOUT_RERANKER)
    }

    /// The share of meaning, 0 to 1, where weights are given.
    pub fn dense_weight(&self) -> Option<f32> {
        self.hybrid.map(|(embedding, text)| embedding / (embedding + text))
    }
}

impl Body for FileSearch {
    fn read(fields: &mut Fields) -> Result<Self> {
        fields.word("type", &["file_search"])?.ok_or_else(|| RequestError::missing(fields.path("type")))?;
        let ids = fields.list("vector_store_ids", 1..=MOST_COLLECTIONS)?;
        let ids = ids.ok_or_else(|| RequestError::missing(fields.path("vector_store_ids")))?;
        Ok(Self {
            vector_store_ids: ids.into_iter().map(|(path, id)| text(id, &path)).collect::<Result<_>>()?,
            max_num_results: fields.whole("max_num_results", RESULTS)?.map(|n| n as usize),
            filter: filter(fields)?,
            ranking: ranking(fields)?,
        })
    }
}

impl Body for SearchRequest {
    fn read(fields: &mut Fields) -> Result<Self> {
        let queries = match fields.needed("query")? {
            Value::String(query) => vec![(fields.path("query"), Value::String(query))],
            Value::Array(queries) => {
                super::request::list(Value::Array(queries), &fields.path("query"), 1..=MOST_QUERIES)?
            }
            other => {
                return Err(RequestError::wrong_type(
                    fields.path("query"),
                    "a string or a list of strings",
                    &other,
                ));
            }
        };
        let queries = queries.into_iter().map(|(path, query)| match text(query, &path)? {
            blank if blank.trim().is_empty() => Err(RequestError::value(path, "the query is empty")),
            query => Ok(query),
        });
        let queries = queries.collect::<Result<_>>()?;
        if fields.boolean("rewrite_query")? == Some(true) {
            let message = "queries are not rewritten here, since that would ask an LLM before every search: leave 'rewrite_query' out";
            return Err(RequestError::value(fields.path("rewrite_query"), message));
        }
        Ok(Self {
            queries,
            filter: filter(fields)?,
            max_num_results: fields
                .whole("max_num_results", RESULTS)?
                .map_or(DEFAULT_RESULTS, |n| n as usize),
            ranking: ranking(fields)?,
        })
    }
}

impl Body for Ranking {
    fn read(fields: &mut Fields) -> Result<Self> {
        let hybrid = fields.take("hybrid_search").map(|value| {
            let path = fields.path("hybrid_search");
            parse_value(value, &path).map(|Weights(embedding, text)| (embedding, text))
        });
        Ok(Self {
            score_threshold: fields.number("score_threshold", 0.0..=1.0)?.map(|score| score as f32),
            hybrid: hybrid.transpose()?,
            ranker: fields.word("ranker", &RANKERS)?,
        })
    }
}

struct Weights(f32, f32);

impl Body for Weights {
    fn read(fields: &mut Fields) -> Result<Self> {
        // Large enough for any scale, small enough to add.
        let mut weight = |key| {
            let weight = fields.number(key, 0.0..=1e6)?;
            weight.map(|weight| weight as f32).ok_or_else(|| RequestError::missing(fields.path(key)))
        };
        let (embedding, text) = (weight("embedding_weight")?, weight("text_weight")?);
        if embedding + text > 0.0 {
            return Ok(Self(embedding, text));
        }
        let message = "both weights are 0: give at least one of embedding_weight and text_weight some weight";
        Err(RequestError::value(fields.path("embedding_weight"), message))
    }
}

fn filter(fields: &mut Fields) -> Result<Option<Filter>> {
    fields.take("filters").map(|value| Filter::read(value, &fields.path("filters"))).transpose()
}

fn ranking(fields: &mut Fields) -> Result<Ranking> {
    match fields.take("ranking_options") {
        None => Ok(Ranking::default()),
        Some(value) => parse_value(value, &fields.path("ranking_options")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::request::parse_body;
    use super::*;

    fn tool(value: &Value) -> Result<FileSearch> {
        FileSearch::parse(&RawValue::from_string(value.to_string()).expect("JSON"))
    }

    #[test]
    fn a_tool_names_collections_and_what_to_find_in_them() {
        let read = tool(&json!({
            "type": "file_search", "vector_store_ids": ["vs_1", "manual"], "max_num_results": 50,
            "filters": {"type": "eq", "key": "lang", "value": "pt"},
            "ranking_options": {
                "ranker": "default-2024-11-15", "score_threshold": 0.5,
                "hybrid_search": {"embedding_weight": 3, "text_weight": 1}
            }
        }));
        let read = read.expect("a tool");
        assert_eq!((read.vector_store_ids.len(), read.max_num_results), (2, Some(50)));
        assert!(read.filter.is_some());
        assert_eq!((read.ranking.score_threshold, read.ranking.dense_weight()), (Some(0.5), Some(0.75)));
        let least =
            json!({"type": "file_search", "vector_store_ids": ["a"], "filters": null, "ranking_options": {}});
        let expected = FileSearch { vector_store_ids: vec!["a".into()], ..FileSearch::default() };
        assert_eq!(tool(&least), Ok(expected));
    }

    #[test]
    fn tools_and_searches_that_cannot_be_followed_are_refused_by_name() {
        let ranking = |options: Value| json!({"ranking_options": options});
        let shared = [
            (json!({"max_num_results": 0}), "max_num_results"),
            (json!({"max_num_results": 51}), "max_num_results"),
            (json!({"max_num_results": "10"}), "max_num_results"),
            (json!({"max_num_results": 1.5}), "max_num_results"),
            (json!({"filters": []}), "filters"),
            (json!({"filters": {"type": "eq", "key": "k"}}), "filters.value"),
            (json!({"colour": "red"}), "colour"),
            (ranking(json!("auto")), "ranking_options"),
            (ranking(json!({"ranker": "best"})), "ranking_options.ranker"),
            (ranking(json!({"score_threshold": 1.01})), "ranking_options.score_threshold"),
            (ranking(json!({"score_threshold": "high"})), "ranking_options.score_threshold"),
            (
                ranking(json!({"hybrid_search": {"text_weight": 1}})),
                "ranking_options.hybrid_search.embedding_weight",
            ),
            (
                ranking(json!({"hybrid_search": {"embedding_weight": 0, "text_weight": 0.0}})),
                "ranking_options.hybrid_search.embedding_weight",
            ),
            (
                ranking(json!({"hybrid_search": {"embedding_weight": 1, "text_weight": -1}})),
                "ranking_options.hybrid_search.text_weight",
            ),
        ];
        let with = |base: Value, more: &Value| {
            let mut both = base;
            for (key, value) in more.as_object().expect("an object") {
                both[key] = value.clone();
            }
            both
        };
        for (more, param) in &shared {
            let body = with(json!({"type": "file_search", "vector_store_ids": ["a"]}), more);
            assert_eq!(tool(&body).expect_err(&body.to_string()).param, *param, "{body}");
            let body = with(json!({"query": "q"}), more).to_string();
            assert_eq!(
                parse_body::<SearchRequest>(body.as_bytes()).expect_err(&body).param,
                *param,
                "{body}"
            );
        }
        for (body, param) in [
            (json!({"type": "file_search"}), "vector_store_ids"),
            (json!({"type": "file_search", "vector_store_ids": []}), "vector_store_ids"),
            (json!({"type": "file_search", "vector_store_ids": "a"}), "vector_store_ids"),
            (json!({"type": "file_search", "vector_store_ids": ["a", 1]}), "vector_store_ids[1]"),
            (json!({"type": "file_search", "vector_store_ids": vec!["a"; 65]}), "vector_store_ids"),
        ] {
            assert_eq!(tool(&body).expect_err(&body.to_string()).param, param);
        }
    }

    #[test]
    fn searches_have_one_query_or_several() {
        let search = |value: Value| parse_body::<SearchRequest>(value.to_string().as_bytes());
        let read = search(json!({"query": "one", "rewrite_query": false})).expect("a search");
        assert_eq!((read.queries, read.max_num_results), (vec!["one".to_owned()], 10));
        let read = search(json!({"query": ["one", "two"], "max_num_results": 1})).expect("a search");
        assert_eq!((read.queries.len(), read.max_num_results), (2, 1));
        for (body, param) in [
            (json!({}), "query"),
            (json!({"query": " "}), "query"),
            (json!({"query": 7}), "query"),
            (json!({"query": []}), "query"),
            (json!({"query": ["one", ""]}), "query[1]"),
            (json!({"query": ["one", {}]}), "query[1]"),
            (json!({"query": vec!["q"; 33]}), "query"),
            (json!({"query": "q", "rewrite_query": true}), "rewrite_query"),
            (json!({"query": "q", "rewrite_query": "no"}), "rewrite_query"),
        ] {
            assert_eq!(search(body.clone()).expect_err(&body.to_string()).param, param);
        }
    }
}
