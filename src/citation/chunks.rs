//! Annotations in a streamed chat: one chunk more for each choice, before the chunk that finishes it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::frames::{Frames, Part, event, written};
use super::marks::Marks;
use super::rewrite::Rewrite;
use super::source::{Annotation, Sources};
use crate::json::ascii;

/// Choices beyond this are not read: OpenAI's own limit of `n`.
const MOST_CHOICES: usize = 128;

/// Reads the answer as it passes. Upstream's frames stay as they are; where one cannot be read, what the answer says
/// so far is not known, and nothing is inserted after it.
pub(super) struct Chunks {
    frames: Frames,
    answer: Answer,
}

struct Answer {
    sources: Sources,
    choices: BTreeMap<u64, Choice>,
    blind: bool,
}

struct Choice {
    marks: Marks,
    finished: bool,
}

/// What matters here of a `chat.completion.chunk`.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    created: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(default)]
    choices: Option<Vec<ChunkChoice>>,
}

#[derive(Deserialize)]
struct ChunkChoice {
    #[serde(default)]
    index: u64,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<Value>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<Value>,
}

/// The chunk that is inserted.
#[derive(Serialize)]
struct Inserted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a RawValue>,
    choices: [InsertedChoice; 1],
}

#[derive(Serialize)]
struct InsertedChoice {
    index: u64,
    delta: InsertedDelta,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct InsertedDelta {
    annotations: Vec<Annotation>,
}

impl Chunks {
    /// For an answer from these sources.
    pub(super) fn new(sources: Sources) -> Self {
        Self { frames: Frames::default(), answer: Answer { sources, choices: BTreeMap::new(), blind: false } }
    }
}

impl Rewrite for Chunks {
    fn piece(&mut self, piece: Bytes) -> Bytes {
        let mut out = Vec::with_capacity(piece.len());
        self.frames.push(&piece, |part| match part {
            Part::Frame(frame) => {
                self.answer.before(frame, &mut out);
                out.extend_from_slice(frame);
            }
            Part::Unread(bytes) => {
                self.answer.blind = true;
                out.extend_from_slice(bytes);
            }
        });
        out.into()
    }

    fn end(&mut self) -> Bytes {
        self.frames.rest().into()
    }

    fn broken(&mut self) -> Bytes {
        self.frames.rest().into()
    }
}

impl Answer {
    /// Reads a frame, and writes what goes before it.
    fn before(&mut self, frame: &[u8], out: &mut Vec<u8>) {
        let Some(event) = event(frame).filter(|event| event.name == "message") else { return };
        if self.blind || event.data.is_empty() {
            return;
        }
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(&event.data) else {
            // The end, or nothing that we know.
            self.blind = true;
            return;
        };
        for of_chunk in chunk.choices.iter().flatten() {
            if self.choices.len() == MOST_CHOICES && !self.choices.contains_key(&of_chunk.index) {
                continue;
            }
            let choice = self
                .choices
                .entry(of_chunk.index)
                .or_insert_with(|| Choice { marks: Marks::of(self.sources.len()), finished: false });
            let content = of_chunk.delta.as_ref().and_then(|delta| delta.content.as_ref());
            choice.marks.push(content.and_then(Value::as_str).unwrap_or_default());
            let reason = of_chunk.finish_reason.as_ref().and_then(Value::as_str).unwrap_or_default();
            if reason.is_empty() || std::mem::replace(&mut choice.finished, true) {
                continue;
            }
            // A choice that says nothing, as one that only calls tools, rests on nothing.
            if choice.marks.length() > 0 {
                let annotations = self.sources.annotations(&choice.marks);
                out.extend_from_slice(chunk.annotated(of_chunk.index, annotations).as_bytes());
            }
        }
    }
}

impl Chunk<'_> {
    /// A frame like those of this chunk's stream.
    fn annotated(&self, index: u64, annotations: Vec<Annotation>) -> String {
        let delta = InsertedDelta { annotations };
        let inserted = Inserted {
            id: self.id,
            object: self.object,
            created: self.created,
            model: self.model,
            choices: [InsertedChoice { index, delta, finish_reason: None }],
        };
        match serde_json::to_string(&inserted) {
            Ok(json) => written(None, &ascii(&json)),
            Err(error) => {
                tracing::error!(%error, "annotations left out");
                String::new()
            }
        }
    }
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
