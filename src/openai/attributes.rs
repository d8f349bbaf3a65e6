//! What clients note down of files and vector stores: attributes, which filters compare, and metadata.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::request::{Fields, RequestError, Result, short, shown, text};

/// Most keys of attributes or metadata.
const MOST_KEYS: usize = 16;
/// Characters of a key.
pub(super) const LONGEST_KEY: usize = 64;
/// Characters of a value.
const LONGEST_VALUE: usize = 512;

/// Attributes of a file in a vector store, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(pub BTreeMap<String, AttributeValue>);

/// Text, a finite number or a truth value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AttributeValue {
    Bool(bool),
    Number(Number),
    Text(String),
}

/// By hand: a filter reads the attributes of every document, and an untagged enum takes four times as long.
impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = AttributeValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, true or false")
            }

            fn visit_bool<E: Error>(self, value: bool) -> std::result::Result<Self::Value, E> {
                Ok(AttributeValue::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> std::result::Result<Self::Value, E> {
                Ok(AttributeValue::Number(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> std::result::Result<Self::Value, E> {
                Ok(AttributeValue::Number(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> std::result::Result<Self::Value, E> {
                let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
                Ok(AttributeValue::Number(number))
            }

            fn visit_str<E: Error>(self, value: &str) -> std::result::Result<Self::Value, E> {
                Ok(AttributeValue::Text(value.to_owned()))
            }

            fn visit_string<E: Error>(self, value: String) -> std::result::Result<Self::Value, E> {
                Ok(AttributeValue::Text(value))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Metadata of a vector store, sorted by key.
pub type Metadata = BTreeMap<String, String>;

impl Attributes {
    /// Reads `{"key": value}`; null is no attributes.
    pub fn read(value: Value, path: &str) -> Result<Self> {
        let entries = entries(value, path)?
            .into_iter()
            .map(|(key, value, path)| Ok((key, AttributeValue::read(value, &path, LONGEST_VALUE)?)));
        entries.collect::<Result<_>>().map(Self)
    }

    /// Attributes as the store keeps them: the text of a JSON object.
    pub fn from_json(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// The text of a JSON object.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&AttributeValue> {
        self.0.get(key)
    }
}

impl AttributeValue {
    pub(super) fn read(value: Value, path: &str, longest: usize) -> Result<Self> {
        match value {
            Value::String(text) => short(text, path, longest).map(Self::Text),
            Value::Number(number) => Ok(Self::Number(number)),
            Value::Bool(value) => Ok(Self::Bool(value)),
            other => Err(RequestError::wrong_type(path, "a string, a number, true or false", &other)),
        }
    }

    /// Whether both are of one type and the same; 1 and 1.0 are.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// How two numbers, or two texts by code point, stand to each other. Nothing else has an order.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => compare(a, b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// Whole numbers are compared exactly, beyond what a float can hold too.
fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    let integer = |number: &Number| {
        let float = || number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 1e30).map(|f| f as i128);
        number.as_i128().or_else(float)
    };
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Reads `{"key": "text"}`; null is no metadata.
pub(super) fn read_metadata(value: Value, path: &str) -> Result<Metadata> {
    let entries = entries(value, path)?.into_iter();
    entries.map(|(key, value, path)| Ok((key, short(text(value, &path)?, &path, LONGEST_VALUE)?))).collect()
}

fn entries(value: Value, path: &str) -> Result<Vec<(String, Value, String)>> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let entries = Fields::of(value, path)?.everything();
    if entries.len() > MOST_KEYS {
        let message = format!("'{path}' must have at most {MOST_KEYS} keys, not {}", entries.len());
        return Err(RequestError::value(path, message));
    }
    let checked = entries.into_iter().map(|(key, value)| {
        if key.chars().nth(LONGEST_KEY).is_some() {
            let message = format!("the key {} is longer than {LONGEST_KEY} characters", shown(&key));
            return Err(RequestError::value(path, message));
        }
        let path = format!("{path}.{key}");
        Ok((key, value, path))
    });
    checked.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_have_limits_and_come_back_as_they_were() {
        let value = json!({"a": "x", "n": 1, "f": 1.5, "b": true, "": ""});
        let attributes = Attributes::read(value.clone(), "attributes").expect("attributes");
        assert_eq!(serde_json::to_value(&attributes).expect("JSON"), value);
        let json = attributes.to_json().expect("JSON");
        assert_eq!(Attributes::from_json(&json).expect("attributes"), attributes);
        assert_eq!(Attributes::read(Value::Null, "attributes"), Ok(Attributes::default()));

        let keys = |n: usize| Value::Object((0..n).map(|n| (n.to_string(), json!(n))).collect());
        assert!(Attributes::read(keys(16), "attributes").is_ok());
        for (value, param) in [
            (keys(17), "attributes"),
            (json!({"é".repeat(65): 1}), "attributes"),
            (json!({"k": "é".repeat(513)}), "attributes.k"),
            (json!({"k": null}), "attributes.k"),
            (json!({"k": ["a"]}), "attributes.k"),
            (json!({"k": {}}), "attributes.k"),
            (json!("text"), "attributes"),
            (json!([]), "attributes"),
        ] {
            assert_eq!(Attributes::read(value, "attributes").expect_err("refused").param, param);
        }
        assert!(Attributes::read(json!({"é".repeat(64): "é".repeat(512)}), "attributes").is_ok());
        assert_eq!(read_metadata(json!({"k": 1}), "metadata").expect_err("refused").param, "metadata.k");
        assert_eq!(read_metadata(json!({"k": "v"}), "metadata").expect("metadata")["k"], "v");
    }

    #[test]
    fn numbers_are_compared_exactly() {
        let number = |value: Value| AttributeValue::read(value, "", 0).expect("a number");
        for (a, b, order) in [
            (json!(1), json!(1.0), Ordering::Equal),
            (json!(9007199254740993_i64), json!(9007199254740992_i64), Ordering::Greater),
            (json!(u64::MAX), json!(-1), Ordering::Greater),
            (json!(1.5), json!(1), Ordering::Greater),
            (json!(9007199254740993_i64), json!(9007199254740992.0), Ordering::Greater),
            (json!(1e300), json!(u64::MAX), Ordering::Greater),
            (json!(-0.0), json!(0), Ordering::Equal),
        ] {
            assert_eq!(number(a.clone()).order(&number(b.clone())), Some(order), "{a} {b}");
            assert_eq!(number(b).order(&number(a)), Some(order.reverse()));
        }
    }
}
