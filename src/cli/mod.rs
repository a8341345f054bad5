//! The command line: one file a subcommand.
//!
//! Each subcommand is a struct of its arguments with `run(self) -> Result<(), CliError>`:
//! one line in [`Command`] and one in [`run`].

mod keys;
mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An inference server for administrative documents, with an OpenAI-compatible API.
///
/// Start with `guichet serve --model DIR`, then ask it over HTTP like any OpenAI API,
/// at http://127.0.0.1:8080/v1.
#[derive(Parser)]
#[command(name = "guichet", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Keys(keys::KeysArgs),
}

/// What ends a command: its message is one sentence that a person can act on.
pub type CliError = Box<dyn std::error::Error + Send + Sync>;

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => args.run(),
        Command::Keys(args) => args.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guichet: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
