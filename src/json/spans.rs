//! Parts of a JSON text by where they stand in it, so that some can be cut out and all else stays byte for byte.

use std::ops::Range;

use serde_json::value::RawValue;

/// Where a value stands in the text that it was borrowed from when that was parsed.
pub fn span(text: &str, value: &RawValue) -> Range<usize> {
    // A borrowed RawValue is a part of the text that was parsed.
    let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
    start..start + value.get().len()
}

/// What to cut out of a list or object so that some of its elements go, each with the space around it and one comma.
/// `inside` is the place after its opening bracket, `ends` are the places where its elements end.
pub fn cuts(text: &str, inside: usize, ends: &[usize], goes: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let (mut start, mut kept) = (inside, 0);
    for (n, end) in ends.iter().copied().enumerate() {
        // Between an element and its comma, or the closing bracket, there is only space.
        let stop = text[end..].find([',', ']', '}']).map_or(end, |at| end + at);
        let is_last = n + 1 == ends.len();
        if !goes(n) {
            kept += 1;
        } else {
            // After one that stays, the comma before it goes; else the one that follows.
            let cut = match kept {
                0 => start..stop + usize::from(!is_last),
                _ => start - 1..stop,
            };
            match cuts.last_mut() {
                Some(before) if before.end == cut.start => before.end = cut.end,
                _ => cuts.push(cut),
            }
        }
        start = stop + 1;
    }
    cuts
}

/// The text without what is cut out of a part of it.
pub fn without(text: &str, part: Range<usize>, cuts: &[Range<usize>]) -> String {
    let mut left = String::new();
    let mut at = part.start;
    for cut in cuts.iter().filter(|cut| part.contains(&cut.start)) {
        left.push_str(&text[at..cut.start]);
        at = cut.end;
    }
    left.push_str(&text[at..part.end]);
    left
}
