//! A streamed answer as a client sees it: when content comes, and whether the answer is whole.

use std::net::SocketAddr;

use crate::wire::{Body, Head, find};

/// Where questions are sent, and what their answers must be like.
#[derive(Clone, Debug)]
pub struct Way {
    pub address: SocketAddr,
    pub path: String,
    /// The `X-RAG-Status` of a grounded answer.
    pub status: Option<&'static str>,
    /// Content frames of an answer; `None` where it goes on without end.
    pub frames: Option<u32>,
}

impl Way {
    /// A chat request with this body.
    pub fn request(&self, body: &str) -> Vec<u8> {
        format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: */*\r\ncontent-length: {}\r\n\r\n{body}",
            self.path,
            self.address,
            body.len()
        )
        .into_bytes()
    }
}

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// No connection.
    Unconnected,
    /// Another status than 200.
    Refused,
    /// The answer or the connection ended before the end.
    Early,
    /// Frames are missing, or what came is no answer.
    Garbled,
    /// Grounded otherwise than asked for, or not at all.
    Ungrounded,
    /// Not ended when the turn was over.
    Unfinished,
}

impl Failure {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unconnected => "not connected",
            Self::Refused => "refused",
            Self::Early => "ended early",
            Self::Garbled => "garbled",
            Self::Ungrounded => "not grounded",
            Self::Unfinished => "not finished in time",
        }
    }
}

/// A failure and what was seen of it.
pub type Failed = (Failure, String);

/// An answer on its way.
#[derive(Default)]
pub struct Answer {
    unread: Vec<u8>,
    head: Option<(Head, Body)>,
    /// What was decoded and is not yet a whole event.
    body: Vec<u8>,
    content: u32,
    done: bool,
}

/// What some bytes of an answer brought.
pub struct Progress {
    /// Frames with content.
    pub content: u32,
    /// The answer has ended, and was whole.
    pub ended: bool,
}

impl Answer {
    /// A header of it, once its head is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.0.header(name)
    }

    /// The next bytes of it.
    pub fn read(&mut self, bytes: &[u8], way: &Way) -> Result<Progress, Failed> {
        if self.head.is_none() {
            self.unread.extend_from_slice(bytes);
            let Some((head, length)) = Head::read(&self.unread) else {
                return Ok(Progress { content: 0, ended: false });
            };
            self.unread.drain(..length);
            let rest = std::mem::take(&mut self.unread);
            checked(&head, way, &rest)?;
            let body = head.response_body();
            self.head = Some((head, body));
            return self.events(&rest, way);
        }
        self.events(bytes, way)
    }

    fn events(&mut self, bytes: &[u8], way: &Way) -> Result<Progress, Failed> {
        let Some((_, left)) = &mut self.head else { return Ok(Progress { content: 0, ended: false }) };
        left.take(bytes, &mut self.body).map_err(|why| (Failure::Garbled, why.to_owned()))?;
        let ended = left.ended();
        let before = self.content;
        let mut from = 0;
        while let Some(length) = event(&self.body[from..]) {
            let event = &self.body[from..from + length];
            self.content += u32::from(has_content(event));
            self.done |= event.starts_with(b"data: [DONE]") || event.starts_with(b"data:[DONE]");
            from += length;
        }
        self.body.drain(..from);
        if ended {
            self.whole(way)?;
        }
        Ok(Progress { content: self.content - before, ended })
    }

    /// The connection has ended: fine where that is the end of the answer.
    pub fn close(&self, way: &Way) -> Result<(), Failed> {
        match &self.head {
            Some((_, Body::UntilClose)) => self.whole(way),
            Some(_) => Err((Failure::Early, format!("after {} frames", self.content))),
            None => Err((Failure::Early, "before a status".to_owned())),
        }
    }

    fn whole(&self, way: &Way) -> Result<(), Failed> {
        match way.frames {
            _ if !self.done => Err((Failure::Early, "without [DONE]".to_owned())),
            Some(frames) if frames != self.content => {
                Err((Failure::Garbled, format!("{} frames of content, not {frames}", self.content)))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the answer is the one that was asked for, by its head.
fn checked(head: &Head, way: &Way, rest: &[u8]) -> Result<(), Failed> {
    if head.start().split(' ').nth(1) != Some("200") {
        let body = String::from_utf8_lossy(&rest[..rest.len().min(300)]).into_owned();
        return Err((Failure::Refused, format!("{} {body}", head.start())));
    }
    let found = head.header("x-rag-status");
    match way.status {
        Some(status) if found != Some(status) => {
            Err((Failure::Ungrounded, format!("X-RAG-Status {}, not {status}", found.unwrap_or("missing"))))
        }
        _ => Ok(()),
    }
}

/// The length of the event at the start, with the empty line behind it.
fn event(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| *b == b'\n') {
        from += at + 1;
        match &bytes[from..] {
            [b'\n', ..] => return Some(from + 1),
            [b'\r', b'\n', ..] => return Some(from + 2),
            _ => {}
        }
    }
    None
}

/// Whether an event brings something to show: text, reasoning or a tool call that is not empty.
fn has_content(event: &[u8]) -> bool {
    const KEYS: [&[u8]; 4] = [b"content\"", b"reasoning_content\"", b"reasoning\"", b"tool_calls\""];
    let Some(delta) = find(event, b"\"delta\"") else { return false };
    let mut rest = &event[delta + 7..];
    while let Some(quote) = rest.iter().position(|b| *b == b'"') {
        rest = &rest[quote + 1..];
        if let Some(key) = KEYS.iter().find(|key| rest.starts_with(key)) {
            let value = rest[key.len()..].trim_ascii_start().strip_prefix(b":").unwrap_or_default();
            match value.trim_ascii_start() {
                [b'"', b'"', ..] | [b'[', b']', ..] => {}
                [b'"' | b'[', ..] => return true,
                _ => {}
            }
        }
    }
    false
}
