//! Which language the words of a chunk are taken to be of.

/// How the languages of an index's chunks are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Languages {
    /// Each chunk's own, where it is known.
    #[default]
    Own,
    /// Each chunk's own, or else this one.
    OwnOr(String),
    /// This one, whatever the chunks say.
    Only(String),
}

/// Stands before the language in the text of [`Languages::Only`].
const ONLY: char = '=';

impl Languages {
    /// The language of a chunk that says this of itself.
    pub(super) fn of<'a>(&'a self, own: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Own => own,
            Self::OwnOr(other) => Some(own.unwrap_or(other)),
            Self::Only(only) => Some(only),
        }
    }

    /// As it stands in the file beside the index.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Own => "-".to_owned(),
            Self::OwnOr(language) => language.clone(),
            Self::Only(language) => format!("{ONLY}{language}"),
        }
    }

    /// What [`Self::text`] gave.
    pub(super) fn read(text: &str) -> Self {
        match text.strip_prefix(ONLY) {
            Some(language) => Self::Only(language.to_owned()),
            None if text == "-" => Self::Own,
            None => Self::OwnOr(text.to_owned()),
        }
    }
}
