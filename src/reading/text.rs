//! Plain text: any encoding to a string, a string to blocks.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, MACINTOSH, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::document::{Block, BlockKind, Extracted, Format};
use super::error::{ExtractError, ExtractErrorKind};
use super::lines::{numbered_heading, starts_item};

/// Enough of a file to know its kind by.
const SAMPLE: usize = 1 << 16;

/// Whether these bytes are no text in any encoding.
pub fn looks_binary(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    if Encoding::for_bom(sample).is_some() {
        return false;
    }
    if sample.contains(&0) && utf16_without_bom(sample).is_some() {
        return false;
    }
    if sample.contains(&0) && !ends_with_zeros(sample) {
        return true;
    }
    sample.iter().filter(|byte| is_odd(**byte) && **byte != 0).count() * 20 > sample.len()
}

/// Whether the zeros of these bytes are what lines or names of a text end with, as `find -print0` and some logs write
/// them: one at a time, between bytes that are text.
fn ends_with_zeros(sample: &[u8]) -> bool {
    let zeros = sample.iter().filter(|byte| **byte == 0).count();
    zeros * 4 <= sample.len()
        && !sample.windows(3).any(|bytes| bytes == [0; 3])
        && sample.iter().filter(|byte| is_odd(**byte) && **byte != 0).count() * 200 <= sample.len()
}

/// ESC belongs to ISO-2022-JP; the rest of these have no place in text.
fn is_odd(byte: u8) -> bool {
    matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127)
}

/// Whether bytes are a text of an encoding that writes ASCII as ASCII, and much of it.
fn reads_as_bytes(bytes: &[u8]) -> bool {
    if bytes.iter().filter(|byte| is_odd(**byte)).count() * 200 > bytes.len() {
        return false;
    }
    // A character may be cut by the end of a sample.
    let is_utf8 =
        std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to() + 4 > bytes.len(), |_| true);
    is_utf8 || bytes.iter().filter(|byte| byte.is_ascii()).count() * 4 >= bytes.len() * 3
}

/// Decodes text: byte order mark, UTF-16, UTF-8, and for the rest a guess by its letters. A zero that ends a line or a
/// name is a line end.
pub fn decode(bytes: &[u8]) -> Result<String, ExtractError> {
    if looks_binary(bytes) {
        return Err(ExtractError::new(
            ExtractErrorKind::UnsupportedFile,
            "The file is binary, not text. Upload a PDF, HTML, Markdown or plain text file.",
        ));
    }
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return Ok(encoding.decode_without_bom_handling(&bytes[length..]).0.into_owned());
    }
    if let Some(encoding) = utf16_without_bom(&bytes[..bytes.len().min(SAMPLE)]) {
        return Ok(encoding.decode_without_bom_handling(bytes).0.into_owned());
    }
    let bytes = &*zeros_as_line_ends(bytes);
    if mostly_utf8(bytes) {
        return Ok(String::from_utf8_lossy(bytes).into_owned());
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    Ok(best_single_byte(bytes, guess).decode_without_bom_handling(bytes).0.into_owned())
}

