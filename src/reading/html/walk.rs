//! Going through a page without recursion, what has to be known of it beforehand, and what each element means.

use std::collections::HashSet;

use scraper::node::Element;
use scraper::{Html, Node};

/// A node met on the way down, with its number in document order, or left on the way up.
pub(super) enum Step<'a> {
    Open(usize, &'a Node),
    Close(&'a Node),
}

/// Visits every node twice, in document order.
pub(super) fn walk<'a>(page: &'a Html, mut visit: impl FnMut(Step<'a>)) {
    let mut node = page.tree.root();
    let mut number = 0;
    visit(Step::Open(number, node.value()));
    loop {
        if let Some(child) = node.first_child() {
            node = child;
        } else {
            loop {
                visit(Step::Close(node.value()));
                if let Some(next) = node.next_sibling() {
                    node = next;
                    break;
                }
                match node.parent() {
                    Some(parent) => node = parent,
                    None => return,
                }
            }
        }
        number += 1;
        visit(Step::Open(number, node.value()));
    }
}

/// What has to be known of a page before its text is read.
#[derive(Default)]
pub(super) struct Layout {
    /// The words of `<title>`.
    pub title: Option<String>,
    /// Numbers of the tables that arrange the page: those that hold headings or other tables.
    pub arranging: HashSet<usize>,
}

impl Layout {
    pub fn of(page: &Html) -> Self {
        let mut layout = Self::default();
        let mut open: Vec<usize> = Vec::new();
        let mut in_title = false;
        walk(page, |step| match step {
            Step::Open(number, Node::Element(element)) => match element.name() {
                "table" => {
                    layout.arranging.extend(open.last().copied());
                    open.push(number);
                }
                "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => layout.arranging.extend(open.last().copied()),
                "title" => in_title = layout.title.is_none(),
                _ => {}
            },
            Step::Open(_, Node::Text(text)) if in_title => {
                layout.title.get_or_insert_default().push_str(text);
            }
            Step::Close(Node::Element(element)) => match element.name() {
                "table" => {
                    open.pop();
                }
                "title" => in_title = false,
                _ => {}
            },
            _ => {}
        });
        layout.title = layout.title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty());
        layout
    }
}

/// Elements whose text is not for reading.
const UNREAD: &[&str] = &[
    "annotation",
    "annotation-xml",
    "audio",
    "button",
    "canvas",
    "datalist",
    "head",
    "iframe",
    "nav",
    "noframes",
    "noscript",
    "object",
    "script",
    "select",
    "style",
    "svg",
    "template",
    "textarea",
    "video",
];
const UNREAD_ROLES: &[&str] = &["navigation", "search", "contentinfo", "menu", "menubar", "toolbar"];
/// What widespread generators (DocBook, MediaWiki, Sphinx) call their navigation.
const UNREAD_CLASSES: &[&str] = &[
    "navheader",
    "navfooter",
    "navbox",
    "mw-editsection",
    "noprint",
    "breadcrumb",
    "breadcrumbs",
    "headerlink",
];

/// Elements that begin and end a line.
pub(super) const BREAKING: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "html",
    "legend",
    "main",
    "menu",
    "p",
    "section",
    "summary",
];

/// Whether the page marks this element as its content.
pub(super) fn is_main(element: &Element) -> bool {
    matches!(element.name(), "main" | "article") || element.attr("role") == Some("main")
}

/// Whether the text of this element is left out: furniture, or hidden.
pub(super) fn is_unread(element: &Element, in_main: bool) -> bool {
    let name = element.name();
    if UNREAD.contains(&name) || (name == "footer" && !in_main) || element.attr("hidden").is_some() {
        return true;
    }
    if element.attr("role").is_some_and(|role| UNREAD_ROLES.contains(&role)) {
        return true;
    }
    if element.classes().any(|class| UNREAD_CLASSES.contains(&class)) {
        return true;
    }
    element.attr("style").is_some_and(|style| {
        let style: String = style.chars().filter(|c| !c.is_whitespace()).take(2000).collect();
        let style = style.to_ascii_lowercase();
        style.contains("display:none") || style.contains("visibility:hidden")
    })
}
