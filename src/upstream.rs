//! The LLM server behind us: its models, its window, its count of tokens, and the requests it gets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use parking_lot::RwLock;
use serde::Deserialize;

/// What upstream told is believed for so long; a stale list is used while a fresh one is fetched.
const MODELS_FRESH: Duration = Duration::from_secs(60);
/// A list that is needed now is waited for no longer.
const MODELS_PATIENCE: Duration = Duration::from_secs(3);
/// A token count that takes longer is done without.
const COUNT_PATIENCE: Duration = Duration::from_millis(500);
/// Larger answers are no model list and no token count.
const LARGEST_ANSWER: usize = 16 << 20;

/// A model of upstream's and its window in tokens, where upstream tells it.
pub type Model = (String, Option<u64>);

/// Reads the body of `/v1/models`; `None` if it is not a list.
pub type ReadModels = fn(&[u8]) -> Option<Vec<Model>>;

/// Why upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection.
    #[error("cannot reach the LLM server at {base}: {cause}")]
    Unreachable { base: String, cause: String },
    /// Connected, but no answer came.
    #[error("the LLM server at {base} did not answer: {cause}")]
    Broken { base: String, cause: String },
    /// Too late.
    #[error("the LLM server at {base} did not answer in time")]
    Timeout { base: String },
    /// The path would leave `/v1`, where the LLM server may be controlled.
    #[error("the path {0} leads out of /v1")]
    Path(String),
    /// Not what an OpenAI-compatible server answers.
    #[error("{base}/models does not answer like an OpenAI-compatible server (status {status})")]
    NotModels { base: String, status: u16 },
}

/// The LLM server.
pub struct Upstream {
    client: reqwest::Client,
    base: String,
    /// What every address of a request begins with.
    prefix: String,
    key: Option<HeaderValue>,
    window: Option<u64>,
    read_models: ReadModels,
    models: RwLock<Option<Known>>,
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    models: Arc<Vec<Model>>,
    at: Instant,
}

