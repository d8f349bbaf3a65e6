//! The room that the model's window leaves, and passages fitted into it.

use async_trait::async_trait;

use super::{Passage, Template, Woven, estimate_request, estimate_text, weave};
use crate::openai::{ChatRequest, Edits};

/// What is needed of the LLM server to keep within its window.
#[async_trait]
pub trait Window: Send + Sync {
    /// The model's window in tokens, if known.
    async fn tokens(&self, model: Option<&str>) -> Option<u64>;
    /// The exact count of a prompt, given the JSON of its messages and tools; `None` where nobody counts.
    async fn count(&self, model: Option<&str>, messages: &str, tools: Option<&str>) -> Option<u64>;
}

/// Assumed of a server that does not tell its window.
const UNKNOWN_WINDOW: u64 = 4096;
/// Without `max_tokens` the answer is left this part of the window.
const RESERVE_PART: u64 = 4;
/// Estimates are at most so many times the exact count on text that is worth trying.
const OVERESTIMATE: f64 = 1.8;
/// A second try aims a little under the limit.
const CAUTION: f64 = 0.96;
/// Counts are a request each; after so many there is no room.
const MOST_COUNTS: usize = 7;
/// After so many tries that were too long by a little, the next is shorter by half.
const GENTLE_TRIES: usize = 3;

/// One request against one window.
pub struct Budget<'a> {
    request: &'a ChatRequest,
    model: Option<&'a str>,
    window: &'a dyn Window,
    /// Tokens for the prompt.
    limit: u64,
    /// Of them, what the request takes without passages, by estimate.
    base: u64,
}

impl<'a> Budget<'a> {
    /// Measures a request. `model` is the name that upstream will see.
    pub async fn new(request: &'a ChatRequest, model: Option<&'a str>, window: &'a dyn Window) -> Self {
        let tokens = window.tokens(model).await.unwrap_or(UNKNOWN_WINDOW);
        let reserve = request.reserve().unwrap_or(tokens / RESERVE_PART);
        let (messages, tools) = request.prompt_parts();
        let base = estimate_request(messages, tools);
        Self { request, model, window, limit: tokens.saturating_sub(reserve), base }
    }

    /// More bytes of text than this cannot fit, whatever the tokenizer.
    pub fn most_bytes(&self) -> usize {
        // Common tokenizers take at most about 6 bytes of running text as one token.
        usize::try_from(self.limit.saturating_mul(6)).unwrap_or(usize::MAX)
    }

    /// Weaves what fits, best first. Near the limit, where the estimate had to cut, the true count decides.
    /// `None` when there is no room.
    pub async fn fit(&self, passages: &[Passage], template: &Template<'_>) -> Option<Woven> {
        let estimated = self
            .limit
            .checked_sub(self.base)
            .and_then(|room| weave(passages, template, self.request.question(), room));
        if estimated.as_ref().is_some_and(|woven| !woven.cut) {
            return estimated;
        }
        match self.fit_exactly(passages, template).await {
            Some(exact) => exact,
            None => estimated,
        }
    }

    /// The same by counting. The outer `None`: nobody counts.
    async fn fit_exactly(&self, passages: &[Passage], template: &Template<'_>) -> Option<Option<Woven>> {
        let base = self.count(None).await?;
        let Some(room) = self.limit.checked_sub(base) else { return Some(None) };
        let mut aim = room as f64 * OVERESTIMATE;
        for tried in 0..MOST_COUNTS {
            let Some(woven) = weave(passages, template, self.request.question(), aim as u64) else {
                return Some(None);
            };
            let count = self.count(Some(&woven.text)).await?;
            if count <= self.limit {
                return Some(Some(woven));
            }
            let over = room as f64 / count.saturating_sub(base).max(1) as f64;
            let most = if tried < GENTLE_TRIES { 0.9 } else { 0.5 };
            // From what was woven, not from what was aimed at: less than that is another text.
            aim = aim.min(estimate_text(&woven.text) as f64) * (over * CAUTION).min(most);
        }
        Some(None)
    }

    /// Whether a text fits before the question.
    pub async fn has_room_for(&self, text: &str) -> bool {
        let estimated = self.base.saturating_add(estimate_text(text));
        estimated <= self.limit || self.count(Some(text)).await.is_some_and(|count| count <= self.limit)
    }

