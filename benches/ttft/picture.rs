//! The added time as a picture: a dot for the median, a line to the 99th percentile, one panel for each load.

use std::fmt::Write;

use crate::numbers::short;
use crate::record::{Figures, Known, LoadRecord, Record};
use crate::table::clients;

const WIDTH: f64 = 960.0;
const NAMES: f64 = 196.0;
const GAP: f64 = 22.0;
const TOP: f64 = 96.0;
const ROW: f64 = 28.0;
const FOOT: f64 = 62.0;
const INK: &str = "#1f2933";
const FAINT: &str = "#6b7785";
const LINES: &str = "#e3e7eb";
const OTHERS: &str = "#7b8794";
const OURS: &str = "#0b6e4f";
/// Width of a small letter, about: there is nobody to ask how wide a text is.
const LETTER: f64 = 5.9;

/// Draws what a run measured, with a background of its own so that it reads on any page.
pub fn draw(record: &Record) -> String {
    let rows = rows(record);
    let axis = Axis::new(record);
    let height = TOP + ROW * rows.len() as f64 + FOOT;
    let mut svg = String::new();
    let mut put = |text: String| {
        svg.push_str(&text);
        svg.push('\n');
    };
    put(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif" font-size="12" role="img" aria-label="Added time to the first token">"#
    ));
    put(format!(
        r##"<rect x="0.5" y="0.5" width="{}" height="{}" rx="8" fill="#ffffff" stroke="{LINES}"/>"##,
        WIDTH - 1.0,
        height - 1.0
    ));
    put(text(20.0, 30.0, INK, r#"font-size="17" font-weight="600""#, "Time added to the first token"));
    put(text(
        20.0,
        50.0,
        FAINT,
        "",
        "milliseconds on a logarithmic scale, from the median (dot) to the 99th percentile (bar)",
    ));
    let width = (WIDTH - NAMES - GAP * record.loads.len() as f64) / record.loads.len().max(1) as f64;
    for (row, target) in rows.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let style = if ours(target) { r#"font-weight="600""# } else { "" };
        put(text(20.0, y + 4.0, if ours(target) { OURS } else { INK }, style, &target.name));
    }
    for (number, load) in record.loads.iter().enumerate() {
        let panel = Panel { left: NAMES + (width + GAP) * number as f64, width, axis };
        let head = format!("{}, {} requests/s", clients(load.clients), load.rate);
        put(text(panel.left, TOP - 20.0, INK, r#"font-weight="600""#, &head));
        put(panel.grid(rows.len()));
        for (row, target) in rows.iter().enumerate() {
            let figures = load.figures.iter().find(|figures| figures.target == target.id);
            put(panel.row(TOP + ROW * (row as f64 + 0.5), target, figures));
        }
    }
    let versions: Vec<String> = rows
        .iter()
        .filter(|t| !ours(t) && !t.version.is_empty())
        .map(|t| format!("{} {}", t.name, t.version))
        .collect();
    put(text(20.0, height - 20.0, FAINT, r#"font-size="11""#, &versions.join(" · ")));
    put(text(WIDTH - 20.0, height - 20.0, FAINT, r#"font-size="11" text-anchor="end""#, &record.machine));
    put("</svg>".to_owned());
    svg
}

/// What passes streams on by the median under the middle load, then what also grounds them.
fn rows(record: &Record) -> Vec<&Known> {
    let middle = record.loads.get(record.loads.len() / 2);
    let p50 = |target: &Known| {
        let figures = middle.and_then(|load| load.figures.iter().find(|f| f.target == target.id));
        figures.and_then(|f| f.added.as_ref()).map_or(f64::MAX, |added| added.p50.median)
    };
    let mut rows: Vec<&Known> = record.targets.iter().filter(|t| !t.id.starts_with("direct")).collect();
    rows.sort_by(|a, b| {
        (a.grounded, p50(a)).partial_cmp(&(b.grounded, p50(b))).unwrap_or(std::cmp::Ordering::Equal)
    });
    rows
}

fn ours(target: &Known) -> bool {
    target.version.starts_with("lastro")
}

/// Powers of ten that hold everything that is drawn.
#[derive(Clone, Copy)]
struct Axis {
    low: i32,
    high: i32,
}

impl Axis {
    fn new(record: &Record) -> Self {
        let drawn = |load: &LoadRecord| {
            let kept = load.figures.iter().filter(|f| f.saturated.is_none());
            kept.filter_map(|f| f.added.as_ref())
                .flat_map(|a| [a.p50.median, a.p99.median])
                .collect::<Vec<_>>()
        };
        let all: Vec<f64> = record.loads.iter().flat_map(drawn).filter(|ms| *ms > 0.01).collect();
        let least = all.iter().copied().fold(0.1, f64::min);
        let most = all.iter().copied().fold(1.0, f64::max);
        Self { low: least.log10().floor() as i32, high: most.log10().ceil() as i32 }
    }

    /// From 0 to 1.
    fn part(&self, ms: f64) -> f64 {
        let decades = f64::from(self.high - self.low);
        ((ms.max(1e-9).log10() - f64::from(self.low)) / decades).clamp(0.0, 1.0)
    }
}

/// One load's place.
struct Panel {
    left: f64,
    width: f64,
    axis: Axis,
}

impl Panel {
    fn x(&self, ms: f64) -> f64 {
        self.left + 4.0 + (self.width - 8.0) * self.axis.part(ms)
    }

    fn grid(&self, rows: usize) -> String {
        let (bottom, mut svg) = (TOP + ROW * rows as f64, String::new());
        for power in self.axis.low..=self.axis.high {
            let (x, ms) = (self.x(10f64.powi(power)), 10f64.powi(power));
            // Writing into a string cannot fail.
            let _ = write!(
                svg,
                r#"<line x1="{x:.1}" y1="{}" x2="{x:.1}" y2="{bottom}" stroke="{LINES}"/>"#,
                TOP - 8.0
            );
            // The outer ones stay within the panel.
            let anchor = match power {
                _ if power == self.axis.low => "start",
                _ if power == self.axis.high => "end",
                _ => "middle",
            };
            let ms = if power < 3 { ms.to_string() } else { format!("{}k", ms / 1e3) };
            svg.push_str(&text(
                x,
                bottom + 16.0,
                FAINT,
                &format!(r#"font-size="11" text-anchor="{anchor}""#),
                &ms,
            ));
        }
        svg
    }

    fn row(&self, y: f64, target: &Known, figures: Option<&Figures>) -> String {
        let small = r#"font-size="11""#;
        let added = match figures {
            Some(Figures { saturated: Some(_), .. }) => {
                return text(
                    self.left + 8.0,
                    y + 4.0,
                    FAINT,
                    r#"font-size="11" font-style="italic""#,
                    "cannot keep up",
                );
            }
            Some(Figures { added: Some(added), .. }) => added,
            _ => {
                return text(
                    self.left + 8.0,
                    y + 4.0,
                    FAINT,
                    r#"font-size="11" font-style="italic""#,
                    "not measured",
                );
            }
        };
        let colour = if ours(target) { OURS } else { OTHERS };
        let (from, to) = (self.x(added.p50.median), self.x(added.p99.median.max(added.p50.median)));
        let label = format!("{} … {}", short(added.p50.median), short(added.p99.median));
        let wide = label.chars().count() as f64 * LETTER;
        let (x, anchor) = match to + 8.0 + wide > self.left + self.width + GAP - 4.0 {
            false => (to + 8.0, "start"),
            true => (from - 9.0, "end"),
        };
        format!(
            r#"<line x1="{from:.1}" y1="{y:.1}" x2="{to:.1}" y2="{y:.1}" stroke="{colour}" stroke-width="3" stroke-opacity="0.35"/><line x1="{to:.1}" y1="{:.1}" x2="{to:.1}" y2="{:.1}" stroke="{colour}" stroke-width="2"/><circle cx="{from:.1}" cy="{y:.1}" r="4.5" fill="{colour}"/>{}"#,
            y - 5.0,
            y + 5.0,
            text(x, y + 4.0, INK, &format!(r#"{small} text-anchor="{anchor}""#), &label)
        )
    }
}

fn text(x: f64, y: f64, colour: &str, style: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        r##"<text x="{x:.1}" y="{y:.1}" fill="{colour}" stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke" {style}>{text}</text>"##
    )
}
