//! Recorded answers, for tests.

/// The body of a recorded answer, whole or in chunks.
pub(super) fn body(recorded: &[u8]) -> Vec<u8> {
    let find = |bytes: &[u8], end: &[u8]| bytes.windows(end.len()).position(|w| w == end).expect("an end");
    let (head, mut rest) = recorded.split_at(find(recorded, b"\r\n\r\n") + 4);
    if !String::from_utf8_lossy(head).to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return rest.to_vec();
    }
    let mut body = Vec::new();
    loop {
        let line = find(rest, b"\r\n");
        let size = std::str::from_utf8(&rest[..line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..][..size]);
        rest = &rest[line + 2 + size + 2..];
    }
}
