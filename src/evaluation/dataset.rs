//! Questions, the documents that they are asked of, and what is known to be right.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::oddities::Oddities;

/// How relevant documents are to a question, by the document's id. What is above 0 is relevant.
pub type Grades = BTreeMap<String, f64>;

/// A set of questions.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// For people.
    pub name: String,
    /// In the order of the file.
    pub questions: Vec<Question>,
    pub oddities: Oddities,
}

/// A question, and what is known to be right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    pub id: String,
    pub text: String,
    pub grades: Grades,
    /// Any of these texts in a passage answers it.
    pub answers: Vec<String>,
    /// Names or ids of documents, and texts of them, that are yet to be looked up in the collection.
    pub expected: Expected,
}

/// What a person expects to be found, in their own words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    pub documents: Vec<String>,
    pub texts: Vec<String>,
}

/// Documents that a dataset brings along.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    /// For people, and for the collection's name.
    pub name: String,
    pub entries: Vec<Entry>,
    /// Every id that was read, empty ones included.
    pub ids: BTreeSet<String>,
    pub oddities: Oddities,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    /// Title and text.
    pub text: String,
}

impl Question {
    /// Whether a document is known to be relevant.
    pub fn is_judged(&self) -> bool {
        self.grades.values().any(|grade| *grade > 0.0)
    }
}

impl Dataset {
    /// Keeps so many questions: always the same ones, and those of a smaller number among those of a larger one.
    pub fn sample(&mut self, most: usize) {
        let hash = |question: &Question| <[u8; 32]>::from(Sha256::digest(question.id.as_bytes()));
        let mut order: Vec<_> = self.questions.iter().map(hash).collect();
        order.sort_unstable();
        if let Some(last) = most.checked_sub(1).and_then(|last| order.get(last)).copied() {
            self.questions.retain(|question| hash(question) <= last);
        }
    }

    /// Leaves out questions without a relevant document, unless no question has one.
    pub fn keep_judged(&mut self) {
        if !self.questions.iter().any(|question| question.is_judged() || !question.answers.is_empty()) {
            return;
        }
        let oddities = &mut self.oddities;
        self.questions.retain(|question| {
            let kept = question.is_judged() || !question.answers.is_empty();
            if !kept {
                oddities.add("questions without a relevant document, left out", &question.id);
            }
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        let question = |n: usize| Question { id: format!("q{n}"), ..Question::default() };
        Dataset { questions: (0..100).map(question).collect(), ..Dataset::default() }
    }

    fn sampled(most: usize) -> Vec<String> {
        let mut dataset = dataset();
        dataset.sample(most);
        dataset.questions.into_iter().map(|question| question.id).collect()
    }

    #[test]
    fn a_sample_is_always_the_same_and_grows_by_its_number() {
        let (ten, twenty) = (sampled(10), sampled(20));
        assert_eq!((ten.len(), twenty.len(), sampled(500).len()), (10, 20, 100));
        assert_eq!(ten, sampled(10));
        assert!(ten.iter().all(|id| twenty.contains(id)));
    }

    #[test]
    fn questions_without_a_judgement_stay_only_where_none_has_one() {
        let mut all = dataset();
        all.keep_judged();
        assert_eq!(all.questions.len(), 100);
        all.questions[3].grades.insert("d".into(), 1.0);
        all.questions[4].grades.insert("d".into(), 0.0);
        all.questions[5].answers.push("42".into());
        all.keep_judged();
        let ids: Vec<_> = all.questions.iter().map(|question| question.id.as_str()).collect();
        assert_eq!(ids, ["q3", "q5"]);
        assert_eq!(all.oddities.count("questions without a relevant document, left out"), 98);
    }
}
