use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::*;

fn url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", BASE64_STANDARD.encode(bytes))
}

fn of(part: Value) -> Vec<Medium> {
    take_media(&mut json!([{ "role": "user", "content": [part, { "type": "text", "text": "what?" }] }]))
}

fn png(width: u32, height: u32) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes(), &[8; 400]]
        .concat()
}

fn jpeg(before: usize, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    let mut left = before;
    while left > 0 {
        let length = left.min(60_000);
        bytes.extend([0xFF, 0xE1]);
        bytes.extend((length as u16 + 2).to_be_bytes());
        // As a small picture within the segment.
        bytes.extend([0xFF, 0xC0].iter().cycle().take(length));
        left -= length;
    }
    bytes.extend([0xFF, 0xDB, 0, 4, 1, 1, 0xFF, 0xFF, 0xC2, 0, 17, 8]);
    bytes.extend([height.to_be_bytes(), width.to_be_bytes()].concat());
    bytes.extend([3; 200]);
    bytes
}

#[test]
fn pictures_tell_their_size_in_their_headers() {
    let gif = [b"GIF89a".as_slice(), &[0x40, 1, 0xF0, 0], &[0; 40]].concat();
    let bmp =
        [b"BM".as_slice(), &[0; 16], &640u32.to_le_bytes(), &(-480i32).to_le_bytes(), &[0; 40]].concat();
    let webp =
        |kind: &[u8], rest: &[u8]| [b"RIFF\0\0\0\0WEBP".as_slice(), kind, &[0; 4], rest, &[0; 40]].concat();
    let both = (799u32 | 599 << 14).to_le_bytes();
    for (bytes, size) in [
        (png(4000, 3000), Some((4000, 3000))),
        (jpeg(0, 1920, 1080), Some((1920, 1080))),
        (jpeg(20_000, 1920, 1080), Some((1920, 1080))),
        (jpeg(300_000, 1920, 1080), Some((1920, 1080))),
        (gif, Some((320, 240))),
        (bmp, Some((640, 480))),
        (webp(b"VP8X", &[0, 0, 0, 0, 0x1F, 3, 0, 0x57, 2, 0]), Some((800, 600))),
        (webp(b"VP8L", &[&[0x2F][..], &both].concat()), Some((800, 600))),
        (webp(b"VP8 ", &[0, 0, 0, 0x9D, 1, 0x2A, 0x20, 3, 0x58, 2]), Some((800, 600))),
        (png(0, 10), None),
        (b"\x89PNG\r\n\x1a\n cut short".to_vec(), None),
        (b"<svg>".repeat(40), None),
        (vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 0], None),
        (Vec::new(), None),
    ] {
        let url = url("image/png", &bytes);
        for part in [
            json!({ "type": "image_url", "image_url": { "url": url, "detail": "high" } }),
            json!({ "type": "input_image", "image_url": url }),
            json!({ "image_url": { "url": url } }),
        ] {
            assert_eq!(of(part), [Medium::Picture(size)], "{size:?}");
        }
    }
    // Base64 for addresses, with line breaks, and without its padding.
    let plain = BASE64_STANDARD.encode(png(1600, 900));
    let broken = plain
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect::<Vec<_>>();
    for base64 in [plain.replace('+', "-").replace('/', "_"), broken.join("\r\n"), plain.replace('=', "")] {
        let part = json!({ "type": "input_image", "image_url": format!("data:image/png;base64,{base64}") });
        assert_eq!(of(part), [Medium::Picture(Some((1600, 900)))]);
        assert_eq!(of(json!({ "type": "image", "image": base64 })), [Medium::Picture(Some((1600, 900)))]);
    }
    let remote = json!({ "type": "image_url", "image_url": { "url": format!("https://a.example/{}.png", "x".repeat(90)) } });
    assert_eq!(of(remote), [Medium::Picture(None)]);
}

#[test]
fn sounds_videos_and_files_tell_less() {
    let wav = [
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".as_slice(),
        &16_000u32.to_le_bytes(),
        &32_000u32.to_le_bytes(),
        &vec![0; 320_000],
    ]
    .concat();
    let sound = |bytes: &[u8]| json!({ "type": "input_audio", "input_audio": { "data": BASE64_STANDARD.encode(bytes), "format": "wav" } });
    let [Medium::Sound(Some(seconds))] = of(sound(&wav))[..] else { panic!("a sound") };
    assert!((9.9..10.2).contains(&seconds), "{seconds}");
    let [Medium::Sound(Some(seconds))] = of(sound(&[7; 40_000]))[..] else { panic!("a sound") };
    assert!((9.9..10.2).contains(&seconds), "{seconds}");
    assert_eq!(
        of(json!({ "type": "audio_url", "audio_url": { "url": "https://a.example/b.mp3" } })),
        [Medium::Sound(None)]
    );
    assert_eq!(
        of(json!({ "type": "video_url", "video_url": { "url": "data:video/mp4;base64,AAAA" } })),
        [Medium::Video]
    );
    let pdf = url("application/pdf", &[b"%PDF-1.7 ".as_slice(), &[b' '; 2991]].concat());
    let file = Medium::File { bytes: Some(3_000), pdf: true };
    assert_eq!(of(json!({ "type": "input_file", "filename": "a.pdf", "file_data": pdf })), [file]);
    assert_eq!(of(json!({ "type": "file", "file": { "filename": "a.pdf", "file_data": pdf } })), [file]);
    let named = Medium::File { bytes: None, pdf: false };
    assert_eq!(of(json!({ "type": "input_file", "file_id": "file-1" })), [named]);
}

#[test]
fn what_is_text_stays() {
    let messages = json!([
        { "role": "system", "content": "a data:image/png;base64,AAAA in a text is text" },
        { "role": "user", "content": [{ "type": "text", "text": "image_url" }], "name": "file" },
        { "role": "assistant", "audio": { "id": "audio-1" }, "tool_calls": [{ "type": "function", "function": { "name": "image", "arguments": "{\"file\":1}" } }] },
        { "type": "file_search_call", "queries": ["file"], "results": [{ "text": "found" }] },
    ])
    .to_string();
    assert!(matches!(without_media(&messages), Cow::Borrowed(_)));
    assert!(matches!(without_media("no JSON"), Cow::Borrowed(_)));
    let picture = json!([
        { "role": "user", "content": [{ "type": "image_url", "image_url": { "url": url("image/png", &png(9, 9)) } }, { "type": "text", "text": "what?" }] },
        { "type": "computer_call_output", "output": { "type": "computer_screenshot", "image_url": "https://a.example/b" } },
    ]);
    assert_eq!(take_media(&mut picture.clone()), [Medium::Picture(Some((9, 9))), Medium::Picture(None)]);
    let left = without_media(&picture.to_string()).into_owned();
    assert!(left.contains("what?") && !left.contains("image_url"), "{left}");
}
