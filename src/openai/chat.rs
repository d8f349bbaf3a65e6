//! A chat request as spans over its own bytes.

mod choices;
mod model_api;
mod response;

use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::file_search::FileSearch;
use super::request::RequestError;
use super::tools::{self, ReadTools, Tools};
pub use choices::Choices;
pub use model_api::ModelApi;
pub use response::{ResponseParts, SentTools};

use crate::json::{Entries, Repeated, quoted, span};

/// Fields of a chat that vLLM makes its prompt of, beside messages and tools.
const RENDERING: [&str; 6] = [
    "chat_template",
    "chat_template_kwargs",
    "documents",
    "add_generation_prompt",
    "continue_final_message",
    "add_special_tokens",
];

/// A body that cannot be grounded. Without a collection it would go upstream as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatRequestError {
    #[error("the body is not a JSON object: {0}")]
    NotJson(String),
    #[error("'{0}' is missing")]
    Missing(&'static str),
    #[error("'{0}' appears more than once: which one is meant is not clear")]
    Duplicate(&'static str),
    #[error("'messages' must be a list of objects: {0}")]
    Messages(String),
    #[error("'input' must be a string or a list of objects: {0}")]
    Input(String),
    #[error("'{0}' has the wrong type")]
    Type(&'static str),
    #[error(transparent)]
    FileSearch(#[from] RequestError),
}

impl From<Repeated> for ChatRequestError {
    fn from(Repeated(key): Repeated) -> Self {
        Self::Duplicate(key)
    }
}

/// A chat request: what of it matters here, and where that stands in the bytes.
#[derive(Debug)]
pub struct ChatRequest {
    bytes: Bytes,
    model: Option<(String, Range<usize>)>,
    messages: Range<usize>,
    /// JSON of the tools that upstream will see.
    tools: Option<Tools>,
    file_search: Option<FileSearch>,
    /// What of the bytes is for us alone.
    ours: Vec<Range<usize>>,
    message_count: usize,
    /// Which message is the question; the number of messages where none is.
    asked: usize,
    question: String,
    place: Option<Place>,
    reserve: Option<u64>,
    stream: bool,
    /// What only a request of the Responses API has.
    response: Option<ResponseParts>,
}

/// What somebody said before the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub role: Role,
    /// Never empty; text parts are joined.
    pub text: String,
}

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    User,
    Assistant,
}

/// Where text goes before the question.
#[derive(Debug)]
enum Place {
    /// After the opening quote of a string.
    Text(usize),
    /// After the opening bracket of a list of parts.
    Part { at: usize, others: bool },
}

/// What to change of a request.
#[derive(Debug, Default)]
pub struct Edits<'a> {
    /// Another model name.
    pub model: Option<&'a str>,
    /// Text before the question.
    pub before_question: Option<&'a str>,
}

impl ChatRequest {
    /// Finds the spans. Everything else in the body is left alone. A chat without a user message is one that cannot be
    /// grounded.
    pub fn parse(bytes: Bytes) -> Result<Self, ChatRequestError> {
        let text = std::str::from_utf8(&bytes).map_err(|e| ChatRequestError::NotJson(e.to_string()))?;
        let span = |value: &RawValue| span(text, value);
        let top: Entries<'_> =
            serde_json::from_str(text).map_err(|e| ChatRequestError::NotJson(e.to_string()))?;
        let raw_messages = top.only("messages")?.ok_or(ChatRequestError::Missing("messages"))?;
        let model = read_model(text, &top)?;
        let raw_tools = top.only("tools")?;
        let messages: Vec<Entries<'_>> = serde_json::from_str(raw_messages.get())
            .map_err(|e| ChatRequestError::Messages(e.to_string()))?;
        let asked = messages.iter().rposition(|message| role(message) == Some(Role::User));
        let (question, place) = match asked.and_then(|asked| messages[asked].last("content")) {
            None => (String::new(), None),
            Some(content) => read_content(content, span(content).start)?,
        };
        // Where both are given, vLLM goes by the newer name.
        let reserve = number(&top, "max_completion_tokens").or_else(|| number(&top, "max_tokens"));
        let stream = top.last("stream").is_some_and(|raw| raw.get() == "true");
        let (messages_span, message_count) = (span(raw_messages), messages.len());
        let ReadTools { tools, file_search, cuts: ours } = tools::read(text, &top, raw_tools)?;
        Ok(Self {
            model,
            messages: messages_span,
            tools,
            file_search,
            ours,
            message_count,
            asked: asked.unwrap_or(message_count),
            question,
            place,
            reserve,
            stream,
            response: None,
            bytes,
        })
    }

    /// The `file_search` tool, which [`Self::edited`] leaves out.
    pub fn file_search(&self) -> Option<&FileSearch> {
        self.file_search.as_ref()
    }

    /// What users and assistants said before the question, oldest first. Read anew at each call.
    pub fn earlier_turns(&self) -> Vec<Turn> {
        let Ok(messages) = serde_json::from_slice::<Vec<Entries<'_>>>(&self.bytes[self.messages.clone()])
        else {
            return Vec::new();
        };
        let turns = messages[..self.asked].iter().filter_map(|message| {
            let (text, _) = read_content(message.last("content")?, 0).ok()?;
            Some(Turn { role: role(message)?, text }).filter(|turn| !turn.text.trim().is_empty())
        });
        turns.collect()
    }

    /// The model asked for.
    pub fn model(&self) -> Option<&str> {
        self.model.as_ref().map(|(name, _)| name.as_str())
    }

