//! Answers to what is no request: hyper has a status for it and no words.

use bytes::Bytes;
use http::StatusCode;

use super::requests::new_request_id;
use crate::api::ApiError;

/// The answer in OpenAI's shape in place of one of hyper's own, whose head `bare` is.
pub(super) fn in_words(bare: &[u8]) -> Bytes {
    let head = String::from_utf8_lossy(bare);
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or(StatusCode::BAD_REQUEST);
    let date = lines.find(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("date:")));
    let date = date.map(|date| format!("{date}\r\n")).unwrap_or_default();
    let body = ApiError::no_request(status).body();
    let id = new_request_id();
    let id = id.to_str().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-request-id: {id}\r\nconnection: close\r\n{date}\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat().into()
}
