//! A chat request as spans over its own bytes.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A body that cannot be grounded. Without a collection it would go upstream as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatRequestError {
    #[error("the body is not a JSON object: {0}")]
    NotJson(String),
    #[error("'{0}' is missing")]
    Missing(&'static str),
    #[error("'{0}' appears more than once: which one is meant is not clear")]
    Duplicate(&'static str),
    #[error("'messages' must be a list of objects with at least one whose role is \"user\": {0}")]
    Messages(String),
    #[error("'{0}' has the wrong type")]
    Type(&'static str),
}

/// A chat request: what of it matters here, and where that stands in the bytes.
#[derive(Debug)]
pub struct ChatRequest {
    bytes: Bytes,
    model: Option<(String, Range<usize>)>,
    messages: Range<usize>,
    tools: Option<Range<usize>>,
    message_count: usize,
    question: String,
    place: Option<Place>,
    reserve: Option<u64>,
    stream: bool,
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

/// The entries of a JSON object in order, duplicates kept.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    entries.push((Cow::Owned(key), map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl<'a> Entries<'a> {
    /// The value of a key; where it repeats, the last, as JSON parsers have it.
    fn last(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, value)| *value)
    }

    fn only(&self, key: &'static str) -> Result<Option<&'a RawValue>, ChatRequestError> {
        let mut values = self.0.iter().filter(|(k, _)| k == key);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(ChatRequestError::Duplicate(key)),
            (found, None) => Ok(found.map(|(_, value)| *value)),
        }
    }
}

impl ChatRequest {
    /// Finds the spans. Everything else in the body is left alone.
    pub fn parse(bytes: Bytes) -> Result<Self, ChatRequestError> {
        let text = std::str::from_utf8(&bytes).map_err(|e| ChatRequestError::NotJson(e.to_string()))?;
        let span = |value: &RawValue| {
            // A borrowed RawValue is a part of the text that was parsed.
            let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + value.get().len()
        };
        let top: Entries<'_> =
            serde_json::from_str(text).map_err(|e| ChatRequestError::NotJson(e.to_string()))?;
        let raw_messages = top.only("messages")?.ok_or(ChatRequestError::Missing("messages"))?;
        let model = match top.only("model")? {
            None => None,
            Some(raw) => {
                let name = serde_json::from_str(raw.get()).map_err(|_| ChatRequestError::Type("model"))?;
                Some((name, span(raw)))
            }
        };
        let tools = top.only("tools")?.map(span);
        let messages: Vec<Entries<'_>> = serde_json::from_str(raw_messages.get())
            .map_err(|e| ChatRequestError::Messages(e.to_string()))?;
        let is_user = |message: &&Entries<'_>| {
            let role = message.last("role").and_then(|r| serde_json::from_str::<String>(r.get()).ok());
            role.as_deref() == Some("user")
        };
        let last_user = messages
            .iter()
            .rfind(is_user)
            .ok_or_else(|| ChatRequestError::Messages("none has".to_owned()))?;
        let (question, place) = match last_user.last("content") {
            None => (String::new(), None),
            Some(content) => read_content(content, span(content).start)?,
        };
        let number = |key| match top.last(key) {
            Some(raw) => serde_json::from_str::<Option<u64>>(raw.get()).ok().flatten(),
            None => None,
        };
        // Where both are given, vLLM goes by the newer name.
        let reserve = number("max_completion_tokens").or_else(|| number("max_tokens"));
        let stream = top.last("stream").is_some_and(|raw| raw.get() == "true");
        let (messages_span, message_count) = (span(raw_messages), messages.len());
        Ok(Self {
            model,
            messages: messages_span,
            tools,
            message_count,
            question,
            place,
            reserve,
            stream,
            bytes,
        })
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

