//! Recorded answers, for tests.

#[path = "../../tests/fixtures/recordings/parts.rs"]
mod parts;

/// The body of a recorded answer, whole or in chunks.
pub(super) fn body(recorded: &[u8]) -> Vec<u8> {
    let (_head, chunks) = parts::parts(recorded);
    chunks.concat()
}
