//! What commands print. A reader that has seen enough (`| head`) closes the pipe, which ends a command quietly.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

use super::CommandError;

/// Prints a line on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::commands::output::print(format_args!("{}\n", format_args!($($text)*))) };
}
pub(super) use say;

/// Prints text on standard output, at once.
pub fn print(text: Arguments<'_>) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    let printed = out.write_fmt(text).and_then(|()| out.flush());
    printed.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => CommandError::Closed,
        _ => CommandError::Io(error),
    })
}

/// Prints a line beside the output, for people. Nothing depends on whether anybody reads it.
pub fn remark(text: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// For commands whose outcome says more than whether somebody read it.
pub fn read_or_not(printed: Result<(), CommandError>) -> Result<(), CommandError> {
    match printed {
        Err(CommandError::Closed) => Ok(()),
        printed => printed,
    }
}
