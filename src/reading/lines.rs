//! What one line of a text shows by itself: an item of a list, a numbered heading, an entry of a table of contents.

/// Whether a line begins an item of a list: a bullet, or a short number or letter and a mark.
pub(super) fn starts_item(line: &str) -> bool {
    let line = line.trim_start();
    let Some((marker, rest)) = line.split_once([' ', '\t', '\u{a0}']) else { return false };
    if rest.trim().is_empty() {
        return false;
    }
    if matches!(marker, "-" | "*" | "+" | "•" | "–" | "·" | "◦" | "▪" | "‣" | "■" | "●" | "○" | "⁃" | "o")
    {
        // An `o` is a bullet in some fonts and an article in Portuguese.
        return marker != "o";
    }
    let body = marker.strip_prefix('(').unwrap_or(marker);
    let Some(body) = body.strip_suffix([')', '.']) else { return false };
    (1..=3).contains(&body.len()) && body.bytes().all(|byte| byte.is_ascii_digit())
        || body.len() == 1 && marker.ends_with(')') && body.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// `2.1 Title` or `Chapter 3. Title`, alone in its paragraph; `1. Title` might be a list.
pub(super) fn numbered_heading(line: &str) -> Option<u8> {
    if line.chars().count() > 90 || line.ends_with(['.', ';', ',', ':', '!', '?']) {
        return None;
    }
    let (number, rest) = line.split_once(char::is_whitespace)?;
    let starts_with_number = rest.trim_start().starts_with(|c: char| c.is_ascii_digit());
    const CHAPTER: [&str; 9] =
        ["chapter", "capítulo", "appendix", "apêndice", "anexo", "part", "parte", "kapitel", "chapitre"];
    if CHAPTER.contains(&number.to_lowercase().as_str()) {
        return (starts_with_number && !line.contains("...")).then_some(1);
    }
    let parts: Vec<&str> = number.trim_end_matches('.').split('.').collect();
    let numeric =
        parts.iter().all(|part| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    let title =
        rest.trim_start().starts_with(char::is_alphabetic) && !rest.contains("...") && !rest.contains(" . .");
    (parts.len() >= 2 && numeric && title).then_some(parts.len().min(6) as u8)
}

/// Whether dots lead to a page number, as in a table of contents.
pub(super) fn has_leaders(text: &str) -> bool {
    text.contains("....") || text.contains(". . . .")
}
