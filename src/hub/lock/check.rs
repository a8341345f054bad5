use std::fmt;
use std::path::Path;

use super::{Lock, LockError, LockedFile, file_names, fingerprint, read, sha256_file};

/// A directory that is what its lock says.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    pub lock: Lock,
    /// Files with another time or inode than in the lock, as after a copy; their digests
    /// were compared and are right, unless sizes alone were asked for.
    pub moved: Vec<String>,
}

/// How a file differs from its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    Missing {
        path: String,
    },
    Size {
        path: String,
        expected: u64,
        found: u64,
    },
    Digest {
        path: String,
    },
    /// It is not in the lock, but a loader would read it.
    Unexpected {
        path: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Sizes,
    Quick,
    Full,
}

/// Compares sizes, times and inodes, and digests where those differ. `None`: no lock.
pub fn check_quick(dir: &Path) -> Result<Option<Checked>, LockError> {
    check(dir, Depth::Quick)
}

/// Compares sizes, and reads no file but the lock. `None`: no lock.
pub fn check_sizes(dir: &Path) -> Result<Option<Checked>, LockError> {
    check(dir, Depth::Sizes)
}

/// Compares every digest. `None`: no lock.
pub fn check_full(dir: &Path) -> Result<Option<Checked>, LockError> {
    check(dir, Depth::Full)
}

fn check(dir: &Path, depth: Depth) -> Result<Option<Checked>, LockError> {
    let Some(lock) = read(dir)? else {
        return Ok(None);
    };
    let mut differences = Vec::new();
    let mut moved = Vec::new();
    for file in &lock.files {
        match compare(dir, file, depth)? {
            Outcome::Same => {}
            Outcome::Moved => moved.push(file.path.clone()),
            Outcome::Differs(difference) => differences.push(difference),
        }
    }
    for name in file_names(dir)? {
        if is_loadable(&name) && !lock.files.iter().any(|file| file.path == name) {
            differences.push(Difference::Unexpected { path: name });
        }
    }
    match differences.is_empty() {
        true => Ok(Some(Checked { lock, moved })),
        false => Err(LockError::Differs {
            dir: dir.to_owned(),
            differences,
        }),
    }
}

enum Outcome {
    Same,
    Moved,
    Differs(Difference),
}

fn compare(dir: &Path, file: &LockedFile, depth: Depth) -> Result<Outcome, LockError> {
    let path = dir.join(&file.path);
    let metadata = match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => {
            return Ok(Outcome::Differs(Difference::Missing {
                path: file.path.clone(),
            }));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Outcome::Differs(Difference::Missing {
                path: file.path.clone(),
            }));
        }
        Err(source) => return Err(LockError::Io { path, source }),
    };
    if metadata.len() != file.size {
        return Ok(Outcome::Differs(Difference::Size {
            path: file.path.clone(),
            expected: file.size,
            found: metadata.len(),
        }));
    }
    let moved = fingerprint(&metadata) != (file.mtime_ns, file.inode);
    match depth {
        Depth::Sizes if moved => return Ok(Outcome::Moved),
        Depth::Sizes | Depth::Quick if !moved => return Ok(Outcome::Same),
        Depth::Sizes | Depth::Quick | Depth::Full => {}
    }
    let sha256 = sha256_file(&path).map_err(|source| LockError::Io { path, source })?;
    Ok(match sha256 == file.sha256 {
        true if moved => Outcome::Moved,
        true => Outcome::Same,
        false => Outcome::Differs(Difference::Digest {
            path: file.path.clone(),
        }),
    })
}

/// Whether loading a directory could read a file of this name.
fn is_loadable(name: &str) -> bool {
    matches!(
        name,
        "config.json" | "generation_config.json" | "special_tokens_map.json" | "added_tokens.json"
    ) || matches!(name, "vocab.json" | "merges.txt")
        || name.ends_with(".safetensors")
        || name.ends_with(".safetensors.index.json")
        || name.starts_with("tokenizer")
        || name.starts_with("chat_template")
        || name.ends_with(".jinja")
        // Locks name files of the directory alone, so what is in here is in none.
        || name == "additional_chat_templates"
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(f, "{path} is missing"),
            Self::Size {
                path,
                expected,
                found,
            } => write!(f, "{path} has {found} bytes instead of {expected}"),
            Self::Digest { path } => write!(f, "{path} has other content (its SHA-256 differs)"),
            Self::Unexpected { path } => write!(f, "{path} is not in the lock"),
        }
    }
}

