//! What a file is: by its content first, by its name where the content does not say.

use std::path::Path;

use memchr::memmem;

use super::document::Format;
use super::error::{ExtractError, ExtractErrorKind};
use super::text;

/// Names of texts that may quote a PDF below words of their own.
const NAMES_OF_TEXTS: [&str; 12] =
    ["html", "htm", "xhtml", "md", "markdown", "mdown", "mkd", "qmd", "rmd", "rst", "txt", "text"];

/// How far into a file the header of a PDF may stand (ISO 32000-1, annex H.3, note 13).
const PDF_HEADER_WINDOW: usize = 1024;

/// Signatures of files that hold no text for us: first bytes, name, advice.
const KNOWN_BINARIES: &[(&[u8], &str, &str)] = &[
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document (.doc, .xls or .ppt)", EXPORT),
    (b"{\\rtf", "a Rich Text document", EXPORT),
    (b"%!PS", "a PostScript file", "Convert it to PDF (for example with ps2pdf) and upload that."),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", PICTURE),
    (b"\xff\xd8\xff", "a JPEG picture", PICTURE),
    (b"GIF8", "a GIF picture", PICTURE),
    (b"II*\0", "a TIFF picture", PICTURE),
    (b"MM\0*", "a TIFF picture", PICTURE),
    (b"\0\0\0\x0cjP", "a JPEG 2000 picture", PICTURE),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", UNPACK),
    (b"\x7fELF", "a program", DOCUMENT),
    (b"SQLite format 3\0", "a SQLite database", DOCUMENT),
    (b"OggS", "a sound or video file", DOCUMENT),
    (b"ID3", "a sound file", DOCUMENT),
    (b"wOFF", "a font", DOCUMENT),
    (b"wOF2", "a font", DOCUMENT),
];
const EXPORT: &str = "Export it to PDF and upload that.";
const PICTURE: &str = "Turn it into a PDF with OCR and upload that.";
const UNPACK: &str = "Unpack it and upload the documents inside.";
const DOCUMENT: &str = "Upload a PDF, HTML, Markdown or plain text file.";

/// Kinds of zip archive, known by a name that they hold.
const KNOWN_ARCHIVES: &[(&[u8], &str)] = &[
    (b"word/document", "a Word document (.docx)"),
    (b"xl/workbook", "an Excel workbook (.xlsx)"),
    (b"ppt/presentation", "a PowerPoint presentation (.pptx)"),
    (b"application/epub+zip", "an EPUB book"),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file (.odt, .ods or .odp)"),
];

/// Says which of our formats the content is, or what it is instead.
pub fn detect(bytes: &[u8], filename: &str) -> Result<Format, ExtractError> {
    let extension = extension(filename);
    if is_pdf(bytes, &extension) {
        return Ok(Format::Pdf);
    }
    if let Some((what, advice)) = known_binary(bytes) {
        return Err(unsupported(what, advice));
    }
    if text::looks_binary(bytes) {
        return Err(match extension.as_str() {
            "pdf" => headless_pdf(),
            _ => unsupported("a binary file of a kind that is not read", DOCUMENT),
        });
    }
    if extension == "pdf"
        && [&b"endobj"[..], b"startxref"].iter().any(|part| memmem::find(bytes, part).is_some())
    {
        return Err(headless_pdf());
    }
    Ok(of_text(bytes, &extension))
}

/// What a file is that seemed to be a PDF and could not be read as one: a text that quotes some of one, unless it is named
/// for one or holds what no text does.
pub(super) fn quoting_pdf(bytes: &[u8], filename: &str) -> Option<Format> {
    let extension = extension(filename);
    let is_text = extension != "pdf" && known_binary(bytes).is_none() && !text::looks_binary(bytes);
    is_text.then(|| of_text(bytes, &extension))
}

fn of_text(bytes: &[u8], extension: &str) -> Format {
    match extension {
        _ if starts_as_html(bytes) => Format::Html,
        "html" | "htm" | "xhtml" if bytes.contains(&b'<') => Format::Html,
        "md" | "markdown" | "mdown" | "mkd" | "qmd" | "rmd" => Format::Markdown,
        _ => Format::Text,
    }
}

fn headless_pdf() -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::DamagedFile,
        "The file is named .pdf but is not a PDF; it may have been damaged on its way. Export or download it again.",
    )
}