impl Upstream {
    /// `base` ends in `/v1`; `window` overrides what upstream tells.
    pub fn new(
        client: reqwest::Client,
        base: &str,
        key: Option<HeaderValue>,
        window: Option<u64>,
        read_models: ReadModels,
    ) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        // As parsing writes it: without a default port, the host in lower case.
        let prefix = reqwest::Url::parse(&base).map_or_else(|_| base.clone(), |url| url.to_string());
        Self {
            client,
            prefix: format!("{prefix}/"),
            base,
            key,
            window,
            read_models,
            models: RwLock::new(None),
            refreshing: tokio::sync::Mutex::new(()),
        }
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request. `path` begins after `/v1`. The headers are end-to-end ones; a configured key replaces the client's.
    pub async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        mut headers: HeaderMap,
        body: reqwest::Body,
    ) -> Result<reqwest::Response, UpstreamError> {
        self.authorize(&mut headers);
        let url = format!("{}{path_and_query}", self.base);
        // Parsing resolves dot segments, encoded ones too.
        let url = reqwest::Url::parse(&url).map_err(|_| UpstreamError::Path(path_and_query.to_owned()))?;
        if !url.as_str().starts_with(&self.prefix) {
            return Err(UpstreamError::Path(path_and_query.to_owned()));
        }
        let request = self.client.request(method, url).headers(headers).body(body);
        request.send().await.map_err(|e| self.error(&e))
    }

    fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(key) = &self.key {
            headers.insert(AUTHORIZATION, key.clone());
        }
    }

    fn error(&self, error: &reqwest::Error) -> UpstreamError {
        let (base, cause) = (self.base.clone(), root_cause(error));
        if error.is_connect() {
            UpstreamError::Unreachable { base, cause }
        } else if error.is_timeout() {
            UpstreamError::Timeout { base }
        } else {
            UpstreamError::Broken { base, cause }
        }
    }

    /// Upstream's models: known ones at once, and only the first time after a wait.
    pub async fn models(self: &Arc<Self>) -> Result<Arc<Vec<Model>>, UpstreamError> {
        let known = self.models.read().clone();
        match known {
            Some(known) => {
                if known.at.elapsed() > MODELS_FRESH
                    && let Ok(turn) = self.refreshing.try_lock()
                {
                    drop(turn);
                    let upstream = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = upstream.refresh().await {
                            tracing::debug!(%error, "model list not refreshed");
                        }
                    });
                }
                Ok(known.models)
            }
            None => self.refresh().await,
        }
    }

    async fn refresh(&self) -> Result<Arc<Vec<Model>>, UpstreamError> {
        let started = Instant::now();
        let _one_at_a_time = self.refreshing.lock().await;
        // Somebody else may have fetched it while this call waited for its turn.
        if let Some(known) = self.models.read().clone().filter(|known| known.at >= started) {
            return Ok(known.models);
        }
        let fetched = tokio::time::timeout(MODELS_PATIENCE, self.fetch_models()).await;
        let models = match fetched.map_err(|_| UpstreamError::Timeout { base: self.base.clone() })? {
            // It is there and lists nothing: not to be asked again for every request.
            Err(error @ UpstreamError::NotModels { .. }) => {
                tracing::warn!(%error, "the model's window is not known: set --window");
                Vec::new()
            }
            fetched => fetched?,
        };
        let models = Arc::new(models);
        *self.models.write() = Some(Known { models: models.clone(), at: Instant::now() });
        Ok(models)
    }

    async fn fetch_models(&self) -> Result<Vec<Model>, UpstreamError> {
        let response = self.send(Method::GET, "/models", HeaderMap::new(), reqwest::Body::default()).await?;
        let status = response.status().as_u16();
        let body = self.read(response).await?;
        (self.read_models)(&body).ok_or_else(|| UpstreamError::NotModels { base: self.base.clone(), status })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, UpstreamError> {
        let mut body = bytes::BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.error(&e))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                let cause = format!("answer of more than {LARGEST_ANSWER} bytes");
                return Err(UpstreamError::Broken { base: self.base.clone(), cause });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The window of a model in tokens: as configured, or as upstream tells. A name that is not listed has the
    /// window of the only model there is, since llama.cpp serves any name.
    pub async fn window(self: &Arc<Self>, model: Option<&str>) -> Option<u64> {
        if self.window.is_some() {
            return self.window;
        }
        let models = self.models().await.ok()?;
        let named = models.iter().find(|(id, _)| Some(id.as_str()) == model);
        named.or_else(|| if models.len() == 1 { models.first() } else { None })?.1
    }

    /// How many tokens a chat request is, template included, by vLLM's `/tokenize`. `None` where upstream has none:
    /// llama.cpp answers the same body with an empty list, so only a positive count is believed.
    pub async fn count_tokens(
        &self,
        model: Option<&str>,
        messages: &str,
        tools: Option<&str>,
    ) -> Option<u64> {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        let root = self.base.strip_suffix("/v1").unwrap_or(&self.base);
        let mut body = format!("{{\"messages\":{messages},\"add_generation_prompt\":true");
        if let Some(model) = model {
            body.push_str(&format!(",\"model\":{}", serde_json::Value::from(model)));
        }
        if let Some(tools) = tools {
            body.push_str(&format!(",\"tools\":{tools}"));
        }
        body.push('}');
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.authorize(&mut headers);
        let call = async {
            let request = self.client.post(format!("{root}/tokenize")).headers(headers).body(body);
            self.read(request.send().await.ok()?.error_for_status().ok()?).await.ok()
        };
        let answer = tokio::time::timeout(COUNT_PATIENCE, call).await.ok()??;
        let count: Count = serde_json::from_slice(&answer).ok()?;
        (count.count > 0).then_some(count.count)
    }
}

/// The innermost cause, which is what names the trouble.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
