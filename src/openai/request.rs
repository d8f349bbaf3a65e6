//! Bodies of our own endpoints, read field by field, so that a refusal names the field at fault.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// A request that cannot be followed: the field, as in `filters.filters[1].type`, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// Empty where the request as a whole is at fault.
    pub param: String,
    pub message: String,
    /// For programs, in OpenAI's words.
    pub code: &'static str,
}

/// Result of reading a request.
pub type Result<T> = std::result::Result<T, RequestError>;

impl RequestError {
    fn new(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: param.into(), message: message.into(), code }
    }

    /// A value that is not among the possible ones.
    pub fn value(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("invalid_value", param, message)
    }

    /// A value of another type than the field's.
    pub fn wrong_type(param: impl Into<String>, expected: &str, found: &Value) -> Self {
        let param = param.into();
        let message = format!("{} must be {expected}, not {}", named(&param), kind(found));
        Self::new("invalid_type", param, message)
    }

    /// A field that nobody knows.
    pub fn unknown(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("unknown_parameter", param, message)
    }

    /// A field that is needed.
    pub fn missing(param: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("'{param}' is missing");
        Self::new("missing_required_parameter", param, message)
    }

    /// The same error of a value that stands within another.
    pub fn within(mut self, outer: &str) -> Self {
        self.param = match self.param.as_str() {
            "" => outer.to_owned(),
            inner if inner.starts_with('[') => format!("{outer}{inner}"),
            inner => format!("{outer}.{inner}"),
        };
        self
    }
}

/// A request that is read from a JSON object.
pub trait Body: Sized {
    /// Takes its fields. What is left over afterwards is refused by name.
    fn read(fields: &mut Fields) -> Result<Self>;
}

/// Reads a body of JSON. Where a key repeats, its last value counts, as JSON parsers have it.
pub fn parse_body<T: Body>(bytes: &[u8]) -> Result<T> {
    let value = serde_json::from_slice(bytes)
        .map_err(|error| RequestError::new("invalid_json", "", format!("the body is not JSON: {error}")))?;
    parse_value(value, "")
}

/// Reads a value that stands at `path` of a request, or with an empty path is all of it.
pub fn parse_value<T: Body>(value: Value, path: &str) -> Result<T> {
    let mut fields = Fields::of(value, path)?;
    let read = T::read(&mut fields)?;
    fields.finish()?;
    Ok(read)
}

/// The fields of an object that are not read yet.
#[derive(Debug)]
pub struct Fields {
    path: String,
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    pub(super) fn of(value: Value, path: &str) -> Result<Self> {
        match value {
            Value::Object(left) => Ok(Self { path: path.to_owned(), left, known: Vec::new() }),
            other => Err(RequestError::wrong_type(path, "a JSON object", &other)),
        }
    }

    /// The full name of a field.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A field that may also be null, which is not the same as absent.
    pub(super) fn nullable(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.left.remove(key)
    }

