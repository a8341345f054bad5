//! `guichet.lock`: what was pulled or imported, and what every file looked like then.
//!
//! A start compares size, time and inode, which costs nothing; where time or inode
//! differ (a copied directory), digests decide.

mod check;

pub use check::{Checked, Difference, check_full, check_quick, check_sizes};

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest::{is_sha256, sha256_file};
use super::is_plain_name;
use super::manifest::DefaultSampling;

pub const FILE_NAME: &str = "guichet.lock";

const VERSION: u32 = 1;

/// The lock of one directory of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    #[serde(flatten)]
    pub origin: Origin,
    #[serde(rename = "file")]
    pub files: Vec<LockedFile>,
}

/// Where a directory came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The manifest's name, when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub source: Source,
    /// The manifest's default sampling, which serving uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<DefaultSampling>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// `revision` was asked for, `commit` is what it meant then.
    Hub {
        repo: String,
        revision: String,
        commit: String,
    },
    Wheel {
        requirement: String,
        member: String,
        sha256: String,
    },
    Gguf {
        file: String,
        sha256: String,
    },
}

/// One file as it was when the lock was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    pub path: String,
    pub size: u64,
    pub sha256: String,
    /// Time of the last change, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The inode's 64 bits; TOML has signed integers only.
    pub inode: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: {message}", path.display())]
    Malformed { path: PathBuf, message: String },
    #[error("{} differs from its lock: {}", dir.display(), check::list(differences))]
    Differs {
        dir: PathBuf,
        differences: Vec<Difference>,
    },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub { repo, commit, .. } => write!(f, "{repo} at commit {commit}"),
            Self::Wheel { requirement, .. } => write!(f, "the wheel {requirement}"),
            Self::Gguf { file, .. } => write!(f, "the file {file}"),
        }
    }
}

/// Locks every file of `dir` as it is now.
pub fn write(dir: &Path, origin: Origin) -> Result<Lock, LockError> {
    let mut files = Vec::new();
    for name in file_names(dir)? {
        if name == FILE_NAME || name.starts_with('.') {
            continue;
        }
        let path = dir.join(&name);
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let metadata = std::fs::metadata(&path).map_err(failed)?;
        if !metadata.is_file() {
            continue;
        }
        // On the disk before the lock is: a power cut must not leave a lock alone.
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
        let (mtime_ns, inode) = fingerprint(&metadata);
        let sha256 = sha256_file(&path).map_err(failed)?;
        files.push(LockedFile {
            path: name,
            size: metadata.len(),
            sha256,
            mtime_ns,
            inode,
        });
    }
    let lock = Lock {
        version: VERSION,
        origin,
        files,
    };
    lock.save(dir)?;
    Ok(lock)
}

/// The lock of `dir`, unchecked; `None` when there is none.
pub fn read(dir: &Path) -> Result<Option<Lock>, LockError> {
    let path = dir.join(FILE_NAME);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LockError::Io { path, source }),
    };
    let malformed = |message: String| LockError::Malformed {
        path: path.clone(),
        message,
    };
    let lock: Lock = toml::from_str(&text).map_err(|error| {
        let reason = error.message().replace('\n', " ");
        malformed(format!("is no lock that guichet wrote: {reason}"))
    })?;
    if lock.version != VERSION {
        return Err(malformed(format!(
            "version {} is not known, only {VERSION}",
            lock.version
        )));
    }
    match lock
        .files
        .iter()
        .find(|file| !is_plain_name(&file.path) || !is_sha256(&file.sha256))
    {
        Some(file) => Err(malformed(format!(
            "the entry {:?} is not a file name with a digest",
            file.path
        ))),
        None => Ok(Some(lock)),
    }
}

impl Lock {
    fn save(&self, dir: &Path) -> Result<(), LockError> {
        let path = dir.join(FILE_NAME);
        let text = toml::to_string(self).map_err(|error| LockError::Malformed {
            path: path.clone(),
            message: error.to_string(),
        })?;
        let half = dir.join(".guichet.lock.partial");
        let save = || {
            let mut file = File::create(&half)?;
            file.write_all(
                b"# Written by guichet. `guichet verify` compares the files with it.\n",
            )?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&half, &path)?;
            File::open(dir)?.sync_all()
        };
        save().map_err(|source| LockError::Io {
            path: path.clone(),
            source,
        })
    }
}

/// The names of everything in `dir`, sorted.
fn file_names(dir: &Path) -> Result<Vec<String>, LockError> {
    let failed = |source| LockError::Io {
        path: dir.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        // A name that is not Unicode is no file of a model.
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn fingerprint(metadata: &std::fs::Metadata) -> (i64, i64) {
    let mtime_ns = metadata
        .mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.mtime_nsec());
    (mtime_ns, metadata.ino().cast_signed())
}