    async fn count(&self, before_question: Option<&str>) -> Option<u64> {
        let edited = self.request.edited(&Edits { model: None, before_question });
        let edited = self.request.parse_alike(edited).ok()?;
        let (messages, tools) = edited.prompt_parts();
        self.window.count(self.model, messages, tools).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::default_template;
    use bytes::Bytes;

    /// A server whose tokens are a fixed part of our estimate, or that does not count.
    struct Server {
        tokens: u64,
        rate: Option<f64>,
    }

    #[async_trait]
    impl Window for Server {
        async fn tokens(&self, _: Option<&str>) -> Option<u64> {
            Some(self.tokens)
        }

        async fn count(&self, _: Option<&str>, messages: &str, tools: Option<&str>) -> Option<u64> {
            Some((estimate_request(messages, tools) as f64 * self.rate?) as u64)
        }
    }

    fn request(max_tokens: u64) -> ChatRequest {
        let body = format!(
            r#"{{"max_tokens":{max_tokens},"messages":[{{"role":"user","content":"What is the maintenance code of the pump?"}}]}}"#
        );
        ChatRequest::parse(Bytes::from(body)).expect("a request")
    }

    fn passages() -> Vec<Passage> {
        let text = "The maintenance code of the pump is KX-4471. It was set in March. ".repeat(12);
        vec![Passage { document: "pump.pdf".into(), page: Some(2), text, ..Passage::default() }; 6]
    }

    async fn fitted(server: Server, max_tokens: u64) -> (Option<Woven>, ChatRequest) {
        let request = request(max_tokens);
        let woven =
            Budget::new(&request, None, &server).await.fit(&passages(), &default_template(Some("en"))).await;
        (woven, request)
    }

    #[tokio::test]
    async fn a_window_of_752_with_512_for_the_answer_is_grounded_and_kept() {
        for rate in [None, Some(1.0), Some(0.6)] {
            let (woven, request) = fitted(Server { tokens: 752, rate }, 512).await;
            let woven = woven.expect("room for a passage");
            assert!(woven.text.contains("KX-4471"), "{rate:?}");
            let edited = request.edited(&Edits { model: None, before_question: Some(&woven.text) });
            let edited = ChatRequest::parse(edited).expect("still a request");
            let (messages, tools) = edited.prompt_parts();
            let count = estimate_request(messages, tools) as f64 * rate.unwrap_or(1.0);
            assert!(count <= 240.0, "{rate:?}: {count}");
        }
    }

    #[tokio::test]
    async fn counting_makes_use_of_room_that_the_estimate_does_not_see() {
        let (estimated, _) = fitted(Server { tokens: 1_600, rate: None }, 200).await;
        let (counted, _) = fitted(Server { tokens: 1_600, rate: Some(0.6) }, 200).await;
        let length = |woven: Option<Woven>| estimate_text(&woven.expect("room").text);
        assert!(length(counted) > length(estimated) * 13 / 10);
    }

    /// Text that takes more tokens than the estimate says, in sentences so long that a little less is the same text.
    #[tokio::test]
    async fn whatever_room_there_is_passages_are_cut_to_it() {
        let sentence = "The maintenance code of the pump is ".to_owned() + &"KX-4471 ".repeat(40) + ". ";
        let passages =
            vec![Passage { document: "pump.pdf".into(), text: sentence.repeat(4), ..Passage::default() }; 4];
        for tokens in (700..4_000).step_by(57) {
            let (request, server) = (request(100), Server { tokens, rate: Some(1.5) });
            let budget = Budget::new(&request, None, &server).await;
            let woven = budget.fit(&passages, &default_template(Some("en"))).await;
            let woven = woven.unwrap_or_else(|| panic!("{tokens}: no room"));
            assert!(budget.count(Some(&woven.text)).await.expect("a count") <= tokens - 100, "{tokens}");
        }
    }

    #[tokio::test]
    async fn a_note_is_fitted_like_anything_else() {
        let request = request(100);
        for (tokens, rate, fits) in [(400, None, true), (130, None, false), (130, Some(0.4), true)] {
            let server = Server { tokens, rate };
            let budget = Budget::new(&request, None, &server).await;
            assert_eq!(budget.has_room_for("Nothing was found about it.").await, fits, "{tokens} {rate:?}");
        }
    }

    #[tokio::test]
    async fn without_room_there_is_nothing() {
        for rate in [None, Some(1.0)] {
            assert_eq!(fitted(Server { tokens: 752, rate }, 752).await.0, None);
            assert_eq!(fitted(Server { tokens: 100, rate }, 10).await.0, None);
        }
    }
}
