//! From the bytes of a file to its text, whatever the format.

use super::document::{Block, Extracted, Format};
use super::error::{ExtractError, ExtractErrorKind, too_large};
use super::options::ExtractOptions;
use super::{bounds, detect, html, markdown, mend, pdf, text};

/// Reads a file: what it is by its content, its text, and that text mended.
///
/// `filename` helps where the content alone does not say (Markdown is plain text to a program).
/// An `Ok` always holds text. Hostile files can take any amount of time or memory, so a server
/// calls this in a process of its own: see [`super::child`].
pub fn extract(bytes: &[u8], filename: &str, options: &ExtractOptions) -> Result<Extracted, ExtractError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ExtractError::new(
            ExtractErrorKind::EmptyFile,
            "The file is empty. Check that it was saved and uploaded completely.",
        ));
    }
    let format = detect::detect(bytes, filename)?;
    let mut document = read(format, bytes, options).or_else(|error| {
        let no_pdf = format == Format::Pdf && error.kind() == ExtractErrorKind::DamagedFile;
        match detect::quoting_pdf(bytes, filename).filter(|_| no_pdf) {
            Some(format) => read(format, bytes, options),
            None => Err(error),
        }
    })?;
    mend::mend_document(&mut document);
    document.blocks.retain(|block| !block.text.is_empty());
    document.title = document.title.filter(|title| !title.is_empty());
    check(&document, options)?;
    bounds::hold(&mut document)?;
    Ok(document)
}

fn read(format: Format, bytes: &[u8], options: &ExtractOptions) -> Result<Extracted, ExtractError> {
    match format {
        Format::Pdf => pdf::read(bytes, options),
        Format::Html => Ok(html::read(bytes)),
        Format::Markdown => Ok(markdown::read(&text::decode(bytes)?)),
        Format::Text => Ok(text::read(&text::decode(bytes)?)),
    }
}

fn check(document: &Extracted, options: &ExtractOptions) -> Result<(), ExtractError> {
    let readable = |block: &Block| block.text.chars().any(char::is_alphanumeric);
    if !document.blocks.iter().any(readable) {
        return Err(ExtractError::new(
            ExtractErrorKind::NoText,
            match document.format {
                Format::Pdf => {
                    "The PDF holds no text; it seems to be scanned or made of pictures. Run it through OCR \
                     (for example `ocrmypdf in.pdf out.pdf`) and upload the result."
                }
                Format::Html => {
                    "The page holds no text; it may be filled in by scripts. Save it from a browser, or print it to PDF."
                }
                Format::Markdown | Format::Text => "The file holds no words. Check that it is the right one.",
            },
        ));
    }
    let texts = document.blocks.iter().map(|block| &block.text).chain(&document.title);
    let characters: usize = texts.map(|text| text.chars().count()).sum();
    if characters > options.max_characters {
        return Err(too_large(options.max_characters));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8], filename: &str) -> &'static str {
        match extract(bytes, filename, &ExtractOptions::default()) {
            Ok(_) => "ok",
            Err(error) => error.code(),
        }
    }

    #[test]
    fn nothing_readable_is_never_a_success() {
        assert_eq!(code(b"", "a.txt"), "empty_file");
        assert_eq!(code(b" \r\n\t ", "a.md"), "empty_file");
        assert_eq!(code("\u{feff}".as_bytes(), "a.txt"), "no_text");
        assert_eq!(code(b"* * *\n", "a.md"), "no_text");
        assert_eq!(code(b"<html><script>let a = 1</script></html>", "a.html"), "no_text");
        assert_eq!(code(b"", "a.pdf"), "empty_file");
    }

    #[test]
    fn a_text_that_quotes_a_pdf_is_a_text() {
        let wrapped: &[u8] =
            b"%PDF-1.7 is the first line. The word\nstartxref stands before the last number.\n";
        let source: &[u8] = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\nis how it begins.\n";
        for (bytes, name) in [(wrapped, "notes.txt"), (source, "notes.log"), (source, "notes")] {
            let read = extract(bytes, name, &ExtractOptions::default());
            assert_eq!(read.map(|document| document.format), Ok(Format::Text), "{name}");
        }
        assert_eq!(code(source, "notes.pdf"), "damaged_file");
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        let options = ExtractOptions { max_characters: 10 };
        let error = extract(b"more than ten characters", "a.txt", &options).expect_err("it cannot be read");
        assert_eq!(error.code(), "too_large");
        let page = "<title>more than ten characters</title><p>few";
        let error = extract(page.as_bytes(), "a.html", &options).expect_err("it cannot be read");
        assert_eq!(error.code(), "too_large");
    }

    #[test]
    fn results_cross_a_process_boundary_unchanged() {
        let document = extract("# Olá\n\ntexto".as_bytes(), "a.md", &ExtractOptions::default())
            .expect("the test input is good");
        let copy: Extracted =
            serde_json::from_str(&serde_json::to_string(&document).expect("the test input is good"))
                .expect("the test input is good");
        assert_eq!(copy, document);
        let error = extract(b"", "a.md", &ExtractOptions::default()).expect_err("it cannot be read");
        let copy: ExtractError =
            serde_json::from_str(&serde_json::to_string(&error).expect("the test input is good"))
                .expect("the test input is good");
        assert_eq!(copy, error);
    }
}
