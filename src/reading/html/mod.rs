//! HTML: the text a reader would see, without the page's furniture.

mod depth;
mod reader;
mod walk;

use encoding_rs::Encoding;
use scraper::Html;

use self::walk::{Layout, Step, walk};
use super::document::{Block, BlockKind, Extracted, Format};
use super::text;

/// Where a page says its encoding (the HTML standard looks at the first 1,024 bytes; real pages err).
const META_WINDOW: usize = 4096;

/// Reads a page: its headings, paragraphs, lists, tables and code.
pub fn read(bytes: &[u8]) -> Extracted {
    let page = Html::parse_document(&depth::flatten(&decode(bytes)));
    let layout = Layout::of(&page);
    let mut reader = reader::Reader::new(&layout);
    walk(&page, |step| match step {
        Step::Open(number, node) => reader.open(number, node),
        Step::Close(node) => reader.close(node),
    });
    let found = reader.finish();
    let size = |main_only: bool| -> usize {
        found.iter().filter(|it| it.in_main || !main_only).map(|it| it.block.text.len()).sum()
    };
    let main_only = size(true) * 2 > size(false);
    let blocks: Vec<Block> =
        found.into_iter().filter(|it| it.in_main || !main_only).map(|it| it.block).collect();
    let heading = blocks.iter().find(|block| block.kind == BlockKind::Heading(1));
    let title = layout.title.or_else(|| heading.map(|block| block.text.clone()));
    Extracted { format: Format::Html, title, blocks, pages: None }
}

fn decode(bytes: &[u8]) -> String {
    let declared = || {
        let head: Vec<u8> = bytes.iter().take(META_WINDOW).map(u8::to_ascii_lowercase).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let label =
            ["charset=", "encoding="].iter().find_map(|key| head.split_once(key).map(|(_, rest)| rest))?;
        let label = label.trim_start_matches(['"', '\'', ' ']);
        let label = label.split(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).next()?;
        // A page whose own declaration could be read is not in UTF-16, whatever it says.
        Encoding::for_label(label.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
    };
    if Encoding::for_bom(bytes).is_none()
        && std::str::from_utf8(bytes).is_err()
        && let Some(encoding) = declared()
    {
        let (text, _, errors) = encoding.decode(bytes);
        if !errors {
            return text.into_owned();
        }
    }
    text::decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(source: &str) -> Vec<(BlockKind, String)> {
        read(source.as_bytes())
            .blocks
            .into_iter()
            .map(|block| (block.kind, block.text.trim().to_owned()))
            .collect()
    }

    #[test]
    fn structure_is_kept_and_furniture_dropped() {
        let source = "<html><head><title>Guia</title><style>p{}</style></head><body><nav>Início</nav>\
            <h1>Um <em>guia</em></h1><p>Olá,\n  mundo<br>novo.</p><script>x()</script>\
            <ul><li>um</li><li><p>dois</p><ol start=3><li>três</ol></ul>\
            <table><tr><th>a<th>b<tr><td><p>1</p><td>2</table><pre>x\n  y</pre>\
            <p hidden>h</p><p style='display: none'>n</p><footer>fim</footer></body></html>";
        let expected = [
            (BlockKind::Heading(1), "Um guia"),
            (BlockKind::Paragraph, "Olá, mundo\nnovo."),
            (BlockKind::ListItem, "- um"),
            (BlockKind::ListItem, "- dois"),
            (BlockKind::ListItem, "3. três"),
            (BlockKind::Table, "a | b\n1 | 2"),
            (BlockKind::Code, "x\n  y"),
        ];
        assert_eq!(blocks(source), expected.map(|(kind, text)| (kind, text.to_owned())));
        assert_eq!(read(source.as_bytes()).title.as_deref(), Some("Guia"));
    }

    #[test]
    fn the_main_part_is_preferred_when_it_is_most_of_the_page() {
        let long = "palavra ".repeat(40);
        assert_eq!(blocks(&format!("<div>Entrar</div><main><p>{long}</p></main>")).len(), 1);
        assert_eq!(blocks(&format!("<div>{long}</div><main><p>pouco</p></main>")).len(), 2);
    }

    #[test]
    fn tables_that_arrange_a_page_are_not_data() {
        let found = blocks("<table><tr><td><h2>T</h2><p>a</p></td><td><table><tr><td>1<td>2</table></table>");
        let expected =
            [(BlockKind::Heading(2), "T"), (BlockKind::Paragraph, "a"), (BlockKind::Table, "1 | 2")];
        assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn text_inside_a_heading_is_text() {
        let long = "Uma frase de um texto. ".repeat(20);
        let long = long.trim();
        let found = blocks(&format!("<h2>Parte<p>{long}<div>{long}</div></h2><h2><div>2</div>Fim</h2>"));
        let expected = [
            (BlockKind::Heading(2), "Parte"),
            (BlockKind::Paragraph, long),
            (BlockKind::Paragraph, long),
            (BlockKind::Heading(2), "2 Fim"),
        ];
        assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn declared_encodings_are_believed_when_they_fit() {
        let page =
            |label: &str| format!("<html><head><meta charset=\"{label}\"></head><p>ação e coração</p>");
        let latin = encoding_rs::WINDOWS_1252.encode(&page("iso-8859-1")).0.into_owned();
        assert_eq!(read(&latin).blocks[0].text, "ação e coração");
        assert_eq!(read(page("iso-8859-1").as_bytes()).blocks[0].text, "ação e coração");
        let polish =
            encoding_rs::ISO_8859_2.encode("<?xml encoding='ISO-8859-2'?><html><p>żółć</p>").0.into_owned();
        assert_eq!(read(&polish).blocks[0].text, "żółć");
    }

    #[test]
    fn deep_and_broken_pages_are_read_quickly() {
        let deep = format!("{}fundo", "<div><p>".repeat(200_000));
        let unclosed = format!("{}fundo", "<b><font color=x><table><tr><td>".repeat(50_000));
        let attributes = format!("<p {}>fundo", (0..100_000).map(|n| format!("a{n}=1 ")).collect::<String>());
        let quotes = format!("fundo{}", "<a href=\"x'".repeat(100_000));
        let started = std::time::Instant::now();
        for page in [deep, unclosed, attributes, quotes] {
            let document = read(page.as_bytes());
            assert!(document.blocks.iter().any(|block| block.text.contains("fundo")));
        }
        assert!(started.elapsed().as_secs() < 20);
    }
}
