//! `guichet verify`: is a directory still what was pulled or imported?

use std::path::Path;
use std::process::ExitCode;

use crate::hub::{locate, lock};

/// Compare the files of a model with the lock beside them.
///
/// Reads every byte. Names each file that is missing, changed or not in the lock, and
/// then exits with status 1.
#[derive(Debug, Clone, clap::Args)]
pub struct VerifyArgs {
    /// A directory, or the name of a pulled model.
    #[arg(value_name = "DIR|NAME")]
    pub model: String,
}

pub fn run(args: &VerifyArgs) -> ExitCode {
    match verify(&locate(&args.model)) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(report) => {
            eprintln!("guichet verify: {report}");
            ExitCode::FAILURE
        }
    }
}

fn verify(dir: &Path) -> Result<String, String> {
    match lock::check_full(dir) {
        Ok(Some(checked)) => Ok(format!(
            "{}: {} files are as {} delivered them.",
            dir.display(),
            checked.lock.files.len(),
            checked.lock.origin.source,
        )),
        Ok(None) if dir.is_dir() => Err(format!(
            "{} has no {} to compare with",
            dir.display(),
            lock::FILE_NAME
        )),
        Ok(None) => Err(format!("there is no directory {}", dir.display())),
        Err(lock::LockError::Differs { dir, differences }) => {
            let mut lines = vec![format!("{} differs from its lock:", dir.display())];
            lines.extend(
                differences
                    .iter()
                    .map(|difference| format!("  {difference}")),
            );
            Err(lines.join("\n"))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::lock::{Origin, Source};

    #[test]
    fn verify_names_the_file_that_differs() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), "{}").unwrap();
        std::fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
        let source = Source::Gguf {
            file: "m.gguf".into(),
            sha256: "0".repeat(64),
        };
        lock::write(
            dir.path(),
            Origin {
                model: None,
                source,
                sampling: None,
            },
        )
        .unwrap();
        assert!(
            verify(dir.path())
                .unwrap()
                .contains("2 files are as the file m.gguf delivered them")
        );

        std::fs::write(dir.path().join("tokenizer.json"), "[]").unwrap();
        let report = verify(dir.path()).unwrap_err();
        assert!(
            report.contains("tokenizer.json has other content") && !report.contains("config.json"),
            "{report}"
        );
    }

    #[test]
    fn nothing_to_compare_with_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            verify(dir.path())
                .unwrap_err()
                .contains("has no guichet.lock")
        );
        assert!(
            verify(&dir.path().join("absent"))
                .unwrap_err()
                .contains("there is no directory")
        );
    }
}
