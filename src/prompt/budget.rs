//! The room that the model's window leaves, and passages fitted into it.

use std::time::Instant;

use async_trait::async_trait;

use super::{
    Passage, RequestTokens, Template, Woven, estimate_passage, estimate_request, estimate_text, weave,
};
use crate::openai::{ChatRequest, Edits, without_media};

/// What is needed of the LLM server to keep within its window.
#[async_trait]
pub trait Window: Send + Sync {
    /// The model's window in tokens, if it is known by then.
    async fn tokens(&self, model: Option<&str>, until: Instant) -> Option<u64>;
    /// The exact count of a prompt, given the JSON of its messages and of whatever else becomes a part of it; `None` where
    /// nobody counts.
    async fn count(&self, model: Option<&str>, fields: &[(&str, &str)]) -> Option<u64>;
}

/// Assumed of a server that does not tell its window.
pub(crate) const UNKNOWN_WINDOW: u64 = 4096;
/// Without `max_tokens` the answer is left this part of the window.
const RESERVE_PART: u64 = 4;
/// Of a conversation that the LLM server stores we see the last turn alone: this part of the window goes into it, since
/// every turn before has had as much.
const STORED_PART: u64 = 8;
/// Estimates are at most so many times the exact count on text that is worth trying.
const OVERESTIMATE: f64 = 1.8;
/// Where a text takes more than was estimated, so much of what the count leaves is made use of.
const CAUTION: f64 = 0.9;
/// An estimate up to this part of the limit is believed. Words of some languages, such as Polish or Welsh, take up to a
/// third more tokens of a small vocabulary than estimated.
const CERTAIN: f64 = 0.65;
/// More than this is not read or estimated beside requests that wait.
const MOST_AT_ONCE: usize = 64 << 10;

/// One request against one window.
pub struct Budget<'a> {
    request: &'a ChatRequest,
    model: Option<&'a str>,
    window: &'a dyn Window,
    /// Tokens for the prompt.
    limit: u64,
    /// Of them, what the request takes without passages, by estimate.
    base: RequestTokens,
    /// Tokens of passages at most, where there are turns that we do not see.
    most_added: Option<u64>,
    /// Estimated tokens that there is room for in each token of the limit, where a count has told that they are too few.
    scale: Option<f64>,
}

impl<'a> Budget<'a> {
    /// Measures a request. `model` is the name that upstream will see; its window is waited for until then.
    pub async fn new(
        request: &'a ChatRequest,
        model: Option<&'a str>,
        window: &'a dyn Window,
        until: Instant,
    ) -> Self {
        let tokens = window.tokens(model, until).await.unwrap_or(UNKNOWN_WINDOW);
        let reserve = request.reserve().unwrap_or(tokens / RESERVE_PART);
        let (messages, tools) = request.prompt_parts();
        // All of them are text that the template may show.
        let shown: u64 = request.rendering().iter().map(|(_, value)| estimate_text(value)).sum();
        let size = messages.len() + tools.map_or(0, str::len);
        let (messages, tools) = (messages.to_owned(), tools.map(str::to_owned));
        let estimated = beside(size, move || estimate_request(&messages, tools.as_deref())).await;
        let mut base = estimated.unwrap_or(RequestTokens { text: u64::MAX, media: 0 });
        base.text = base.text.saturating_add(shown);
        let most_added = request.has_stored_turns().then_some(tokens / STORED_PART);
        Self { request, model, window, limit: tokens.saturating_sub(reserve), base, most_added, scale: None }
    }

    /// Tokens for passages and what is said about them, by estimate.
    fn room(&self) -> Option<u64> {
        let room = self.limit.checked_sub(self.base.all())?;
        Some(self.most_added.map_or(room, |most| room.min(most)))
    }

    /// Tokens for whole documents and what is said about them. None where they do not go in at all.
    pub fn room_for_whole(&self) -> Option<u64> {
        self.room().filter(|_| self.most_added.is_none())
    }

