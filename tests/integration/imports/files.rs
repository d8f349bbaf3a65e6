//! Which file uses which, read from the sources of one crate: every `use` and every path, followed through re-exports to
//! the file that defines the name.
//!
//! Not counted: what tests use, and what a file uses of the module file above it, where Rust keeps what its parts share.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Re-exports that are followed for one name.
const MOST_STEPS: usize = 8;

/// A module's path below the crate's root.
type Module = Vec<String>;

/// One source file.
struct File {
    path: PathBuf,
    /// Without comments and inline tests.
    code: String,
    /// Names of the modules below it.
    children: Vec<String>,
    names: Vec<Name>,
}

/// What one branch of a `use` statement brings in.
struct Name {
    /// What it is called here; `*` for a glob.
    own: String,
    /// As it was written.
    path: Vec<String>,
    /// Whether it is there for others, and the file itself does not use it.
    re_exported: bool,
}

/// The sources of a crate.
pub struct Crate {
    files: BTreeMap<Module, File>,
}

impl Crate {
    /// Reads a crate from its root file, and every module that is declared for more than tests.
    pub fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut open = vec![(Vec::new(), root.to_owned())];
        while let Some((module, path)) = open.pop() {
            let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let code = code(&source);
            let mut children = Vec::new();
            for (name, explicit) in declared(&code) {
                let below = [&module[..], std::slice::from_ref(&name)].concat();
                open.push((below, file_of(&path, module.is_empty(), &name, explicit)));
                children.push(name);
            }
            files.insert(module, File { path, names: uses(&code), code, children });
        }
        Self { files }
    }

    /// The files of the crate, in the order of their modules.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The files that each file uses.
    pub fn edges(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let mut edges: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for (module, file) in &self.files {
            let own = edges.entry(&file.path).or_default();
            let used_here = file.names.iter().filter(|name| !name.re_exported).map(|name| name.path.clone());
            let written = used_here.chain(paths(&file.code));
            for path in written {
                let Some(used) = self.find(module, &path, 0) else { continue };
                let above = used.len() < module.len() && module.starts_with(&used);
                if used != *module && !above {
                    own.insert(&self.files[&used].path);
                }
            }
        }
        edges
    }

    /// The module that defines what a path means in a module; `None` for names of other crates.
    fn find(&self, from: &[String], path: &[String], depth: usize) -> Option<Module> {
        // Two modules may bring in all of one another: what neither has is of another crate.
        if depth > MOST_STEPS {
            return None;
        }
        let (first, mut rest) = path.split_first()?;
        let mut at = from.to_vec();
        match first.as_str() {
            "crate" | "lastro" => at.clear(),
            "self" => {}
            "super" => {
                at.pop()?;
            }
            name if self.files[from].children.iter().any(|child| child == name) => rest = path,
            name => {
                // A name that the file itself brings in, such as a module.
                let meant = &self.files[from].names.iter().find(|brought| brought.own == name)?.path;
                let through = [meant, rest].concat();
                return (meant.first() != path.first()).then(|| self.find(from, &through, depth + 1))?;
            }
        }
        while let Some((name, after)) = rest.split_first() {
            match name.as_str() {
                "super" => {
                    at.pop()?;
                }
                "self" | "*" => {}
                name if self.files.get(&at)?.children.iter().any(|child| child == name) => {
                    at.push(name.to_owned());
                }
                name => return Some(self.defines(&at, name, depth).unwrap_or(at)),
            }
            rest = after;
        }
        self.files.contains_key(&at).then_some(at)
    }

    /// The module that a name of this module comes from, where it is re-exported.
    fn defines(&self, module: &[String], name: &str, depth: usize) -> Option<Module> {
        let file = self.files.get(module)?;
        if is_defined(&file.code, name) {
            return Some(module.to_vec());
        }
        if let Some(brought) = file.names.iter().find(|brought| brought.own == name) {
            return self.find(module, &brought.path, depth + 1);
        }
        let globs = file.names.iter().filter(|brought| brought.own == "*");
        let from = globs.filter_map(|glob| self.find(module, &glob.path, depth + 1));
        from.filter(|from| from != module).find_map(|from| {
            let defined = self.defines(&from, name, depth + 1)?;
            is_defined(&self.files[&defined].code, name).then_some(defined)
        })
    }
}

