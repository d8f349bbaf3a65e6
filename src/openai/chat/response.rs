//! A request of the Responses API: the same as a chat for everything that grounds it, with `input` in place of `messages`.

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{
    ChatRequest, ChatRequestError, Entries, ModelApi, Place, ReadTools, Role, number, read_content,
    read_model, role, span, tools,
};
use crate::openai::media::take_parts;

/// What only such a request has.
#[derive(Debug)]
pub struct ResponseParts {
    /// Its instructions and input as a chat's messages, in JSON: what fills the model's window.
    pub(super) messages: String,
    /// It goes on from turns that upstream keeps.
    pub(super) stored_turns: bool,
    /// The answer is to show what was found.
    pub wants_results: bool,
    /// Its tools, of which upstream sees fewer.
    pub tools: Option<SentTools>,
}

/// The JSON of a request's tools and of their choice, as the client sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTools {
    pub tools: String,
    pub tool_choice: Option<String>,
}

/// What the input says, and where.
struct Input<'a> {
    /// Its elements; none of a mere string.
    items: Vec<Entries<'a>>,
    asked: usize,
    question: String,
    place: Option<Place>,
}

impl ChatRequest {
    /// Reads a request of the Responses API. One whose input has no user message, as after a call of a tool, is one
    /// that cannot be grounded.
    pub fn parse_response(bytes: Bytes) -> Result<Self, ChatRequestError> {
        let text = std::str::from_utf8(&bytes).map_err(|e| ChatRequestError::NotJson(e.to_string()))?;
        let top: Entries<'_> =
            serde_json::from_str(text).map_err(|e| ChatRequestError::NotJson(e.to_string()))?;
        let raw_input = top.only("input")?.ok_or(ChatRequestError::Missing("input"))?;
        let model = read_model(text, &top)?;
        let raw_tools = top.only("tools")?;
        let Input { items, asked, question, place } = read_input(text, raw_input)?;
        let results = tools::results(text, &top);
        let wants_results = results.is_some();
        let sent = raw_tools.map(|tools| SentTools {
            tools: tools.get().to_owned(),
            tool_choice: top.last("tool_choice").map(|choice| choice.get().to_owned()),
        });
        let ReadTools { tools, file_search, cuts } = tools::read(text, &top, raw_tools)?;
        // With the tool, what it has in `include` is among its cuts.
        let ours = if file_search.is_some() { cuts } else { results.unwrap_or_default() };
        let stored_turns = ["previous_response_id", "conversation"]
            .iter()
            .any(|name| top.last(name).is_some_and(|value| !matches!(value.get(), "null" | "\"\"")));
        let messages = as_messages(top.last("instructions"), raw_input, &items);
        let message_count = items.len().max(1);
        Ok(Self {
            model,
            messages: span(text, raw_input),
            tools,
            file_search,
            ours,
            message_count,
            asked,
            question,
            place,
            reserve: number(&top, "max_output_tokens"),
            stream: top.last("stream").is_some_and(|raw| raw.get() == "true"),
            response: Some(ResponseParts { messages, stored_turns, wants_results, tools: sent }),
            bytes,
        })
    }

    /// What it has beside a chat, if it is a request of the Responses API.
    pub fn response(&self) -> Option<&ResponseParts> {
        self.response.as_ref()
    }

    /// By which of the two APIs it came.
    pub fn api(&self) -> ModelApi {
        if self.response.is_some() { ModelApi::Responses } else { ModelApi::Chat }
    }
}

fn read_input<'a>(text: &str, input: &'a RawValue) -> Result<Input<'a>, ChatRequestError> {
    let wrong = |e: serde_json::Error| ChatRequestError::Input(e.to_string());
    if input.get().starts_with('"') {
        let question = serde_json::from_str(input.get()).map_err(wrong)?;
        let place = Some(Place::Text(span(text, input).start + 1));
        return Ok(Input { items: Vec::new(), asked: 0, question, place });
    }
    let items: Vec<Entries<'a>> = serde_json::from_str(input.get()).map_err(wrong)?;
    let asked = items.iter().rposition(|item| role(item) == Some(Role::User));
    let content = asked.and_then(|asked| items[asked].last("content"));
    let (question, place) = match content {
        None => (String::new(), None),
        Some(content) => read_content(content, span(text, content).start).map_err(|error| match error {
            ChatRequestError::Messages(cause) => ChatRequestError::Input(cause),
            error => error,
        })?,
    };
    Ok(Input { asked: asked.unwrap_or(items.len()), items, question, place })
}

/// A chat of the same texts, for counting tokens. What is no message counts as the JSON that it is.
fn as_messages(instructions: Option<&RawValue>, input: &RawValue, items: &[Entries<'_>]) -> String {
    let text = |raw: &RawValue| serde_json::from_str::<Option<String>>(raw.get()).ok().flatten();
    let system = instructions.and_then(text).map(|text| json!({"role": "system", "content": text}));
    let of_item = |item: &Entries<'_>| {
        let who = item.last("role").and_then(text);
        let said = item.last("content").and_then(|content| serde_json::from_str(content.get()).ok());
        match (who, said) {
            (Some(who), Some(said)) => json!({"role": who, "content": plain(said)}),
            _ => json!({"role": "user", "content": plain_item(item)}),
        }
    };
    let said = text(input).map(|text| json!({"role": "user", "content": text}));
    let messages: Vec<Value> = system.into_iter().chain(said).chain(items.iter().map(of_item)).collect();
    Value::from(messages).to_string()
}

/// What an item that is no message says, as the JSON that it is; its media stay parts.
fn plain_item(item: &Entries<'_>) -> Value {
    let as_text = || {
        let entries = item.0.iter().map(|(key, value)| format!("{key}: {}", value.get()));
        entries.collect::<Vec<_>>().join("\n").into()
    };
    let fields =
        item.0.iter().map(|(key, value)| Some((key.clone(), serde_json::from_str(value.get()).ok()?)));
    let Some(fields) = fields.collect::<Option<serde_json::Map<_, _>>>() else { return as_text() };
    let mut list = Value::Array(vec![fields.into()]);
    let media = take_parts(&mut list);
    if media.is_empty() {
        return as_text();
    }
    let text = json!({"type": "text", "text": list.to_string()});
    [text].into_iter().chain(media).collect::<Vec<_>>().into()
}

/// Parts that are all text, as one text; others as they are.
fn plain(content: Value) -> Value {
    let Value::Array(parts) = &content else { return content };
    let text = |part: &'_ Value| match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => part["text"].as_str().map(str::to_owned),
        _ => None,
    };
    let texts: Option<Vec<String>> = parts.iter().map(text).collect();
    texts.map_or(content, |texts| texts.join("\n").into())
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
