//! A server that says how relevant texts are to a question: vLLM, Jina, Cohere, text-embeddings-inference.

use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::{Upstream, UpstreamError, UpstreamSettings, full};

/// After a failure nobody waits for the server for so long.
const PAUSE: Duration = Duration::from_secs(5);
/// An idle connection is used again for so long: shorter than such servers keep theirs (uvicorn: 5 s).
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// Idle connections at most.
const MOST_IDLE: usize = 64;
/// Bytes of an error that are told.
const SHOWN: usize = 200;

/// How relevance is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RerankApi {
    /// `/rerank` of vLLM, Jina and Cohere.
    Rerank,
    /// `/score` of vLLM.
    Score,
    /// `/rerank` of text-embeddings-inference.
    Inference,
}

/// Where relevance is asked for.
#[derive(Clone, Debug)]
pub struct RerankSettings {
    /// `http://` or `https://`; what stands before `/rerank` or `/score`.
    pub base: String,
    pub api: RerankApi,
    pub model: Option<String>,
    pub key: Option<HeaderValue>,
    /// Of one question.
    pub timeout: Duration,
    /// Texts of one question.
    pub depth: usize,
}

/// A server that reranks.
pub struct Reranking {
    upstream: Upstream,
    settings: RerankSettings,
    failed: Mutex<Failing>,
}

/// Whether it works.
#[derive(Default)]
struct Failing {
    /// When it failed last, since its last success.
    last: Option<Instant>,
    count: u64,
}

/// Why nothing is known of some texts' relevance.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    /// Its words are of an LLM server.
    #[error("{}", .0.to_string().replace("the LLM server", "the reranking server"))]
    Upstream(#[from] UpstreamError),
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// What it answered may repeat what it was sent, as vLLM does with what it takes for a wrong request: no log has it.
    #[error("status {status}")]
    Status { status: u16, body: String },
    #[error("an answer that is no list of relevance: {0}")]
    Nonsense(String),
}

impl RerankError {
    /// Whether it refused this question, being too long for its model, and may answer the next.
    fn is_of_this_question(&self) -> bool {
        let Self::Status { status: 400 | 413, body } = self else { return false };
        ["length", "too long"].iter().any(|said| body.contains(said))
    }

    /// All of it, for whoever sent nothing secret.
    pub fn with_answer(&self) -> String {
        match self {
            Self::Status { body, .. } if !body.is_empty() => format!("{self}: {body}"),
            error => error.to_string(),
        }
    }
}

impl RerankApi {
    fn path(self) -> &'static str {
        match self {
            Self::Rerank | Self::Inference => "/rerank",
            Self::Score => "/score",
        }
    }

    fn request(self, model: Option<&str>, question: &str, texts: &[String]) -> Vec<u8> {
        let mut request = match self {
            Self::Rerank => json!({ "query": question, "documents": texts, "top_n": texts.len() }),
            Self::Score => json!({ "text_1": question, "text_2": texts }),
            Self::Inference => json!({ "query": question, "texts": texts, "truncate": true }),
        };
        if let Some(model) = model {
            request["model"] = model.into();
        }
        request.to_string().into_bytes()
    }

    /// The relevance of so many texts, in their order.
    fn read(self, answer: &[u8], texts: usize) -> Result<Vec<f32>, RerankError> {
        #[derive(Deserialize)]
        struct One {
            index: usize,
            #[serde(alias = "relevance_score")]
            score: f64,
        }
        #[derive(Deserialize)]
        struct Listed {
            #[serde(alias = "data")]
            results: Vec<One>,
        }
        let all: Vec<One> = match self {
            Self::Inference => serde_json::from_slice(answer),
            Self::Rerank | Self::Score => serde_json::from_slice(answer).map(|Listed { results }| results),
        }
        .map_err(|error| {
            // Without what stands there: it may be text of a passage.
            let what =
                if error.is_data() { "JSON without an index and a score of each text" } else { "no JSON" };
            RerankError::Nonsense(what.to_owned())
        })?;
        let mut relevance: Vec<Option<f32>> = vec![None; texts];
        for One { index, score } in all {
            let place = relevance.get_mut(index).filter(|place| place.is_none());
            let place =
                place.ok_or_else(|| RerankError::Nonsense(format!("index {index} of {texts} texts")))?;
            *place = Some(score as f32).filter(|score| score.is_finite());
        }
        let missing = || RerankError::Nonsense(format!("no finite score of each of {texts} texts"));
        let mut relevance = relevance.into_iter().collect::<Option<Vec<f32>>>().ok_or_else(missing)?;
        // Some models give logits.
        if relevance.iter().any(|score| !(0.0..=1.0).contains(score)) {
            relevance.iter_mut().for_each(|score| *score = 1.0 / (1.0 + (-*score).exp()));
        }
        Ok(relevance)
    }
}

