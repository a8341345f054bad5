//! `guichet import`: a GGUF file becomes a directory that can be served.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::hub::lock::{self, Origin, Source};
use crate::hub::{HubError, Leftovers, StagedDir, sha256_file};
use crate::model::import::{ImportError, Imported, import};

/// Turn a GGUF file into a directory that can be served.
///
/// The weights become bf16 safetensors; configuration, tokenizer and chat template are
/// rebuilt from the file. docs/import.md says which models are imported.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// The GGUF file.
    #[arg(value_name = "FILE.gguf")]
    pub file: PathBuf,
    /// The directory to make. It must be new, empty, or an earlier pull or import.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("{}: {source}", file.display())]
    Import { file: PathBuf, source: ImportError },
    #[error(transparent)]
    Hub(#[from] HubError),
}

pub fn run(args: &ImportArgs) -> ExitCode {
    match import_file(args) {
        Ok(imported) => {
            println!("{}", describe(&imported, &args.dir));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("guichet import: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Fills `staged` from `gguf`, locks it and puts it in place. `scratch` is a directory in
/// `staged` that must not come along.
pub(super) fn convert(
    gguf: &Path,
    staged: StagedDir,
    scratch: Option<&Path>,
    origin: Origin,
) -> Result<Imported, ConvertError> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("Importing [{bar:30}] {pos}/{len} tensors") {
        bar.set_style(style);
    }
    let imported = import(gguf, staged.path(), &mut |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    });
    bar.finish_and_clear();
    let imported = imported.map_err(|source| ConvertError::Import {
        file: gguf.to_owned(),
        source,
    })?;
    if let Some(scratch) = scratch {
        std::fs::remove_dir_all(scratch).map_err(|source| HubError::Io {
            path: scratch.to_owned(),
            source,
        })?;
    }
    lock::write(staged.path(), origin).map_err(HubError::from)?;
    staged.commit()?;
    Ok(imported)
}

pub(super) fn describe(imported: &Imported, dir: &Path) -> String {
    let rounded = match imported.num_rounded {
        0 => String::new(),
        count => {
            format!(" {count} tensors held numbers that bf16 does not have, and were rounded.")
        }
    };
    format!(
        "{}: {}, {} tensors, {:.1} million parameters, {} tokens in the vocabulary, a context of {}.{rounded}",
        dir.display(),
        imported.class,
        imported.num_tensors,
        imported.num_parameters as f64 / 1e6,
        imported.vocab_size,
        imported.max_position_embeddings,
    )
}

fn import_file(args: &ImportArgs) -> Result<Imported, ConvertError> {
    let unreadable = |source| HubError::Io {
        path: args.file.clone(),
        source,
    };
    let sha256 = sha256_file(&args.file).map_err(unreadable)?;
    let staged = StagedDir::create(&args.dir, Leftovers::Clear)?;
    let file = args
        .file
        .file_name()
        .unwrap_or(args.file.as_os_str())
        .to_string_lossy()
        .into_owned();
    let origin = Origin {
        model: None,
        source: Source::Gguf { file, sha256 },
        sampling: None,
    };
    convert(&args.file, staged, None, origin)
}
