use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::{HubError, lock};

/// A directory that is filled beside its target and takes the target's place at the end,
/// so that an interrupted pull never looks finished.
#[derive(Debug)]
pub struct StagedDir {
    path: PathBuf,
    target: PathBuf,
    leftovers: Leftovers,
    /// Held while this process fills the directory.
    _guard: File,
}

/// What to do with the files of an attempt that did not finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    Clear,
    /// Keep them, before and after: a download goes on where it stopped.
    Keep,
}

impl StagedDir {
    /// Starts to fill `target`, which must not exist, be empty, or carry a lock.
    pub fn create(target: &Path, leftovers: Leftovers) -> Result<Self, HubError> {
        let target = std::path::absolute(target).map_err(HubError::io(target))?;
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(refused(&target, "it cannot be a directory of weights"));
        };
        if target.exists() && !may_be_replaced(&target)? {
            return Err(refused(
                &target,
                "it has files that no guichet.lock describes; move them away or choose another directory",
            ));
        }
        let path = parent.join(format!(".{}.partial", name.to_string_lossy()));
        fs::create_dir_all(&path).map_err(HubError::io(&path))?;
        let guard = File::open(&path).map_err(HubError::io(&path))?;
        match guard.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(refused(
                    &target,
                    "another process is filling it at this moment",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(HubError::io(&path)(error)),
        }
        if leftovers == Leftovers::Clear {
            clear(&path)?;
        }
        Ok(Self {
            path,
            target,
            leftovers,
            _guard: guard,
        })
    }

    /// Where to put the files.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the directory in its target's place.
    pub fn commit(self) -> Result<(), HubError> {
        let aside = self.path.with_extension("replaced");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(HubError::io(&aside))?;
        }
        let had_target = self.target.exists();
        if had_target {
            fs::rename(&self.target, &aside).map_err(HubError::io(&self.target))?;
        }
        if let Err(error) = fs::rename(&self.path, &self.target) {
            if had_target {
                // The old directory is better than none; the first error is the one to tell.
                let _ = fs::rename(&aside, &self.target);
            }
            return Err(HubError::io(&self.target)(error));
        }
        if had_target {
            fs::remove_dir_all(&aside).map_err(HubError::io(&aside))?;
        }
        match self.target.parent() {
            Some(parent) => File::open(parent)
                .and_then(|dir| dir.sync_all())
                .map_err(HubError::io(parent)),
            None => Ok(()),
        }
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        // After a commit nothing stands at the path any more.
        let _ = match self.leftovers {
            Leftovers::Clear => fs::remove_dir_all(&self.path),
            // Removes it only when there is nothing to go on with.
            Leftovers::Keep => fs::remove_dir(&self.path),
        };
    }
}

fn may_be_replaced(target: &Path) -> Result<bool, HubError> {
    if !target.is_dir() {
        return Ok(false);
    }
    let is_empty = fs::read_dir(target)
        .map_err(HubError::io(target))?
        .next()
        .is_none();
    Ok(is_empty || target.join(lock::FILE_NAME).is_file())
}

fn clear(dir: &Path) -> Result<(), HubError> {
    for entry in fs::read_dir(dir).map_err(HubError::io(dir))? {
        let path = entry.map_err(HubError::io(dir))?.path();
        let is_dir = path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir());
        let removed = if is_dir {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(HubError::io(&path))?;
    }
    Ok(())
}

fn refused(dir: &Path, message: &str) -> HubError {
    HubError::Target {
        dir: dir.to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_appears_only_with_the_commit() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("deep/model");
        let staged = StagedDir::create(&target, Leftovers::Clear).unwrap();
        fs::write(staged.path().join("a"), "1").unwrap();
        assert!(!target.exists());
        staged.commit().unwrap();
        assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "1");
        assert_eq!(fs::read_dir(root.path().join("deep")).unwrap().count(), 1);
    }

    #[test]
    fn giving_up_leaves_nothing_unless_a_download_is_to_go_on() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("model");
        for leftovers in [Leftovers::Clear, Leftovers::Keep] {
            drop(StagedDir::create(&target, leftovers).unwrap());
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        }

        let staged = StagedDir::create(&target, Leftovers::Keep).unwrap();
        fs::write(staged.path().join("a.part"), "1").unwrap();
        drop(staged);
        let staged = StagedDir::create(&target, Leftovers::Keep).unwrap();
        assert!(staged.path().join("a.part").exists());
        drop(staged);
        let staged = StagedDir::create(&target, Leftovers::Clear).unwrap();
        assert!(!staged.path().join("a.part").exists());
    }

    #[test]
    fn files_of_someone_else_are_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.txt"), "years of work").unwrap();
        let error = StagedDir::create(root.path(), Leftovers::Clear)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no guichet.lock"), "{error}");
        assert!(root.path().join("thesis.txt").exists());
    }

    #[test]
    fn a_locked_directory_is_replaced_as_a_whole() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("model");
        fs::create_dir(&target).unwrap();
        fs::write(target.join(lock::FILE_NAME), "").unwrap();
        fs::write(target.join("old"), "").unwrap();
        let staged = StagedDir::create(&target, Leftovers::Clear).unwrap();
        fs::write(staged.path().join("new"), "").unwrap();
        staged.commit().unwrap();
        assert!(target.join("new").exists() && !target.join("old").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn two_at_once_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("model");
        let _first = StagedDir::create(&target, Leftovers::Keep).unwrap();
        let error = StagedDir::create(&target, Leftovers::Keep)
            .unwrap_err()
            .to_string();
        assert!(error.contains("another process"), "{error}");
    }
}
