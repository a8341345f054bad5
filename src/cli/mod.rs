//! The command line: one file a subcommand.

use std::process::ExitCode;

pub fn run() -> ExitCode {
    println!("guichet");
    ExitCode::SUCCESS
}
