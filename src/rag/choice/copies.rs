//! Texts that say what others before them said.
//!
//! Three contracts made after one pattern differ in a few words, and those are what is asked for: names, numbers, dates.
//! So a text is a copy only where nearly all of it is there already and nothing that differs is a number, a name or a
//! word of the question. Where something of that differs it is of one family with the other, and is kept.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::reading::{Shingle, Shingles};

/// A text of which this part is in the passages already is a copy of them,
const COPY: f32 = 0.85;
/// and one of which this part is in another is of its family.
const FAMILY: f32 = 0.6;

/// Hashes, which need no hashing.
type Hashes = HashSet<u64, BuildHasherDefault<AsItIs>>;

#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What a text is to those that were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    New,
    /// Of a family, by its number.
    Family(usize),
    /// It says nothing but what they say, and is most like this hit.
    Copy(usize),
}

/// The texts that were chosen.
#[derive(Default)]
pub(super) struct Copies {
    /// Shingles of all of them.
    said: Hashes,
    texts: Vec<Text>,
    families: usize,
}

struct Text {
    hit: usize,
    family: usize,
    shingles: Hashes,
}

impl Text {
    /// The part of another text that this one has.
    fn part_of(&self, other: &Shingles) -> f32 {
        part(&other.0, |shingle| self.shingles.contains(&shingle.hash))
    }
}

impl Copies {
    /// Compares a text with those that were chosen. Half of it may be in one of them and half in another: copies of a
    /// document are not always cut at the same places.
    pub fn likeness(&self, text: &Shingles) -> Likeness {
        let parts = self.texts.iter().map(|chosen| (chosen, chosen.part_of(text)));
        let Some((most_like, part_in_it)) = parts.max_by(|a, b| a.1.total_cmp(&b.1)) else {
            return Likeness::New;
        };
        let is_said = |shingle: &Shingle| self.said.contains(&shingle.hash);
        let differs = text.0.iter().filter(|shingle| !is_said(shingle));
        let is_copy = part(&text.0, is_said) >= COPY && differs.clone().all(|shingle| !shingle.tells);
        match () {
            () if is_copy => Likeness::Copy(most_like.hit),
            () if part_in_it >= FAMILY => Likeness::Family(most_like.family),
            () => Likeness::New,
        }
    }

    /// How many texts of a family were chosen.
    pub fn of_family(&self, likeness: Likeness) -> usize {
        match likeness {
            Likeness::Family(family) => self.texts.iter().filter(|text| text.family == family).count(),
            Likeness::New | Likeness::Copy(_) => 0,
        }
    }

    /// Adds a text that was chosen.
    pub fn add(&mut self, hit: usize, text: Shingles, likeness: Likeness) {
        let family = match likeness {
            Likeness::Family(family) => family,
            Likeness::New | Likeness::Copy(_) => {
                self.families += 1;
                self.families
            }
        };
        let shingles: Hashes = text.0.iter().map(|shingle| shingle.hash).collect();
        self.said.extend(&shingles);
        self.texts.push(Text { hit, family, shingles });
    }

    /// Puts a copy in a text's place, if it says all that the text says. Tells whether it does.
    pub fn replace(&mut self, old: usize, new: usize, text: Shingles) -> bool {
        let hashes: Hashes = text.0.iter().map(|shingle| shingle.hash).collect();
        let Some(at) =
            self.texts.iter().position(|chosen| chosen.hit == old && chosen.shingles.is_subset(&hashes))
        else {
            return false;
        };
        let family = Likeness::Family(self.texts.remove(at).family);
        self.add(new, text, family);
        true
    }
}

/// The part of shingles for which something holds; 0 of none.
fn part(shingles: &[Shingle], holds: impl Fn(&Shingle) -> bool) -> f32 {
    let held = shingles.iter().filter(|shingle| holds(shingle)).count();
    held as f32 / shingles.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::super::reading::Asked;
    use super::*;
    use crate::words::beginning;

    const CONTRACT: &str = "O presente contrato entre as partes tem por objeto a prestação de serviços de limpeza, e a \
        contratada Ana Souza recebe por mês o valor de 900 reais, pagos até o quinto dia útil do mês seguinte, \
        ficando sujeita às normas internas da contratante e à legislação em vigor durante todo o prazo.";

    fn likeness(chosen: &[&str], text: &str, question: &str) -> Likeness {
        let asked = Asked::of(question);
        let mut copies = Copies::default();
        for (hit, text) in chosen.iter().enumerate() {
            let reading = asked.shingles(text);
            let likeness = copies.likeness(&reading);
            copies.add(hit, reading, likeness);
        }
        copies.likeness(&asked.shingles(text))
    }

    #[test]
    fn a_text_with_other_spaces_marks_or_a_few_other_words_is_a_copy() {
        let spaced = CONTRACT.replace(", ", " ,\n ");
        assert_eq!(likeness(&[CONTRACT], &spaced, ""), Likeness::Copy(0));
        let reworded = CONTRACT.replace("ficando sujeita", "ficando submetida");
        assert_eq!(likeness(&["Outra coisa.", CONTRACT], &reworded, ""), Likeness::Copy(1));
        assert_eq!(likeness(&[], CONTRACT, ""), Likeness::New);
        assert_eq!(likeness(&[CONTRACT], "Um texto sobre outra coisa, que nada repete.", ""), Likeness::New);
    }

    #[test]
    fn other_names_and_numbers_are_what_contracts_differ_in() {
        for (from, to) in [("900", "950"), ("Ana Souza", "Bia Lima"), ("quinto", "5")] {
            assert_eq!(likeness(&[CONTRACT], &CONTRACT.replace(from, to), ""), Likeness::Family(1), "{to}");
        }
        // A word of the question is what it asks for.
        let other = CONTRACT.replace("limpeza", "vigilância");
        assert_eq!(likeness(&[CONTRACT], &other, "quem recebe?"), Likeness::Copy(0));
        assert_eq!(likeness(&[CONTRACT], &other, "o contrato de vigilância?"), Likeness::Family(1));
    }

    #[test]
    fn a_copy_that_is_cut_at_another_place_is_found_in_two() {
        let words: Vec<&str> = CONTRACT.split(' ').collect();
        let (first, second) = (words[..30].join(" "), words[25..].join(" "));
        assert_eq!(likeness(&[&first, &second], &words[10..40].join(" "), ""), Likeness::Copy(0));
        assert_eq!(likeness(&[&first], CONTRACT, ""), Likeness::New);
    }

    #[test]
    fn a_copy_takes_a_place_if_it_says_all_that_was_said_there() {
        let reading = |text| Asked::default().shingles(text);
        let mut copies = Copies::default();
        copies.add(0, reading(CONTRACT), Likeness::New);
        assert!(!copies.replace(0, 1, reading(beginning(CONTRACT, 200))));
        let louder = CONTRACT.to_uppercase();
        assert!(copies.replace(0, 2, reading(&louder)));
        assert_eq!(copies.likeness(&reading(CONTRACT)), Likeness::Copy(2));
    }

    #[test]
    fn texts_of_one_pattern_are_counted() {
        let asked = Asked::default();
        let mut copies = Copies::default();
        for n in 0..3 {
            let reading = asked.shingles(&CONTRACT.replace("900", &format!("{n}")));
            let likeness = copies.likeness(&reading);
            copies.add(n, reading, likeness);
        }
        assert_eq!(copies.of_family(Likeness::Family(1)), 3);
        assert_eq!(copies.of_family(Likeness::New), 0);
    }
}
