//! What is odd in a dataset and does not stop its evaluation: counted, and the first ones named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many of a kind are named.
const NAMED: usize = 5;

/// What was left out or mended, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Oddities(BTreeMap<String, Oddity>);

/// One kind of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oddity {
    pub count: usize,
    /// The first ones.
    pub first: Vec<String>,
}

impl Oddities {
    /// Counts one.
    pub fn add(&mut self, kind: &str, name: impl Into<String>) {
        let oddity = self.0.entry(kind.to_owned()).or_default();
        oddity.count += 1;
        if oddity.first.len() < NAMED {
            oddity.first.push(name.into());
        }
    }

    /// Takes up those of another part of the dataset.
    pub fn extend(&mut self, others: Self) {
        for (kind, other) in others.0 {
            let oddity = self.0.entry(kind).or_default();
            oddity.count += other.count;
            oddity.first.extend(other.first);
            oddity.first.truncate(NAMED);
        }
    }

    /// One line for each kind.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(kind, Oddity { count, first })| {
            let more = if *count > first.len() { ", ..." } else { "" };
            format!("{kind}: {count} ({}{more})", first.join(", "))
        })
    }

    /// How many of a kind there are.
    #[cfg(test)]
    pub fn count(&self, kind: &str) -> usize {
        self.0.get(kind).map_or(0, |oddity| oddity.count)
    }
}
