//! The engine that is Chromium's: PDFium, bound at run time.

use std::mem::ManuallyDrop;
use std::sync::{Mutex, PoisonError};

use pdfium_render::prelude::{
    PdfBookmark, PdfDocument, PdfDocumentMetadataTagType, PdfFontWeight, PdfPageObject, PdfPageObjectCommon,
    PdfPageObjectType, PdfPageObjectsCommon, PdfPageText, PdfPageTextChar, PdfiumError, PdfiumInternalError,
};

use super::headings::Bookmark;
use super::layout::{Line, Page};
use super::{
    Engine, SCAN_CHARACTERS, SCAN_COVERAGE, damaged, encrypted, furniture, headings, library, paragraphs,
};
use crate::reading::error::{ExtractError, ExtractErrorKind, too_large};
use crate::reading::options::ExtractOptions;

/// PDFium stands for a hyphen that it takes for one at the end of a line with this.
const LINE_END_HYPHEN: u32 = 2;
/// Bookmarks that are read at most; a damaged file may hold them in a circle.
const MAX_BOOKMARKS: usize = 5000;

/// Reads a PDF; `None` if there is no PDFium on this machine.
pub(super) fn read(bytes: &[u8], options: &ExtractOptions) -> Option<Result<Engine, ExtractError>> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let library = library::library()?;
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    Some(match library.load_pdf_from_byte_slice(bytes, None) {
        Ok(document) => with(document, |document| read_document(document, options)),
        Err(PdfiumError::PdfiumLibraryInternalError(PdfiumInternalError::PasswordError)) => Err(encrypted()),
        Err(PdfiumError::PdfiumLibraryInternalError(PdfiumInternalError::SecurityError)) => {
            Err(ExtractError::new(
                ExtractErrorKind::EncryptedFile,
                "The PDF is protected in a way that cannot be read. Save an unprotected copy and upload that.",
            ))
        }
        Err(_) => Err(damaged()),
    })
}

/// Works with something of PDFium's and closes it. Without memory PDFium throws, while its lock is held;
/// closing on the way out would wait for that lock for ever, where the process is to end.
fn with<T, R>(thing: T, work: impl FnOnce(&T) -> R) -> R {
    let thing = ManuallyDrop::new(thing);
    let result = work(&thing);
    drop(ManuallyDrop::into_inner(thing));
    result
}

fn read_document(document: &PdfDocument<'_>, options: &ExtractOptions) -> Result<Engine, ExtractError> {
    let count = document.pages().len();
    let mut pages = Vec::new();
    let mut unreadable = 0;
    let mut characters = 0;
    for index in 0..count {
        let number = u32::try_from(index).unwrap_or(0) + 1;
        let Ok(page) = document.pages().get(index) else {
            unreadable += 1;
            continue;
        };
        let page = with(page, |page| {
            // A text page that cannot be made is one without text.
            let lines = page.text().map(|text| with(text, read_lines)).unwrap_or_default();
            Page { number, height: page.height().value, lines }
        });
        characters += page.lines.iter().map(|line| line.text.len()).sum::<usize>();
        if characters > options.max_characters.saturating_mul(4) {
            return Err(too_large(options.max_characters));
        }
        pages.push(page);
    }
    if pages.is_empty() || (unreadable > 0 && characters == 0) {
        return Err(damaged());
    }
    if characters < SCAN_CHARACTERS * pages.len() && shows_scans(document) {
        // A stamp or a watermark on a picture of text is not the text.
        pages.iter_mut().for_each(|page| page.lines.clear());
    }
    furniture::remove(&mut pages);
    let bookmarks = bookmarks(document);
    let blocks = headings::mark(paragraphs::build(&pages), &bookmarks);
    let title = document.metadata().get(PdfDocumentMetadataTagType::Title).map(|tag| tag.value().to_owned());
    Ok(Engine { title, blocks, pages: u32::try_from(count).unwrap_or(0) })
}