/// Groups of files that use one another, straight or through others.
pub fn circles<'a>(edges: &BTreeMap<&'a Path, BTreeSet<&'a Path>>) -> BTreeSet<Vec<&'a Path>> {
    let reached = |from: &'a Path| {
        let mut reached = BTreeSet::new();
        let mut open: Vec<_> = edges[from].iter().copied().collect();
        while let Some(at) = open.pop() {
            if reached.insert(at) {
                open.extend(&edges[at]);
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = edges.keys().map(|from| (*from, reached(from))).collect();
    let group = |at: &'a Path| -> Vec<_> {
        reached[at].iter().copied().filter(|other| reached[other].contains(at)).collect()
    };
    edges.keys().map(|at| group(at)).filter(|group| !group.is_empty()).collect()
}

/// A source without comments, and without what stands in modules and items for tests.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line.split("//").next().unwrap_or_default());
            code.push('\n');
            continue;
        }
        // The item ends where a line closes at its own depth.
        let indent = line.len() - line.trim_start().len();
        for line in lines.by_ref() {
            let closes = line.ends_with(['}', ';']) && line.len() - line.trim_start().len() == indent;
            if closes {
                break;
            }
        }
    }
    code
}

/// The modules that a source declares, with the file that `#[path]` gives them.
fn declared(code: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    let mut explicit = None;
    for line in code.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            explicit = Some(path.to_owned());
        }
        let item = line.strip_prefix("pub").map_or(line, |rest| match rest.strip_prefix('(') {
            Some(rest) => rest.split_once(')').map_or(rest, |(_, after)| after).trim_start(),
            None => rest.trim_start(),
        });
        if let Some(name) = item.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            found.push((name.to_owned(), explicit.take()));
        }
    }
    found
}

/// The file of a module that another file declares.
fn file_of(parent: &Path, is_root: bool, name: &str, explicit: Option<String>) -> PathBuf {
    let folder = parent.parent().expect("a file in a folder");
    if let Some(explicit) = explicit {
        return folder.join(explicit);
    }
    let folder = match parent.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod") => folder.to_owned(),
        _ if is_root => folder.to_owned(),
        Some(stem) => folder.join(stem),
        None => panic!("{}: no name", parent.display()),
    };
    let single = folder.join(format!("{name}.rs"));
    if single.is_file() { single } else { folder.join(name).join("mod.rs") }
}

/// Where the `use` statements of a source stand, from the word to before the semicolon, and whether each re-exports.
fn statements(code: &str) -> Vec<(Range<usize>, bool)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default().trim();
        let re_exports = line.starts_with("pub");
        if let (true, Some(length)) = (line.is_empty() || re_exports, code[at..].find(';')) {
            found.push((at..at + length, re_exports));
        }
    }
    found
}

/// What every `use` of a source brings in.
fn uses(code: &str) -> Vec<Name> {
    let mut found = Vec::new();
    for (range, re_exported) in statements(code) {
        let tree = code[range].split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        branch(&tree, &[], re_exported, &mut found);
    }
    found
}

/// One branch of the tree of a `use`.
fn branch(tree: &str, before: &[String], re_exported: bool, found: &mut Vec<Name>) {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let (path, renamed) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name)));
        let mut path: Vec<String> = before.iter().cloned().chain(segments(path)).collect();
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(last) = path.last() {
            let own = renamed.unwrap_or(last).to_owned();
            found.push(Name { own, path, re_exported });
        }
        return;
    };
    let before: Vec<String> = before.iter().cloned().chain(segments(head)).collect();
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branch(&inner[start..at], &before, re_exported, found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        branch(&inner[start..], &before, re_exported, found);
    }
}

fn segments(path: &str) -> impl Iterator<Item = String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every path of two names or more outside of `use`, strings included: too much is harmless where nothing has the name.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut rest = String::new();
    let mut done = 0;
    for (range, _) in statements(code) {
        rest.push_str(&code[done..range.start]);
        done = range.end;
    }
    rest.push_str(&code[done..]);
    let mut rest = rest.as_str();
    while let Some(begin) = rest.find(is_word) {
        let end = rest[begin..].find(|c: char| !is_word(c) && c != ':').map_or(rest.len(), |at| begin + at);
        let path: Vec<String> = segments(&rest[begin..end]).collect();
        if path.len() > 1 {
            found.insert(path);
        }
        rest = &rest[end..];
    }
    found.into_iter().collect()
}

/// Whether a source has an item of this name.
fn is_defined(code: &str, name: &str) -> bool {
    const ITEMS: [&str; 8] = ["fn", "struct", "enum", "trait", "const", "static", "type", "macro_rules!"];
    code.match_indices(name).any(|(at, _)| {
        let ends = !code[at + name.len()..].starts_with(is_word);
        let before = code[..at].trim_end();
        ends && before.len() < at
            && ITEMS
                .iter()
                .any(|item| before.strip_suffix(item).is_some_and(|before| !before.ends_with(is_word)))
    })
}
