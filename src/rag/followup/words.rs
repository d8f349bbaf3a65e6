//! Words of questions in Portuguese, English and Spanish, and what part they play.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::words::folded;

/// Says nothing of what is asked about.
const FUNCTION: u8 = 1;
/// As a question's first word it ties the question to what was said.
const OPENING: u8 = 2;
/// Stands for something that was said.
const POINTER: u8 = 4;
/// What is asked of a thing, not the thing itself.
const ASPECT: u8 = 8;
/// Asks, as a question's first word.
const ASKING: u8 = 16;
/// Asks for one of several: the noun behind it is what is asked for.
const CHOICE: u8 = 32;

/// Lower case without accents, but for the words whose accent tells them from another. A word may play several parts.
const LISTS: &[(u8, &str)] = &[
    (
        FUNCTION,
        "a an the of to in on at by for from with without as if is are was were be been do does did has have had can could may",
    ),
    (
        FUNCTION,
        "might must shall should will would i you we me my your our us there here not no yes please thanks thank into than just",
    ),
    (FUNCTION, "what tell mean meant sorry get need want again about too"),
    (
        FUNCTION,
        "o os um uma uns umas de do da dos das em na nos nas num numa por pelo pela pelos pelas para pra com sem sobre que se eu",
    ),
    (
        FUNCTION,
        "voce voces meu minha seu sua ao aos ha tem ser é sao foi está fui sim favor obrigado obrigada fale falar diga ja la",
    ),
    (FUNCTION, "quero quis dizer desculpa desculpe preciso"),
    (
        FUNCTION,
        "el las los un una unos unas del al en con sin y pero si yo tu usted mi su es son hay lo le les estoy cuentame dime",
    ),
    (FUNCTION, "gracias quiero quise decir perdon"),
    (FUNCTION | OPENING, "and or but so then yes ok okay sorry actually"),
    (FUNCTION | OPENING, "e ou mas entao nao sim desculpa desculpe"),
    (FUNCTION | OPENING, "y pero entonces sí perdon"),
    (
        POINTER,
        "it its this that these those they them their theirs he she him her his same other others another also too else instead",
    ),
    (
        POINTER,
        "ele ela eles elas dele dela deles delas nele nela isso isto disso nisso esse essa esses essas este esta estes estas aquele",
    ),
    (POINTER, "aquela mesmo mesma outro outra outros outras tambem"),
    (
        POINTER,
        "él ella ellos ellas eso esto ese esos esas aquel aquella mismo misma otro otra otros otras tambien",
    ),
    (
        ASPECT,
        "cost costs price prices fee fees much many long often time times hour hours day days schedule begin begins start starts",
    ),
    (
        ASPECT,
        "end ends open opens close closes last lasts take takes happen happens work works more less cheaper dearer expensive",
    ),
    (
        ASPECT,
        "custa custam custo preco valor taxa horario horarios hora horas dia dias comeca comecam termina terminam abre fecha dura",
    ),
    (ASPECT, "duram demora leva fica ficam mais menos caro cara barato barata funciona prazo inclui"),
    (ASPECT, "cuesta cuestan precio más empieza empiezan acaba cierra duran tarda queda estan incluye"),
    (ASPECT | ASKING, "when where who quando onde quem quanto quanta quantos quantas"),
    (ASPECT | ASKING, "cuando donde quien cuanto cuanta cuantos cuantas"),
    (ASPECT | ASKING | CHOICE, "which whom whose qual quais cual cuales"),
    (ASKING | CHOICE, "what que"),
    (ASKING, "why how is are was were do does did can could may might must shall should will would has have"),
    (ASKING, "como porque posso pode podem ha tem hay puedo puede es son"),
];

/// From 0; the last is -1.
const ORDINALS: &[(i8, &str)] = &[
    (0, "first 1st former primeiro primeira primero primera"),
    (1, "second 2nd segundo segunda"),
    (2, "third 3rd terceiro terceira tercero tercera"),
    (3, "fourth 4th quarto quarta cuarto cuarta"),
    (4, "fifth 5th quinto quinta"),
    (-1, "last latter ultimo ultima"),
];

static KINDS: LazyLock<HashMap<&'static str, u8>> = LazyLock::new(|| {
    let mut kinds = HashMap::new();
    for (kind, words) in LISTS {
        for word in words.split_whitespace() {
            *kinds.entry(word).or_default() |= kind;
        }
    }
    kinds
});

/// A word and where it stands.
#[derive(Clone, Debug)]
pub struct Word {
    pub at: Range<usize>,
    /// Lower case without accents.
    pub folded: String,
    kind: u8,
}

impl Word {
    fn is(&self, kind: u8) -> bool {
        self.kind & kind != 0
    }

    pub fn opens(&self) -> bool {
        self.is(OPENING)
    }

    pub fn points(&self) -> bool {
        self.is(POINTER)
    }

    pub fn is_aspect(&self) -> bool {
        self.is(ASPECT)
    }

    pub fn asks(&self) -> bool {
        self.is(ASKING)
    }

    pub fn chooses(&self) -> bool {
        self.is(CHOICE)
    }

    /// A thing that is asked about, or what tells it from others.
    pub fn is_subject(&self) -> bool {
        !self.is(FUNCTION | POINTER | ASPECT | ASKING) && self.ordinal().is_none() && !self.is_one()
    }

    /// Asks for something, wherever it stands: "when", but not "is", which asks at the beginning alone.
    pub fn is_interrogative(&self) -> bool {
        self.is(ASPECT | CHOICE) && self.asks()
            || matches!(self.folded.as_str(), "why" | "how" | "como" | "porque")
    }

    /// More than what ties a question together: a thing, or what is asked of it.
    pub fn says_something(&self) -> bool {
        !self.is(FUNCTION | POINTER | ASKING)
    }

    /// "The second one".
    pub fn is_one(&self) -> bool {
        matches!(self.folded.as_str(), "one" | "ones")
    }

    /// Which of several, from 0, or -1 for the last.
    pub fn ordinal(&self) -> Option<i8> {
        let found = ORDINALS.iter().find(|(_, words)| words.split_whitespace().any(|w| w == self.folded));
        found.map(|(place, _)| *place)
    }

    /// Letters and digits in one, as in a model's number: its shape, `a9` for `D40`.
    pub fn code_shape(&self) -> Option<String> {
        let mut shape = String::new();
        for c in self.folded.chars() {
            let class = if c.is_numeric() { '9' } else { 'a' };
            if class == 'a' || !shape.ends_with('9') {
                shape.push(class);
            }
        }
        (shape.contains('9') && shape.contains('a')).then_some(shape)
    }
}

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (start, c.is_alphanumeric() || is_combining_mark(c)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push(word(text, from..at));
                start = None;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str, at: Range<usize>) -> Word {
    let lower: String = text[at.clone()].nfc().flat_map(char::to_lowercase).collect();
    let folded: String = folded(&lower).collect();
    let kind = KINDS.get(lower.as_str()).or_else(|| KINDS.get(folded.as_str()));
    Word { at, folded, kind: kind.copied().unwrap_or_default() }
}
