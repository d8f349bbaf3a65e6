//! What of a prompt is no text: pictures, sounds, videos and files.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// A part of a message that is no text, with what can be told of its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Medium {
    /// Width and height in pixels, where the picture is in the request.
    Picture(Option<(u32, u32)>),
    /// Seconds, where the recording is in the request.
    Sound(Option<f64>),
    Video,
    /// Bytes, where the file is in the request.
    File {
        bytes: Option<u64>,
        pdf: bool,
    },
}

/// Pictures and recordings are looked at as far as this: what stands before a JPEG's size may be long.
const FIRST_LOOK: usize = 4 << 10;
const SECOND_LOOK: usize = 1 << 20;
/// Bytes of a second of sound that was compressed well.
const COMPRESSED_SECOND: f64 = 4_000.0;

/// Takes the media out of messages, or out of any part of them.
pub fn take_media(value: &mut Value) -> Vec<Medium> {
    take_parts(value).iter().filter_map(medium).collect()
}

/// The same as the parts that they were.
pub(super) fn take_parts(value: &mut Value) -> Vec<Value> {
    let mut taken = Vec::new();
    take(value, &mut taken);
    taken
}

fn take(value: &mut Value, taken: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.retain_mut(|item| {
            let goes = kind(item).is_some();
            if goes {
                taken.push(item.take());
            } else {
                take(item, taken);
            }
            !goes
        }),
        Value::Object(fields) => {
            for field in fields.values_mut() {
                match kind(field) {
                    Some(_) => taken.push(field.take()),
                    None => take(field, taken),
                }
            }
        }
        _ => {}
    }
}

enum Kind {
    Picture,
    Sound,
    Video,
    File,
}

/// What a part of a message is, if it is no text.
fn kind(part: &Value) -> Option<Kind> {
    let part = part.as_object()?;
    // A part without a type is what its fields say, where it is no message.
    let kind = match part.get("type") {
        Some(kind) => kind.as_str()?,
        None if part.contains_key("role") => return None,
        None => ["image_url", "input_audio", "audio_url", "video_url", "file"]
            .into_iter()
            .find(|kind| part.contains_key(*kind))?,
    };
    match kind {
        "image_url"
        | "input_image"
        | "image"
        | "image_pil"
        | "image_embeds"
        | "computer_screenshot"
        | "image_generation_call" => Some(Kind::Picture),
        "input_audio" | "output_audio" | "audio_url" | "audio" => Some(Kind::Sound),
        "video_url" | "input_video" | "video" => Some(Kind::Video),
        "file" | "input_file" => Some(Kind::File),
        _ => None,
    }
}

fn medium(part: &Value) -> Option<Medium> {
    let data = data(part.as_object()?);
    Some(match kind(part)? {
        Kind::Picture => Medium::Picture(data.and_then(picture_size)),
        Kind::Sound => Medium::Sound(data.map(seconds)),
        Kind::Video => Medium::Video,
        Kind::File => Medium::File {
            bytes: data.map(Data::bytes),
            pdf: data.is_some_and(|data| decoded(data.base64, 8).starts_with(b"%PDF")),
        },
    })
}

/// Bytes that are in the request, in base64.
#[derive(Clone, Copy)]
struct Data<'a> {
    base64: &'a str,
}

impl Data<'_> {
    fn bytes(self) -> u64 {
        self.base64.len() as u64 / 4 * 3
    }
}

/// The data of a part: its longest text, unless that names another place.
fn data(part: &Map<String, Value>) -> Option<Data<'_>> {
    let text = part.values().filter_map(longest_text).max_by_key(|text| text.len())?;
    match text.strip_prefix("data:") {
        Some(url) => url.split_once(',').map(|(_, base64)| Data { base64 }),
        None => (text.len() > 64 && !text.contains("://")).then_some(Data { base64: text }),
    }
}

fn longest_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(values) => values.iter().filter_map(longest_text).max_by_key(|text| text.len()),
        Value::Object(fields) => fields.values().filter_map(longest_text).max_by_key(|text| text.len()),
        _ => None,
    }
}

/// The first bytes of base64, about so many; nothing of what is none.
fn decoded(base64: &str, most: usize) -> Vec<u8> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let letters = base64.bytes().filter(|b| !b.is_ascii_whitespace()).map(|b| match b {
        b'-' => b'+',
        b'_' => b'/',
        b => b,
    });
    let mut start: Vec<u8> = letters.take(most.div_ceil(3) * 4).collect();
    if start.len() % 4 == 1 {
        start.pop();
    }
    LENIENT.decode(start).unwrap_or_default()
}

/// Width and height by the header of a PNG, JPEG, GIF, WebP or BMP.
fn picture_size(data: Data<'_>) -> Option<(u32, u32)> {
    let first = decoded(data.base64, FIRST_LOOK);
    let size = if first.starts_with(&[0xFF, 0xD8]) {
        jpeg_size(&first).or_else(|| jpeg_size(&decoded(data.base64, SECOND_LOOK)))
    } else {
        size_in_header(&first)
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

fn size_in_header(bytes: &[u8]) -> Option<(u32, u32)> {
    let little = |at: usize, length: usize| {
        let bytes = bytes.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    };
    let big = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some((big(16)?, big(20)?))
    } else if bytes.starts_with(b"GIF8") {
        Some((little(6, 2)?, little(8, 2)?))
    } else if bytes.starts_with(b"BM") {
        Some((little(18, 4)?, little(22, 4)?.cast_signed().unsigned_abs()))
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP" {
        match bytes.get(12..16)? {
            b"VP8X" => Some((little(24, 3)? + 1, little(27, 3)? + 1)),
            b"VP8L" => {
                let both = little(21, 4)?;
                Some(((both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1))
            }
            b"VP8 " => Some((little(26, 2)? & 0x3FFF, little(28, 2)? & 0x3FFF)),
            _ => None,
        }
    } else {
        None
    }
}

/// By the frame header, which stands behind segments of any kind and length.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)));
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xFF {
            return None;
        }
        match *bytes.get(at + 1)? {
            // Filling.
            0xFF => at += 1,
            // Marks without a length.
            0x01 | 0xD0..=0xD8 => at += 2,
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Some((number(at + 7)?, number(at + 5)?));
            }
            _ => at += 2 + number(at + 2)? as usize,
        }
    }
}

/// How long a recording is: a WAV tells how much of it a second takes.
fn seconds(data: Data<'_>) -> f64 {
    let first = decoded(data.base64, FIRST_LOOK);
    let a_second = match first.starts_with(b"RIFF") && first.get(8..12) == Some(b"WAVE") {
        true => memchr::memmem::find(&first, b"fmt ")
            .and_then(|at| first.get(at + 16..at + 20))
            .and_then(|bytes| bytes.try_into().ok())
            .map(|bytes| f64::from(u32::from_le_bytes(bytes)))
            .filter(|bytes| *bytes >= COMPRESSED_SECOND),
        false => None,
    };
    data.bytes() as f64 / a_second.unwrap_or(COMPRESSED_SECOND)
}

/// JSON of messages without their media; as it was where it has none, or cannot be read.
pub fn without_media(messages: &str) -> Cow<'_, str> {
    let Ok(mut value) = serde_json::from_str::<Value>(messages) else { return messages.into() };
    if take_media(&mut value).is_empty() { messages.into() } else { value.to_string().into() }
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
