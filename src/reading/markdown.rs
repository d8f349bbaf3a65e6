//! Markdown: CommonMark with tables, footnotes and front matter.

use pulldown_cmark::{Event, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use super::document::{Block, BlockKind, Extracted, Format};
use super::html;

/// Reads the text of a Markdown document; links keep their words, pictures their description.
pub fn read(source: &str) -> Extracted {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let mut reader = Reader::default();
    for event in Parser::new_ext(source, options) {
        reader.event(event);
    }
    reader.flush();
    let first_heading = reader.blocks.iter().find(|block| block.kind == BlockKind::Heading(1));
    let title = reader.title.or_else(|| first_heading.map(|block| block.text.clone()));
    Extracted { format: Format::Markdown, title, blocks: reader.blocks, pages: None }
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    title: Option<String>,
    text: String,
    kind: Option<BlockKind>,
    /// The next number of each list that is open; `None` for bullets.
    lists: Vec<Option<u64>>,
    front_matter: bool,
    html: String,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.front_matter => {
                self.title = front_matter_title(&text).or(self.title.take())
            }
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text.push_str(&text);
            }
            Event::Html(markup) => self.html.push_str(&markup),
            Event::InlineHtml(markup) => {
                if markup.get(..3).is_some_and(|tag| tag.eq_ignore_ascii_case("<br")) {
                    self.text.push('\n');
                }
            }
            Event::SoftBreak => self.text.push(' '),
            Event::HardBreak => self.text.push('\n'),
            Event::Rule => self.flush(),
            Event::TaskListMarker(done) => self.text.push_str(if done { "[x] " } else { "[ ] " }),
            Event::FootnoteReference(name) => self.text.push_str(&format!("[{name}]")),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.begin(BlockKind::Heading(level as u8)),
            Tag::Paragraph => {
                if self.lists.is_empty() {
                    self.begin(BlockKind::Paragraph);
                } else if !self.text.trim_end().is_empty() && !self.text.ends_with([' ', '\n']) {
                    self.text.push('\n');
                }
            }
            Tag::CodeBlock(_) => self.begin(BlockKind::Code),
            Tag::List(first) => {
                self.flush();
                self.lists.push(first);
            }
            Tag::Item => {
                self.begin(BlockKind::ListItem);
                let depth = self.lists.len().saturating_sub(1);
                self.text.push_str(&"  ".repeat(depth.min(8)));
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        self.text.push_str(&format!("{number}. "));
                        *number += 1;
                    }
                    _ => self.text.push_str("- "),
                }
            }
            Tag::Table(_) => self.begin(BlockKind::Table),
            Tag::TableCell if !self.text.is_empty() && !self.text.ends_with('\n') => {
                self.text.push_str(" | ")
            }
            Tag::FootnoteDefinition(name) => {
                self.begin(BlockKind::Paragraph);
                self.text.push_str(&format!("[{name}] "));
            }
            Tag::MetadataBlock(MetadataBlockKind::YamlStyle | MetadataBlockKind::PlusesStyle) => {
                self.front_matter = true;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_)
            | TagEnd::CodeBlock
            | TagEnd::Table
            | TagEnd::Item
            | TagEnd::FootnoteDefinition => {
                self.flush();
            }
            TagEnd::Paragraph if self.lists.is_empty() => self.flush(),
            TagEnd::TableHead | TagEnd::TableRow => self.text.push('\n'),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::MetadataBlock(_) => self.front_matter = false,
            TagEnd::HtmlBlock => {
                self.flush();
                let markup = std::mem::take(&mut self.html);
                self.blocks.extend(html::read(markup.as_bytes()).blocks);
            }
            _ => {}
        }
    }

    fn begin(&mut self, kind: BlockKind) {
        // Code and tables inside a list item stand for themselves; the item goes on after them.
        self.flush();
        self.kind = Some(kind);
    }

    fn flush(&mut self) {
        let default = if self.lists.is_empty() { BlockKind::Paragraph } else { BlockKind::ListItem };
        let kind = self.kind.take().unwrap_or(default);
        let text = std::mem::take(&mut self.text);
        let bare_marker = kind == BlockKind::ListItem && matches!(text.trim(), "-");
        if !text.trim().is_empty() && !bare_marker {
            let text = if kind == BlockKind::Code { text } else { text.trim_end().to_owned() };
            self.blocks.push(Block::new(kind, text));
        }
    }
}

/// The value of `title:` (YAML) or `title =` (TOML).
fn front_matter_title(matter: &str) -> Option<String> {
    matter.lines().find_map(|line| {
        let rest = line.strip_prefix("title")?.trim_start();
        let value = rest.strip_prefix(':').or_else(|| rest.strip_prefix('='))?.trim();
        let value = value.trim_matches(['"', '\'']).trim();
        (!value.is_empty() && !matches!(value, "|" | ">")).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(source: &str) -> Vec<(BlockKind, String)> {
        read(source).blocks.into_iter().map(|block| (block.kind, block.text)).collect()
    }

    #[test]
    fn structure_is_kept() {
        let source = "# Olá *mundo*\n\nUm [link](http://x.y/z) e\n`código`.\n\n- um\n- dois\n  1. três\n  2. quatro\n\n\
                      | a | b |\n|---|---|\n| 1 | 2 |\n\n```rust\nlet x = 1;\n```\n\n> citação ![gato](g.png)\n";
        let expected = [
            (BlockKind::Heading(1), "Olá mundo"),
            (BlockKind::Paragraph, "Um link e código."),
            (BlockKind::ListItem, "- um"),
            (BlockKind::ListItem, "- dois"),
            (BlockKind::ListItem, "  1. três"),
            (BlockKind::ListItem, "  2. quatro"),
            (BlockKind::Table, "a | b\n1 | 2"),
            (BlockKind::Code, "let x = 1;\n"),
            (BlockKind::Paragraph, "citação gato"),
        ];
        assert_eq!(blocks(source), expected.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn front_matter_gives_the_title_and_no_text() {
        let document = read("---\ntitle: \"Manual do usuário\"\ntags: [a]\n---\n\nTexto.\n");
        assert_eq!(document.title.as_deref(), Some("Manual do usuário"));
        assert_eq!(document.blocks.len(), 1);
        assert_eq!(read("# Primeiro\n\n# Segundo\n").title.as_deref(), Some("Primeiro"));
    }

    #[test]
    fn html_inside_keeps_its_text_only() {
        let found = blocks("<div class=x>\n<b>Aviso</b> importante\n</div>\n\nFim<br>agora <i>já</i>.\n");
        assert_eq!(found[0].1, "Aviso importante");
        assert_eq!(found[1].1, "Fim\nagora já.");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn loose_items_and_code_in_items_lose_nothing() {
        let found = blocks("- um\n\n  segundo parágrafo\n\n      código\n\n  depois\n\n- dois\n");
        let text: Vec<&str> = found.iter().map(|(_, text)| text.trim()).collect();
        assert_eq!(text, ["- um\nsegundo parágrafo", "código", "depois", "- dois"]);
    }

    #[test]
    fn deep_nesting_takes_linear_time() {
        let source = "> ".repeat(20_000) + "fundo";
        assert!(blocks(&source).iter().any(|(_, text)| text.contains("fundo")));
    }
}
