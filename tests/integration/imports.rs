//! The direction of imports: which room of `src/` may use which, and no two files one another. A leaf uses nothing, so
//! that it can be read, tested and replaced alone.

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each module and what it may use. `access` may be used by all but the leaves, and what is [`BELOW`] by all.
const MAY_USE: &[(&str, &[&str])] = &[
    // Below the leaves.
    ("json", &[]),
    ("net", &[]),
    ("quota", &[]),
    ("system", &[]),
    ("tasks", &[]),
    ("words", &[]),
    // Leaves.
    ("access", &[]),
    ("embed", &[]),
    ("index", &[]),
    ("openai", &[]),
    ("reading", &[]),
    ("store", &[]),
    ("telemetry", &[]),
    ("upstream", &[]),
    // What is built of them.
    ("collection", &["store", "index", "embed"]),
    ("chunking", &["reading", "store"]),
    ("ingest", &["chunking", "collection", "embed", "reading", "store"]),
    ("prompt", &["openai"]),
    ("citation", &["openai", "prompt"]),
    ("trace", &["prompt"]),
    ("selection", &["collection", "openai", "store"]),
    ("rag", &["selection", "prompt", "collection", "openai", "store", "trace"]),
    ("relay", &["upstream"]),
    // Settings of the components.
    ("config", &["embed", "ingest", "rag", "reading", "store", "telemetry", "upstream"]),
    // What joins them.
    (
        "app",
        &[
            "collection",
            "config",
            "embed",
            "ingest",
            "openai",
            "prompt",
            "rag",
            "selection",
            "store",
            "telemetry",
            "trace",
            "upstream",
        ],
    ),
    (
        "api",
        &[
            "app",
            "chunking",
            "citation",
            "collection",
            "embed",
            "ingest",
            "openai",
            "prompt",
            "rag",
            "relay",
            "selection",
            "store",
            "telemetry",
            "trace",
            "upstream",
        ],
    ),
    ("server", &["api", "app", "telemetry"]),
    (
        "evaluation",
        &["app", "collection", "embed", "ingest", "openai", "prompt", "rag", "selection", "store"],
    ),
    (
        "commands",
        &[
            "app",
            "config",
            "embed",
            "evaluation",
            "ingest",
            "openai",
            "prompt",
            "reading",
            "server",
            "store",
            "upstream",
        ],
    ),
];
const BELOW: &[&str] = &["json", "net", "quota", "system", "tasks", "words"];
const LEAVES: &[&str] = &["access", "embed", "index", "openai", "reading", "store", "telemetry", "upstream"];

/// Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("src is there").map(|entry| entry.expect("an entry").path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.extension().is_some_and(|e| e == "rs")).collect()
}

/// The modules behind each `crate::` of a source: `crate::a::b` and `crate::{a, b::{c, d}}`.
fn used(source: &str) -> BTreeSet<String> {
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    let name =
        |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(name(rest));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if c.is_whitespace() => {}
                _ if begins => {
                    found.insert(name(&group[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn imports_run_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for path in sources(&src) {
        let place = path.strip_prefix(&src).expect("a path in src");
        let module = place.iter().next().and_then(|first| Path::new(first).file_stem()).expect("a name");
        let module = module.to_str().expect("a name in UTF-8").to_owned();
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        seen.insert(module.clone());
        let Some(may_use) = allowed.get(module.as_str()) else {
            problems.push(format!("src/{}: '{module}' has no row in MAY_USE", place.display()));
            continue;
        };
        for other in used(&std::fs::read_to_string(&path).expect("a source")) {
            let access = other == "access" && !LEAVES.contains(&module.as_str());
            if other != module
                && !BELOW.contains(&other.as_str())
                && !access
                && !may_use.contains(&other.as_str())
            {
                let may = may_use.join(", ");
                problems.push(format!(
                    "src/{}: '{module}' may not use '{other}', only: [{may}]",
                    place.display()
                ));
            }
        }
    }
    let gone: Vec<_> = allowed.keys().filter(|module| !seen.contains(**module)).collect();
    assert!(gone.is_empty(), "rows of MAY_USE without a module: {gone:?}");
    assert!(problems.is_empty(), "imports against the direction of the house:\n{}", problems.join("\n"));
}

#[test]
fn every_spelling_of_an_import_is_seen() {
    let source =
        "use crate::{relay, store::{A, b::C}, upstream};\n// crate::comment\nfn f() -> crate::api::X {}";
    assert_eq!(used(source).into_iter().collect::<Vec<_>>(), ["api", "relay", "store", "upstream"]);
}

/// Another database can take the place of SQLite: nothing outside the store knows which it is, but for the line that opens
/// it. Tests look into its file.
#[test]
fn one_line_knows_the_database_behind_the_store() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in sources(&src) {
        let place = path.strip_prefix(&src).expect("a path in src");
        if place.starts_with("store") || place.iter().any(|part| part == "tests.rs" || part == "tests") {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a source");
        let code = source.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
        let named = code.filter(|line| line.contains("rusqlite") || line.contains("SqliteStore"));
        found.extend(named.map(|line| format!("{}: {line}", place.display())));
    }
    let opened =
        "app.rs: Self::open_with(config, |data| Ok(Arc::new(store::SqliteStore::open(data)?))).await";
    assert_eq!(found, [opened]);
}

#[test]
fn no_file_uses_itself_through_others() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for root in [
        "src/lib.rs",
        "crates/kernels/src/lib.rs",
        "benches/figures/main.rs",
        "benches/start/main.rs",
        "benches/ttft/main.rs",
    ] {
        let read = files::Crate::read(&here.join(root));
        assert!(read.len() > 5, "{root}: {} files", read.len());
        let circles = files::circles(&read.edges());
        assert!(circles.is_empty(), "{root}: the files of each group use one another: {circles:#?}");
    }
}

#[test]
fn a_circle_is_found_through_re_exports() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a source");
    };
    write("lib.rs", "mod a;\npub mod b;\n");
    write("a.rs", "use crate::b::{Deep, c::{self, other}};\npub struct A;\nfn f() { c::g(Deep) }\n");
    write("b/mod.rs", "mod c;\npub use c::*;\nmod d;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n");
    write("b/c.rs", "//! crate::a::A\npub struct Deep;\npub fn other() {}\n");
    write("b/d.rs", "use super::Deep;\nfn f(_: Deep) {}\n");
    let edges = |name: &str| {
        let read = files::Crate::read(&folder.path().join("lib.rs"));
        let path = folder.path().join(name);
        let names = |used: &Path| used.strip_prefix(folder.path()).expect("below it").display().to_string();
        let edges = read.edges();
        (
            edges[path.as_path()].iter().map(|used| names(used)).collect::<Vec<_>>(),
            !files::circles(&edges).is_empty(),
        )
    };
    assert_eq!(edges("a.rs"), (vec!["b/c.rs".to_owned()], false));
    assert_eq!(edges("b/d.rs").0, ["b/c.rs"]);
    assert!(edges("b/mod.rs").0.is_empty(), "what is re-exported is not used");
    write("b/c.rs", "pub struct Deep;\npub fn other() -> crate::a::A { crate::a::A }\n");
    assert!(edges("b/c.rs").1, "a uses c, and c uses a");
}