fn zeros_as_line_ends(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&0) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        match (byte, bytes.get(at + 1)) {
            // Beside a line end it says nothing more.
            (0, Some(b'\r' | b'\n')) => {}
            (0, _) if out.last() == Some(&b'\n') => {}
            (0, _) => out.push(b'\n'),
            _ => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

/// UTF-16 has its zeros (of spaces, line ends and Latin letters) on one side only. So may have a text whose lines end
/// with a zero: what decides is which reading makes sense.
fn utf16_without_bom(sample: &[u8]) -> Option<&'static Encoding> {
    let (mut even, mut odd) = (0_usize, 0_usize);
    let mut full = 0_usize;
    for pair in sample.chunks_exact(2) {
        // U+3000 and U+4E00, space and one in Chinese, have theirs on the other side.
        let other = |byte: u8| matches!(byte, 0x30 | 0x4e);
        even += usize::from(pair[0] == 0 && !other(pair[1]));
        odd += usize::from(pair[1] == 0 && !other(pair[0]));
        full += usize::from(!pair.contains(&0));
    }
    let pairs = sample.len() / 2;
    let encoding = match (even, odd) {
        (few, many) if many * 50 >= pairs && few * 20 <= many && many > 0 => UTF_16LE,
        (many, few) if many * 50 >= pairs && few * 20 <= many && many > 0 => UTF_16BE,
        _ => return None,
    };
    // Few units of Latin text are without a zero; the bytes of other scripts are no text.
    let without: Vec<u8> = sample.iter().copied().filter(|byte| *byte != 0).collect();
    if full * 3 > pairs && reads_as_bytes(&without) {
        return None;
    }
    let whole = &sample[..pairs * 2];
    let text = encoding.decode_without_bom_handling(whole).0;
    let private =
        |c: char| matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}');
    let odd =
        text.chars().filter(|c| *c == '\u{fffd}' || private(*c) || (c.is_control() && !c.is_whitespace()));
    // One replacement at the end is a surrogate pair cut by the sample.
    (odd.count() * 50 <= pairs + 50).then_some(encoding)
}

/// UTF-8, allowing for the odd damaged character in a text that otherwise proves to be UTF-8.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    bad == 0 || good >= bad * 10
}

/// The detector knows no Mac Roman and errs on short texts, so its guess has to do better than the
/// two encodings that Western files are in most often.
fn best_single_byte(bytes: &[u8], guess: &'static Encoding) -> &'static Encoding {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let foreign = sample.iter().filter(|byte| !byte.is_ascii()).count() as i64;
    let score = |encoding: &'static Encoding| plausibility(&encoding.decode_without_bom_handling(sample).0);
    let mut best = (guess, score(guess));
    for candidate in [WINDOWS_1252, MACINTOSH] {
        let points = score(candidate);
        if points > best.1 + (foreign / 5).max(1) {
            best = (candidate, points);
        }
    }
    best.0
}

/// Points for letters and signs beyond ASCII that stand where a reader expects them.
fn plausibility(text: &str) -> i64 {
    let mut before = ' ';
    let mut points = 0;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        if !c.is_ascii() {
            let inside = before.is_alphabetic() && after.is_alphabetic();
            let beside_ascii = before.is_ascii_alphabetic() || after.is_ascii_alphabetic();
            points += match c {
                '\u{fffd}' | '\u{80}'..='\u{9f}' => -3,
                'þ' | 'ð' | 'Þ' | 'Ð' => 0,
                _ if c.is_uppercase() && before.is_lowercase() => -2,
                '\u{c0}'..='\u{24f}' if c.is_alphabetic() => 1,
                '’' | '‘' => 1,
                '“' | '”' | '«' | '»' | '–' | '—' | '…' | '•' | '€' | '£' | '§' | '©' | '®' | 'º' | 'ª'
                | '°' | '·' | '\u{a0}'
                    if !inside =>
                {
                    1
                }
                _ if c.is_alphabetic() && !beside_ascii => 1,
                _ if inside || c.is_alphabetic() => -2,
                _ => -1,
            };
        }
        before = c;
    }
    points
}

/// Splits text into paragraphs at blank lines, with the lists and headings that are plain to see.
pub fn read(text: &str) -> Extracted {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{85}'], "\n");
    let text = text.replace(['\u{2029}', '\u{c}'], "\n\n");
    let mut blocks = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            push_paragraph(&paragraph, &mut blocks);
            paragraph.clear();
        } else {
            paragraph.push(line.trim_end());
        }
    }
    Extracted { format: Format::Text, title: None, blocks, pages: None }
}

