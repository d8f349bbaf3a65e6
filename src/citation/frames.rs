//! The frames of a stream of server-sent events, cut out of pieces of any size with every byte kept.
//!
//! A frame is what stands up to and including an empty line. Lines end in LF, CR or CRLF, also mixed
//! (WHATWG HTML, section 9.2.5).

/// A frame longer than this passes on unread, as it comes.
const LONGEST: usize = 1 << 20;

/// What became of some bytes. All parts in order are all bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Part<'a> {
    /// A whole frame, its empty line included.
    Frame(&'a [u8]),
    /// A piece of a frame that is too long to be held.
    Unread(&'a [u8]),
}

/// Finds the ends of frames.
#[derive(Debug)]
pub(super) struct Frames {
    held: Vec<u8>,
    longest: usize,
    /// The frame at hand is too long.
    passing: bool,
    /// Nothing of the next frame has come.
    at_frame: bool,
    /// Nothing of the next line has come.
    at_line: bool,
    after_cr: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl Frames {
    /// The same with another limit, in bytes.
    pub(super) fn up_to(longest: usize) -> Self {
        let (passing, after_cr) = (false, false);
        Self { held: Vec::new(), longest, passing, at_frame: true, at_line: true, after_cr }
    }

    /// Takes a piece of the stream, and gives the parts that it completes.
    pub(super) fn push(&mut self, piece: &[u8], mut part: impl FnMut(Part<'_>)) {
        let mut rest = piece;
        let mut read = 0;
        for (at, byte) in piece.iter().enumerate() {
            if !self.ends_frame(*byte) {
                continue;
            }
            let (end, after) = rest.split_at(at + 1 - read);
            (rest, read) = (after, at + 1);
            if std::mem::take(&mut self.passing) {
                part(Part::Unread(end));
            } else if self.held.is_empty() {
                part(Part::Frame(end));
            } else {
                self.held.extend_from_slice(end);
                part(Part::Frame(&self.held));
                self.held.clear();
            }
        }
        if self.passing || self.held.len() + rest.len() > self.longest {
            self.passing = true;
            if !self.held.is_empty() {
                part(Part::Unread(&std::mem::take(&mut self.held)));
            }
            if !rest.is_empty() {
                part(Part::Unread(rest));
            }
        } else {
            self.held.extend_from_slice(rest);
        }
    }

    /// What came of a last frame that has no end.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn ends_frame(&mut self, byte: u8) -> bool {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            // The second half of a CRLF. Where its first half ended a frame, it is alone and goes on at once.
            b'\n' if after_cr => self.at_frame,
            b'\n' | b'\r' => {
                self.at_frame = std::mem::replace(&mut self.at_line, true);
                self.at_frame
            }
            _ => {
                (self.at_frame, self.at_line) = (false, false);
                false
            }
        }
    }
}

/// What a whole frame tells.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    /// `message` where it has no other.
    pub name: String,
    pub data: String,
}

/// The event that a whole frame tells of, if it has data (WHATWG HTML, section 9.2.6).
pub(super) fn event(frame: &[u8]) -> Option<Event> {
    let text = String::from_utf8_lossy(frame);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut name, mut data) = ("", None::<String>);
    // A CRLF gives an empty line more, which says nothing here.
    for line in text.split(['\n', '\r']) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (field, &mut data) {
            ("event", _) => name = value,
            ("data", None) => data = Some(value.to_owned()),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            _ => {}
        }
    }
    let name = if name.is_empty() { "message" } else { name };
    Some(Event { name: name.to_owned(), data: data? })
}

