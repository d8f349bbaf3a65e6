//! PDFium: where it is, and whether the limited child reads a PDF with it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::report::Report;
use crate::config::Config;
use crate::reading::{PdfiumLibrary, find_pdfium};

/// What the test page says.
const WORDS: &str = "Ballast keeps a ship upright";

pub async fn check(config: &Config, report: &mut Report) {
    let parser = &config.ingest.parser;
    match find_pdfium(parser.pdfium.as_deref()) {
        Ok(Some(PdfiumLibrary::At(path))) => {
            report.ok("pdfium", format!("{}{}", path.display(), version_beside(&path)));
        }
        Ok(Some(PdfiumLibrary::System)) => report.ok("pdfium", "the system's library"),
        Ok(None) => {
            let advice = "PDFs are read by the Rust engine, slower and less exactly: put PDFium's library beside the program, or name it with --pdfium";
            report.warn("pdfium", "not found", advice);
        }
        Err(error) => {
            let advice = "PDFs are read by the Rust engine: correct --pdfium (LASTRO_PDFIUM); the library must be for this system and processor";
            report.fail("pdfium", error.to_string(), advice);
        }
    }
    let probe = match Probe::write(&config.data) {
        Ok(probe) => probe,
        Err(error) => {
            let advice = "there is no place for a temporary file: make /tmp or the data folder writable, or set TMPDIR";
            return report.warn("reading", format!("no PDF was tried: {error}"), advice);
        }
    };
    let started = Instant::now();
    match parser.read(&probe.0, "probe.pdf").await {
        Ok(read) if read.blocks.iter().any(|block| block.text.contains(WORDS)) => {
            let limit = parser.limits.memory_bytes >> 20;
            let took = started.elapsed().as_millis();
            report.ok("reading", format!("a PDF was read in {took} ms, in a process of {limit} MiB at most"));
        }
        Ok(_) => report.fail(
            "reading",
            "a PDF was read, but its words are not there",
            "try another PDFium with --pdfium",
        ),
        Err(error) => {
            let advice = "files cannot be read here: raise --parse-memory-mib and --parse-timeout, and look whether lastro may start a process";
            report.fail("reading", error.to_string(), advice);
        }
    }
}

/// Builds of PDFium come with a file that says which they are.
fn version_beside(library: &Path) -> String {
    let lines = library.parent().and_then(|folder| fs::read_to_string(folder.join("VERSION")).ok());
    let build = lines.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("BUILD=")));
    build.map(|build| format!(", build {build}")).unwrap_or_default()
}

/// A PDF that goes away with its owner.
struct Probe(PathBuf);

impl Probe {
    /// Wherever a file can be written.
    fn write(data: &Path) -> io::Result<Self> {
        let name = format!("lastro-doctor-{}.pdf", std::process::id());
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for folder in [&std::env::temp_dir(), data] {
            let path = folder.join(&name);
            match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(mut file) => {
                    let probe = Self(path);
                    file.write_all(&one_page(WORDS))?;
                    return Ok(probe);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // A file of 600 bytes that stays does no harm.
        let _ = fs::remove_file(&self.0);
    }
}

/// A PDF of one page and one line (ISO 32000-1, 7.5: header, body, cross-reference table, trailer).
fn one_page(words: &str) -> Vec<u8> {
    let stream = format!("BT /F1 12 Tf 72 720 Td ({words}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut places = String::new();
    for (number, object) in (1..).zip(&objects) {
        places.push_str(&format!("{:010} 00000 n \n", pdf.len()));
        pdf.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let (start, size) = (pdf.len(), objects.len() + 1);
    pdf.push_str(&format!("xref\n0 {size}\n0000000000 65535 f \n{places}"));
    pdf.push_str(&format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"));
    pdf.into_bytes()
}
