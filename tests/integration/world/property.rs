//! Properties that hold whatever the bytes: generated cases, one world for all of them.

use std::fmt;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::upstream::{LAST_CHUNK, chunk};
use super::{Piece, World};

/// Cases of a property, unless `PROPTEST_CASES` asks for more. They are the same ones in every run.
const CASES: u32 = 64;

/// Holds a property over generated cases, in one world with a collection `manual` of one document.
pub fn holds<S: Strategy>(options: &str, cases: S, check: impl AsyncFn(&World, S::Value)) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    let world = runtime.block_on(World::with_manual(options));
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: asked.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_time: 30_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&cases, |case| {
        runtime.block_on(check(&world, case));
        Ok(())
    });
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}

/// How upstream says where a body ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    Chunked,
    /// With all that RFC 9112 allows around chunks: extensions, zeros, capital digits, trailers.
    OddlyChunked,
    Length,
    /// HTTP/1.0's way.
    UntilClosed,
}

/// An answer of events, and how it is cut into chunks and into writes.
#[derive(Clone)]
pub struct Stream {
    pub framing: Framing,
    pub body: Vec<u8>,
    chunks: Vec<Range<usize>>,
    writes: Vec<Index>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = String::from_utf8_lossy(&self.body[..self.body.len().min(400)]);
        let (bytes, writes) = (self.body.len(), self.writes.len());
        write!(f, "{:?}, {bytes} bytes in {:?}, {writes} cuts: {begin:?}", self.framing, self.chunks)
    }
}

impl Stream {
    /// Head and body as they go over the wire, and where in them the payload stands.
    pub fn wire(&self) -> (Vec<u8>, Vec<Range<usize>>) {
        let mut wire = self.head();
        let mut payload = Vec::new();
        for (n, range) in self.chunks.iter().enumerate() {
            let part = &self.body[range.clone()];
            let (before, after) = match self.framing {
                Framing::Chunked => (format!("{:x}\r\n", part.len()), "\r\n"),
                Framing::OddlyChunked if n % 2 == 0 => {
                    (format!("000{:X};a=\"\u{e9};\"\r\n", part.len()), "\r\n")
                }
                Framing::OddlyChunked => (format!("{:X} ; b ;c=d\r\n", part.len()), "\r\n"),
                Framing::Length | Framing::UntilClosed => (String::new(), ""),
            };
            wire.extend_from_slice(before.as_bytes());
            payload.push(wire.len()..wire.len() + part.len());
            wire.extend_from_slice(part);
            wire.extend_from_slice(after.as_bytes());
        }
        match self.framing {
            Framing::Chunked => wire.extend_from_slice(LAST_CHUNK),
            Framing::OddlyChunked => {
                wire.extend_from_slice(b"000;last\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n")
            }
            Framing::Length | Framing::UntilClosed => {}
        }
        (wire, payload)
    }

    /// The head alone.
    pub fn head(&self) -> Vec<u8> {
        let (version, framing) = match self.framing {
            Framing::Chunked => ("1.1", "Transfer-Encoding: chunked\r\n".to_owned()),
            Framing::OddlyChunked => {
                ("1.1", "trailer: X-Trailer, X-Other\r\ntransfer-encoding:  Chunked \r\n".to_owned())
            }
            Framing::Length => ("1.1", format!("Content-Length: {}\r\n", self.body.len())),
            Framing::UntilClosed => ("1.0", String::new()),
        };
        format!("HTTP/{version} 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n{framing}\r\n")
            .into_bytes()
    }

    /// The chunks, each with the bytes in which it is sent.
    pub fn chunks(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.chunks.iter().map(|range| {
            let part = self.body[range.clone()].to_vec();
            (if self.framing == Framing::Chunked { chunk(&part) } else { part.clone() }, part)
        })
    }

    /// The first bytes of the wire in the writes of this case.
    pub fn writes(&self, wire: &[u8]) -> Vec<Piece> {
        let parts = cuts(&self.writes, wire.len());
        parts.into_iter().map(|part| Piece::Bytes(wire[part].to_vec())).collect()
    }
}

/// The parts of so many bytes between these cuts, none of them empty.
fn cuts(at: &[Index], length: usize) -> Vec<Range<usize>> {
    if length == 0 {
        return Vec::new();
    }
    let mut at: Vec<usize> = at.iter().map(|index| index.index(length)).filter(|at| *at > 0).collect();
    at.push(length);
    at.sort_unstable();
    at.dedup();
    let from = std::iter::once(0).chain(at.clone());
    from.zip(at).map(|(from, to)| from..to).collect()
}

/// Streams of events of every kind in one of these framings.
pub fn streams(framings: &'static [Framing]) -> impl Strategy<Value = Stream> {
    let last = select(&["data: [DONE]\n\n", "data: [DONE]\r\n\r\n", "data: cut off", "", "\n"][..]);
    let cut = || vec(any::<Index>(), 0..12);
    (select(framings), vec(event(), 0..8), last, cut(), cut()).prop_map(
        |(framing, events, last, chunks, writes)| {
            let body = [events.concat(), last.as_bytes().to_vec()].concat();
            let chunks = cuts(&chunks, body.len());
            Stream { framing, body, chunks, writes }
        },
    )
}

fn event() -> impl Strategy<Value = Vec<u8>> {
    let end = select(&["\n", "\r\n", "\r"][..]);
    (vec(line(), 0..4), end).prop_map(|(lines, end)| {
        let lines: String = lines.iter().map(|line| format!("{line}{end}")).collect();
        format!("{lines}{end}").into_bytes()
    })
}

fn line() -> impl Strategy<Value = String> {
    let text = vec(any::<char>().prop_filter("a line", |c| !"\r\n".contains(*c)), 0..24);
    prop_oneof![
        6 => text.prop_map(|text| format!("data: {}", text.into_iter().collect::<String>())),
        6 => select(&[
            "data: {\"choices\":[{\"delta\":{\"content\":\"Ol\u{e1}, a\u{e7}\u{e3}o \u{20ac}.\"}}]}",
            "data: \u{1F44B}\u{1F3FD} \u{1F469}\u{200D}\u{1F4BB}", "data:", "data", "data: 0.10 \u{2028}\u{feff}",
            ": comment", ":", "event: error", "id: 7", "id", "retry: 10", "unknown: field", "0", "7\u{0}",
        ][..]).prop_map(str::to_owned),
        1 => (10..=20_u32).prop_map(|power| format!("data: {}", "\u{e9}".repeat(1 << (power - 1)))),
    ]
}

/// Choices that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        // The constants of Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}