    /// The text of the last user message; empty when it has none.
    pub fn question(&self) -> &str {
        &self.question
    }

    /// How many tokens the answer may take, if the client said so.
    pub fn reserve(&self) -> Option<u64> {
        self.reserve
    }

    /// Whether the answer is to be streamed.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// The JSON of messages and tools as upstream will see them: what fills the model's window.
    pub fn prompt_parts(&self) -> (&str, Option<&str>) {
        let text = |span: &Range<usize>| std::str::from_utf8(&self.bytes[span.clone()]).unwrap_or_default();
        let tools = self.tools.as_ref().map(|tools| match tools {
            Tools::AsSent(span) => text(span),
            Tools::Left(left) => left,
        });
        let messages = match &self.response {
            Some(response) => &response.messages,
            None => text(&self.messages),
        };
        (messages, tools)
    }

    /// What else of a chat becomes a part of the prompt, or says how it is put together: names of vLLM's, and their JSON.
    /// Read anew at each call.
    pub fn rendering(&self) -> Vec<(&'static str, &str)> {
        // Most chats have none of them, and need not be read for that.
        let may_have = |name: &str| memchr::memmem::find(&self.bytes, name.as_bytes()).is_some();
        if self.response.is_some() || !RENDERING.into_iter().any(may_have) {
            return Vec::new();
        }
        let text = std::str::from_utf8(&self.bytes).unwrap_or_default();
        let Ok(top) = serde_json::from_str::<Entries<'_>>(text) else { return Vec::new() };
        RENDERING.into_iter().filter_map(|name| Some((name, top.last(name)?.get()))).collect()
    }

    /// Whether upstream puts turns before these messages that it keeps itself.
    pub fn has_stored_turns(&self) -> bool {
        self.response.as_ref().is_some_and(|response| response.stored_turns)
    }

    /// How many messages there are.
    pub fn message_count(&self) -> usize {
        self.message_count
    }

    /// Whether text can go before the question.
    pub fn can_be_grounded(&self) -> bool {
        self.place.is_some() && !self.question.trim().is_empty()
    }

    /// The request with these edits: the original bytes with spans replaced, and without edits the original bytes.
    /// What is for us alone, the `file_search` tool, is always left out.
    pub fn edited(&self, edits: &Edits<'_>) -> Bytes {
        let mut changes: Vec<(Range<usize>, String)> =
            self.ours.iter().map(|span| (span.clone(), String::new())).collect();
        if let (Some(name), Some((_, span))) = (edits.model, &self.model) {
            changes.push((span.clone(), quoted(name)));
        }
        if let (Some(text), Some(place)) = (edits.before_question, &self.place) {
            changes.push(match place {
                Place::Text(at) => {
                    let quoted = quoted(text);
                    (*at..*at, quoted[1..quoted.len() - 1].to_owned())
                }
                Place::Part { at, others } => {
                    let comma = if *others { "," } else { "" };
                    let kind = if self.response.is_some() { "input_text" } else { "text" };
                    (*at..*at, format!("{{\"type\":\"{kind}\",\"text\":{}}}{comma}", quoted(text)))
                }
            });
        }
        if changes.is_empty() {
            return self.bytes.clone();
        }
        changes.sort_by_key(|(span, _)| span.start);
        let added: usize = changes.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(self.bytes.len() + added);
        let mut at = 0;
        for (span, text) in changes {
            out.extend_from_slice(&self.bytes[at..span.start]);
            out.extend_from_slice(text.as_bytes());
            at = span.end;
        }
        out.extend_from_slice(&self.bytes[at..]);
        out.into()
    }
}

/// The model's name. None or null, upstream takes its own.
fn read_model(text: &str, top: &Entries<'_>) -> Result<Option<(String, Range<usize>)>, ChatRequestError> {
    let Some(raw) = top.only("model")? else { return Ok(None) };
    let name: Option<String> =
        serde_json::from_str(raw.get()).map_err(|_| ChatRequestError::Type("model"))?;
    Ok(name.map(|name| (name, span(text, raw))))
}

fn number(top: &Entries<'_>, key: &str) -> Option<u64> {
    serde_json::from_str::<Option<u64>>(top.last(key)?.get()).ok().flatten()
}

fn role(message: &Entries<'_>) -> Option<Role> {
    serde_json::from_str(message.last("role")?.get()).ok()
}

fn read_content(content: &RawValue, start: usize) -> Result<(String, Option<Place>), ChatRequestError> {
    #[derive(Deserialize)]
    struct Part {
        #[serde(default)]
        r#type: Option<String>,
        #[serde(default)]
        text: Option<String>,
    }
    let raw = content.get();
    if raw.starts_with('"') {
        let text = serde_json::from_str(raw).map_err(|e| ChatRequestError::Messages(e.to_string()))?;
        return Ok((text, Some(Place::Text(start + 1))));
    }
    if raw.starts_with('[') {
        let parts: Vec<Part> =
            serde_json::from_str(raw).map_err(|e| ChatRequestError::Messages(e.to_string()))?;
        let texts: Vec<&str> = parts
            .iter()
            .filter(|p| {
                p.r#type.as_deref().is_none_or(|t| matches!(t, "text" | "input_text" | "output_text"))
            })
            .filter_map(|p| p.text.as_deref())
            .collect();
        let place = Place::Part { at: start + 1, others: !parts.is_empty() };
        return Ok((texts.join("\n"), Some(place)));
    }
    // null: nothing was asked. Anything else is for upstream to refuse.
    Ok((String::new(), None))
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
