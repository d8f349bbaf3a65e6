//! The documentation leads where it says: the links, anchors, paths, `make` targets and commands that it names exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What begins a path of this repository, where code in the documentation names one.
const FOLDERS: [&str; 10] = [
    ".ci/",
    ".github/",
    "benches/",
    "collections/",
    "crates/",
    "docker/",
    "docs/",
    "scripts/",
    "src/",
    "tests/",
];

/// A page, as far as it is checked.
#[derive(Default)]
struct Page {
    /// Where its links and pictures lead.
    links: Vec<String>,
    /// What a link to one of its headings ends with.
    anchors: BTreeSet<String>,
    /// The lines of its code blocks, and the code in its text.
    code: Vec<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        let mut in_block = false;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.add_anchor(&heading.take().unwrap_or_default()),
                // A picture, whose names are its own.
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) if &*kind == "mermaid" => {}
                Event::Start(Tag::CodeBlock(_)) => in_block = true,
                Event::End(TagEnd::CodeBlock) => in_block = false,
                Event::Text(text) if in_block => page.code.extend(text.lines().map(str::to_owned)),
                Event::Text(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                Event::Code(code) => {
                    heading.iter_mut().for_each(|heading| heading.push_str(&code));
                    page.code.push(code.into_string());
                }
                _ => {}
            }
        }
        page
    }

    /// Adds a heading's anchor in the way of GitHub: small letters, hyphens for spaces, a number for the second of a name.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.to_lowercase().replace(' ', "-");
        let anchor: String = kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        let free = (1..).map(|n| format!("{anchor}-{n}")).find(|numbered| !self.anchors.contains(numbered));
        let first = self.anchors.insert(anchor);
        self.anchors.extend(free.filter(|_| !first));
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the documentation by its path from the repository's root.
fn pages() -> BTreeMap<PathBuf, Page> {
    fn add(folder: &Path, deep: bool, pages: &mut BTreeMap<PathBuf, Page>) {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder of the repository") {
            let path = folder.join(entry.expect("an entry").file_name());
            if deep && root().join(&path).is_dir() {
                add(&path, deep, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(root().join(&path)).expect("a page");
                pages.insert(path, Page::read(&text));
            }
        }
    }
    let mut pages = BTreeMap::new();
    add(Path::new(""), false, &mut pages);
    add(Path::new("crates/kernels"), false, &mut pages);
    add(Path::new("docker"), false, &mut pages);
    add(Path::new("docs"), true, &mut pages);
    for page in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/ARCHITECTURE.md", "docker/README.md"] {
        assert!(pages.contains_key(Path::new(page)), "{page} is missing");
    }
    pages
}

/// The path that a link names, from the repository's root; `None` where it leads out of it.
fn resolved(page: &Path, link: &str) -> Option<PathBuf> {
    let mut path = page.parent().unwrap_or(Path::new("")).to_path_buf();
    for component in Path::new(link).components() {
        match component {
            Component::ParentDir if !path.pop() => return None,
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    Some(path)
}

/// What is wrong with a link of a page.
fn problem(pages: &BTreeMap<PathBuf, Page>, page: &Path, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { Some(page.to_path_buf()) } else { resolved(page, file) };
    let Some(path) = path.filter(|path| root().join(path).exists()) else {
        return Some(format!("{}: '{link}' leads to no file", page.display()));
    };
    let found = anchor.is_none_or(|name| pages.get(&path).is_some_and(|page| page.anchors.contains(name)));
    (!found).then(|| format!("{}: '{link}' leads to no heading", page.display()))
}

#[test]
fn every_link_leads_somewhere_and_every_page_of_docs_is_linked_to() {
    let pages = pages();
    let (mut problems, mut reached) = (Vec::new(), BTreeSet::new());
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            problems.extend(problem(&pages, path, link));
            reached.extend(resolved(path, link.split('#').next().unwrap_or_default()));
        }
    }
    let alone = pages.keys().filter(|path| path.starts_with("docs") && !reached.contains(*path));
    problems.extend(alone.map(|path| format!("{}: no page leads to it", path.display())));
    assert!(reached.len() > 30, "links are read: {reached:?}");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The name that follows each `before` in a line of code, where that stands for itself.
fn names_after<'a>(code: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    let begins =
        move |at: &usize| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || "-_./".contains(c));
    let places = code.match_indices(before).map(|(at, _)| at).filter(begins);
    places.filter_map(move |at| {
        let rest = &code[at + before.len()..];
        let name = &rest[..rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len())];
        (!name.is_empty()).then_some(name)
    })
}