    /// A field; null is as absent.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.nullable(key).filter(|value| !value.is_null())
    }

    /// A field that is needed.
    pub(super) fn needed(&mut self, key: &'static str) -> Result<Value> {
        self.take(key).ok_or_else(|| RequestError::missing(self.path(key)))
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        self.take(key).map(|value| text(value, &self.path(key))).transpose()
    }

    pub(super) fn needed_text(&mut self, key: &'static str) -> Result<String> {
        text(self.needed(key)?, &self.path(key))
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(other) => Err(RequestError::wrong_type(self.path(key), "true or false", &other)),
        }
    }

    /// A whole number within limits.
    pub(super) fn whole(&mut self, key: &'static str, limits: RangeInclusive<u64>) -> Result<Option<u64>> {
        self.take(key).map(|value| whole(&value, &self.path(key), limits)).transpose()
    }

    /// A number within limits.
    pub(super) fn number(&mut self, key: &'static str, limits: RangeInclusive<f64>) -> Result<Option<f64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number =
            value.as_f64().ok_or_else(|| RequestError::wrong_type(self.path(key), "a number", &value))?;
        within(number, &self.path(key), "a number", limits).map(Some)
    }

    /// A list of so many elements, each with its path.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        lengths: RangeInclusive<usize>,
    ) -> Result<Option<Vec<(String, Value)>>> {
        self.take(key).map(|value| list(value, &self.path(key), lengths)).transpose()
    }

    /// A word out of several.
    pub(super) fn word(&mut self, key: &'static str, words: &[&'static str]) -> Result<Option<&'static str>> {
        let Some(found) = self.text(key)? else { return Ok(None) };
        word(&found, &self.path(key), words).map(Some)
    }

    /// All of them, where any name is allowed.
    pub(super) fn everything(self) -> Map<String, Value> {
        self.left
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<()> {
        let Some(key) = self.left.keys().next() else { return Ok(()) };
        let message = format!("{} is not known here: {}", named(key), among(&self.known));
        Err(RequestError::unknown(self.path(key), message))
    }
}

pub(super) fn text(value: Value, path: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(RequestError::wrong_type(path, "a string", &other)),
    }
}

/// A string of at most so many characters.
pub(super) fn short(text: String, path: &str, most: usize) -> Result<String> {
    match text.chars().nth(most) {
        None => Ok(text),
        Some(_) => {
            Err(RequestError::value(path, format!("{} is longer than {most} characters", named(path))))
        }
    }
}

pub(super) fn whole(value: &Value, path: &str, limits: RangeInclusive<u64>) -> Result<u64> {
    let number = match value.as_f64() {
        // 10.0 is a whole number too.
        Some(number) if number.fract() == 0.0 => number,
        _ => return Err(RequestError::wrong_type(path, "a whole number", value)),
    };
    let limits = *limits.start() as f64..=*limits.end() as f64;
    within(number, path, "a whole number", limits).map(|number| number as u64)
}

fn within(number: f64, path: &str, what: &str, limits: RangeInclusive<f64>) -> Result<f64> {
    if limits.contains(&number) {
        return Ok(number);
    }
    let (least, most) = limits.into_inner();
    let message = match most.is_finite() {
        true => format!("{} must be {what} from {least} to {most}, not {number}", named(path)),
        false => format!("{} must be {what} of {least} or more, not {number}", named(path)),
    };
    Err(RequestError::value(path, message))
}

pub(super) fn list(value: Value, path: &str, lengths: RangeInclusive<usize>) -> Result<Vec<(String, Value)>> {
    let Value::Array(elements) = value else {
        return Err(RequestError::wrong_type(path, "a list", &value));
    };
    if !lengths.contains(&elements.len()) {
        let (least, most) = lengths.into_inner();
        let message = format!("{} must hold {least} to {most} elements, not {}", named(path), elements.len());
        return Err(RequestError::value(path, message));
    }
    Ok(elements.into_iter().enumerate().map(|(n, element)| (format!("{path}[{n}]"), element)).collect())
}

pub(super) fn word(found: &str, path: &str, words: &[&'static str]) -> Result<&'static str> {
    words.iter().find(|word| **word == found).copied().ok_or_else(|| not_among(found, path, words))
}

pub(super) fn not_among(found: &str, path: &str, words: &[&'static str]) -> RequestError {
    RequestError::value(path, format!("{} cannot be {}: {}", named(path), shown(found), among(words)))
}

/// What a client sent, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!("{:?}...", &text[..cut]),
    }
}

fn named(path: &str) -> String {
    if path.is_empty() {
        "the body".to_owned()
    } else {
        format!("'{}'", path.chars().take(200).collect::<String>())
    }
}

fn among(words: &[impl Display]) -> String {
    let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
    match words.split_last() {
        None => "there are no fields".to_owned(),
        Some((only, [])) => format!("use {only}"),
        Some((last, rest)) => format!("use {} or {last}", rest.join(", ")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
