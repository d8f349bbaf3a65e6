//! JSON that passes wherever ASCII does.

use super::quoted;

/// The same JSON with an escape for every character that is not printable ASCII. Ends of lines between its tokens stay.
pub fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~' | '\n' | '\r' | '\t') {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// A text as JSON that no client takes for several lines.
pub fn quoted_ascii(text: &str) -> String {
    ascii(&quoted(text))
}
