//! Lists: which page a client asks for, and the page as it is sent.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};

use super::request::{RequestError, Result, whole, word};

/// Elements of a page where nothing is said, and the least and most that may be asked for.
#[derive(Clone, Debug)]
pub struct PageLimits {
    pub default: usize,
    pub allowed: RangeInclusive<u64>,
}

/// Pages of vector stores, their files and batches.
pub const OBJECTS: PageLimits = PageLimits { default: 20, allowed: 1..=100 };
/// Pages of files.
pub const FILES: PageLimits = PageLimits { default: 10_000, allowed: 1..=10_000 };

/// A query string, decoded. What is not asked for is ignored; of a repeated name the last value counts.
#[derive(Clone, Debug, Default)]
pub struct QueryString(BTreeMap<String, String>);

impl QueryString {
    /// Reads the part of a URL after `?`.
    pub fn parse(query: Option<&str>) -> Result<Self> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let read = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        read.collect::<Result<_>>().map(Self)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value out of several words, such as a status.
    pub fn word(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>> {
        self.get(name).map(|value| word(value, name, words)).transpose()
    }
}

fn decode(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    match percent_decode(spaced.as_bytes()).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(RequestError::value("", "the query string is not UTF-8: percent-encode it as such")),
    }
}

/// Which page of a list: elements after and before the ones of these ids, in an order by creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    pub after: Option<String>,
    pub before: Option<String>,
    pub limit: usize,
    /// Newest first, as OpenAI has it where nothing is said.
    pub descending: bool,
}

impl PageQuery {
    /// Reads `after`, `before`, `limit` and `order`.
    pub fn read(query: &QueryString, limits: &PageLimits) -> Result<Self> {
        let limit = match query.get("limit") {
            None => limits.default,
            Some(text) => {
                let number = serde_json::from_str(text).unwrap_or(serde_json::Value::from(text));
                whole(&number, "limit", limits.allowed.clone())? as usize
            }
        };
        // An empty cursor is none: what an empty page gives as its last id.
        let cursor = |name| query.get(name).filter(|id| !id.is_empty()).map(str::to_owned);
        Ok(Self {
            after: cursor("after"),
            before: cursor("before"),
            limit,
            descending: query.word("order", &["asc", "desc"])? != Some("asc"),
        })
    }

    /// The ids that it begins after and ends before.
    pub fn cursors(&self) -> impl Iterator<Item = &str> {
        self.after.iter().chain(&self.before).map(String::as_str)
    }