fn push_paragraph(lines: &[&str], blocks: &mut Vec<Block>) {
    let mut lines = lines;
    while let Some((level, used)) = underlined_heading(lines) {
        blocks.push(Block::new(BlockKind::Heading(level), lines[used - 2].trim()));
        lines = &lines[used..];
    }
    if let [line] = lines
        && let Some(level) = numbered_heading(line.trim())
    {
        blocks.push(Block::new(BlockKind::Heading(level), line.trim()));
        return;
    }
    let mut start = 0;
    for at in 1..=lines.len() {
        if at == lines.len() || starts_item(lines[at]) {
            let kind = if starts_item(lines[start]) { BlockKind::ListItem } else { BlockKind::Paragraph };
            blocks.push(Block::new(kind, join(&lines[start..at])));
            start = at;
        }
    }
}

/// Wrapped prose becomes one line; lines that end early (verse, addresses, tables) are kept.
fn join(lines: &[&str]) -> String {
    let body = &lines[..lines.len() - 1];
    let longest = body.iter().map(|line| line.trim().chars().count()).max().unwrap_or(0);
    let full = body.iter().filter(|line| line.trim().chars().count() * 10 >= longest * 7).count();
    let tabular = lines.iter().filter(|line| line.trim().contains("  ") || line.contains('\t')).count();
    if longest >= 40 && full * 10 >= body.len() * 7 && tabular * 3 <= lines.len() {
        lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    } else {
        lines.join("\n").trim().to_owned()
    }
}

