//! The starts as a picture: for each target a line from nothing over listening to the first token.

use std::fmt::Write;

use crate::numbers::short;
use crate::record::Line;

const WIDTH: f64 = 960.0;
const NAMES: f64 = 236.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 92.0;
const ROW: f64 = 40.0;
const FOOT: f64 = 58.0;
const INK: &str = "#1f2933";
const FAINT: &str = "#6b7785";
const GRID: &str = "#e3e7eb";
const OTHERS: &str = "#7b8794";
const OURS: &str = "#0b6e4f";
/// Milliseconds at the left edge.
const LEAST: f64 = 1.0;

/// Draws medians, with a background of its own so that it reads on any page.
pub fn draw(lines: &[Line], below: &str) -> String {
    let times = lines.iter().flat_map(|line| [Some(line.listening), line.first, line.dense]).flatten();
    let decades = times.fold(10.0, f64::max).log10().ceil();
    let x = |ms: f64| {
        let part = (ms.max(LEAST) / LEAST).log10() / (decades - LEAST.log10());
        NAMES + (WIDTH - NAMES - RIGHT) * part.clamp(0.0, 1.0)
    };
    let bottom = TOP + ROW * lines.len() as f64;
    let height = bottom + FOOT;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif" font-size="12" role="img" aria-label="From starting the process to its first token">
<rect x="0.5" y="0.5" width="{}" height="{}" rx="8" fill="#ffffff" stroke="{GRID}"/>
"##,
        WIDTH - 1.0,
        height - 1.0
    );
    let mut put = |x: f64, y: f64, colour: &str, style: &str, text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        // Writing into a string cannot fail.
        let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" fill="{colour}" {style}>{text}</text>"#);
    };
    put(
        20.0,
        30.0,
        INK,
        r#"font-size="17" font-weight="600""#,
        "From starting the process to its first token",
    );
    let legend =
        "milliseconds on a logarithmic scale: listening (ring), first token (dot), vectors searched (square)";
    put(20.0, 50.0, FAINT, "", legend);
    put(20.0, height - 18.0, FAINT, r#"font-size="11""#, below);
    for (row, line) in lines.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let (colour, style) = if line.ours { (OURS, r#"font-weight="600""#) } else { (INK, "") };
        put(20.0, y + 4.0, colour, style, &line.name);
    }
    for power in 0..=decades as i32 {
        let ms = 10f64.powi(power);
        let label = if power < 3 { format!("{ms} ms") } else { format!("{} s", ms / 1e3) };
        put(x(ms), bottom + 16.0, FAINT, r#"font-size="11" text-anchor="middle""#, &label);
    }
    for power in 0..=decades as i32 {
        let at = x(10f64.powi(power));
        let _ = writeln!(svg, r#"<path d="M{at:.1} {} V{bottom}" stroke="{GRID}"/>"#, TOP - 8.0);
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
        x(LEAST),
        x(last)
    );
    let label = |ms: f64, above: bool| {
        let y = if above { y - 10.0 } else { y + 18.0 };
        format!(
            r#"<text x="{:.1}" y="{y:.1}" fill="{INK}" font-size="11" text-anchor="middle">{}</text>"#,
            x(ms),
            short(ms)
        )
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