    /// The page of a whole list, which comes oldest first, by rising numbers. A cursor that is not in it, and not among
    /// those that left it, of which the numbers are given, is an error.
    pub fn cut<T>(
        &self,
        mut all: Vec<T>,
        id: impl Fn(&T) -> &str,
        number: impl Fn(&T) -> i64,
        departed: &HashMap<String, i64>,
    ) -> Result<List<T>> {
        if self.descending {
            all.reverse();
        }
        // How many stand before a cursor, and before what comes after it.
        let place = |name: &str, cursor: &str| {
            if let Some(place) = all.iter().position(|element| id(element) == cursor) {
                return Ok((place, place + 1));
            }
            let message = format!("'{name}' names nothing in this list: send the id of one of its elements");
            let left = *departed.get(cursor).ok_or_else(|| RequestError::value(name, message))?;
            // Whoever has its number now came later.
            let place = all.partition_point(|element| (number(element) < left) != self.descending);
            Ok((place, place))
        };
        let cursor = |name, cursor: &Option<String>| cursor.as_deref().map(|id| place(name, id)).transpose();
        let start = cursor("after", &self.after)?.map_or(0, |(_, next)| next);
        let end = cursor("before", &self.before)?.map_or(all.len(), |(place, _)| place).max(start);
        let rest = end - start;
        let has_more = rest > self.limit;
        // Before an element alone: the page that ends there.
        let first =
            if self.after.is_none() && self.before.is_some() && has_more { end - self.limit } else { start };
        let data = all.into_iter().skip(first).take(rest.min(self.limit)).collect();
        Ok(List::page(data, has_more, id))
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct List<T> {
    pub object: String,
    pub data: Vec<T>,
    /// Empty where the page is: the specification allows no null.
    pub first_id: String,
    pub last_id: String,
    pub has_more: bool,
}

impl<T> List<T> {
    /// A page, with the id of each element.
    pub fn page(data: Vec<T>, has_more: bool, id: impl Fn(&T) -> &str) -> Self {
        let end = |element: Option<&T>| element.map(&id).unwrap_or_default().to_owned();
        let (first_id, last_id) = (end(data.first()), end(data.last()));
        Self { object: "list".to_owned(), data, first_id, last_id, has_more }
    }

    /// The whole of a list.
    pub fn whole(data: Vec<T>, id: impl Fn(&T) -> &str) -> Self {
        Self::page(data, false, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<PageQuery> {
        PageQuery::read(&QueryString::parse(Some(query))?, &OBJECTS)
    }

    #[test]
    fn pages_have_limits_and_an_order() {
        let page = read("").expect("a page");
        assert_eq!((page.limit, page.descending, page.after), (20, true, None));
        let page = read("limit=100&order=asc&after=vs_1&before=&colour=r%C3%AAd+x").expect("a page");
        let expected = PageQuery { after: Some("vs_1".into()), before: None, limit: 100, descending: false };
        assert_eq!(page, expected);
        assert_eq!(QueryString::parse(Some("a=1&a=2%2B+3&b")).expect("a query").get("a"), Some("2+ 3"));
        for (query, param) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=1.5", "limit"),
            ("limit=many", "limit"),
            ("limit=", "limit"),
            ("limit=99999999999999999999999999", "limit"),
            ("order=up", "order"),
            ("after=%ff", ""),
        ] {
            assert_eq!(read(query).expect_err(query).param, param, "{query}");
        }
        let files = PageQuery::read(&QueryString::default(), &FILES).expect("a page");
        assert_eq!(files.limit, 10_000);
    }

    #[test]
    fn pages_are_cut_from_a_list() {
        let all = || ('a'..='g').map(String::from).collect::<Vec<_>>();
        for (query, data, has_more) in [
            ("", "gfedcba", false),
            ("order=asc", "abcdefg", false),
            ("order=asc&limit=3", "abc", true),
            ("order=asc&limit=3&after=c", "def", true),
            ("order=asc&limit=3&after=d", "efg", false),
            ("order=asc&after=g", "", false),
            ("limit=2&after=e", "dc", true),
            ("order=asc&limit=2&before=e", "cd", true),
            ("order=asc&limit=2&before=c", "ab", false),
            ("order=asc&before=a", "", false),
            ("order=asc&after=b&before=f", "cde", false),
            ("order=asc&after=b&before=f&limit=2", "cd", true),
            ("order=asc&after=f&before=b", "", false),
        ] {
            let number = |id: &String| i64::from(id.as_bytes()[0]);
            let page = read(query).expect(query).cut(all(), |id| id, number, &HashMap::new()).expect(query);
            assert_eq!((page.data.concat().as_str(), page.has_more), (data, has_more), "{query}");
            assert_eq!(page.first_id, data.chars().next().map(String::from).unwrap_or_default());
            assert_eq!(page.last_id, data.chars().last().map(String::from).unwrap_or_default());
        }
        let cut = |query: &str, departed: &HashMap<String, i64>| {
            let some = ["a", "c", "d", "g"].map(String::from).to_vec();
            read(query).expect("a page").cut(some, |id| id, |id| i64::from(id.as_bytes()[0]), departed)
        };
        let left = HashMap::from([("e".to_owned(), 101), ("b".to_owned(), 98), ("z".to_owned(), 122)]);
        // One has the number of an element that came later.
        let reused = HashMap::from([("old".to_owned(), 100)]);
        for (query, departed, data) in [
            ("order=asc&after=e", &left, "g"),
            ("order=asc&after=b", &left, "cdg"),
            ("order=asc&after=z", &left, ""),
            ("after=e", &left, "dca"),
            ("after=b", &left, "a"),
            ("after=z&limit=2", &left, "gd"),
            ("order=asc&before=e", &left, "acd"),
            ("before=b", &left, "gdc"),
            ("order=asc&after=b&before=e", &left, "cd"),
            ("order=asc&after=old", &reused, "dg"),
            ("after=old", &reused, "ca"),
        ] {
            assert_eq!(cut(query, departed).expect(query).data.concat(), data, "{query}");
        }
        for (query, param) in [("after=x", "after"), ("before=x", "before"), ("after=a&before=e", "before")] {
            assert_eq!(cut(query, &reused).expect_err("unknown").param, param);
        }
    }
}