impl Reranking {
    /// Connects to nothing yet.
    pub fn new(settings: RerankSettings) -> Result<Self, UpstreamError> {
        let of_server = UpstreamSettings {
            base: settings.base.clone(),
            key: settings.key.clone(),
            window: None,
            windows: Default::default(),
            connect_timeout: settings.timeout,
            header_timeout: settings.timeout,
            idle_timeout: settings.timeout,
            keep_alive: KEEP_ALIVE,
            most_idle: MOST_IDLE,
        };
        let upstream = Upstream::new(&of_server, |_| None)?;
        Ok(Self { upstream, settings, failed: Mutex::default() })
    }

    /// How many texts are sent for one question.
    pub fn depth(&self) -> usize {
        self.settings.depth
    }

    /// How often it failed since the start.
    pub fn failures(&self) -> u64 {
        self.failed.lock().count
    }

    /// The relevance of texts to a question, from 0 to 1, in their order. After a failure, which is logged once, it is
    /// not asked for a while.
    pub async fn relevance(&self, question: &str, texts: &[String], deadline: Instant) -> Option<Vec<f32>> {
        if self.failed.lock().last.is_some_and(|last| last.elapsed() < PAUSE) {
            return None;
        }
        let patience = self.settings.timeout.min(deadline.saturating_duration_since(Instant::now()));
        let asked = tokio::time::timeout(patience, self.ask(question, texts)).await;
        let relevance = asked.unwrap_or(Err(RerankError::Late(patience)));
        let mut failed = self.failed.lock();
        match relevance {
            Ok(relevance) => {
                if failed.last.take().is_some() {
                    tracing::info!(server = self.upstream.base(), "passages are reranked again");
                }
                Some(relevance)
            }
            Err(error) if error.is_of_this_question() => {
                failed.count += 1;
                tracing::info!(%error, server = self.upstream.base(), "passages stay in their own order");
                None
            }
            Err(error) => {
                failed.count += 1;
                if failed.last.replace(Instant::now()).is_none() {
                    let server = self.upstream.base();
                    tracing::warn!(%error, server, pause = ?PAUSE, "passages stay in their own order");
                }
                None
            }
        }
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        self.upstream.base()
    }

