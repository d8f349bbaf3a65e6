//! Names in headers that stay small whatever is named: each document once, and how many were left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::json::ascii;
use crate::prompt::{Passages, Source};

/// Names that fit into a number of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fitting {
    pub text: String,
    /// How many were left out.
    pub left_out: usize,
}

/// A document of the list, with the places of its passages as JSON.
struct Entry {
    /// Up to its first passage.
    head: String,
    passages: Vec<String>,
    /// How many of them are told.
    told: usize,
    is_full: bool,
}

/// `[]`, which is always told.
const FRAME: usize = 2;
/// What a document takes beside its head and its passages, with a comma before it.
const AROUND: usize = ",]}".len();

impl Entry {
    fn new(document: &str) -> Option<Self> {
        let name = serde_json::to_string(document).ok()?;
        let head = format!("{{\"document\":{},\"passages\":[", ascii(&name));
        Some(Self { head, passages: Vec::new(), told: 0, is_full: false })
    }

    /// Bytes of the shortest form: its name, its first passage, and how many more there are.
    fn shortest(&self) -> usize {
        let first = self.passages.first().map_or(0, String::len);
        let more = if self.passages.len() > 1 { self.more(self.passages.len()).len() } else { 0 };
        self.head.len() + first + more + AROUND
    }

    fn more(&self, passages: usize) -> String {
        format!(",\"more\":{passages}")
    }

    fn write(&self, list: &mut String) {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&self.head);
        list.push_str(&self.passages[..self.told].join(","));
        list.push(']');
        if self.told < self.passages.len() {
            list.push_str(&self.more(self.passages.len() - self.told));
        }
        list.push('}');
    }
}

/// The documents behind these passages as JSON in ASCII of at most `most` bytes, in the order of their first passages:
/// `{"document":name,"passages":[[number,page,last page],...]}`, pages as far as there are. As many documents as fit are
/// named with a passage each; then as many passages as fit are told, and `more` counts the others of a document.
pub(super) fn named(passages: &Passages, most: usize) -> Fitting {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut entries: Vec<Entry> = Vec::new();
    // Which document each passage belongs to, in their order.
    let mut owners = Vec::with_capacity(passages.len());
    for source in passages.sources() {
        let key = (source.file_id, source.document);
        let at = match places.get(&key) {
            Some(at) => *at,
            None => {
                let Some(entry) = Entry::new(source.document) else { continue };
                places.insert(key, entries.len());
                entries.push(entry);
                entries.len() - 1
            }
        };
        entries[at].passages.push(place(&source));
        owners.push(at);
    }
    let mut left = most.saturating_sub(FRAME);
    for entry in &mut entries {
        if entry.shortest() <= left {
            left -= entry.shortest();
            entry.told = 1;
        }
    }
    let mut seen = BTreeSet::new();
    // The first of each was told already.
    for at in owners.into_iter().filter(|at| !seen.insert(*at)) {
        let entry = &mut entries[at];
        if entry.told == 0 || entry.is_full {
            continue;
        }
        let bytes = 1 + entry.passages[entry.told].len();
        if bytes <= left {
            left -= bytes;
            entry.told += 1;
        } else {
            entry.is_full = true;
        }
    }
    let mut text = String::from("[");
    entries.iter().filter(|entry| entry.told > 0).for_each(|entry| entry.write(&mut text));
    text.push(']');
    Fitting { text, left_out: entries.iter().filter(|entry| entry.told == 0).count() }
}

/// `[number,page,last page]`, pages as far as there are.
fn place(source: &Source<'_>) -> String {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Place {
        Number([usize; 1]),
        Page(usize, u32),
        Pages(usize, u32, u32),
    }
    let n = source.n;
    let place = match (source.page, source.last_page) {
        (Some(page), Some(last)) => Place::Pages(n, page, last),
        (Some(page), None) => Place::Page(n, page),
        (None, _) => Place::Number([n]),
    };
    serde_json::to_string(&place).unwrap_or_else(|_| format!("[{n}]"))
}