    /// Weaves what fits, best first. Where the estimate has to cut, or comes near the limit, one count of what it lets in
    /// tells how much more there is room for, or how much less. `None` when there is none.
    pub async fn fit(&self, passages: &[Passage], template: &Template<'_>) -> Option<Woven> {
        let (question, room) = (self.request.question(), self.room());
        let woven = |room| weave(passages, template, question, room);
        if let Some(scale) = self.scale {
            return woven(self.room_in_scale(scale)?);
        }
        let estimated = room.and_then(woven);
        let bound = room.is_some_and(|room| Some(room) == self.most_added);
        if bound || estimated.as_ref().is_some_and(|woven| !woven.cut && self.certainly_fits(woven)) {
            return estimated;
        }
        let text = estimated.as_ref().map(|woven| woven.text.as_str());
        let Some(count) = self.count(text).await else { return estimated };
        let room = match &estimated {
            None => self.limit.checked_sub(count)?,
            Some(estimated) => self.room_by_count(passages, template, estimated, count)?,
        };
        let room = self.most_added.map_or(room, |most| room.min(most));
        // What was counted fits, where nothing more does.
        woven(room).or(estimated.filter(|_| count <= self.limit))
    }

    /// Whether whole documents that fit by the estimate fit indeed, which is counted where they come near the limit. If not,
    /// that count tells what there is room for: a question is counted once.
    pub async fn holds(&mut self, woven: &Woven) -> bool {
        if self.certainly_fits(woven) {
            return true;
        }
        let count = self.count(Some(&woven.text)).await;
        let Some(count) = count.filter(|count| *count > self.limit) else { return true };
        let estimated = self.base.all().saturating_add(estimate_text(&woven.text));
        self.scale = Some(scale(estimated, count));
        false
    }

    /// Tokens for passages by the estimate, where each token of the limit has room for so many estimated ones.
    fn room_in_scale(&self, scale: f64) -> Option<u64> {
        ((self.limit as f64 * scale) as u64).checked_sub(self.base.all())
    }

    /// Whether a text fits even if it takes somewhat more than estimated.
    fn certainly_fits(&self, woven: &Woven) -> bool {
        let estimated = self.base.text.saturating_add(estimate_text(&woven.text));
        let limit = self.limit.saturating_sub(self.base.media);
        estimated as f64 <= limit as f64 * CERTAIN
    }

    /// The room for passages by the estimate, if a prompt with these woven is `count` tokens. The last passage may be
    /// another part of itself in more room.
    fn room_by_count(
        &self,
        passages: &[Passage],
        template: &Template<'_>,
        woven: &Woven,
        count: u64,
    ) -> Option<u64> {
        let each = |passages: &[Passage]| {
            (1..).zip(passages).map(|(number, one)| estimate_passage(number, one)).sum::<u64>()
        };
        let added = template.estimate() + each(&woven.passages);
        let estimated = self.base.all().saturating_add(added);
        if count > self.limit {
            return self.room_in_scale(scale(estimated, count));
        }
        if count > estimated {
            return Some(added);
        }
        let whole = woven.passages.iter().zip(passages).take_while(|(kept, passage)| kept == passage).count();
        let trimmed = each(&woven.passages) - each(&woven.passages[..whole]);
        let freed = (trimmed as f64 / OVERESTIMATE) as u64;
        Some((added - trimmed + freed + self.limit - count).max(added))
    }

    /// Whether a text fits before the question.
    pub async fn has_room_for(&self, text: &str) -> bool {
        let estimated = self.base.all().saturating_add(estimate_text(text));
        estimated <= self.limit || self.count(Some(text)).await.is_some_and(|count| count <= self.limit)
    }

    /// The exact count of the prompt's text, and the estimate of what is no text.
    async fn count(&self, before_question: Option<&str>) -> Option<u64> {
        let edited = self.request.edited(&Edits { model: None, before_question });
        let rendering = self.request.rendering();
        let (size, api) = (edited.len(), self.request.api());
        let (messages, tools) = beside(size, move || {
            let edited = api.parse(edited).ok()?;
            let (messages, tools) = edited.prompt_parts();
            Some((without_media(messages).into_owned(), tools.map(str::to_owned)))
        })
        .await??;
        let mut fields = vec![("messages", messages.as_str())];
        fields.extend(tools.as_deref().map(|tools| ("tools", tools)));
        fields.extend(rendering);
        let count = self.window.count(self.model, &fields).await?;
        Some(count.saturating_add(self.base.media))
    }
}

/// The estimated tokens that there is room for in each real one, where a text takes more than was estimated: so will a
/// part of it.
fn scale(estimated: u64, count: u64) -> f64 {
    estimated as f64 / count as f64 * CAUTION
}

/// Does work on so many bytes, beside other requests where it takes a while. `None` if it died.
async fn beside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes <= MOST_AT_ONCE {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
