//! Addresses: the LLM server's, our own, and origins of web pages.

use http::HeaderValue;
use reqwest::Url;

use super::values::{Origin, PublicUrl, RerankUrl, UpstreamKey, UpstreamUrl, Value};
use crate::upstream::RerankApi;

impl Value for UpstreamUrl {
    type Checked = String;

    fn check(self) -> Result<String, String> {
        let base = self.0.trim_end_matches('/');
        let url = Url::parse(base).map_err(|error| format!("{base}: {error}"))?;
        if !is_http(&url) {
            return Err(format!("{base} must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a name or a password: keys belong into upstream_key".to_owned());
        }
        if !url.path().ends_with("/v1") || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{base} must end in /v1, as in http://127.0.0.1:8000/v1"));
        }
        Ok(base.to_owned())
    }
}

impl Value for RerankUrl {
    /// What stands before `/rerank` or `/score`, and how relevance is asked for there.
    type Checked = (String, RerankApi);

    fn check(self) -> Result<(String, RerankApi), String> {
        let text = self.0.trim_end_matches('/');
        let url = Url::parse(text).map_err(|error| format!("{text}: {error}"))?;
        if !is_http(&url) {
            return Err(format!("{text} must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a name or a password: keys belong into rerank_key".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{text} must be an address alone, as in http://127.0.0.1:8001/v1"));
        }
        if let Some(base) = text.strip_suffix("/score") {
            return Ok((base.to_owned(), RerankApi::Score));
        }
        let base = text.strip_suffix("/rerank").unwrap_or(text);
        let is_versioned = base.ends_with("/v1") || base.ends_with("/v2");
        let api = if is_versioned { RerankApi::Rerank } else { RerankApi::Inference };
        Ok((base.to_owned(), api))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for UpstreamKey {
    /// `Authorization`.
    type Checked = HeaderValue;

    fn check(self) -> Result<HeaderValue, String> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .map_err(|_| "holds characters that no header can carry")?;
        header.set_sensitive(true);
        Ok(header)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for PublicUrl {
    /// Without a slash at the end.
    type Checked = String;

    fn check(self) -> Result<String, String> {
        let text = &self.0;
        let url = Url::parse(text).map_err(|error| format!("{text} is no address: {error}"))?;
        if !is_http(&url) {
            return Err(format!("{text} must begin with http:// or https://"));
        }
        let ends_in_v1 = url.path().trim_end_matches('/').ends_with("/v1");
        if url.query().is_some() || url.fragment().is_some() || ends_in_v1 {
            return Err(format!("{text} must be what stands before /v1, as in https://rag.example.com"));
        }
        Ok(text.trim_end_matches('/').to_owned())
    }
}

impl Value for Vec<Origin> {
    type Checked = Vec<String>;

    /// What a browser would never send would never match.
    fn check(self) -> Result<Vec<String>, String> {
        self.into_iter()
            .map(|Origin(text)| if is_origin(&text) { Ok(text) } else { Err(no_origin(&text)) })
            .collect()
    }
}

/// Whether a text is an origin as browsers write it.
fn is_origin(text: &str) -> bool {
    let url = Url::parse(text).ok().filter(is_http);
    url.is_some_and(|url| url.origin().ascii_serialization() == text)
}

fn no_origin(text: &str) -> String {
    format!("{text:?} is no origin: write scheme, host and port alone, as in https://chat.example.org")
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_is_what_stands_before_v1() {
        let url = |text: &str| PublicUrl(text.to_owned()).check().ok();
        assert_eq!(url("https://rag.example.com/").as_deref(), Some("https://rag.example.com"));
        assert_eq!(url("http://h:1/team/").as_deref(), Some("http://h:1/team"));
        for bad in
            ["rag.example.com", "ftp://h", "http://h/v1", "http://h/v1/", "http://h?x", "http://h#x", ""]
        {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    #[test]
    fn upstream_is_an_address_that_ends_in_v1() {
        let url = |text: &str| UpstreamUrl(text.to_owned()).check();
        assert_eq!(url("http://localhost:8000/v1/").as_deref(), Ok("http://localhost:8000/v1"));
        for (bad, says) in [
            ("localhost:8000", "http://"),
            ("http://localhost:8000", "/v1"),
            ("http://u:p@localhost:8000/v1", "upstream_key"),
            ("http://localhost:8000/v1?x=/v1", "end in /v1"),
        ] {
            let problem = url(bad).expect_err(bad);
            assert!(problem.contains(says), "{bad}: {problem}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for (text, is) in [
            ("http://localhost:3000", true),
            ("https://a.example", true),
            ("*", false),
            ("https://a.example/", false),
            ("HTTPS://a.example", false),
            ("null", false),
        ] {
            assert_eq!(is_origin(text), is, "{text}");
        }
    }
}
