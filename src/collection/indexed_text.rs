//! The text of a chunk as both indexes take it.

/// The text under which a chunk is found, by words and by meaning: its headings first, so that its place counts.
pub fn with_headings(headings: &[String], text: &str) -> String {
    if headings.is_empty() {
        return text.to_owned();
    }
    format!("{}\n{text}", headings.join(" > "))
}
