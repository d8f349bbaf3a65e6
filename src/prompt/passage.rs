//! What a model is shown of documents.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A stretch of a document, ready to be shown to a model. In JSON as traces and previews show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Passage {
    pub document: String,
    pub document_id: String,
    pub collection: String,
    /// First page, from 1, and the last one where that is another.
    pub page: Option<u32>,
    pub last_page: Option<u32>,
    pub headings: Vec<String>,
    /// Fused score, BM25 and cosine; none for what was not searched for.
    pub score: Option<f32>,
    pub lexical: Option<f32>,
    pub dense: Option<f32>,
    pub text: String,
    /// Ids of the chunks that it is made of.
    #[serde(skip)]
    pub chunks: Vec<u64>,
    /// Of its document, the client's own: a JSON object, or empty where that is not known.
    #[serde(skip)]
    pub attributes: String,
}

/// The passages of one prompt: the first has number 1. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Passages(Arc<[Passage]>);

/// A passage as an answer cites it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Source<'a> {
    /// Its number in the prompt, from 1.
    pub n: usize,
    pub document: &'a str,
    pub file_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Where it runs on to another page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_page: Option<u32>,
}

impl Passages {
    /// All of them as they are cited.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        (1..).zip(&*self.0).map(|(n, passage)| passage.as_source(n))
    }

    /// The one of this number.
    pub fn source(&self, n: usize) -> Option<Source<'_>> {
        Some(self.0.get(n.checked_sub(1)?)?.as_source(n))
    }
}

impl Passage {
    fn as_source(&self, n: usize) -> Source<'_> {
        let Self { document, document_id, page, last_page, .. } = self;
        Source { n, document, file_id: document_id, page: *page, last_page: *last_page }
    }
}

impl From<Vec<Passage>> for Passages {
    fn from(passages: Vec<Passage>) -> Self {
        Self(passages.into())
    }
}

impl Deref for Passages {
    type Target = [Passage];

    fn deref(&self) -> &[Passage] {
        &self.0
    }
}

impl Serialize for Passages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Numbered<'a> {
            n: usize,
            #[serde(flatten)]
            passage: &'a Passage,
        }
        serializer.collect_seq((1..).zip(&*self.0).map(|(n, passage)| Numbered { n, passage }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_shown_with_their_numbers() {
        let passage = Passage {
            document: "a.pdf".into(),
            page: Some(3),
            score: Some(0.1),
            text: "One.".into(),
            chunks: vec![7],
            attributes: "{}".into(),
            ..Passage::default()
        };
        let json = serde_json::to_string(&Passages::from(vec![passage, Passage::default()])).expect("JSON");
        assert_eq!(
            json,
            r#"[{"n":1,"document":"a.pdf","document_id":"","collection":"","page":3,"last_page":null,"headings":[],"score":0.1,"lexical":null,"dense":null,"text":"One."},{"n":2,"document":"","document_id":"","collection":"","page":null,"last_page":null,"headings":[],"score":null,"lexical":null,"dense":null,"text":""}]"#
        );
    }
}