/// An event of this JSON as a frame, with a name where it has one.
pub(super) fn written(name: Option<&str>, json: &str) -> String {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    // What was copied of a value over several lines may hold their ends, which are space in JSON.
    format!("{name}data: {}\n\n", json.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use eventsource_stream::Eventsource;
    use futures_util::{FutureExt, StreamExt, stream};
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// The first event of a stream, as a reader of whole streams has it.
    fn first_event(text: &str) -> Option<Event> {
        // The reader waits for what follows a CR: one more LF ends its waiting and says nothing.
        let pieces = [Ok::<_, Infallible>(text), Ok("\n")];
        let first = stream::iter(pieces).eventsource().next().now_or_never()??.ok()?;
        Some(Event { name: first.event, data: first.data })
    }

    /// The parts of a stream that comes in these pieces: whole frames, the bytes, and what is left.
    fn cut<'a>(mut frames: Frames, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Vec<u8>, usize) {
        let (mut whole, mut all, mut unread) = (Vec::new(), Vec::new(), 0);
        for piece in pieces {
            frames.push(piece, |part| match part {
                Part::Frame(frame) => {
                    whole.push(frame.to_vec());
                    all.extend_from_slice(frame);
                }
                Part::Unread(bytes) => {
                    assert!(!bytes.is_empty());
                    unread += bytes.len();
                    all.extend_from_slice(bytes);
                }
            });
        }
        all.extend(frames.rest());
        (whole, all, unread)
    }

    fn data(frames: &[Vec<u8>]) -> Vec<String> {
        frames.iter().filter_map(|frame| event(frame)).map(|event| event.data).collect()
    }

    #[test]
    fn every_mix_of_line_ends_is_cut_at_every_byte() {
        let ends = ["\n", "\r", "\r\n"];
        for (a, b) in ends.into_iter().flat_map(|a| ends.map(|b| (a, b))) {
            let text =
                format!("\u{feff}data: é1{a}{b}: c{b}data: 2{a}data: 3{b}{a}id: 7{a}{a}data: 4{b}{b}data: 5");
            // CR and LF side by side are one line end.
            let joined = a == "\r" && b == "\n";
            let expected: &[&str] = if joined { &["é1\n2\n3", "4"] } else { &["é1", "2\n3", "4"] };
            let bytes = text.as_bytes();
            for first in 0..=bytes.len() {
                for second in [first, first + 1, first + 2, bytes.len()] {
                    let second = second.min(bytes.len());
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let (frames, all, unread) = cut(Frames::default(), pieces.into_iter());
                    assert_eq!((all.as_slice(), unread), (bytes, 0), "{text:?} at {first}, {second}");
                    assert_eq!(data(&frames), expected, "{text:?} at {first}, {second}");
                }
            }
            let (frames, all, _) = cut(Frames::default(), bytes.chunks(1));
            assert_eq!(all, bytes);
            assert_eq!(data(&frames), expected, "{text:?}");
        }
    }

    #[test]
    fn a_frame_is_there_with_its_last_byte() {
        for (text, end) in
            [("data: 1\n\n", 9), ("data: 1\r\r", 9), ("data: 1\r\n\r\n", 10), ("data: 1\n\r\n", 9)]
        {
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for (at, byte) in (1..).zip(text.as_bytes()) {
                frames.push(&[*byte], |part| {
                    if let Part::Frame(frame) = part {
                        seen.push((at, event(frame).map(|event| event.data)));
                    }
                });
            }
            assert_eq!(seen[0], (end, Some("1".to_owned())), "{text:?}");
            assert!(seen[1..].iter().all(|(_, data)| data.is_none()), "{text:?}");
        }
    }

    #[test]
    fn a_frame_that_is_too_long_passes_unread() {
        let long = format!("data: {}\n\ndata: 2\n\n", "x".repeat(100));
        for size in 1..long.len() {
            let (frames, all, unread) = cut(Frames::up_to(40), long.as_bytes().chunks(size));
            assert_eq!(all, long.as_bytes(), "{size}");
            // One that comes whole is not held, however long it is.
            let held = size < 108;
            assert_eq!((data(&frames).len(), unread), if held { (1, 108) } else { (2, 0) }, "{size}");
        }
    }

    #[test]
    fn what_a_frame_says_is_read_as_clients_do() {
        for (frame, said) in [
            (&b"data: a\ndata:b\n\n"[..], Some("a\nb")),
            (b"event: x\ndata: [DONE]\r\n\r\n", Some("[DONE]")),
            (b": comment\n\n", None),
            (b"\n", None),
            (b"event: x\n\n", None),
            (b"data: \xff\n\n", Some("\u{fffd}")),
            (b"\xef\xbb\xbfdata: x\r\r", Some("x")),
            (b"data\n\n", Some("")),
        ] {
            let data = event(frame).map(|event| event.data);
            assert_eq!(data.as_deref(), said, "{:?}", String::from_utf8_lossy(frame));
        }
    }

    proptest! {
        #[test]
        fn a_frame_is_read_as_a_reader_of_streams_does(
            lines in proptest::collection::vec(
                (select(&["data: a", "data:b", "data:  é:", "data", "dat: x", "event: x", "event:", ": c", "id: 1"][..]), select(&["\n", "\r", "\r\n"][..])),
                1..6,
            ),
            // Also where the last line ends in CR.
            end in select(&["\n\n", "\r\n\r\n"][..]),
        ) {
            let frame: String = lines.iter().flat_map(|(line, end)| [*line, *end]).chain([end]).collect();
            let mut frames = Vec::new();
            Frames::default().push(frame.as_bytes(), |part| {
                if let Part::Frame(frame) = part {
                    frames.push(event(frame));
                }
            });
            prop_assert_eq!(frames.into_iter().flatten().next(), first_event(&frame));
        }

        #[test]
        fn no_byte_is_lost_and_the_cuts_do_not_matter(
            bytes in proptest::collection::vec(proptest::sample::select(&b"\r\n\r\nd:a \xef\xbb\xbf"[..]), 0..200),
            size in 1..40_usize,
        ) {
            let (whole, all, _) = cut(Frames::default(), bytes.chunks(bytes.len().max(1)));
            prop_assert_eq!(&all, &bytes);
            let (pieces, all, _) = cut(Frames::default(), bytes.chunks(size));
            prop_assert_eq!(&all, &bytes);
            prop_assert_eq!(whole, pieces);
            let (_, all, _) = cut(Frames::up_to(7), bytes.chunks(size));
            prop_assert_eq!(&all, &bytes);
        }
    }
}