    /// The JSON of messages and tools: what fills the model's window.
    pub fn prompt_parts(&self) -> (&str, Option<&str>) {
        let text = |span: &Range<usize>| std::str::from_utf8(&self.bytes[span.clone()]).unwrap_or_default();
        (text(&self.messages), self.tools.as_ref().map(text))
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
    pub fn edited(&self, edits: &Edits<'_>) -> Bytes {
        let mut changes: Vec<(Range<usize>, String)> = Vec::new();
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
                    (*at..*at, format!("{{\"type\":\"text\",\"text\":{}}}{comma}", quoted(text)))
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

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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
            .filter(|p| p.r#type.as_deref().is_none_or(|t| matches!(t, "text" | "input_text")))
            .filter_map(|p| p.text.as_deref())
            .collect();
        let place = Place::Part { at: start + 1, others: !parts.is_empty() };
        return Ok((texts.join("\n"), Some(place)));
    }
    // null: nothing was asked. Anything else is for upstream to refuse.
    Ok((String::new(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ChatRequest, ChatRequestError> {
        ChatRequest::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn edited(text: &str, edits: &Edits<'_>) -> String {
        let request = parse(text).expect(text);
        String::from_utf8(request.edited(edits).to_vec()).expect("UTF-8")
    }

    #[test]
    fn only_the_spans_change() {
        let body = " {\"x\": 0.10, \"n\":123456789012345678901234567890,\n\"messages\" :[ {\"role\":\"system\",\"content\":\"s\"},{\"content\" : \"Ol\\u00e1?\" ,\"role\":\"user\",\"a\":1,\"a\":2}], \"model\":\"m@c\",\"x\":1} ";
        assert_eq!(edited(body, &Edits::default()), body);
        let edits = Edits { model: Some("m"), before_question: Some("P \"1\"\n") };
        let expected = body.replace("\"m@c\"", "\"m\"").replace("\"Ol", "\"P \\\"1\\\"\\nOl");
        assert_eq!(edited(body, &edits), expected);
        assert_eq!(parse(body).expect("a request").question(), "Olá?");
    }

    #[test]
    fn a_text_part_is_prepended_to_parts() {
        let body = r#"{"messages":[{"role":"user","content":[ {"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"what?"}]}]}"#;
        let out = edited(body, &Edits { before_question: Some("P"), ..Edits::default() });
        assert_eq!(out, body.replace("[ {", r#"[{"type":"text","text":"P"}, {"#));
        assert_eq!(parse(body).expect("a request").question(), "what?");
        let empty = r#"{"messages":[{"role":"user","content":[]}]}"#;
        let out = edited(empty, &Edits { before_question: Some("P"), ..Edits::default() });
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
        assert!(!parse(empty).expect("a request").can_be_grounded());
    }

    #[test]
    fn the_last_user_message_is_the_question_whatever_follows_it() {
        let body = r#"{"messages":[{"role":"user","content":"one"},{"role":"user","content":"two"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"result"}]}"#;
        assert_eq!(parse(body).expect("a request").question(), "two");
    }

    #[test]
    fn what_cannot_be_grounded_is_said() {
        for (body, error) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{\"messages\":[]", "not a JSON object"),
            ("{}", "'messages' is missing"),
            ("{\"messages\":{}}", "'messages' must be"),
            ("{\"messages\":[]}", "'messages' must be"),
            ("{\"messages\":[{\"role\":\"system\",\"content\":\"\"}]}", "'messages' must be"),
            ("{\"messages\":[{\"role\":\"user\"}],\"messages\":[]}", "'messages' appears more than once"),
            (
                "{\"mess\\u0061ges\":[],\"messages\":[{\"role\":\"user\"}]}",
                "'messages' appears more than once",
            ),
            ("{\"model\":\"a\",\"messages\":[{\"role\":\"user\"}],\"model\":\"b\"}", "'model' appears"),
            ("{\"model\":1,\"messages\":[{\"role\":\"user\"}]}", "'model' has the wrong type"),
        ] {
            let found = parse(body).expect_err(body).to_string();
            assert!(found.contains(error), "{body}: {found}");
        }
        assert!(
            !parse("{\"messages\":[{\"role\":\"user\",\"content\":null}]}").expect("null").can_be_grounded()
        );
    }

    #[test]
    fn deep_and_odd_values_are_left_to_upstream() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let body = format!(
            "{{\"deep\":{deep},\"max_tokens\":null,\"max_completion_tokens\":7,\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"q\"}}]}}"
        );
        let request = parse(&body).expect("a request");
        assert_eq!((request.reserve(), request.stream()), (Some(7), true));
        assert_eq!(request.edited(&Edits::default()), body.as_bytes());
    }
}
