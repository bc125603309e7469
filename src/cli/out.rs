//! What goes to stdout. A reader that has had enough, as `head` has after a few
//! lines, closes the pipe; that ends the writing and is no failure.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Writes a line.
///
/// # Errors
/// When stdout cannot take it, for another reason than that nobody reads any more.
pub(super) fn print(line: impl Display) -> Result<(), String> {
    let mut out = io::stdout().lock();
    told(writeln!(out, "{line}").and_then(|()| out.flush()))
}

/// Writes JSON for people.
///
/// # Errors
/// Those of [`print`].
pub(super) fn print_pretty(value: &impl serde::Serialize) -> Result<(), String> {
    print(serde_json::to_string_pretty(value).map_err(|e| e.to_string())?)
}

/// The result of writing to stdout, without the one error that is none.
///
/// # Errors
/// Says that the output failed, and why.
pub(super) fn told(written: io::Result<()>) -> Result<(), String> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("writing the output: {error}")),
        _ => Ok(()),
    }
}
