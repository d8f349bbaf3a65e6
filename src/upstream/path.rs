//! Which paths of a client's may be sent upstream.

use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

/// The path and query of a request under `base`, spelled as the client spelled it. `None` where a server that resolves
/// dot segments, once decoded, would be led out of `base`, or where it is no path.
pub(super) fn under(base: &str, path_and_query: &str) -> Option<PathAndQuery> {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let decoded = percent_decode_str(path).collect::<Vec<u8>>();
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    if decoded.split(is_slash).any(|segment| matches!(segment, b"." | b"..")) {
        return None;
    }
    if base.is_empty() {
        return path_and_query.parse().ok();
    }
    format!("{base}{path_and_query}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::under;

    #[test]
    fn paths_keep_their_spelling() {
        for path in ["/chat/completions", "/a%20b/%C3%A9", "/x?", "/x?a=%2E%2E/..&b+c=&d", "//x", "", "/..."]
        {
            let sent = under("/v1", path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(sent.as_str(), format!("/v1{path}"));
        }
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in [
            "/../metrics",
            "/x/../../metrics",
            "/%2e%2e/metrics",
            "/.%2E/metrics",
            "/..%2fmetrics",
            "/..\\metrics",
            "/..%5cmetrics",
            "/./x",
            "/..",
            "/a b",
        ] {
            assert_eq!(under("/v1", path), None, "{path}");
        }
    }
}