pub(super) fn list(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::{Origin, Source, write};
    use super::*;
    use crate::hub::DefaultSampling;

    fn locked() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), "{}").unwrap();
        fs::write(dir.path().join("model.safetensors"), "weights").unwrap();
        write(dir.path(), origin()).unwrap();
        dir
    }

    fn origin() -> Origin {
        Origin {
            model: Some("m".into()),
            source: Source::Hub {
                repo: "o/r".into(),
                revision: "main".into(),
                commit: "c0ffee".into(),
            },
            sampling: Some(DefaultSampling {
                temperature: Some(0.2),
                top_p: None,
                top_k: Some(40),
            }),
        }
    }

    fn differences(result: Result<Option<Checked>, LockError>) -> Vec<Difference> {
        match result {
            Err(LockError::Differs { differences, .. }) => differences,
            other => panic!("no difference: {other:?}"),
        }
    }

    #[test]
    fn an_untouched_directory_passes_and_its_lock_reads_back_whole() {
        let dir = locked();
        for check in [check_quick, check_full] {
            let checked = check(dir.path()).unwrap().unwrap();
            assert_eq!(checked.lock.origin, origin());
            assert_eq!(checked.lock.files.len(), 2);
            assert!(checked.moved.is_empty());
        }
    }

    #[test]
    fn a_directory_without_a_lock_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(check_full(dir.path()).unwrap(), None);
    }

    #[test]
    fn a_copy_passes_by_its_digests_and_says_so() {
        let dir = locked();
        let copy = tempfile::tempdir().unwrap();
        for name in file_names(dir.path()).unwrap() {
            fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
        }
        let checked = check_quick(copy.path()).unwrap().unwrap();
        assert_eq!(checked.moved, ["config.json", "model.safetensors"]);
    }

    #[test]
    fn where_sizes_are_asked_for_a_copy_is_told_and_not_read() {
        let dir = locked();
        fs::write(dir.path().join("model.safetensors"), "WEIGHTS").unwrap();
        let checked = check_sizes(dir.path()).unwrap().unwrap();
        assert_eq!(checked.moved, ["model.safetensors"]);
        fs::write(dir.path().join("model.safetensors"), "W").unwrap();
        assert_eq!(differences(check_sizes(dir.path())).len(), 1);
    }

    #[test]
    fn changed_content_of_the_same_size_is_found_by_its_time() {
        let dir = locked();
        fs::write(dir.path().join("model.safetensors"), "WEIGHTS").unwrap();
        let expected = [Difference::Digest {
            path: "model.safetensors".into(),
        }];
        assert_eq!(differences(check_quick(dir.path())), expected);
        assert_eq!(differences(check_full(dir.path())), expected);
    }

    #[test]
    fn content_changed_behind_a_kept_time_is_found_by_the_full_check_only() {
        let dir = locked();
        let path = dir.path().join("model.safetensors");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "WEIGHTS").unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
        assert!(check_quick(dir.path()).is_ok());
        assert_eq!(
            differences(check_full(dir.path())),
            [Difference::Digest {
                path: "model.safetensors".into()
            }]
        );
    }

    #[test]
    fn missing_and_cut_files_are_named() {
        let dir = locked();
        fs::remove_file(dir.path().join("config.json")).unwrap();
        fs::write(dir.path().join("model.safetensors"), "w").unwrap();
        let error = check_quick(dir.path()).unwrap_err().to_string();
        assert!(error.contains("config.json is missing"), "{error}");
        assert!(
            error.contains("model.safetensors has 1 bytes instead of 7"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_loading_would_read_must_be_in_the_lock() {
        let dir = locked();
        fs::write(dir.path().join("README.md"), "harmless").unwrap();
        assert!(check_quick(dir.path()).is_ok());
        fs::write(dir.path().join("chat_template.jinja"), "x").unwrap();
        assert_eq!(
            differences(check_quick(dir.path())),
            [Difference::Unexpected {
                path: "chat_template.jinja".into()
            }]
        );
        fs::remove_file(dir.path().join("chat_template.jinja")).unwrap();
        fs::create_dir(dir.path().join("additional_chat_templates")).unwrap();
        assert!(check_quick(dir.path()).is_err());
    }

    #[test]
    fn a_lock_that_points_outside_its_directory_is_refused() {
        let dir = locked();
        let path = dir.path().join(super::super::FILE_NAME);
        let text = fs::read_to_string(&path)
            .unwrap()
            .replace("\"config.json\"", "\"../config.json\"");
        fs::write(&path, text).unwrap();
        let error = check_quick(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("guichet.lock") && error.contains("../config.json"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_key_in_a_lock_is_refused() {
        let dir = locked();
        let path = dir.path().join(super::super::FILE_NAME);
        let text = fs::read_to_string(&path).unwrap();
        for (from, to) in [
            ("size = 2", "size = 2\nsizes = 2"),
            ("commit =", "commits = 1\ncommit ="),
            ("version = 1", "version = 1\nversions = 1"),
        ] {
            fs::write(&path, text.replace(from, to)).unwrap();
            let error = check_quick(dir.path()).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{to}: {error}");
        }
    }
}
