//! A body that is changed as a whole.

use bytes::{Bytes, BytesMut};

use super::rewrite::Rewrite;

/// Holds a body until it is whole. One that is too long, breaks off or is not changed passes as it is.
pub(super) struct Whole<E> {
    edit: E,
    longest: usize,
    held: BytesMut,
    passing: bool,
}

impl<E: FnMut(&str) -> Option<String>> Whole<E> {
    /// For bodies of up to so many bytes.
    pub(super) fn new(longest: usize, edit: E) -> Self {
        Self { edit, longest, held: BytesMut::new(), passing: false }
    }
}

impl<E: FnMut(&str) -> Option<String>> Rewrite for Whole<E> {
    fn piece(&mut self, piece: Bytes) -> Bytes {
        if self.passing {
            return piece;
        }
        self.held.extend_from_slice(&piece);
        self.passing = self.held.len() > self.longest;
        if self.passing { std::mem::take(&mut self.held).freeze() } else { Bytes::new() }
    }

    fn end(&mut self) -> Bytes {
        let body = std::mem::take(&mut self.held).freeze();
        match std::str::from_utf8(&body).ok().and_then(&mut self.edit) {
            Some(edited) => edited.into(),
            None => body,
        }
    }

    fn broken(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(longest: usize, body: &[u8], size: usize, whole: bool) -> (usize, Vec<u8>) {
        let mut rewrite = Whole::new(longest, |text: &str| (text != "same").then(|| text.to_uppercase()));
        let mut out = Vec::new();
        body.chunks(size).for_each(|piece| out.extend(rewrite.piece(Bytes::copy_from_slice(piece))));
        let before = out.len();
        out.extend(if whole { rewrite.end() } else { rewrite.broken() });
        (before, out)
    }

    #[test]
    fn a_body_is_changed_when_it_is_whole_and_not_too_long() {
        for size in 1..9 {
            assert_eq!(run(9, "olá body".as_bytes(), size, true), (0, "OLÁ BODY".as_bytes().to_vec()));
            assert_eq!(run(9, b"same", size, true), (0, b"same".to_vec()));
            assert_eq!(run(9, b"\xff", size, true), (0, b"\xff".to_vec()));
            assert_eq!(run(9, b"broken", size, false), (0, b"broken".to_vec()));
            let (before, out) = run(5, b"long body", size, true);
            assert!(before > 0 && out == b"long body", "{size}");
        }
        assert_eq!(run(5, b"", 1, true), (0, Vec::new()));
    }
}
