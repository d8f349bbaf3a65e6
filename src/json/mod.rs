//! JSON as text: read where it stands and changed in places, so that all else stays byte for byte.

mod ascii;
mod entries;
mod object;
mod spans;

pub use ascii::{ascii, quoted_ascii};
pub use entries::{Entries, Repeated, elements, is_text};
pub use object::Object;
pub use spans::{cuts, span, without};

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
