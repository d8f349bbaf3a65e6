//! The added time as a picture: a dot for the median, a line to the 99th percentile, one panel for each load.

use std::fmt::Write;

use crate::load::clients;
use crate::numbers::short;
use crate::record::{Figures, Known, LoadRecord, Record};
use crate::svg::{self, Axis, BOLD, FAINT, GRID, INK, OTHERS, OURS, SMALL, TITLE, WIDTH, frame};

const NAMES: f64 = 196.0;
const GAP: f64 = 22.0;
const TOP: f64 = 96.0;
const ROW: f64 = 28.0;
const FOOT: f64 = 62.0;
/// Width of a small letter, about: there is nobody to ask how wide a text is.
const LETTER: f64 = 5.9;

/// Draws what a run measured.
pub fn draw(record: &Record) -> String {
    let rows = rows(record);
    let axis = axis(record);
    let height = TOP + ROW * rows.len() as f64 + FOOT;
    let mut svg = frame(height, "Added time to the first token");
    let mut put = |text: String| {
        svg.push_str(&text);
        svg.push('\n');
    };
    put(text(20.0, 30.0, INK, TITLE, "Time added to the first token"));
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
        let style = if ours(target) { BOLD } else { "" };
        put(text(20.0, y + 4.0, if ours(target) { OURS } else { INK }, style, &target.name));
    }
    for (number, load) in record.loads.iter().enumerate() {
        let panel = Panel { left: NAMES + (width + GAP) * number as f64, width, axis };
        let head = format!("{}, {} requests/s", clients(load.clients), load.rate);
        put(text(panel.left, TOP - 20.0, INK, BOLD, &head));
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
    put(text(20.0, height - 20.0, FAINT, SMALL, &versions.join(" · ")));
    put(text(WIDTH - 20.0, height - 20.0, FAINT, &format!(r#"{SMALL} text-anchor="end""#), &record.machine));
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

/// Holds everything that is drawn.
fn axis(record: &Record) -> Axis {
    let drawn = |load: &LoadRecord| {
        let kept = load.figures.iter().filter(|f| f.saturated.is_none());
        kept.filter_map(|f| f.added.as_ref()).flat_map(|a| [a.p50.median, a.p99.median]).collect::<Vec<_>>()
    };
    let all: Vec<f64> = record.loads.iter().flat_map(drawn).filter(|ms| *ms > 0.01).collect();
    let least = all.iter().copied().fold(0.1, f64::min);
    let most = all.iter().copied().fold(1.0, f64::max);
    Axis { low: least.log10().floor() as i32, high: most.log10().ceil() as i32 }
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
        for (power, ms) in self.axis.marks() {
            let x = self.x(ms);
            // Writing into a string cannot fail.
            let _ = write!(
                svg,
                r#"<line x1="{x:.1}" y1="{}" x2="{x:.1}" y2="{bottom}" stroke="{GRID}"/>"#,
                TOP - 8.0
            );
            // The outer ones stay within the panel.
            let anchor = match power {
                _ if power == self.axis.low => "start",
                _ if power == self.axis.high => "end",
                _ => "middle",
            };
            let ms = if power < 3 { ms.to_string() } else { format!("{}k", ms / 1e3) };
            svg.push_str(&text(x, bottom + 16.0, FAINT, &format!(r#"{SMALL} text-anchor="{anchor}""#), &ms));
        }
        svg
    }

    fn row(&self, y: f64, target: &Known, figures: Option<&Figures>) -> String {
        let added = match figures {
            Some(Figures { saturated: Some(_), .. }) => return self.without_figures(y, "cannot keep up"),
            Some(Figures { added: Some(added), .. }) => added,
            _ => return self.without_figures(y, "not measured"),
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
            text(x, y + 4.0, INK, &format!(r#"{SMALL} text-anchor="{anchor}""#), &label)
        )
    }

    fn without_figures(&self, y: f64, why: &str) -> String {
        text(self.left + 8.0, y + 4.0, FAINT, &format!(r#"{SMALL} font-style="italic""#), why)
    }
}

/// With an edge, since it may stand across a line of the grid.
fn text(x: f64, y: f64, colour: &str, style: &str, text: &str) -> String {
    const EDGE: &str = r##"stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke""##;
    svg::text(x, y, colour, &format!("{EDGE} {style}"), text)
}
