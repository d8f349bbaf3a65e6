//! Filters over the attributes of files.
//!
//! What a comparison holds of:
//! - A string, a number and a truth value are never equal to one of another type. `1` and `1.0` are one number.
//! - `gt`, `gte`, `lt` and `lte` compare numbers with numbers, and strings with strings by code point; anything else
//!   does not hold.
//! - A file without the key: only `ne` and `nin` hold of it.
//! - `and` of nothing holds, `or` of nothing does not.

use std::cmp::Ordering;

use serde_json::Value;

use super::attributes::{AttributeValue, Attributes, LONGEST_KEY};
use super::request::{Fields, RequestError, Result, list, short};

/// Levels of `and` and `or` within one another.
const DEEPEST: usize = 8;
/// Comparisons in one filter.
const MOST_COMPARISONS: usize = 128;
/// Values of one `in` or `nin`.
const MOST_VALUES: usize = 256;
/// Characters of a value: attributes are shorter.
const LONGEST_VALUE: usize = 4_096;

/// Which files are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Compare {
        key: String,
        comparison: Comparison,
        value: AttributeValue,
    },
    /// The value is one of these, or with `negated` none of them.
    Among {
        key: String,
        values: Vec<AttributeValue>,
        negated: bool,
    },
    And(Vec<Filter>),
    Or(Vec<Filter>),
}

/// How a value stands to a filter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

const TYPES: [&str; 10] = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"];

impl Filter {
    /// Reads a filter that stands at `path` of a request.
    pub fn read(value: Value, path: &str) -> Result<Self> {
        let mut comparisons = 0;
        read(value, path, 0, &mut comparisons)
    }

    /// Whether a file with these attributes is meant.
    pub fn matches(&self, attributes: &Attributes) -> bool {
        match self {
            Self::Compare { key, comparison, value } => match attributes.get(key) {
                None => *comparison == Comparison::Ne,
                Some(found) => comparison.holds(found, value),
            },
            Self::Among { key, values, negated } => {
                let found = attributes.get(key);
                found.is_some_and(|found| values.iter().any(|value| found.equals(value))) != *negated
            }
            Self::And(filters) => filters.iter().all(|filter| filter.matches(attributes)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(attributes)),
        }
    }
}

impl Comparison {
    fn holds(self, found: &AttributeValue, value: &AttributeValue) -> bool {
        let order = found.order(value);
        match self {
            Self::Eq => found.equals(value),
            Self::Ne => !found.equals(value),
            Self::Gt => order == Some(Ordering::Greater),
            Self::Lt => order == Some(Ordering::Less),
            Self::Gte => order.is_some_and(Ordering::is_ge),
            Self::Lte => order.is_some_and(Ordering::is_le),
        }
    }
}

fn read(value: Value, path: &str, depth: usize, comparisons: &mut usize) -> Result<Filter> {
    let mut fields = Fields::of(value, path)?;
    let kind = fields.word("type", &TYPES)?.ok_or_else(|| RequestError::missing(fields.path("type")))?;
    let filter = match kind {
        "and" | "or" => {
            if depth == DEEPEST {
                let message =
                    format!("the filter is nested too deeply: use at most {DEEPEST} levels of and, or");
                return Err(RequestError::value(path, message));
            }
            let inner_path = fields.path("filters");
            let inner = list(fields.needed("filters")?, &inner_path, 0..=MOST_COMPARISONS)?;
            let filters = inner.into_iter().map(|(path, value)| read(value, &path, depth + 1, comparisons));
            let filters = filters.collect::<Result<_>>()?;
            if kind == "and" { Filter::And(filters) } else { Filter::Or(filters) }
        }
        kind => {
            *comparisons += 1;
            if *comparisons > MOST_COMPARISONS {
                let message = format!("the filter has more than {MOST_COMPARISONS} comparisons");
                return Err(RequestError::value(path, message));
            }
            compare(kind, &mut fields)?
        }
    };
    fields.finish()?;
    Ok(filter)
}

fn compare(kind: &str, fields: &mut Fields) -> Result<Filter> {
    let key = short(fields.needed_text("key")?, &fields.path("key"), LONGEST_KEY)?;
    let (value, path) = (fields.needed("value")?, fields.path("value"));
    let comparison = match kind {
        "in" | "nin" => {
            let values = list(value, &path, 0..=MOST_VALUES)?.into_iter();
            let values = values.map(|(path, value)| AttributeValue::read(value, &path, LONGEST_VALUE));
            return Ok(Filter::Among { key, values: values.collect::<Result<_>>()?, negated: kind == "nin" });
        }
        "ne" => Comparison::Ne,
        "gt" => Comparison::Gt,
        "gte" => Comparison::Gte,
        "lt" => Comparison::Lt,
        "lte" => Comparison::Lte,
        _ => Comparison::Eq,
    };
    let value = AttributeValue::read(value, &path, LONGEST_VALUE)?;
    Ok(Filter::Compare { key, comparison, value })
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
