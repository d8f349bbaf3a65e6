//! The sources of an answer, as they are cited.

use serde::{Serialize, Serializer};

use super::marks::Marks;
use crate::prompt::{Passages, Source};

/// The passages that were given to the model, and where their originals are.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// The address of this server, without a slash at its end.
    base: String,
    passages: Passages,
}

/// Where an answer rests on a source: an element of `annotations` in a chat message.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Annotation {
    r#type: &'static str,
    url_citation: UrlCitation,
}

#[derive(Debug, PartialEq, Serialize)]
struct UrlCitation {
    /// Code points of the content before the mark, and with it.
    start_index: usize,
    end_index: usize,
    title: String,
    url: String,
}

impl Sources {
    pub fn new(base: &str, passages: &Passages) -> Self {
        Self { base: base.to_owned(), passages: passages.clone() }
    }

    pub fn len(&self) -> usize {
        self.passages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// What is cited of an answer with these marks. One that has none rests on its sources as a whole: all of them, at
    /// its end.
    pub fn annotations(&self, marks: &Marks) -> Vec<Annotation> {
        if marks.found().is_empty() {
            let end = marks.length();
            return self.passages.sources().map(|source| self.annotation(&source, end, end)).collect();
        }
        let cited = marks.found().iter().flat_map(|mark| {
            let named = mark.numbers.iter().filter_map(|n| self.passages.source(*n));
            named.map(|source| self.annotation(&source, mark.start, mark.end))
        });
        cited.collect()
    }

    fn annotation(&self, source: &Source<'_>, start_index: usize, end_index: usize) -> Annotation {
        let (title, url) = (title(source), self.url(source));
        Annotation {
            r#type: "url_citation",
            url_citation: UrlCitation { start_index, end_index, title, url },
        }
    }

    /// The original, at the source's page.
    fn url(&self, source: &Source<'_>) -> String {
        let fragment = source.page.map_or(String::new(), |page| format!("#page={page}"));
        format!("{}/v1/files/{}/content{fragment}", self.base, source.file_id)
    }
}

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WithUrl<'a> {
            #[serde(flatten)]
            source: Source<'a>,
            url: String,
        }
        let sources = self.passages.sources();
        serializer.collect_seq(sources.map(|source| WithUrl { url: self.url(&source), source }))
    }
}

fn title(source: &Source<'_>) -> String {
    match (source.page, source.last_page) {
        (Some(page), Some(last)) => format!("{}, pages {page}-{last}", source.document),
        (Some(page), None) => format!("{}, page {page}", source.document),
        (None, _) => source.document.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Passage;

    #[test]
    fn a_source_leads_to_its_page() {
        let passage = |page, last_page| Passage {
            document: "manual.pdf".into(),
            document_id: "file-1".into(),
            page,
            last_page,
            ..Passage::default()
        };
        let passages = vec![passage(Some(3), None), passage(Some(3), Some(5)), passage(None, None)];
        let sources = Sources::new("http://h:1", &passages.into());
        let titles: Vec<_> = sources.passages.sources().map(|source| title(&source)).collect();
        assert_eq!(titles, ["manual.pdf, page 3", "manual.pdf, pages 3-5", "manual.pdf"]);
        let [one, url] =
            [r#""document":"manual.pdf","file_id":"file-1""#, "http://h:1/v1/files/file-1/content"];
        let expected = [
            format!(r#"{{"n":1,{one},"page":3,"url":"{url}#page=3"}}"#),
            format!(r#"{{"n":2,{one},"page":3,"last_page":5,"url":"{url}#page=3"}}"#),
            format!(r#"{{"n":3,{one},"url":"{url}"}}"#),
        ];
        let json = serde_json::to_string(&sources).expect("JSON");
        assert_eq!(json, format!("[{}]", expected.join(",")));
    }
}
