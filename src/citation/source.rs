//! The sources of an answer, as they are cited.

use serde::Serialize;

use super::marks::Marks;
use crate::prompt::Passage;

/// A passage that was given to the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Source {
    /// Its number in the prompt, from 1.
    pub n: usize,
    pub document: String,
    pub file_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Where it runs on to another page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_page: Option<u32>,
    /// The original, at its page.
    pub url: String,
}

/// Where an answer rests on a source: an element of `annotations` in a chat message.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Annotation<'a> {
    r#type: &'static str,
    url_citation: UrlCitation<'a>,
}

#[derive(Debug, PartialEq, Serialize)]
struct UrlCitation<'a> {
    /// Code points of the content before the mark, and with it.
    start_index: usize,
    end_index: usize,
    title: String,
    url: &'a str,
}

/// The sources of these passages, with addresses under `base`, which ends in no slash.
pub(super) fn sources(base: &str, passages: &[Passage]) -> Vec<Source> {
    let source = |(n, passage): (usize, &Passage)| {
        let fragment = passage.page.map_or(String::new(), |page| format!("#page={page}"));
        Source {
            n,
            document: passage.document.clone(),
            file_id: passage.document_id.clone(),
            page: passage.page,
            last_page: passage.last_page,
            url: format!("{base}/v1/files/{}/content{fragment}", passage.document_id),
        }
    };
    (1..).zip(passages).map(source).collect()
}

/// What is cited of an answer with these marks. One that has none rests on its sources as a whole: all of them, at its end.
pub(super) fn annotations<'a>(sources: &'a [Source], marks: &Marks) -> Vec<Annotation<'a>> {
    if marks.found().is_empty() {
        let end = marks.length();
        return sources.iter().map(|source| source.annotation(end, end)).collect();
    }
    let cited = marks.found().iter().flat_map(|mark| {
        let named = mark.numbers.iter().filter_map(|n| sources.get(n.checked_sub(1)?));
        named.map(|source| source.annotation(mark.start, mark.end))
    });
    cited.collect()
}

impl Source {
    fn annotation(&self, start_index: usize, end_index: usize) -> Annotation<'_> {
        let url_citation = UrlCitation { start_index, end_index, title: self.title(), url: &self.url };
        Annotation { r#type: "url_citation", url_citation }
    }

    fn title(&self) -> String {
        match (self.page, self.last_page) {
            (Some(page), Some(last)) => format!("{}, pages {page}-{last}", self.document),
            (Some(page), None) => format!("{}, page {page}", self.document),
            (None, _) => self.document.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_leads_to_its_page() {
        let passage = |page, last_page| Passage {
            document: "manual.pdf".into(),
            document_id: "file-1".into(),
            page,
            last_page,
            ..Passage::default()
        };
        let passages = [passage(Some(3), None), passage(Some(3), Some(5)), passage(None, None)];
        let sources = sources("http://h:1", &passages);
        let seen: Vec<_> = sources.iter().map(|s| (s.n, s.title(), s.url.as_str())).collect();
        let url = "http://h:1/v1/files/file-1/content";
        let paged = format!("{url}#page=3");
        assert_eq!(
            seen,
            [
                (1, "manual.pdf, page 3".to_owned(), paged.as_str()),
                (2, "manual.pdf, pages 3-5".to_owned(), paged.as_str()),
                (3, "manual.pdf".to_owned(), url),
            ]
        );
    }
}
