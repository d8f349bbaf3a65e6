//! The sources as a comment before the first event.

use bytes::Bytes;
use serde::Serialize;

use super::rewrite::Rewrite;
use super::source::Sources;
use crate::json::ascii;

/// A comment of server-sent events, which clients pass over, and then the stream as it is.
pub(super) struct Comment(Bytes);

impl Comment {
    /// `: rag {"trace_id":...,"sources":[...]}` and an empty line.
    pub(super) fn new(trace_id: &str, sources: &Sources) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct Rag<'a> {
            trace_id: &'a str,
            sources: &'a Sources,
        }
        let json = serde_json::to_string(&Rag { trace_id, sources })?;
        // Some clients see ends of lines in characters beyond ASCII.
        Ok(Self(format!(": rag {}\n\n", ascii(&json)).into()))
    }
}

impl Rewrite for Comment {
    fn begin(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    fn piece(&mut self, piece: Bytes) -> Bytes {
        piece
    }

    fn end(&mut self) -> Bytes {
        Bytes::new()
    }

    fn broken(&mut self) -> Bytes {
        Bytes::new()
    }
}
