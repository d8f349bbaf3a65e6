//! The entries of a JSON object and the elements of a list, each as it is spelled.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The entries of a JSON object in order, duplicates kept.
pub struct Entries<'a>(pub Vec<(String, &'a RawValue)>);

/// A key that stands in an object more than once.
pub struct Repeated(pub &'static str);

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
pub fn elements(list: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(list.get()).ok()
}

/// Whether a value is this text, however it is spelled.
pub fn is_text(value: &RawValue, text: &str) -> bool {
    serde_json::from_str::<String>(value.get()).is_ok_and(|found| found == text)
}