fn underlined_heading(lines: &[&str]) -> Option<(u8, usize)> {
    let [title, rule, ..] = lines else { return None };
    let (title, rule) = (title.trim(), rule.trim());
    let mark = rule.chars().next().filter(|mark| "=-~*#^".contains(*mark))?;
    let long_enough = rule.chars().count() * 10 >= title.chars().count() * 8 && rule.len() >= 3;
    let is_title = title.chars().any(char::is_alphabetic) && title.chars().count() <= 100;
    (rule.chars().all(|c| c == mark) && long_enough && is_title)
        .then_some((if mark == '=' || mark == '#' || mark == '*' { 1 } else { 2 }, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCE: &str = "Não há informação sobre a coleção; o órgão público é responsável pelas ações.";

    #[test]
    fn every_usual_encoding_is_read() {
        for encoding in [encoding_rs::UTF_8, WINDOWS_1252, MACINTOSH, encoding_rs::ISO_8859_15] {
            let bytes = encoding.encode(SENTENCE).0;
            assert_eq!(decode(&bytes).expect("the test input is good"), SENTENCE, "{}", encoding.name());
        }
        let units: Vec<u16> = SENTENCE.encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(decode(&little).expect("the test input is good"), SENTENCE);
        assert_eq!(decode(&big).expect("the test input is good"), SENTENCE);
        assert_eq!(
            decode(&[b"\xff\xfe", little.as_slice()].concat()).expect("the test input is good"),
            SENTENCE
        );
        assert_eq!(
            decode(&[b"\xfe\xff", big.as_slice()].concat()).expect("the test input is good"),
            SENTENCE
        );
        assert_eq!(
            decode(&[b"\xef\xbb\xbf", SENTENCE.as_bytes()].concat()).expect("the test input is good"),
            SENTENCE
        );
        let russian = "Привет, как дела? Это обычный текст на русском языке.";
        assert_eq!(
            decode(&encoding_rs::WINDOWS_1251.encode(russian).0).expect("the test input is good"),
            russian
        );
        let japanese = "これは日本語の文章です。文字コードを判定します。";
        assert_eq!(
            decode(&encoding_rs::SHIFT_JIS.encode(japanese).0).expect("the test input is good"),
            japanese
        );
    }

    #[test]
    fn a_damaged_character_does_not_turn_utf8_into_something_else() {
        let mut bytes = SENTENCE.as_bytes().to_vec();
        bytes.push(0xc3);
        assert!(decode(&bytes).expect("the test input is good").starts_with(SENTENCE));
    }

    #[test]
    fn binary_is_refused() {
        let bytes: Vec<u8> = (0..2000_u32).map(|n| (n * 7919 % 251) as u8).collect();
        assert_eq!(decode(&bytes).expect_err("it cannot be read").code(), "unsupported_file");
    }

    #[test]
    fn lines_that_end_with_a_zero_are_text() {
        let latin = |text: &str| WINDOWS_1252.encode(text).0.into_owned();
        let cyrillic = |text: &str| encoding_rs::WINDOWS_1251.encode(text).0.into_owned();
        for length in [4, 5, 6, 8, 31, 32] {
            let words = "valve closed at noon, the second bell rang twice";
            let line = &words[..length];
            for end in ["\0", "\0\n", "\n\0", "\0\r\n"] {
                let text = format!("{line}{end}").repeat(40);
                let decoded = decode(text.as_bytes()).expect("it is text");
                let lines: Vec<&str> = decoded.lines().filter(|line| !line.is_empty()).collect();
                assert_eq!(lines, [line; 40], "{length} {end:?}");
            }
        }
        let portuguese = "a válvula é fechada às doze horas";
        let russian = "клапан закрыт в полдень";
        for (bytes, line) in [
            (format!("{portuguese}\0\n").repeat(9).into_bytes(), portuguese),
            (latin(&format!("{portuguese}\0\n").repeat(9)), portuguese),
            (format!("{russian}\0").repeat(9).into_bytes(), russian),
            (cyrillic(&format!("{russian}\0\n").repeat(9)), russian),
            (cyrillic(&format!("{russian}!\0\n").repeat(9)), &format!("{russian}!")),
        ] {
            let decoded = decode(&bytes).expect("it is text");
            assert!(decoded.lines().filter(|line| !line.is_empty()).all(|found| found == line), "{decoded}");
        }
        assert_eq!(decode(b"one.txt\0two.txt\0").expect("it is text"), "one.txt\ntwo.txt\n");
    }

    #[test]
    fn utf16_of_every_script_is_read_without_a_mark() {
        for text in [
            "Plain words of English, with “quotes” – and dashes… • and bullets.",
            "Обычный текст на русском языке, два слова и точка.",
            "这是 一个 中文 的 句子。 还有 一个。\n",
            "これは 日本語 の 文章 です。 100 円\n",
            "한국어 문장은 이렇게 보입니다. 둘째 문장.",
            "यह एक वाक्य है। और एक वाक्य।",
            "Ελληνικό κείμενο με λέξεις.",
            "• a\n• b\n• c\n",
        ] {
            let text = text.repeat(5);
            let units: Vec<u16> = text.encode_utf16().collect();
            let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            assert_eq!(decode(&little).expect("the test input is good"), text);
            assert_eq!(decode(&big).expect("the test input is good"), text);
        }
    }

    #[test]
    fn paragraphs_lists_and_headings() {
        let text = "Title\r\n=====\r\nThis line of prose is wrapped at a column that is usual for text\r\n\
                    and goes on here.\r\n\r\n2.1 A section\r\n\r\n- one\r\n  more\r\n- two\r\n\rRose is a rose\ris a rose";
        let blocks = read(text).blocks;
        let found: Vec<(BlockKind, &str)> =
            blocks.iter().map(|block| (block.kind, block.text.as_str())).collect();
        let prose = "This line of prose is wrapped at a column that is usual for text and goes on here.";
        let expected = [
            (BlockKind::Heading(1), "Title"),
            (BlockKind::Paragraph, prose),
            (BlockKind::Heading(2), "2.1 A section"),
            (BlockKind::ListItem, "- one\n  more"),
            (BlockKind::ListItem, "- two"),
            (BlockKind::Paragraph, "Rose is a rose\nis a rose"),
        ];
        assert_eq!(found, expected);
    }
}
