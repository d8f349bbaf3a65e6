//! Names of files as documents have them.

use std::collections::BTreeSet;

use crate::store::compared_name;

/// A client's name for a file as it is kept: its last part, without control characters.
pub fn clean_filename(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut clean: String = last.chars().filter(|c| !c.is_control()).collect();
    while clean.len() > 255 {
        clean.pop();
    }
    match clean.trim() {
        "" | "." | ".." => "document".to_owned(),
        name => name.to_owned(),
    }
}

/// The names, in the form in which names are compared, that several of these files have.
pub fn shared<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for name in names.map(compared_name) {
        if seen.contains(&name) {
            shared.insert(name);
        } else {
            seen.insert(name);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::clean_filename;

    #[test]
    fn names_lose_their_folders_and_control_characters() {
        for (name, clean) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\docs\\relatório.pdf", "relatório.pdf"),
            ("a\r\nb\0.txt", "ab.txt"),
            ("..", "document"),
            ("", "document"),
            ("x/", "document"),
        ] {
            assert_eq!(clean_filename(name), clean, "{name:?}");
        }
        assert!(clean_filename(&"é".repeat(300)).len() <= 255);
    }

    #[test]
    fn names_that_differ_in_their_encoding_are_shared() {
        let names = ["Ata.txt", "Relato\u{301}rio.txt", "Relat\u{f3}rio.txt"];
        let shared = super::shared(names.into_iter());
        assert_eq!(shared.len(), 1);
        assert!(shared.iter().all(|name| name.starts_with("Relat")), "{shared:?}");
    }
}
