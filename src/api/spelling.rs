//! Paths in other spellings: percent-encoded letters, slashes too many, slashes that are encoded.
//!
//! Upstream may read such a path as the plain one. So what is a route of ours in some spelling is that route, with what
//! the route asks of a key; everything else goes on as it was spelled.

use http::Uri;
use percent_encoding::percent_decode_str;

use super::routes::is_ours;
use super::{ApiError, in_path};

/// Brings the path of a request into the spelling of our routes, where it is one of them in another spelling.
pub fn respell(uri: &mut Uri) -> Result<(), ApiError> {
    let (prefix, path) = in_path::split(uri.path());
    let Some(below) = path.strip_prefix("/v1/") else { return Ok(()) };
    if is_plain(path) {
        return Ok(());
    }
    let respelled = joined(plain(below).split('/'));
    if is_ours(&respelled) {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let respelled = format!("{prefix}{respelled}{query}");
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(respelled.parse().map_err(|_| refused())?);
        *uri = Uri::from_parts(parts).map_err(|_| refused())?;
        return Ok(());
    }
    // Slashes that are encoded, letters that are encoded twice, and what some servers overlook: control characters,
    // parameters of a segment, and what comes after a question mark or a hash that was encoded.
    let decoded: String = decoded(below).chars().filter(|letter| !letter.is_control()).collect();
    let path = decoded.split(['?', '#']).next().unwrap_or_default();
    let segments = path.split(['/', '\\']).filter_map(|segment| segment.split(';').next());
    if is_ours(&joined(segments)) { Err(refused()) } else { Ok(()) }
}

/// A path of these segments below `/v1`, without empty ones.
fn joined<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    let segments = segments.filter(|segment| !segment.is_empty());
    segments.fold("/v1".to_owned(), |path, segment| path + "/" + segment)
}

fn refused() -> ApiError {
    ApiError::bad_request(
        "invalid_path",
        "the path is one of lastro's in another spelling: write it without escapes",
    )
}

/// Whether there is but one way to read it.
fn is_plain(path: &str) -> bool {
    memchr::memchr3(b'%', b'\\', b';', path.as_bytes()).is_none()
        && !path.contains("//")
        && !path.ends_with('/')
}

/// Letters that need no escape have none (RFC 3986, section 6.2.2.2).
fn plain(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let hex = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            Some(byte) => {
                plain.push(byte.into());
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    plain + rest
}

/// Without any escape, also where escapes were escaped; nobody reads more often than this.
fn decoded(path: &str) -> String {
    (0..8).fold(path.to_owned(), |path, _| percent_decode_str(&path).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respelled(path: &str) -> Option<String> {
        let mut uri: Uri = path.parse().expect("an address");
        respell(&mut uri).ok().map(|()| uri.to_string())
    }

    #[test]
    fn our_routes_are_found_in_every_spelling() {
        for (spelled, plain) in [
            ("/v1/chat/completions", "/v1/chat/completions"),
            ("/v1/chat/completions/", "/v1/chat/completions"),
            ("/v1//chat///completions//?a=%41&&", "/v1/chat/completions?a=%41&&"),
            ("/v1/%63hat/complet%69ons", "/v1/chat/completions"),
            ("/c/caf%C3%A9/v1/chat/completions/", "/c/caf%C3%A9/v1/chat/completions"),
            ("/c/a%2Fb/v1//responses", "/c/a%2Fb/v1/responses"),
            ("/v1/%66iles", "/v1/files"),
            ("/v1/%66iles/file-1/c%6fntent", "/v1/files/file-1/content"),
            ("/v1/vector%5Fstores/caf%C3%A9/search", "/v1/vector_stores/caf%C3%A9/search"),
            ("/v1/vector_stores/a%2Fb/search/", "/v1/vector_stores/a%2Fb/search"),
            ("/v1/models/", "/v1/models"),
            ("/v1//models/%61%2Fb", "/v1/models/a%2Fb"),
            ("http://h:1/v1/embeddings/?x", "http://h:1/v1/embeddings?x"),
        ] {
            assert_eq!(respelled(spelled).as_deref(), Some(plain), "{spelled}");
        }
    }

    #[test]
    fn what_could_be_read_as_a_route_of_ours_is_refused() {
        for path in [
            "/v1/chat%2Fcompletions",
            "/v1/chat%2fcompletions/",
            "/v1/chat%5Ccompletions",
            "/v1/chat\\completions",
            "/v1/%2Fchat/completions",
            "/v1/files%2Ffile-1",
            "/v1/models%2Fm",
            "/v1/%2566iles",
            "/v1/%252566iles/x",
            "/v1/files;a=b/file-1",
            "/v1/chat/completions;a",
            "/v1/chat/completions%3Fa=b",
            "/v1/chat/completions%23",
            "/v1/chat%2Fcompletions%253fx/y",
            "/v1/responses/%3f",
            "/v1/files%3f/x",
            "/v1/files%00",
            "/v1/fi%0Ales/x",
            "/v1/chat%252Fcompletions",
            "/c/manual/v1/rag%2Ftraces",
            "/c/manual/v1/respons%2565s",
        ] {
            assert_eq!(respelled(path), None, "{path}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_was_spelled() {
        for path in [
            "/v1/things/",
            "/v1/things//x",
            "/v1/things/%2F%3f%41%7E~;p=1/a@b:c",
            "/v1/models/a%2Fb",
            "/v1/chat/completions/chatcmpl-1/",
            "/v1/responses/resp_1/input_items/",
            "/v1/Chat/Completions/",
            "/v1/%",
            "/v1/%zz/%4",
            "/v1/%ff",
            "/v1//",
            "/health/",
            "/c/x",
            "/c/%66iles/v1/x/",
        ] {
            assert_eq!(respelled(path).as_deref(), Some(path), "{path}");
        }
    }
}
