//! Keeps hostile markup from costing more than its length.
//!
//! The tree construction of HTML looks through the open elements for many tags, and through the
//! attributes of a tag for each of them: nesting or attributes without end would take quadratic time.
//! Tags beyond a depth are dropped here, never text.

use std::borrow::Cow;

/// Deeper than any page that a person reads.
const MAX_DEPTH: usize = 400;
/// A tag longer than this (pictures as `data:` addresses, mostly) is cut to its name.
const MAX_TAG: usize = 8 << 10;

/// Elements that never hold others, or that the next of their kind ends, so that they do not nest.
const FLAT: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr", "frame", "html", "head", "body", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody",
    "tfoot", "colgroup", "option", "optgroup", "rp", "rt",
];
/// Elements whose content is not markup.
const RAW: &[&str] = &["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"];

/// The page with its nesting and its tags bounded; unchanged, without a copy, if they are.
pub(super) fn flatten(page: &str) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let mut copied = 0;
    let mut at = 0;
    let mut depth = 0_usize;
    let mut dropped = 0_usize;
    while let Some(found) = page[at..].find('<') {
        let start = at + found;
        let rest = &page[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            at = comment.find("-->").map_or(page.len(), |end| start + 4 + end + 3);
            continue;
        }
        let closing = rest.starts_with("</");
        let name_start = start + 1 + usize::from(closing);
        let name_length =
            page[name_start..].bytes().take(32).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if !page[name_start..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            at = start + 1;
            continue;
        }
        let name = page[name_start..name_start + name_length].to_ascii_lowercase();
        let end = tag_end(page, name_start + name_length);
        let mut replacement = None;
        if !FLAT.contains(&name.as_str()) {
            if closing {
                if dropped > 0 {
                    dropped -= 1;
                    replacement = Some(" ".to_owned());
                } else {
                    depth = depth.saturating_sub(1);
                }
            } else if depth >= MAX_DEPTH && !RAW.contains(&name.as_str()) {
                dropped += 1;
                replacement = Some(" ".to_owned());
            } else if !RAW.contains(&name.as_str()) {
                depth += 1;
            }
        }
        if replacement.is_none() && end - start > MAX_TAG {
            replacement = Some(format!("<{}{name}>", if closing { "/" } else { "" }));
        }
        if let Some(replacement) = replacement {
            let out = out.get_or_insert_with(|| String::with_capacity(page.len()));
            out.push_str(&page[copied..start]);
            out.push_str(&replacement);
            copied = end;
        }
        at = end;
        if !closing && RAW.contains(&name.as_str()) {
            at = raw_end(page, end, &name);
            // The end tag of raw text opened no depth.
            at = if at < page.len() { tag_end(page, at) } else { at };
        }
    }
    match out {
        None => Cow::Borrowed(page),
        Some(mut out) => {
            out.push_str(&page[copied..]);
            Cow::Owned(out)
        }
    }
}

/// Just after the `>` that ends a tag, quotes respected; the end of the page if there is none.
fn tag_end(page: &str, from: usize) -> usize {
    let mut quote = None;
    let mut value_may_start = false;
    for (offset, byte) in page.as_bytes()[from..].iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return from + offset + 1,
            (None, b'"' | b'\'') if value_may_start => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        if quote.is_none() && !byte.is_ascii_whitespace() {
            value_may_start = *byte == b'=';
        }
    }
    page.len()
}

/// Where the end tag of raw text begins.
fn raw_end(page: &str, from: usize, name: &str) -> usize {
    let bytes = page.as_bytes();
    let mut at = from;
    while let Some(found) = page[at..].find("</") {
        let name_start = at + found + 2;
        let candidate = bytes.get(name_start..name_start + name.len());
        if candidate.is_some_and(|candidate| candidate.eq_ignore_ascii_case(name.as_bytes())) {
            return at + found;
        }
        at = name_start;
    }
    page.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_pages_are_left_alone() {
        let page = "<!-- <b> --><p class='a > b'>x<script>if (a<b) '</p>'</script><p>y <3 z</p>";
        assert!(matches!(flatten(page), Cow::Borrowed(_)));
    }

    #[test]
    fn depth_is_bounded_and_text_kept() {
        let page = format!("{}a{}b", "<div>".repeat(1000), "</div>".repeat(1000));
        let flat = flatten(&page);
        assert_eq!(flat.matches("<div>").count(), MAX_DEPTH);
        assert_eq!(flat.matches("</div>").count(), MAX_DEPTH);
        assert!(flat.contains('a') && flat.ends_with('b'));
    }

    #[test]
    fn overlong_tags_lose_their_attributes() {
        let page = format!("<p>a<img src=\"data:{}\">b</p>", "x".repeat(MAX_TAG));
        assert_eq!(flatten(&page), "<p>a<img>b</p>");
    }
}
