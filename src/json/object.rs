//! A JSON object of which some values are replaced.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Entries, quoted};

/// The entries of an object in their order. Values stay as they were spelled, save those that are set.
#[derive(Debug)]
pub struct Object<'a>(Vec<(String, Cow<'a, str>)>);

impl<'a> Object<'a> {
    /// Reads an object; `None` where the text is none.
    pub fn parse(json: &'a str) -> Option<Self> {
        let Entries(entries) = serde_json::from_str(json).ok()?;
        Some(Self(entries.into_iter().map(|(key, value)| (key, Cow::Borrowed(value.get()))).collect()))
    }

    /// The JSON of a value; where a key repeats, of the last, as JSON parsers have it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.as_ref())
    }

    /// A value of a type; `None` where it is of another.
    pub fn read<'s, T: Deserialize<'s>>(&'s self, key: &str) -> Option<T> {
        serde_json::from_str(self.get(key)?).ok()
    }

    /// The JSON of each element of a list; `None` where the value is none.
    pub fn list(&self, key: &str) -> Option<Vec<&str>> {
        let elements: Vec<&RawValue> = self.read(key)?;
        Some(elements.into_iter().map(RawValue::get).collect())
    }

    /// Replaces a value by this JSON, or adds it at the end.
    pub fn set(&mut self, key: &str, json: impl Into<String>) {
        let json = Cow::Owned(json.into());
        match self.0.iter_mut().rev().find(|(k, _)| k == key) {
            Some((_, value)) => *value = json,
            None => self.0.push((key.to_owned(), json)),
        }
    }

    /// The object as JSON, without space between its entries.
    pub fn to_json(&self) -> String {
        let entry = |(key, value): &(String, Cow<'_, str>)| format!("{}:{value}", quoted(key));
        format!("{{{}}}", self.0.iter().map(entry).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_stays_as_it_was_spelled() {
        let text = r#" { "b" : 0.10 , "a\"":[1, 2.0],"t":"\u00e9","b":{"x" :1e2} } "#;
        let mut object = Object::parse(text).expect("an object");
        assert_eq!(object.to_json(), r#"{"b":0.10,"a\"":[1, 2.0],"t":"\u00e9","b":{"x" :1e2}}"#);
        assert_eq!((object.get("b"), object.get("c")), (Some(r#"{"x" :1e2}"#), None));
        assert_eq!((object.read::<String>("t"), object.read::<u64>("t")), (Some("é".to_owned()), None));
        assert_eq!((object.list("a\""), object.list("t")), (Some(vec!["1", "2.0"]), None));
        object.set("b", "7");
        object.set("c", "null");
        assert_eq!(object.to_json(), r#"{"b":0.10,"a\"":[1, 2.0],"t":"\u00e9","b":7,"c":null}"#);
        for none in ["", "[]", "1", "{\"a\":}", "{} {}"] {
            assert!(Object::parse(none).is_none(), "{none}");
        }
    }
}
