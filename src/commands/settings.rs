//! `lastro settings`: the settings file to begin with, and the reference that the documentation holds.

use super::{CommandError, output};
use crate::config;

/// Prints all settings, explained.
pub fn settings(markdown: bool) -> Result<(), CommandError> {
    let text = if markdown { config::markdown() } else { config::example() };
    output::print(format_args!("{text}"))
}
