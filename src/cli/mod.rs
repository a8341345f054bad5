//! The command line: one file a subcommand.

mod ask;
mod client;
mod demo;
mod local_server;
mod sse;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::process::ExitCode;

/// An OpenAI-compatible LLM server for administrative documents.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ask(ask::AskArgs),
    Demo(demo::DemoArgs),
}

pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error),
    };
    let result: Result<(), Box<dyn Error>> = runtime.block_on(async {
        match cli.command {
            Command::Ask(args) => ask::run(args).await?,
            Command::Demo(args) => demo::run(args).await?,
        }
        Ok(())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(error.as_ref()),
    }
}

fn failure(error: &dyn Error) -> ExitCode {
    // Standard error may be closed; the exit status says it too.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("guichet: {error}\n"));
    ExitCode::FAILURE
}
