//! The command line: one file a subcommand.
//!
//! Each subcommand is a struct of its arguments and a `run`: one line in `Command` and
//! one in `run`.

mod ask;
mod check;
mod client;
mod demo;
mod health;
mod import;
mod keys;
mod local_server;
mod models;
mod parse;
mod prompts;
mod pull;
mod serve;
mod sse;
mod verify;

use clap::{Parser, Subcommand};
use std::fmt::Display;
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
    Ask(ask::AskArgs),
    Parse(parse::ParseArgs),
    Prompts(prompts::PromptsArgs),
    Models(models::ModelsArgs),
    Check(check::CheckArgs),
    Pull(pull::PullArgs),
    Import(import::ImportArgs),
    Verify(verify::VerifyArgs),
    Keys(keys::KeysArgs),
    Demo(demo::DemoArgs),
    Health(health::HealthArgs),
}

/// What ends a command: its message is one sentence that a person can act on.
pub type CliError = Box<dyn std::error::Error + Send + Sync>;

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => report(args.run()),
        Command::Ask(args) => report(blocking(ask::run(args))),
        Command::Parse(args) => report(args.run()),
        Command::Prompts(args) => report(args.run()),
        Command::Models(args) => report(args.run()),
        Command::Check(args) => args.run().unwrap_or_else(|error| report(Err(error))),
        Command::Pull(args) => pull::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Keys(args) => report(args.run()),
        Command::Demo(args) => report(blocking(demo::run(args))),
        Command::Health(args) => report(blocking(health::run(args))),
    }
}

/// Runs an async command on a runtime of its own.
fn blocking<E: Into<CliError>>(
    command: impl Future<Output = Result<(), E>>,
) -> Result<(), CliError> {
    tokio::runtime::Runtime::new()?
        .block_on(command)
        .map_err(Into::into)
}

fn report<E: Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit status says it too.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("guichet: {error}\n"),
            );
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