/// The paths of this repository in a line of code. Those with a part that stands for others are left out.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    let words = code.split(|c: char| c.is_whitespace() || "\"'`()[],;=|".contains(c));
    let words = words.map(|word| word.trim_end_matches(['.', ':']));
    words.filter(|word| {
        FOLDERS.iter().any(|folder| word.starts_with(folder)) && !word.contains(['{', '<', '*', '$'])
    })
}

#[test]
fn make_targets_and_paths_that_it_names_are_there() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("the Makefile");
    let targets: BTreeSet<&str> = makefile.lines().filter_map(|line| Some(line.split_once(':')?.0)).collect();
    let (mut problems, mut made, mut found) = (Vec::new(), 0, 0);
    for (page, code) in pages().iter().flat_map(|(path, page)| page.code.iter().map(move |code| (path, code)))
    {
        for target in names_after(code, "make ") {
            made += 1;
            if !targets.contains(target) {
                problems.push(format!("{}: no target '{target}' in the Makefile: {code}", page.display()));
            }
        }
        for path in paths(code) {
            found += 1;
            if !root().join(path).exists() {
                problems.push(format!("{}: '{path}' does not exist", page.display()));
            }
        }
    }
    assert!(made > 15 && found > 30, "code is read: {made} targets, {found} paths");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The options that `lastro COMMAND ... --help` lists; `None` where there is no such command.
fn options(command: &[&str]) -> Option<BTreeSet<String>> {
    let mut help = Command::new(env!("CARGO_BIN_EXE_lastro"));
    let told = help.args(command).arg("--help").output().expect("the program starts");
    let text = String::from_utf8(told.stdout).expect("UTF-8");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let options = words.filter(|word| word.starts_with("--")).map(str::to_owned).collect();
    told.status.success().then_some(options)
}

/// The command line of lastro that a line of code consists of or holds, less what is piped on or said of it.
fn given(code: &str) -> Option<Vec<&str>> {
    let line = code.trim_start_matches("$ ").trim_start_matches("target/release/");
    let line = line.strip_prefix("lastro ").or_else(|| Some(line.split_once("$(lastro ")?.1))?;
    Some(line.split([')', '|', '#']).next().unwrap_or_default().split_whitespace().collect())
}

#[test]
fn commands_of_lastro_that_it_shows_can_be_given() {
    let (mut known, mut problems) = (BTreeMap::new(), Vec::new());
    for (page, code) in pages().iter().flat_map(|(path, page)| page.code.iter().map(move |code| (path, code)))
    {
        let Some(words) = given(code) else { continue };
        let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase());
        let most = if words.first() == Some(&"keys") { 2 } else { 1 };
        let command: Vec<&str> = words.iter().take(most).take_while(is_name).copied().collect();
        let command_options = known.entry(command.join(" ")).or_insert_with(|| options(&command));
        let Some(command_options) = command_options else {
            problems.push(format!("{}: no such command: {code}", page.display()));
            continue;
        };
        let shown = words.iter().filter(|word| word.starts_with("--"));
        let shown = shown.map(|word| word.split_once('=').map_or(*word, |(name, _)| name));
        for option in shown.filter(|option| *option != "--help" && !command_options.contains(*option)) {
            problems.push(format!("{}: no option {option}: {code}", page.display()));
        }
    }
    assert!(known.len() > 8, "commands are read: {:?}", known.keys());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_is_wrong_with_a_page_is_seen() {
    let page = Page::read(
        "# A `b` C?\n# A b C\n[x](docs/none.md) `make no-such scripts/none`\n```\n$ lastro x\n```",
    );
    assert_eq!(page.anchors.iter().collect::<Vec<_>>(), ["a-b-c", "a-b-c-1"]);
    assert_eq!(page.links, ["docs/none.md"]);
    assert_eq!(page.code, ["b", "make no-such scripts/none", "$ lastro x"]);
    assert_eq!(names_after(&page.code[1], "make ").collect::<Vec<_>>(), ["no-such"]);
    assert_eq!(paths(&page.code[1]).collect::<Vec<_>>(), ["scripts/none"]);
    assert_eq!(given(&page.code[2]), Some(vec!["x"]));
    let pages = BTreeMap::from([(PathBuf::from("README.md"), page)]);
    for (link, is_wrong) in [("#a-b-c", false), ("#d", true), ("docs/none.md", true), ("../up.md", true)] {
        assert_eq!(problem(&pages, Path::new("README.md"), link).is_some(), is_wrong, "{link}");
    }
    assert_eq!(options(&["no-such-command"]), None);
}
