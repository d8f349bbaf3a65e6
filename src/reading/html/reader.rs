//! From the nodes of a page to blocks of text.

use scraper::Node;
use scraper::node::Element;

use super::super::document::{Block, BlockKind, LONGEST_HEADING};
use super::walk::{BREAKING, Layout, is_main, is_unread};

/// A block, and whether it stands in the part that the page marks as its content.
pub(super) struct Found {
    pub block: Block,
    pub in_main: bool,
}

/// Collects blocks while a page is walked through.
pub(super) struct Reader<'a> {
    layout: &'a Layout,
    found: Vec<Found>,
    text: String,
    /// How many of the elements that are open are left out.
    unread: usize,
    heading: Option<u8>,
    preformatted: usize,
    main: usize,
    /// The next number of each list that is open; `None` for bullets.
    lists: Vec<Option<i64>>,
    items: usize,
    marker: Option<String>,
    /// For each table that is open, whether it holds data.
    tables: Vec<bool>,
    rows: Vec<String>,
    cells: Vec<String>,
    in_cell: bool,
}

impl<'a> Reader<'a> {
    pub fn new(layout: &'a Layout) -> Self {
        Self {
            layout,
            found: Vec::new(),
            text: String::new(),
            unread: 0,
            heading: None,
            preformatted: 0,
            main: 0,
            lists: Vec::new(),
            items: 0,
            marker: None,
            tables: Vec::new(),
            rows: Vec::new(),
            cells: Vec::new(),
            in_cell: false,
        }
    }

    pub fn open(&mut self, number: usize, node: &Node) {
        match node {
            Node::Text(text) if self.unread == 0 => self.push(text),
            Node::Element(element) => {
                if self.unread > 0 || is_unread(element, self.main > 0) {
                    self.unread += 1;
                } else {
                    self.begin(number, element);
                }
            }
            _ => {}
        }
    }

    pub fn close(&mut self, node: &Node) {
        if let Node::Element(element) = node {
            if self.unread > 0 {
                self.unread -= 1;
            } else {
                self.end(element);
            }
        }
    }

    pub fn finish(mut self) -> Vec<Found> {
        self.flush();
        self.found
    }

    fn begin(&mut self, number: usize, element: &Element) {
        match element.name() {
            "br" if self.in_cell => self.text.push(' '),
            "br" => self.text.push('\n'),
            name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") => {
                self.break_line();
                self.heading = name[1..].parse().ok();
            }
            "ul" | "ol" => {
                self.break_line();
                let first = element.attr("start").and_then(|start| start.trim().parse().ok()).unwrap_or(1);
                self.lists.push((element.name() == "ol").then_some(first));
            }
            "li" => {
                self.break_line();
                self.items += 1;
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{}. ", number.saturating_sub(1))
                    }
                    _ => "- ".to_owned(),
                });
            }
            "pre" | "listing" | "xmp" => {
                self.break_line();
                self.preformatted += 1;
            }
            "table" => {
                self.flush();
                self.tables.push(!self.layout.arranging.contains(&number));
            }
            "td" | "th" if self.in_data_table() => {
                self.flush();
                self.in_cell = true;
            }
            "tr" | "td" | "th" => self.break_line(),
            name => {
                if is_main(element) {
                    self.break_line();
                    self.main += 1;
                } else if BREAKING.contains(&name) {
                    self.break_line();
                }
            }
        }
    }

    fn end(&mut self, element: &Element) {
        match element.name() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.flush_unless_in_cell();
                self.heading = None;
            }
            "ul" | "ol" => {
                self.break_line();
                self.lists.pop();
            }
            "li" => {
                self.break_line();
                self.items = self.items.saturating_sub(1);
                self.marker = None;
            }
            "pre" | "listing" | "xmp" => {
                self.flush_unless_in_cell();
                self.preformatted = self.preformatted.saturating_sub(1);
            }
            "td" | "th" if self.in_cell => {
                self.in_cell = false;
                let cell = std::mem::take(&mut self.text);
                self.cells.push(crate::words::one_line(&cell));
            }
            "tr" if self.in_data_table() => self.end_row(),
            "table" => {
                self.flush();
                if self.tables.pop() == Some(true) {
                    self.end_row();
                    let rows = std::mem::take(&mut self.rows).join("\n");
                    self.found(BlockKind::Table, rows);
                }
            }
            name => {
                if is_main(element) {
                    self.break_line();
                    self.main = self.main.saturating_sub(1);
                } else if BREAKING.contains(&name) {
                    self.break_line();
                }
            }
        }
    }

    fn in_data_table(&self) -> bool {
        self.tables.last() == Some(&true)
    }

    fn end_row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.is_empty()) {
            self.rows.push(cells.join(" | ").trim_matches([' ', '|']).to_owned());
        }
    }

    /// A line ends here, unless it is inside something that is one piece whatever it holds.
    fn break_line(&mut self) {
        if self.in_cell {
            self.text.push(' ');
        } else if self.heading.is_some() {
            self.text.push('\n');
        } else if self.preformatted > 0 {
            if !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
        } else {
            self.flush();
        }
    }

    fn flush_unless_in_cell(&mut self) {
        if self.in_cell {
            self.text.push(' ');
        } else {
            self.flush();
        }
    }

    fn push(&mut self, text: &str) {
        if self.preformatted > 0 {
            self.text.push_str(text);
            return;
        }
        for c in text.chars() {
            if !matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
                self.text.push(c);
            } else if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.trim().is_empty() {
            return;
        }
        if self.preformatted > 0 {
            return self.found(BlockKind::Code, text);
        }
        let text = text.trim();
        match self.heading {
            Some(level) => self.found_heading(level, text),
            None if self.items > 0 => {
                let marker = self.marker.take().unwrap_or_default();
                self.found(BlockKind::ListItem, marker + text);
            }
            None => self.found(BlockKind::Paragraph, text.to_owned()),
        }
    }

    /// A heading that was not closed, or that holds the text below it, is its first line.
    fn found_heading(&mut self, level: u8, text: &str) {
        let mut lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
        if text.chars().nth(LONGEST_HEADING).is_none() {
            return self.found(BlockKind::Heading(level), lines.collect::<Vec<_>>().join(" "));
        }
        let first = lines.next().unwrap_or_default();
        self.found(BlockKind::Heading(level), first.to_owned());
        lines.for_each(|line| self.found(BlockKind::Paragraph, line.to_owned()));
    }

    fn found(&mut self, kind: BlockKind, text: String) {
        if !text.trim().is_empty() {
            self.found.push(Found { block: Block::new(kind, text), in_main: self.main > 0 });
        }
    }
}