fn unsupported(what: &str, advice: &str) -> ExtractError {
    ExtractError::new(
        ExtractErrorKind::UnsupportedFile,
        format!("This is {what}, which is not read. {advice}"),
    )
}

fn extension(filename: &str) -> String {
    Path::new(filename).extension().map(|it| it.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Where the header of a PDF stands, which may have other bytes before it.
pub(super) fn pdf_header(bytes: &[u8]) -> Option<usize> {
    memmem::find(&bytes[..bytes.len().min(PDF_HEADER_WINDOW)], b"%PDF-")
}

/// A text may speak of `%PDF-`, even begin with it: a PDF also holds objects, or bytes that are no text, or (cut short
/// before its first object) nothing else. Below other words, in a file that is named as a text and reads as one, it is
/// quoted.
fn is_pdf(bytes: &[u8], extension: &str) -> bool {
    let Some(at) = pdf_header(bytes) else { return false };
    let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf\0".contains(byte);
    let is_first = extension == "pdf" || bytes[..at].iter().all(blank);
    if !is_first && NAMES_OF_TEXTS.contains(&extension) && !text::looks_binary(bytes) {
        return false;
    }
    has_pdf_structure(bytes) || (is_first && (text::looks_binary(bytes) || is_header_only(&bytes[at..])))
}

/// Whether a line begins with `12 0 obj` or `startxref`.
fn has_pdf_structure(bytes: &[u8]) -> bool {
    let mut from = 0;
    while let Some(found) = memmem::find(&bytes[from..], b"obj") {
        let at = from + found;
        from = at + 1;
        if ends_with_object_number(&bytes[at.saturating_sub(40)..at])
            && bytes.get(at + 3).is_none_or(|next| !next.is_ascii_alphanumeric())
        {
            return true;
        }
    }
    let starts_line = |at: usize| at == 0 || matches!(bytes[at - 1], b'\n' | b'\r');
    memmem::find(bytes, b"startxref").is_some_and(starts_line)
}

/// Whether these bytes end with the two numbers of an object, before which a line begins.
fn ends_with_object_number(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for _ in 0..2 {
        let number = rest.trim_ascii_end();
        let digits = number.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &number[..number.len() - digits];
    }
    let line = rest.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
    line.is_none_or(|at| matches!(rest[at], b'\n' | b'\r' | 0 | b'\x0c') || rest[..=at].ends_with(b"endobj"))
}

/// Whether there is nothing but the first line of a PDF, and the comment that may follow it.
fn is_header_only(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    let version = lines.next().unwrap_or_default();
    !version.contains(&b' ') && lines.all(|line| line.is_empty() || line.starts_with(b"%"))
}

fn known_binary(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        let ends = [&bytes[..bytes.len().min(1 << 16)], &bytes[bytes.len().saturating_sub(1 << 16)..]];
        let kind =
            KNOWN_ARCHIVES.iter().find(|(name, _)| ends.iter().any(|end| memmem::find(end, name).is_some()));
        return Some(kind.map_or(("a zip archive", UNPACK), |(_, what)| (*what, EXPORT)));
    }
    if bytes.starts_with(b"MZ") && bytes.contains(&0) {
        return Some(("a Windows program", DOCUMENT));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12).is_some_and(|kind| kind == b"WEBP") {
        return Some(("a WebP picture", PICTURE));
    }
    if bytes.get(4..8).is_some_and(|kind| kind == b"ftyp") {
        return Some(("a video or picture file", DOCUMENT));
    }
    let known = KNOWN_BINARIES.iter().find(|(magic, _, _)| bytes.starts_with(magic));
    known.map(|(_, what, advice)| (*what, *advice))
}

/// Whether the first markup of the file is that of an HTML page.
fn starts_as_html(bytes: &[u8]) -> bool {
    // ASCII survives once the zeros of UTF-16 are gone.
    let head: Vec<u8> =
        bytes.iter().take(4096).filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    let mut rest = head.as_slice();
    if let Some(after) =
        [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().find_map(|bom| rest.strip_prefix(*bom))
    {
        rest = after;
    }
    loop {
        rest = rest.trim_ascii_start();
        let skip_to = if rest.starts_with(b"<!--") {
            &b"-->"[..]
        } else if rest.starts_with(b"<?") {
            b"?>"
        } else {
            break;
        };
        match memmem::find(rest, skip_to) {
            Some(at) => rest = &rest[at + skip_to.len()..],
            None => return false,
        }
    }
    let tags: [&[u8]; 5] = [b"<!doctype html", b"<html", b"<head", b"<body", b"<title"];
    tags.iter().any(|tag| {
        rest.strip_prefix(*tag)
            .is_some_and(|after| after.first().is_none_or(|next| !next.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_wins_over_the_name() {
        let cases: [(&[u8], &str, Format); 25] = [
            (b"%PDF-1.7\n1 0 obj", "report.txt", Format::Pdf),
            (b"junk before\n%PDF-1.4\n1 0 obj<<>>endobj", "x", Format::Pdf),
            (b"The header of a PDF is %PDF-1.7.", "notes.txt", Format::Text),
            (b"<!DOCTYPE html><p>a", "a.docx", Format::Html),
            (b"\xef\xbb\xbf<!-- saved --><?xml version='1.0'?>\n<HTML>", "a.txt", Format::Html),
            (b"<\0h\0t\0m\0l\0>\0a\0", "a.bin", Format::Html),
            (b"<p>part of a page", "a.html", Format::Html),
            (b"no markup", "a.html", Format::Text),
            (b"# A\n", "a.MD", Format::Markdown),
            (b"<div>x</div>\n\n# A\n", "a.markdown", Format::Markdown),
            (b"{\"a\": 1}", "a.json", Format::Text),
            (b"just words", "a.pdf", Format::Text),
            (b"%PDF-1.7 is how a PDF begins.\n", "notes.txt", Format::Text),
            (b"%PDF-1.7 is how a PDF begins.\n", "notes.pdf", Format::Text),
            (b"%PDF-\n# The format\n\nWords.", "a.md", Format::Markdown),
            (
                b"%PDF-1.4\nAn object starts with `1 0 obj` and ends with endobj; see startxref.",
                "a",
                Format::Text,
            ),
            (b"%PDF-1.4\nThe object 12 0 objects to this.\n", "a.log", Format::Text),
            (b"%PDF-1.7\r\n%\xe2\xe3\xcf\xd3\r\n", "a", Format::Pdf),
            (b"%PDF-1.7", "a.pdf", Format::Pdf),
            (b"%PDF-1.4 3 0 obj <<>> endobj\n4 0 obj<<", "a", Format::Pdf),
            (b"%PDF-1.5\n<</Type/X>>\nstartxref\n0\n%%EOF", "a", Format::Pdf),
            (b"\n\n%PDF-1.5\n7 0 obj\n\x00\x01\x02", "a.txt", Format::Pdf),
            (b"# PDF\n\n```\n%PDF-1.4\n1 0 obj\n<<>>\nendobj\n```\n", "a.md", Format::Markdown),
            (b"<!doctype html><pre>%PDF-1.4\n1 0 obj\n<<>>\nendobj</pre>", "a.htm", Format::Html),
            (b"HTTP/1.1 200 OK\n\n%PDF-1.4\n1 0 obj\n\x01\x02\x03\x04\x05", "a.txt", Format::Pdf),
        ];
        for (bytes, name, format) in cases {
            assert_eq!(detect(bytes, name).expect("the test input is good"), format, "{name}");
        }
    }

    #[test]
    fn other_kinds_are_named() {
        let cases: [(&[u8], &str, &str, &str); 7] = [
            (b"1 0 obj\n<<>>\nendobj\n", "a.pdf", "damaged_file", "not a PDF"),
            (b"PK\x03\x04....word/document.xml", "a.pdf", "unsupported_file", "Word document"),
            (b"PK\x03\x04....hello.txt", "a.txt", "unsupported_file", "zip archive"),
            (b"\x89PNG\r\n\x1a\n....", "a.txt", "unsupported_file", "PNG"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.doc", "unsupported_file", "Office"),
            (b"\x01\x02\x03\x00\x00\x00\x07\x08\x00\x00\x01", "a.txt", "unsupported_file", "binary"),
            (b"\x01\x02\x03\x00\x00\x00\x07\x08\x00\x00\x01", "a.pdf", "damaged_file", "not a PDF"),
        ];
        for (bytes, name, code, words) in cases {
            let error = detect(bytes, name).expect_err("it cannot be read");
            assert_eq!(error.code(), code);
            assert!(error.message().contains(words), "{}", error.message());
        }
    }
}
