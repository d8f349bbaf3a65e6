//! Real files through the real child process: what a person gets for each of them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lastro::reading::child::ChildError;
use lastro::reading::{ExtractLimits, Parser};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/documents").join(name)
}

/// The text of a file, or the code and message of its failure.
async fn read_within(path: &Path, name: &str, limits: &ExtractLimits) -> Result<String, (String, String)> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_lastro"));
    let parser = Parser { program, limits: limits.clone(), pdfium: None };
    match parser.read(path, name).await {
        Ok(document) => {
            let block = |block: &_| format!("{block:?}\n");
            Ok(document.blocks.iter().map(block).collect())
        }
        Err(ChildError::Document(error)) => Err((error.code().to_owned(), error.message().to_owned())),
        Err(error) => panic!("the machine is at fault: {error}"),
    }
}

async fn read(path: &Path, name: &str) -> Result<String, (String, String)> {
    read_within(path, name, &ExtractLimits::default()).await
}

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("the temporary file is written");
    file
}

#[tokio::test]
async fn a_pdf_gives_its_text_with_pages_and_headings() {
    let text = read(&fixture("expedicao.pdf"), "expedicao.pdf").await.expect("the PDF is read");
    for part in [
        "a posição do recife até que todos estivessem",
        "A âncora de reserva, fundida em Itajaí,",
        "a inclinação máxima era de dezassete graus.",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let place = |part: &str| {
        let line = text.lines().find(|line| line.contains(part)).expect("the line is there");
        (line.contains("Heading"), line.contains("page: Some(2)"))
    };
    assert_eq!(place("1.1 Preparação"), (true, false));
    assert_eq!(place("1.2 Conclusão"), (true, true));
    assert_eq!(place("dezassete"), (false, true));
}

#[tokio::test]
async fn files_that_cannot_be_read_say_why() {
    let picture = written(b"\x89PNG\r\n\x1a\n0000");
    let word = written(b"PK\x03\x04 word/document.xml");
    let empty = written(b"");
    let html = written(b"<!DOCTYPE html><html><body><script>render()</script></body></html>");
    let cases = [
        (fixture("com-senha.pdf"), "com-senha.pdf", "encrypted_file", "password"),
        (fixture("cortado.pdf"), "cortado.pdf", "damaged_file", "damaged"),
        (picture.path().to_owned(), "foto.pdf", "unsupported_file", "PNG"),
        (word.path().to_owned(), "notas.txt", "unsupported_file", "Word"),
        (empty.path().to_owned(), "vazio.md", "empty_file", "empty"),
        (html.path().to_owned(), "app.html", "no_text", "browser"),
    ];
    for (path, name, code, word) in cases {
        let (found, message) = read(&path, name).await.expect_err(name);
        assert_eq!(found, code, "{name}");
        assert!(message.contains(word), "{name}: {message}");
    }
}

#[tokio::test]
async fn a_file_is_read_as_what_it_is_and_its_name_is_only_a_name() {
    let pdf = fixture("expedicao.pdf");
    for name in ["relatório.txt", "../../etc/passwd", "--help", "a\0b\n$(id).md", ""] {
        assert!(read(&pdf, name).await.expect("the PDF is read").contains("Itajaí"), "{name:?}");
    }
}

#[tokio::test]
async fn a_parser_is_held_to_its_limits() {
    let text = written("palavra ".repeat(4 << 20).as_bytes());
    let little = ExtractLimits { memory_bytes: 16 << 20, ..ExtractLimits::default() };
    let (code, _) = read_within(text.path(), "grande.txt", &little).await.expect_err("memory is short");
    assert_eq!(code, "out_of_memory");
    let short = ExtractLimits { max_characters: 1000, ..ExtractLimits::default() };
    let (code, _) = read_within(text.path(), "grande.txt", &short).await.expect_err("the text is long");
    assert_eq!(code, "too_large");
    let hasty = ExtractLimits { timeout: Duration::from_millis(1), ..ExtractLimits::default() };
    let started = Instant::now();
    let (code, _) = read_within(text.path(), "grande.txt", &hasty).await.expect_err("time is short");
    assert_eq!(code, "timeout");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_child_tells_a_person_that_it_is_not_for_them() {
    let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_lastro")).arg("extract-document").output();
    let output = run.await.expect("the program runs");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("own use"));
}
