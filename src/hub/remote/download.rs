use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use futures_util::StreamExt;
use hf_hub::HFClient;

use super::super::digest::{Hasher, sha256_file};
use super::super::{HubError, HubSource, Transfer};

/// Times that one file is continued after a broken connection.
const MAX_CONTINUATIONS: usize = 5;

/// A file to download, with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedFile {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: Option<String>,
}

/// The download of one file.
pub(super) struct Download<'a> {
    pub(super) hub: &'a HFClient,
    pub(super) source: &'a HubSource,
    pub(super) commit: &'a str,
    pub(super) file: &'a WantedFile,
    pub(super) dir: &'a Path,
}

pub(super) enum Failure {
    /// Trying again would not help.
    Local(HubError),
    Remote(hf_hub::HFError),
}

impl Download<'_> {
    pub(super) async fn run(&self, progress: &mut dyn FnMut(Transfer<'_>)) -> Result<(), Failure> {
        let path = self.dir.join(&self.file.name);
        let part = self.dir.join(part_name(&self.file.name));
        if self.is_complete(&path) {
            return Ok(());
        }
        // Without a digest nobody could tell whether two halves belong together.
        if self.file.sha256.is_none() && part.exists() {
            std::fs::remove_file(&part)
                .map_err(HubError::io(&part))
                .map_err(Failure::Local)?;
        }
        let mut continuations = 0;
        let sha256 = loop {
            match self.attempt(&part, progress).await {
                Ok(sha256) => break sha256,
                Err(Failure::Remote(error))
                    if continuations < MAX_CONTINUATIONS && self.file.sha256.is_some() =>
                {
                    continuations += 1;
                    tracing::debug!(file = self.file.name, %error, "continuing a download");
                }
                Err(failure) => return Err(failure),
            }
        };
        if self
            .file
            .sha256
            .as_ref()
            .is_some_and(|expected| *expected != sha256)
        {
            std::fs::remove_file(&part)
                .map_err(HubError::io(&part))
                .map_err(Failure::Local)?;
            return Err(self.corrupt("its SHA-256 is not the one that the hub lists".into()));
        }
        std::fs::rename(&part, &path)
            .map_err(HubError::io(&path))
            .map_err(Failure::Local)
    }

    fn is_complete(&self, path: &Path) -> bool {
        let same_size =
            std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == self.file.size);
        same_size
            && self
                .file
                .sha256
                .as_ref()
                .is_some_and(|expected| sha256_file(path).is_ok_and(|found| found == *expected))
    }

    /// Appends what is missing to `part` and returns the digest of the whole.
    async fn attempt(
        &self,
        part: &Path,
        progress: &mut dyn FnMut(Transfer<'_>),
    ) -> Result<String, Failure> {
        let local = |error| Failure::Local(HubError::io(part)(error));
        let mut hasher = hash_existing(part, self.file.size).map_err(local)?;
        let mut output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(part)
            .map_err(local)?;
        progress(self.transfer(hasher.num_bytes()));
        if hasher.num_bytes() < self.file.size {
            let repo = self
                .source
                .repo
                .split_once('/')
                .unwrap_or(("", &self.source.repo));
            let model = self.hub.model(repo.0, repo.1);
            let request = model
                .download_file_stream()
                .filename(&self.file.name)
                .revision(self.commit);
            let (_, mut stream) = match hasher.num_bytes() {
                0 => request.send().await,
                start => request.range(start..self.file.size).send().await,
            }
            .map_err(Failure::Remote)?;
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(Failure::Remote)?;
                output.write_all(&chunk).map_err(local)?;
                hasher.write_all(&chunk).map_err(local)?;
                if hasher.num_bytes() > self.file.size {
                    break;
                }
                progress(self.transfer(hasher.num_bytes()));
            }
        }
        output.sync_all().map_err(local)?;
        match hasher.num_bytes() == self.file.size {
            true => Ok(hasher.finish()),
            false => {
                let found = hasher.num_bytes();
                // What is too short can still be continued by the next pull.
                if found > self.file.size {
                    std::fs::remove_file(part).map_err(local)?;
                }
                Err(self.corrupt(format!("{found} bytes came instead of {}", self.file.size)))
            }
        }
    }

    fn transfer(&self, done: u64) -> Transfer<'_> {
        Transfer {
            file: &self.file.name,
            done,
            total: self.file.size,
        }
    }

    fn corrupt(&self, reason: String) -> Failure {
        Failure::Local(HubError::Corrupt {
            file: self.file.name.clone(),
            reason,
        })
    }
}

/// The state after the bytes that stand in `part`; starts over when they are too many.
fn hash_existing(part: &Path, size: u64) -> std::io::Result<Hasher> {
    let mut hasher = Hasher::default();
    let mut file = match File::open(part) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(hasher),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > size {
        std::fs::remove_file(part)?;
        return Ok(hasher);
    }
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher),
            count => hasher.write_all(&buffer[..count])?,
        }
    }
}

/// What a file is called until it is whole.
pub(super) fn part_name(name: &str) -> String {
    format!(".{name}.part")
}
