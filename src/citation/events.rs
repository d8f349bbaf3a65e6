//! The events of a streamed response with the search in them. Here, and only here, upstream's events change: the search
//! is the first element of the output, so all others move up by one, and so do the numbers of all later events.

use std::collections::HashMap;

use bytes::Bytes;

use super::frames::{Frames, Part, event, written};
use super::rewrite::Rewrite;
use super::search_call::{LONGEST, SearchCall};
use crate::json::{Object, quoted_ascii};

/// Reads and rewrites events as they pass. What is no event of a response stays as it is.
pub(super) struct Events {
    frames: Frames,
    call: SearchCall,
    /// The search is told.
    announced: bool,
    numbers: Numbers,
    /// Ids of the output's elements, for servers that do not number them.
    items: Vec<String>,
    /// Texts that are not ended, by element and part.
    texts: HashMap<(String, u64), Text>,
    out: Vec<u8>,
}

/// Sequence numbers: each once, rising.
#[derive(Default)]
struct Numbers {
    next: u64,
    /// How many events of ours there were.
    ours: u64,
}

/// A text of the answer.
#[derive(Default)]
struct Text {
    /// Annotations of upstream's that were added.
    theirs: u64,
    /// Ours were added.
    cited: bool,
}

impl Numbers {
    fn of_ours(&mut self) -> u64 {
        self.ours += 1;
        self.of_theirs(None)
    }

    fn of_theirs(&mut self, number: Option<u64>) -> u64 {
        let shifted = number.map_or(self.next, |number| number.saturating_add(self.ours));
        let number = shifted.max(self.next);
        self.next = number.saturating_add(1);
        number
    }
}

impl Events {
    pub(super) fn new(call: SearchCall) -> Self {
        Self {
            frames: Frames::up_to(LONGEST),
            call,
            announced: false,
            numbers: Numbers::default(),
            items: Vec::new(),
            texts: HashMap::new(),
            out: Vec::new(),
        }
    }

    fn frame(&mut self, frame: &[u8]) {
        let told = event(frame);
        let read = told.as_ref().and_then(|event| {
            let object = Object::parse(&event.data)?;
            let kind = object.read::<String>("type")?;
            Some((event, object, kind))
        });
        let Some((event, object, kind)) = read else {
            self.out.extend_from_slice(frame);
            return;
        };
        let named = (event.name != "message").then_some(event.name.as_str());
        self.event(named, object, &kind);
    }

    fn event(&mut self, named: Option<&str>, mut object: Object<'_>, kind: &str) {
        let begins = matches!(kind, "response.created" | "response.queued" | "response.in_progress");
        if !begins && kind.starts_with("response.") {
            self.announce();
        }
        let index = self.output_index(&object, kind);
        if let Some(index) = index {
            object.set("output_index", index.to_string());
        }
        match kind {
            _ if begins => self.edit(&mut object, "response", |call, json| call.echoed(Object::parse(json)?)),
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.edit(&mut object, "response", |call, json| call.in_response(Object::parse(json)?));
            }
            "response.output_item.done" => {
                self.edit(&mut object, "item", |call, json| Some(call.in_item(json)));
                let item = object.get("item").and_then(Object::parse);
                let id: Option<String> = item.and_then(|item| item.read("id"));
                self.texts.retain(|(of, _), _| id.as_ref() != Some(of));
            }
            "response.output_text.annotation.added" => self.text(&object).theirs += 1,
            "response.output_text.done" => self.cite(&object, index, object.read("text")),
            "response.content_part.done" => {
                let part = object.get("part").and_then(Object::parse);
                let text = part.filter(|part| part.read("type") == Some("output_text"));
                self.cite(&object, index, text.and_then(|part| part.read("text")));
                self.edit(&mut object, "part", |call, json| Some(call.in_part(json)));
            }
            _ => {}
        }
        let number = self.numbers.of_theirs(object.read("sequence_number"));
        object.set("sequence_number", number.to_string());
        self.write(named, &object.to_json());
        if kind == "response.in_progress" {
            self.announce();
        }
    }

    /// Replaces a value, where it is one that we know.
    fn edit(&self, object: &mut Object<'_>, key: &str, edit: impl Fn(&SearchCall, &str) -> Option<String>) {
        if let Some(edited) = object.get(key).and_then(|json| edit(&self.call, json)) {
            object.set(key, edited);
        }
    }

    /// Where the element stands that an event is about, the search counted; `None` where it is about none.
    fn output_index(&mut self, object: &Object<'_>, kind: &str) -> Option<u64> {
        if let Some(index) = object.read::<u64>("output_index") {
            return Some(index.saturating_add(1));
        }
        let of_item = || object.get("item").and_then(Object::parse)?.read("id");
        let id: String = object.read("item_id").or_else(of_item)?;
        if kind == "response.output_item.added" {
            self.items.push(id);
            return Some(self.items.len() as u64);
        }
        let place = self.items.iter().position(|known| *known == id)?;
        Some(place as u64 + 1)
    }

    fn text(&mut self, object: &Object<'_>) -> &mut Text {
        let id = object.read("item_id").unwrap_or_default();
        self.texts.entry((id, content_index(object))).or_default()
    }

    /// Tells of the citations of a text, once.
    fn cite(&mut self, object: &Object<'_>, index: Option<u64>, text: Option<String>) {
        let Some(text) = text else { return };
        let of_text = self.text(object);
        if std::mem::replace(&mut of_text.cited, true) {
            return;
        }
        let first = of_text.theirs;
        let item = object.get("item_id").unwrap_or("null").to_owned();
        let (part, index) = (content_index(object), index.unwrap_or(1));
        for (number, annotation) in (first..).zip(self.call.annotations(&text)) {
            let fields = format!(
                "\"item_id\":{item},\"output_index\":{index},\"content_index\":{part},\"annotation_index\":{number},\"annotation\":{annotation}"
            );
            self.tell("response.output_text.annotation.added", &fields);
        }
    }

    /// Tells of the search, once.
    fn announce(&mut self) {
        if std::mem::replace(&mut self.announced, true) {
            return;
        }
        let item = |completed| format!("\"output_index\":0,\"item\":{}", self.call.item(completed));
        let (begun, ended) = (item(false), item(true));
        let of_call = format!("\"output_index\":0,\"item_id\":{}", quoted_ascii(&self.call.id));
        self.tell("response.output_item.added", &begun);
        for state in ["in_progress", "searching", "completed"] {
            self.tell(&format!("response.file_search_call.{state}"), &of_call);
        }
        self.tell("response.output_item.done", &ended);
    }

    fn tell(&mut self, kind: &str, fields: &str) {
        let number = self.numbers.of_ours();
        let event = format!("{{\"type\":\"{kind}\",\"sequence_number\":{number},{fields}}}");
        self.write(Some(kind), &event);
    }

    fn write(&mut self, named: Option<&str>, json: &str) {
        self.out.extend_from_slice(written(named, json).as_bytes());
    }
}

fn content_index(object: &Object<'_>) -> u64 {
    object.read("content_index").unwrap_or(0)
}

impl Rewrite for Events {
    fn piece(&mut self, piece: Bytes) -> Bytes {
        let mut frames = std::mem::take(&mut self.frames);
        frames.push(&piece, |part| match part {
            Part::Frame(frame) => self.frame(frame),
            Part::Unread(bytes) => self.out.extend_from_slice(bytes),
        });
        self.frames = frames;
        std::mem::take(&mut self.out).into()
    }

    fn end(&mut self) -> Bytes {
        self.frames.rest().into()
    }

    fn broken(&mut self) -> Bytes {
        self.frames.rest().into()
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
