//! Redirects of upstream to itself: a client follows them here, since upstream's own address is nothing to it.

use http::header::{CONTENT_LOCATION, HeaderName, HeaderValue, LOCATION};
use http::{Response, Uri};

const NAMES: [HeaderName; 2] = [LOCATION, CONTENT_LOCATION];

/// Makes what points to upstream's own `host`, or below its `base` path, point to the same place here: below `/v1`.
pub(super) fn stay_here<B>(response: &mut Response<B>, host: &HeaderValue, base: &str) {
    let headers = response.headers_mut();
    for name in &NAMES {
        if let Some(value) = headers.get(name)
            && let Some(here) = here(value, host.to_str().unwrap_or_default(), base)
        {
            headers.insert(name.clone(), here);
        }
    }
}

fn here(value: &HeaderValue, host: &str, base: &str) -> Option<HeaderValue> {
    let uri: Uri = value.to_str().ok()?.parse().ok()?;
    let (path, absolute) = match uri.authority() {
        Some(authority) => {
            let of = |authority: &str, scheme| without_usual_port(authority, scheme).to_ascii_lowercase();
            let named = authority.as_str().rsplit('@').next().unwrap_or_default();
            // A proxy in front of it may have changed the scheme.
            let same = ["http", "https"].iter().any(|scheme| of(named, scheme) == of(host, scheme));
            if !same {
                return None;
            }
            (uri.path_and_query()?.as_str(), true)
        }
        None => (uri.path_and_query()?.as_str(), false),
    };
    // What came after `#` is no part of a parsed address.
    let fragment = value.to_str().ok()?.split_once('#').map(|(_, fragment)| format!("#{fragment}"));
    let fragment = fragment.unwrap_or_default();
    match path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) {
        Some(rest) if absolute || base != "/v1" => {
            HeaderValue::from_str(&format!("/v1{rest}{fragment}")).ok()
        }
        Some(_) => None,
        // Behind two slashes a client would look for a host, and browsers take a backslash for one.
        None if absolute => {
            let path = path.trim_start_matches(['/', '\\']);
            HeaderValue::from_str(&format!("/{path}{fragment}")).ok()
        }
        None => None,
    }
}

fn without_usual_port<'a>(authority: &'a str, scheme: &str) -> &'a str {
    authority.strip_suffix(if scheme == "https" { ":443" } else { ":80" }).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(location: &str, base: &str) -> Option<String> {
        let mut response = Response::new(());
        response.headers_mut().insert(LOCATION, HeaderValue::from_str(location).expect("a value"));
        stay_here(&mut response, &HeaderValue::from_static("vllm:8000"), base);
        response.headers()[LOCATION].to_str().map(str::to_owned).ok()
    }

    #[test]
    fn redirects_to_upstream_itself_lead_here() {
        for (location, base, leads) in [
            ("http://vllm:8000/v1/models", "/v1", "/v1/models"),
            ("http://VLLM:8000/v1/models?a=b&c", "/v1", "/v1/models?a=b&c"),
            ("https://vllm:8000/v1/x/#part", "/v1", "/v1/x/#part"),
            ("http://vllm:8000/docs", "/v1", "/docs"),
            ("http://vllm:8000", "/v1", "/"),
            ("http://vllm:8000//example.com/x", "/v1", "/example.com/x"),
            ("http://vllm:8000/\\example.com/x", "/v1", "/example.com/x"),
            ("http://vllm:8000//\\/example.com/x", "/v1", "/example.com/x"),
            ("http://vllm:8000/v1//example.com/x", "/v1", "/v1//example.com/x"),
            ("http://vllm:8000/openai/v1/models", "/openai/v1", "/v1/models"),
            ("/openai/v1/models", "/openai/v1", "/v1/models"),
            // Others', and what is relative already.
            ("/v1/models", "/v1", "/v1/models"),
            ("/v2/x", "/v1", "/v2/x"),
            ("/v1beta", "/v1", "/v1beta"),
            ("http://vllm:8001/v1/models", "/v1", "http://vllm:8001/v1/models"),
            ("https://example.com/v1/models", "/v1", "https://example.com/v1/models"),
            ("relative", "/v1", "relative"),
            ("", "/v1", ""),
        ] {
            assert_eq!(followed(location, base).as_deref(), Some(leads), "{location}");
        }
    }

    #[test]
    fn the_usual_port_need_not_be_named() {
        let host = HeaderValue::from_static("models.example.com");
        for location in [
            "https://models.example.com:443/v1/x",
            "http://models.example.com:80/v1/x",
            "https://models.example.com/v1/x",
        ] {
            let value = HeaderValue::from_static(location);
            assert_eq!(
                here(&value, host.to_str().expect("text"), "/v1").expect("here"),
                "/v1/x",
                "{location}"
            );
        }
    }
}
