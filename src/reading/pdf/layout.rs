//! Lines as they stand on pages.

/// A page and its lines in reading order.
pub(super) struct Page {
    /// Counted from 1.
    pub number: u32,
    /// In points.
    pub height: f32,
    pub lines: Vec<Line>,
}

/// One line of text; places are in points from the lower left corner of the page.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub text: String,
    /// Where its first character begins.
    pub x: f32,
    /// Where its last character ends.
    pub end: f32,
    /// Its base line.
    pub y: f32,
    /// Height of the font in points.
    pub size: f32,
    pub bold: bool,
    /// A word goes on in the next line; the hyphen is not in the text.
    pub hyphen: bool,
}

#[cfg(test)]
impl Line {
    /// A line of 10 point text at the left margin, six points a character.
    pub fn at(y: f32, text: &str) -> Self {
        let end = 50.0 + 6.0 * text.chars().count() as f32;
        Self { text: text.to_owned(), x: 50.0, end, y, size: 10.0, bold: false, hyphen: false }
    }
}
