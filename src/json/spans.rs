//! Parts of a JSON text by where they stand in it, so that some can be cut out and all else stays byte for byte.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The entries of a JSON object in order, duplicates kept.
pub(super) struct Entries<'a>(pub Vec<(String, &'a RawValue)>);

/// A key that stands in an object more than once.
pub(super) struct Repeated(pub &'static str);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl<'a> Entries<'a> {
    /// All values of a key.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &'a RawValue> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, value)| *value)
    }

    /// The value of a key; where it repeats, the last, as JSON parsers have it.
    pub fn last(&self, key: &str) -> Option<&'a RawValue> {
        self.all(key).last()
    }

    /// The value of a key that may not repeat.
    pub fn only(&self, key: &'static str) -> Result<Option<&'a RawValue>, Repeated> {
        let mut values = self.all(key);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated(key)),
            (found, None) => Ok(found),
        }
    }
}

/// The elements of a list; `None` of what is none.
pub(super) fn elements(list: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(list.get()).ok()
}

/// Whether a value is this text, however it is spelled.
pub(super) fn is_text(value: &RawValue, text: &str) -> bool {
    serde_json::from_str::<String>(value.get()).is_ok_and(|found| found == text)
}

/// Where a value stands in the text that it was parsed from.
pub(super) fn span(text: &str, value: &RawValue) -> Range<usize> {
    // A borrowed RawValue is a part of the text that was parsed.
    let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
    start..start + value.get().len()
}

/// What to cut out of a list or object so that some of its elements go, each with the space around it and one comma.
/// `inside` is the place after its opening bracket, `ends` are the places where its elements end.
pub(super) fn cuts(
    text: &str,
    inside: usize,
    ends: &[usize],
    goes: impl Fn(usize) -> bool,
) -> Vec<Range<usize>> {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let (mut start, mut kept) = (inside, 0);
    for (n, end) in ends.iter().copied().enumerate() {
        // Between an element and its comma, or the closing bracket, there is only space.
        let stop = text[end..].find([',', ']', '}']).map_or(end, |at| end + at);
        let is_last = n + 1 == ends.len();
        if !goes(n) {
            kept += 1;
        } else {
            // After one that stays, the comma before it goes; else the one that follows.
            let cut = match kept {
                0 => start..stop + usize::from(!is_last),
                _ => start - 1..stop,
            };
            match cuts.last_mut() {
                Some(before) if before.end == cut.start => before.end = cut.end,
                _ => cuts.push(cut),
            }
        }
        start = stop + 1;
    }
    cuts
}

/// The text without what is cut out of a part of it.
pub(super) fn without(text: &str, part: Range<usize>, cuts: &[Range<usize>]) -> String {
    let mut left = String::new();
    let mut at = part.start;
    for cut in cuts.iter().filter(|cut| part.contains(&cut.start)) {
        left.push_str(&text[at..cut.start]);
        at = cut.end;
    }
    left.push_str(&text[at..part.end]);
    left
}