/// Names between commas, in at most `most` bytes.
pub(super) fn listed(names: &[String], most: usize) -> Fitting {
    let mut text = String::new();
    for (n, name) in names.iter().enumerate() {
        let comma = usize::from(n > 0);
        if text.len() + comma + name.len() > most {
            return Fitting { text, left_out: names.len() - n };
        }
        if n > 0 {
            text.push(',');
        }
        text.push_str(name);
    }
    Fitting { text, left_out: 0 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::prompt::Passage;

    fn passage(document: &str, pages: (Option<u32>, Option<u32>)) -> Passage {
        Passage {
            document: document.into(),
            document_id: format!("file-{document}"),
            page: pages.0,
            last_page: pages.1,
            ..Passage::default()
        }
    }

    fn read(text: &str) -> Value {
        assert!(text.is_ascii(), "{text}");
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn a_document_is_named_once_with_all_its_passages() {
        let passages = vec![
            passage("a.pdf", (Some(15), None)),
            passage("b.txt", (None, None)),
            passage("a.pdf", (Some(16), Some(17))),
            passage("b.txt", (None, None)),
        ];
        let found = named(&passages.into(), 1_000);
        assert_eq!(found.left_out, 0);
        let expected = json!([
            { "document": "a.pdf", "passages": [[1, 15], [3, 16, 17]] },
            { "document": "b.txt", "passages": [[2], [4]] }
        ]);
        assert_eq!(read(&found.text), expected);
        assert_eq!(named(&Passages::default(), 2), Fitting { text: "[]".into(), left_out: 0 });
    }

    #[test]
    fn names_are_told_whatever_they_hold() {
        let name = "relatório 📄 \"1\"\u{7f}\\.pdf";
        let found = named(&vec![passage(name, (None, None))].into(), 200);
        assert_eq!(read(&found.text)[0]["document"], name);
    }

    /// Whatever the room, it is JSON, within it, and every document and passage is told or counted.
    #[test]
    fn what_does_not_fit_is_counted() {
        let long = "ação ".repeat(50);
        let names = ["a.pdf", &long, "c.pdf", "d — versão.pdf"];
        let passages: Vec<_> =
            (0..60).map(|n| passage(names[n * n % 4 + n % 2 * 2 % 4], (Some(n as u32), None))).collect();
        let documents = passages.iter().map(|p| &p.document).collect::<BTreeSet<_>>().len();
        let passages = Passages::from(passages);
        for most in (2..1_400).step_by(7) {
            let found = named(&passages, most);
            assert!(found.text.len() <= most, "{most}: {}", found.text);
            let list = read(&found.text);
            let list = list.as_array().expect("a list");
            assert_eq!(list.len() + found.left_out, documents, "{most}");
            for entry in list {
                let told = entry["passages"].as_array().expect("passages").len() as u64;
                let of_it = passages.iter().filter(|p| entry["document"] == p.document.as_str()).count();
                assert_eq!(told + entry["more"].as_u64().unwrap_or(0), of_it as u64, "{most}: {entry}");
                assert!(told > 0);
            }
        }
        // A short name after a long one that does not fit is told.
        let found = named(&vec![passage(&long, (None, None)), passage("c.pdf", (None, None))].into(), 100);
        assert_eq!((read(&found.text)[0]["document"].clone(), found.left_out), (json!("c.pdf"), 1));
    }

    #[test]
    fn collections_are_listed_as_far_as_they_fit() {
        let names: Vec<String> = ["one", "two", "three"].map(str::to_owned).to_vec();
        assert_eq!(listed(&names, 13), Fitting { text: "one,two,three".into(), left_out: 0 });
        assert_eq!(listed(&names, 12), Fitting { text: "one,two".into(), left_out: 1 });
        assert_eq!(listed(&names, 2), Fitting { text: String::new(), left_out: 3 });
    }
}
