//! A request from its arrival to the last byte of its answer.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};

use super::facts::{End, Outcome};
use super::record::Record;
use crate::net::is_of_type;

/// Lives as long as its request is worked on or its answer is sent. Dropped before the end, the client has left.
pub struct Ongoing {
    record: Arc<Record>,
    id: Option<HeaderValue>,
    status: Option<StatusCode>,
    streamed: bool,
    first_frame: Option<Duration>,
    end: End,
}

impl Ongoing {
    pub(super) fn new(record: Record) -> Self {
        let record = Arc::new(record);
        Self { record, id: None, status: None, streamed: false, first_frame: None, end: End::Left }
    }

    /// Where handlers write down what they find out.
    pub fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// The head of the answer is known.
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap, id: HeaderValue) {
        (self.status, self.id) = (Some(status), Some(id));
        self.streamed = is_of_type(headers, "text/event-stream");
    }

    /// A frame of the answer goes out.
    pub fn frame(&mut self) {
        if self.first_frame.is_none() {
            self.first_frame = Some(self.record.age());
        }
    }

    /// The answer went out whole.
    pub fn ended(&mut self) {
        self.end = End::Whole;
    }

    /// The answer broke off behind us.
    pub fn broke(&mut self) {
        self.end = End::Broken;
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        let id = self.id.as_ref().and_then(|id| id.to_str().ok());
        let Self { status, streamed, first_frame, end, .. } = *self;
        self.record.finish(&Outcome { id, status, streamed, first_frame, end });
    }
}