    /// The same at any time, and why nothing is known.
    pub async fn ask(&self, question: &str, texts: &[String]) -> Result<Vec<f32>, RerankError> {
        let RerankSettings { api, model, .. } = &self.settings;
        let body = api.request(model.as_deref(), question, texts);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self.upstream.send(Method::POST, api.path(), headers, full(body.into())).await?;
        let status = response.status();
        let answer = self.upstream.read_whole(response.into_body()).await?;
        if !status.is_success() {
            let body = String::from_utf8_lossy(&answer);
            let body = crate::words::beginning(&crate::words::one_line(&body), SHOWN).to_owned();
            return Err(RerankError::Status { status: status.as_u16(), body });
        }
        api.read(&answer, texts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_is_too_long_says_nothing_of_others() {
        let refused = |status, body: &str| RerankError::Status { status, body: body.to_owned() };
        let long = "This model's maximum context length is 512 tokens. However, you requested 700 tokens.";
        assert!(refused(400, long).is_of_this_question());
        assert!(!refused(500, long).is_of_this_question());
        assert!(!refused(400, r#"{"error":"no such model"}"#).is_of_this_question());
    }

    #[test]
    fn each_api_is_asked_in_its_own_words() {
        let texts = ["a".to_owned(), "b".to_owned()];
        let asked = |api: RerankApi, model| -> serde_json::Value {
            serde_json::from_slice(&api.request(model, "q", &texts)).expect("JSON")
        };
        let expected = json!({ "model": "m", "query": "q", "documents": ["a", "b"], "top_n": 2 });
        assert_eq!(asked(RerankApi::Rerank, Some("m")), expected);
        assert_eq!(asked(RerankApi::Score, None), json!({ "text_1": "q", "text_2": ["a", "b"] }));
        let expected = json!({ "query": "q", "texts": ["a", "b"], "truncate": true });
        assert_eq!(asked(RerankApi::Inference, None), expected);
    }

    #[test]
    fn answers_are_read_in_the_order_of_the_texts() {
        for (api, answer) in [
            (
                RerankApi::Rerank,
                r#"{"id": "x", "results": [{"index": 1, "relevance_score": 0.9, "document": {"text": "b"}}, {"index": 0, "relevance_score": 0.25}]}"#,
            ),
            (
                RerankApi::Score,
                r#"{"data": [{"index": 0, "object": "score", "score": 0.25}, {"index": 1, "score": 0.9}]}"#,
            ),
            (
                RerankApi::Inference,
                r#"[{"index": 1, "score": 0.9}, {"index": 0, "score": 0.25, "text": "a"}]"#,
            ),
        ] {
            assert_eq!(api.read(answer.as_bytes(), 2).expect("relevance"), [0.25, 0.9], "{api:?}");
        }
        // Logits keep their order.
        let logits = r#"[{"index": 0, "score": -3.0}, {"index": 1, "score": 4.5}]"#;
        let relevance = RerankApi::Inference.read(logits.as_bytes(), 2).expect("relevance");
        assert!(relevance[0] < 0.05 && relevance[1] > 0.95 && relevance[1] <= 1.0, "{relevance:?}");
    }

    /// Logs hold no text of questions and documents, whatever a server answers.
    #[test]
    fn what_the_server_answered_is_for_those_who_ask_for_it() {
        let status = RerankError::Status { status: 400, body: "input: a secret".into() };
        assert_eq!(status.to_string(), "status 400");
        assert_eq!(status.with_answer(), "status 400: input: a secret");
        for answer in [r#"{"results": ["a secret"]}"#, r#"{"results": "a secret"}"#, "a secret"] {
            let error = RerankApi::Rerank.read(answer.as_bytes(), 1).expect_err("nonsense");
            assert!(!error.with_answer().contains("secret"), "{error}");
        }
    }

    #[test]
    fn nonsense_is_no_relevance() {
        for answer in [
            "",
            "[]",
            r#"{"results": []}"#,
            r#"{"results": [{"index": 0, "relevance_score": 0.5}]}"#,
            r#"{"results": [{"index": 0, "relevance_score": 0.5}, {"index": 0, "relevance_score": 0.5}]}"#,
            r#"{"results": [{"index": 0, "relevance_score": 0.5}, {"index": 2, "relevance_score": 0.5}]}"#,
            r#"{"results": [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": null}]}"#,
            r#"{"results": [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": NaN}]}"#,
            r#"{"results": [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": 1e300}]}"#,
            r#"{"results": [{"index": 0, "relevance_score": 0.5}, {"index": -1, "relevance_score": 0.5}]}"#,
        ] {
            let read = RerankApi::Rerank.read(answer.as_bytes(), 2);
            assert!(matches!(read, Err(RerankError::Nonsense(_))), "{answer}: {read:?}");
        }
    }
}
