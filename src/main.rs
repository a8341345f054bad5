use std::process::ExitCode;

fn main() -> ExitCode {
    // A process that reads one document, and does nothing else.
    match guichet::document::sandbox::run_if_child() {
        Some(code) => code,
        None => guichet::cli::run(),
    }
}
