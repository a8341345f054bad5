//! The command line: one file a subcommand.

pub mod import;
pub mod pull;
pub mod verify;

use std::process::ExitCode;

pub fn run() -> ExitCode {
    println!("guichet");
    ExitCode::SUCCESS
}
