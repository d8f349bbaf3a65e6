//! How many tokens a chat is, by vLLM's `/tokenize`.

use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;

use super::models::secret;
use super::{Upstream, full};
use crate::json::quoted;

/// A token count that takes longer is done without.
const COUNT_PATIENCE: Duration = Duration::from_millis(500);
/// And so are all that would be asked for in this time after it.
const COUNT_PAUSE: Duration = Duration::from_secs(10);

impl Upstream {
    /// How many tokens a chat is, template included, by vLLM's `/tokenize`: the JSON of its `messages` and other fields
    /// that matter for that. `None` where upstream has none: llama.cpp answers the same body with an empty list, so
    /// only a positive count is believed.
    pub async fn count_tokens(
        &self,
        model: Option<&str>,
        fields: &[(&str, &str)],
        client: Option<&HeaderValue>,
    ) -> Option<u64> {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        if self.count_was_late.lock().is_some_and(|at| at.elapsed() < COUNT_PAUSE) {
            return None;
        }
        let mut body = String::from("{");
        if let Some(model) = model {
            body.push_str(&format!("\"model\":{},", quoted(model)));
        }
        for (name, value) in fields {
            body.push_str(&format!("\"{name}\":{value},"));
        }
        if !fields.iter().any(|(name, _)| *name == "add_generation_prompt") {
            body.push_str("\"add_generation_prompt\":true,");
        }
        body.pop();
        body.push('}');
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(client.map(|key| (AUTHORIZATION, secret(key.clone()))));
        // Outside /v1.
        let path =
            format!("{}/tokenize", self.path.strip_suffix("/v1").unwrap_or(&self.path)).parse().ok()?;
        let call = async {
            let response = self.exchange(Method::POST, path, headers, full(body.into())).await.ok()?;
            if !response.status().is_success() {
                return None;
            }
            self.read_whole(response.into_body()).await.ok()
        };
        let Ok(answer) = tokio::time::timeout(COUNT_PATIENCE, call).await else {
            tracing::warn!(pause = ?COUNT_PAUSE, "/tokenize is late: tokens are estimated for a while");
            *self.count_was_late.lock() = Some(Instant::now());
            return None;
        };
        let answer = answer?;
        let count: Count = serde_json::from_slice(&answer).ok()?;
        (count.count > 0).then_some(count.count)
    }
}
