//! The events of a stream that is only read.

use bytes::Bytes;
use eventsource_stream::{Event, EventStreamError, Eventsource};
use futures_util::{Stream, StreamExt};

/// Reads the events of a stream of bytes.
pub(super) fn events<E>(
    bytes: impl Stream<Item = Result<Bytes, E>>,
) -> impl Stream<Item = Result<Event, EventStreamError<E>>> {
    let mut mark = LeadingMark::default();
    bytes.map(move |part| part.map(|part| mark.remove(part))).eventsource()
}

/// A byte order mark at the beginning of a stream, in however many parts it comes: eventsource-stream 0.2.3 panics on it.
struct LeadingMark {
    /// What of it may come yet.
    awaited: &'static [u8],
}

impl Default for LeadingMark {
    fn default() -> Self {
        Self { awaited: b"\xef\xbb\xbf" }
    }
}

impl LeadingMark {
    /// The next part of the stream without it.
    fn remove(&mut self, mut part: Bytes) -> Bytes {
        let here = part.iter().zip(self.awaited).take_while(|(found, awaited)| found == awaited).count();
        let left = &self.awaited[here..];
        // Something else follows: what came of the mark so far was no text either.
        self.awaited = if here == part.len() { left } else { &[] };
        part.split_off(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_mark_is_removed_wherever_it_is_cut() {
        let text = b"\xef\xbb\xbfdata: \xef\xbb\xbf.";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut mark = LeadingMark::default();
                let parts = [&text[..first], &text[first..second], &text[second..]];
                let left: Vec<u8> =
                    parts.iter().flat_map(|part| mark.remove(Bytes::from_static(part))).collect();
                assert_eq!(left, &text[3..], "cut at {first} and {second}");
            }
        }
        let mut mark = LeadingMark::default();
        assert_eq!(mark.remove(Bytes::from_static(b"data: x")), "data: x");
        assert_eq!(mark.remove(Bytes::from_static(b"\xef\xbb\xbf")), &b"\xef\xbb\xbf"[..]);
    }
}