/// The lines of a page as PDFium orders them. Places and fonts are asked for at the ends of a line
/// only: each question is a call into the library.
fn read_lines(text: &PdfPageText<'_>) -> Vec<Line> {
    let characters = text.chars();
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut ends: Option<(usize, usize)> = None;
    let mut high_surrogate = None;
    for index in 0..characters.len() {
        let Ok(character) = characters.get(index) else { continue };
        let value = character.unicode_value();
        match value {
            0x0d => continue,
            0x0a | LINE_END_HYPHEN => {
                let hyphen = value == LINE_END_HYPHEN;
                push_line(&mut lines, std::mem::take(&mut line), ends.take(), hyphen, |at| {
                    characters.get(at).ok()
                });
            }
            0xd800..=0xdbff => high_surrogate = Some(value),
            0xdc00..=0xdfff => {
                let pair =
                    high_surrogate.take().map(|high| 0x10000 + ((high - 0xd800) << 10) + (value - 0xdc00));
                line.push(pair.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // No Unicode is known for the glyph.
            0 | 0xfffe | 0xffff => line.push(char::REPLACEMENT_CHARACTER),
            _ => line.push(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
        if value > 0x20 && value != 0xa0 {
            ends = Some((ends.map_or(index, |(first, _)| first), index));
        }
    }
    push_line(&mut lines, line, ends, false, |at| characters.get(at).ok());
    lines
}

fn push_line<'a>(
    lines: &mut Vec<Line>,
    text: String,
    ends: Option<(usize, usize)>,
    hyphen: bool,
    character: impl Fn(usize) -> Option<PdfPageTextChar<'a>>,
) {
    let Some((first, last)) = ends.and_then(|(first, last)| Some((character(first)?, character(last)?)))
    else {
        return;
    };
    let (x, y) = first.origin().map(|(x, y)| (x.value, y.value)).unwrap_or_default();
    let end = last.loose_bounds().map(|bounds| bounds.right().value).unwrap_or(x);
    let size = first.scaled_font_size().value.abs();
    lines.push(Line {
        text: text.trim().to_owned(),
        x,
        end,
        y,
        size: if size.is_finite() && size > 0.5 { size } else { 10.0 },
        bold: is_bold(&first) && is_bold(&last),
        hyphen,
    });
}

fn is_bold(character: &PdfPageTextChar<'_>) -> bool {
    let heavy = matches!(
        character.font_weight(),
        Some(PdfFontWeight::Weight700Bold | PdfFontWeight::Weight800 | PdfFontWeight::Weight900)
    );
    // TeX's bold fonts say so in their names alone: CMBX10, SFBX1200, LMRoman10-Bold.
    let name = character.font_name().to_ascii_lowercase();
    heavy
        || ["bold", "black", "heavy", "cmbx", "cmssbx", "sfbx", "sfsx", "ecbx"]
            .iter()
            .any(|part| name.contains(part))
}

/// Whether every page that shows anything shows a picture that fills most of it.
fn shows_scans(document: &PdfDocument<'_>) -> bool {
    let (mut shown, mut filled) = (0, 0);
    for index in 0..document.pages().len().min(10) {
        let Ok(page) = document.pages().get(index) else { continue };
        let area = page.width().value * page.height().value;
        let fills = |object: PdfPageObject<'_>| {
            let bounds = object.bounds().ok();
            let covered = bounds.map_or(0.0, |bounds| bounds.width().value * bounds.height().value);
            object.object_type() == PdfPageObjectType::Image && covered > area * SCAN_COVERAGE
        };
        shown += usize::from(!page.objects().is_empty());
        filled += usize::from(page.objects().iter().take(200).any(fills));
    }
    filled > 0 && filled == shown
}

fn bookmarks(document: &PdfDocument<'_>) -> Vec<Bookmark> {
    let mut found = Vec::new();
    let mut pending: Vec<(PdfBookmark<'_>, u8)> =
        document.bookmarks().root().map(|root| (root, 1)).into_iter().collect();
    let mut visited = 0;
    while let Some((bookmark, level)) = pending.pop() {
        visited += 1;
        if visited > MAX_BOOKMARKS {
            break;
        }
        let page = bookmark.destination().and_then(|place| place.page_index().ok());
        if let (Some(title), Some(page)) = (bookmark.title(), page.and_then(|page| u32::try_from(page).ok()))
        {
            found.push(Bookmark { title, level, page: page + 1 });
        }
        pending.extend(bookmark.next_sibling().map(|next| (next, level)));
        if level < 6 {
            pending.extend(bookmark.first_child().map(|child| (child, level + 1)));
        }
    }
    found
}
