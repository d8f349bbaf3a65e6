//! What the pictures of the benchmarks share: colours, frame, texts, and an axis of times.

pub const WIDTH: f64 = 960.0;
pub const INK: &str = "#1f2933";
pub const FAINT: &str = "#6b7785";
pub const GRID: &str = "#e3e7eb";
pub const OTHERS: &str = "#7b8794";
pub const OURS: &str = "#0b6e4f";
/// Styles of texts.
pub const TITLE: &str = r#"font-size="17" font-weight="600""#;
pub const BOLD: &str = r#"font-weight="600""#;
pub const SMALL: &str = r#"font-size="11""#;

/// The beginning of a picture, with a background of its own so that it reads on any page.
pub fn frame(height: f64, label: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif" font-size="12" role="img" aria-label="{label}">
<rect x="0.5" y="0.5" width="{}" height="{}" rx="8" fill="#ffffff" stroke="{GRID}"/>
"##,
        WIDTH - 1.0,
        height - 1.0
    )
}

/// A text that begins there, unless its style says otherwise.
pub fn text(x: f64, y: f64, colour: &str, style: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!(r#"<text x="{x:.1}" y="{y:.1}" fill="{colour}" {style}>{text}</text>"#)
}

/// Milliseconds on a logarithmic scale between two powers of ten.
#[derive(Clone, Copy)]
pub struct Axis {
    pub low: i32,
    pub high: i32,
}

impl Axis {
    /// Where a time stands, from 0 to 1.
    pub fn part(&self, ms: f64) -> f64 {
        let decades = f64::from(self.high - self.low);
        ((ms.max(1e-9).log10() - f64::from(self.low)) / decades).clamp(0.0, 1.0)
    }

    /// The powers of ten that are marked, with their milliseconds.
    pub fn marks(&self) -> impl Iterator<Item = (i32, f64)> {
        (self.low..=self.high).map(|power| (power, 10f64.powi(power)))
    }
}
