//! The key that a request presents: as OpenAI's clients do, as Anthropic's, or as Azure's.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::access::PREFIX;

/// Headers that hold a key and nothing else.
const BARE: [HeaderName; 2] = [HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];

/// What a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presented<T> {
    None,
    One(T),
    /// Keys of ours that differ: whose request it is cannot be told.
    Several,
}

impl<T> Presented<T> {
    pub fn map<U>(self, look_up: impl FnOnce(T) -> U) -> Presented<U> {
        match self {
            Self::None => Presented::None,
            Self::One(key) => Presented::One(look_up(key)),
            Self::Several => Presented::Several,
        }
    }
}

/// The key that the headers present. One of ours goes before others, which may be meant for upstream.
pub(super) fn presented(headers: &HeaderMap) -> Presented<&str> {
    let bearers = || headers.get_all(AUTHORIZATION).iter().filter_map(bearer);
    let bare = || BARE.into_iter().flat_map(|name| headers.get_all(name)).filter_map(as_key);
    let is_ours = |key: &&str| key.starts_with(PREFIX);
    let mut ours = bearers().chain(bare()).filter(is_ours);
    let Some(first) = ours.next() else {
        // Not one of ours, whatever it is.
        return bearers().chain(bare()).next().map_or(Presented::None, Presented::One);
    };
    // `Authorization` is no list (RFC 9110, section 11.6.2): two of it are not one, even if they say the same.
    let is_clear = ours.all(|other| other == first) && bearers().filter(is_ours).nth(1).is_none();
    if is_clear { Presented::One(first) } else { Presented::Several }
}

/// The key of an `Authorization: Bearer`.
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn as_key(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> Presented<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        presented(&map).map(str::to_owned)
    }

    #[test]
    fn a_key_is_taken_from_each_of_its_headers() {
        let one = |key: &str| Presented::One(key.to_owned());
        for (headers, found) in [
            (&[][..], Presented::None),
            (&[("authorization", "Bearer sk-lastro-a")], one("sk-lastro-a")),
            (&[("authorization", "bearer  sk-lastro-a ")], one("sk-lastro-a")),
            (&[("x-api-key", "sk-lastro-a")], one("sk-lastro-a")),
            (&[("api-key", " sk-lastro-a")], one("sk-lastro-a")),
            (&[("api-key", "sk-lastro-a"), ("x-api-key", "sk-lastro-a")], one("sk-lastro-a")),
            (&[("authorization", "Bearer sk-lastro-a"), ("x-api-key", "sk-lastro-b")], Presented::Several),
            (&[("api-key", "sk-lastro-a"), ("x-api-key", "sk-lastro-b")], Presented::Several),
            (&[("x-api-key", "sk-lastro-a"), ("x-api-key", "sk-lastro-b")], Presented::Several),
            // The other is upstream's.
            (&[("authorization", "Bearer other"), ("x-api-key", "sk-lastro-b")], one("sk-lastro-b")),
            (&[("authorization", "Bearer sk-lastro-a"), ("x-api-key", "other")], one("sk-lastro-a")),
            (&[("authorization", "Bearer other"), ("api-key", "another")], one("other")),
            (&[("api-key", "another")], one("another")),
            (&[("authorization", "Basic sk-lastro-a")], Presented::None),
            (
                &[("authorization", "Bearer sk-lastro-a"), ("authorization", "Bearer sk-lastro-a")],
                Presented::Several,
            ),
            // Whatever else there is beside them.
            (
                &[
                    ("authorization", "Bearer sk-lastro-a"),
                    ("authorization", "Bearer sk-lastro-b"),
                    ("x-api-key", "sk-lastro-a"),
                ],
                Presented::Several,
            ),
        ] {
            assert_eq!(of(headers), found, "{headers:?}");
        }
    }
}
