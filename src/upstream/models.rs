//! What upstream tells of its models: their names, their windows, and how many tokens a chat takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use parking_lot::RwLock;
use serde::Deserialize;

use super::{AnswerBody, Upstream, UpstreamError, full, root_cause};

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

/// The list as it was last told.
#[derive(Default)]
pub(super) struct Known {
    list: RwLock<Option<(Arc<Vec<Model>>, Instant)>>,
    refreshing: tokio::sync::Mutex<()>,
}

impl Upstream {
    /// Upstream's models: known ones at once, and only the first time after a wait.
    pub async fn models(self: &Arc<Self>) -> Result<Arc<Vec<Model>>, UpstreamError> {
        let known = self.known.list.read().clone();
        let Some((models, at)) = known else { return self.refresh().await };
        if at.elapsed() > MODELS_FRESH
            && let Ok(turn) = self.known.refreshing.try_lock()
        {
            drop(turn);
            let upstream = self.clone();
            tokio::spawn(async move {
                if let Err(error) = upstream.refresh().await {
                    tracing::debug!(%error, "model list not refreshed");
                }
            });
        }
        Ok(models)
    }

    /// Upstream's models as it tells them now, or told a moment ago.
    pub async fn models_now(&self, moment: Duration) -> Result<Arc<Vec<Model>>, UpstreamError> {
        let known = self.known.list.read().clone();
        match known {
            Some((models, at)) if at.elapsed() < moment => Ok(models),
            _ => self.refresh().await,
        }
    }

    /// Upstream's models as it told them last, if it ever did.
    pub fn models_told(&self) -> Option<Arc<Vec<Model>>> {
        self.known.list.read().as_ref().map(|(models, _)| models.clone())
    }

    async fn refresh(&self) -> Result<Arc<Vec<Model>>, UpstreamError> {
        let started = Instant::now();
        let _one_at_a_time = self.known.refreshing.lock().await;
        // Somebody else may have fetched it while this call waited for its turn.
        if let Some((models, _)) = self.known.list.read().clone().filter(|(_, at)| *at >= started) {
            return Ok(models);
        }
        let fetched = tokio::time::timeout(MODELS_PATIENCE, self.fetch_models()).await;
        let slow = |_| UpstreamError::HeaderTimeout { base: self.base.to_string(), after: MODELS_PATIENCE };
        let models = match fetched.map_err(slow)? {
            // It is there and lists nothing: not to be asked again for every request.
            Err(error @ UpstreamError::NotModels { .. }) => {
                tracing::warn!(%error, "the model's window is not known: set --window");
                Vec::new()
            }
            fetched => fetched?,
        };
        let models = Arc::new(models);
        *self.known.list.write() = Some((models.clone(), Instant::now()));
        Ok(models)
    }

    async fn fetch_models(&self) -> Result<Vec<Model>, UpstreamError> {
        let response = self.send(Method::GET, "/models", HeaderMap::new(), full(Bytes::new())).await?;
        let status = response.status().as_u16();
        let body = self.read(response).await?;
        let not_models = || UpstreamError::NotModels { base: self.base.to_string(), status };
        (self.read_models)(&body).ok_or_else(not_models)
    }

    async fn read(&self, response: Response<AnswerBody>) -> Result<Bytes, UpstreamError> {
        match Limited::new(response.into_body(), LARGEST_ANSWER).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => {
                let cause = match error.is::<LengthLimitError>() {
                    true => format!("answer of more than {LARGEST_ANSWER} bytes"),
                    false => root_cause(&*error),
                };
                Err(UpstreamError::Broken { base: self.base.to_string(), cause })
            }
        }
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
        // Outside /v1.
        let path =
            format!("{}/tokenize", self.path.strip_suffix("/v1").unwrap_or(&self.path)).parse().ok()?;
        let call = async {
            let response = self.exchange(Method::POST, path, headers, full(body.into())).await.ok()?;
            if !response.status().is_success() {
                return None;
            }
            self.read(response).await.ok()
        };
        let answer = tokio::time::timeout(COUNT_PATIENCE, call).await.ok()??;
        let count: Count = serde_json::from_slice(&answer).ok()?;
        (count.count > 0).then_some(count.count)
    }
}
