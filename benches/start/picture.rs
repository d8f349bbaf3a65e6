//! The starts as a picture: for each target a line from nothing over listening to the first token.

use crate::numbers::short;
use crate::record::Line;
use crate::svg::{Axis, BOLD, FAINT, GRID, INK, OTHERS, OURS, SMALL, TITLE, WIDTH, frame, text};

const NAMES: f64 = 236.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 92.0;
const ROW: f64 = 40.0;
const FOOT: f64 = 58.0;
/// Texts around their place.
const CENTRED: &str = r#"font-size="11" text-anchor="middle""#;
const NAME: &str = "From starting the process to its first token";

/// Draws medians.
pub fn draw(lines: &[Line], below: &str) -> String {
    let times = lines.iter().flat_map(|line| [Some(line.listening), line.first, line.dense]).flatten();
    let axis = Axis { low: 0, high: times.fold(10.0, f64::max).log10().ceil() as i32 };
    let x = |ms: f64| NAMES + (WIDTH - NAMES - RIGHT) * axis.part(ms);
    let bottom = TOP + ROW * lines.len() as f64;
    let height = bottom + FOOT;
    let mut svg = frame(height, NAME);
    let mut put = |text: String| {
        svg.push_str(&text);
        svg.push('\n');
    };
    put(text(20.0, 30.0, INK, TITLE, NAME));
    let legend =
        "milliseconds on a logarithmic scale: listening (ring), first token (dot), vectors searched (square)";
    put(text(20.0, 50.0, FAINT, "", legend));
    put(text(20.0, height - 18.0, FAINT, SMALL, below));
    for (row, line) in lines.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let (colour, style) = if line.ours { (OURS, BOLD) } else { (INK, "") };
        put(text(20.0, y + 4.0, colour, style, &line.name));
    }
    for (power, ms) in axis.marks() {
        let label = if power < 3 { format!("{ms} ms") } else { format!("{} s", ms / 1e3) };
        put(text(x(ms), bottom + 16.0, FAINT, CENTRED, &label));
    }
    for (_, ms) in axis.marks() {
        let at = x(ms);
        put(format!(r#"<path d="M{at:.1} {} V{bottom}" stroke="{GRID}"/>"#, TOP - 8.0));
    }
    for (row, line) in lines.iter().enumerate() {
        svg.push_str(&marks(line, TOP + ROW * (row as f64 + 0.5), x));
    }
    svg + "</svg>\n"
}

fn marks(line: &Line, y: f64, x: impl Fn(f64) -> f64) -> String {
    let colour = if line.ours { OURS } else { OTHERS };
    let last = line.dense.or(line.first).unwrap_or(line.listening);
    let mut svg = format!(
        r#"<path d="M{:.1} {y} H{:.1}" stroke="{colour}" stroke-width="3" stroke-opacity="0.3"/>"#,
        x(1.0),
        x(last)
    );
    let label = |ms: f64, above: bool| {
        let y = if above { y - 10.0 } else { y + 18.0 };
        text(x(ms), y, INK, CENTRED, &short(ms))
    };
    svg += &format!(
        r##"<circle cx="{:.1}" cy="{y}" r="5" fill="#ffffff" stroke="{colour}" stroke-width="2"/>{}"##,
        x(line.listening),
        label(line.listening, true)
    );
    if let Some(first) = line.first {
        svg += &format!(
            r#"<circle cx="{:.1}" cy="{y}" r="4" fill="{colour}"/>{}"#,
            x(first),
            label(first, false)
        );
    }
    if let Some(dense) = line.dense {
        svg += &format!(
            r#"<rect x="{:.1}" y="{:.1}" width="8" height="8" fill="{colour}"/>{}"#,
            x(dense) - 4.0,
            y - 4.0,
            label(dense, true)
        );
    }
    svg + "\n"
}
