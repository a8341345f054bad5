//! The figures of a proof, printed as one block.

use crate::server::Server;
use std::fmt::Display;

/// Printed by [`Report::finish`]; where a proof ends early, what it measured so far is printed.
pub struct Report {
    title: &'static str,
    lines: Vec<String>,
    failed: Vec<String>,
    printed: bool,
}

/// The names of the figures. As the result of a test it is printed without a backtrace.
#[derive(Debug)]
pub struct OutOfBounds(#[expect(dead_code, reason = "for whoever reads it")] Vec<String>);

impl Report {
    /// `title` is the proof's name and what it shows.
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            lines: Vec::new(),
            failed: Vec::new(),
            printed: false,
        }
    }

    /// What was measured and is not bounded.
    pub fn figure(&mut self, name: &str, value: impl Display) {
        self.lines.push(format!("  {name:<46} {value}"));
    }

    /// What was measured, and what it has to be.
    pub fn bound(&mut self, name: &str, value: impl Display, must_be: impl Display, holds: bool) {
        let verdict = if holds { "ok" } else { "FAILED" };
        self.lines.push(format!(
            "  {name:<46} {value:<24} must be {must_be:<24} {verdict}"
        ));
        if !holds {
            self.failed.push(name.to_owned());
        }
    }

    /// Ends the server, prints the figures, and fails if one is out of bounds.
    pub async fn finish(mut self, server: Server) -> Result<(), OutOfBounds> {
        let end = server.stop().await;
        self.bound("the server's end", &end.how, "in order", end.in_order);
        self.end().inspect_err(|_| println!("{}", end.log))
    }

    /// Prints the figures of a proof without a server, and fails if one is out of bounds.
    pub fn end(mut self) -> Result<(), OutOfBounds> {
        self.print();
        match std::mem::take(&mut self.failed) {
            failed if failed.is_empty() => Ok(()),
            failed => Err(OutOfBounds(failed)),
        }
    }

    fn print(&mut self) {
        self.printed = true;
        println!("\n== {}\n{}\n", self.title, self.lines.join("\n"));
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if !self.printed {
            self.print();
            println!("  (the proof ended here, before its end)\n");
        }
    }
}

/// Milliseconds with one decimal.
pub fn ms(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1000.0)
}
