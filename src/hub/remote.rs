//! A Hugging Face hub: which files a revision has, and their download.
//!
//! The listing is asked for here, because it carries the digests; the bytes come through
//! `hf-hub`, which knows the hub's storage. Downloads go on where they stopped.

mod download;

use std::path::Path;
use std::time::Duration;

use hf_hub::HFClient;
use serde::Deserialize;

use download::{Download, Failure, WantedFile, part_name};

use super::digest::is_sha256;
use super::{HubError, HubSource, Transfer, is_plain_name};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Nothing received for this long is a broken connection.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// One hub, and how to reach it.
#[derive(Debug, Clone)]
pub struct Hub {
    endpoint: String,
    token: Option<String>,
    /// How long the hub may take to answer before it counts as unreachable.
    patience: Duration,
}

/// The listing of a revision.
#[derive(Debug, Deserialize)]
struct Revision {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<LargeFile>,
}

#[derive(Debug, Deserialize)]
struct LargeFile {
    sha256: Option<String>,
}

impl Hub {
    /// As the hub's own tools: `HF_ENDPOINT`, and the token of `HF_TOKEN`,
    /// `HF_TOKEN_PATH` or a login.
    pub fn from_env(patience: Duration) -> Self {
        let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let stored = || {
            let path = setting("HF_TOKEN_PATH")
                .map_or_else(|| hf_hub::hf_home().join("token"), Into::into);
            let token = std::fs::read_to_string(path).ok()?.trim().to_owned();
            (!token.is_empty()).then_some(token)
        };
        Self {
            endpoint: setting("HF_ENDPOINT").map_or_else(
                || DEFAULT_ENDPOINT.into(),
                |url| url.trim_end_matches('/').into(),
            ),
            token: setting("HF_TOKEN").or_else(stored),
            patience,
        }
    }

    /// Downloads what serving needs of `source` into `dir` and returns the commit. Files
    /// that a stopped download left there are continued.
    pub fn fetch(
        &self,
        source: &HubSource,
        dir: &Path,
        progress: &mut dyn FnMut(Transfer<'_>),
    ) -> Result<String, HubError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(HubError::io("the network runtime"))?;
        let fetched = runtime.block_on(self.fetch_all(source, dir, progress));
        // A name server that is silent must not hold up what comes next.
        runtime.shutdown_background();
        fetched
    }

    async fn fetch_all(
        &self,
        source: &HubSource,
        dir: &Path,
        progress: &mut dyn FnMut(Transfer<'_>),
    ) -> Result<String, HubError> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("guichet/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| self.unreachable(&error))?;
        let revision = self.list(&client, source).await?;
        let files = self.wanted(source, &revision)?;
        sweep(dir, &files)?;
        let mut builder = HFClient::builder()
            .client(client)
            .endpoint(&self.endpoint)
            .cache_enabled(false);
        if let Some(token) = &self.token {
            builder = builder.token(token);
        }
        let hub = builder.build().map_err(|error| self.unreachable(&error))?;
        for file in &files {
            let download = Download {
                hub: &hub,
                source,
                commit: &revision.sha,
                file,
                dir,
            };
            download
                .run(progress)
                .await
                .map_err(|failure| match failure {
                    Failure::Local(error) => error,
                    Failure::Remote(error) => {
                        self.refused(source, format!("{}: {}", file.name, root_cause(&error)))
                    }
                })?;
        }
        Ok(revision.sha)
    }

    async fn list(
        &self,
        client: &reqwest::Client,
        source: &HubSource,
    ) -> Result<Revision, HubError> {
        let mut url =
            reqwest::Url::parse(&self.endpoint).map_err(|error| self.unreachable(&error))?;
        url.path_segments_mut()
            .map_err(|()| self.refused(source, "the endpoint is no web address".into()))?
            .pop_if_empty()
            .extend(["api", "models"])
            .extend(source.repo.split('/'))
            .extend(["revision", &source.revision]);
        // Without it the listing has neither sizes nor digests.
        url.set_query(Some("blobs=true"));
        let mut request = client.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        let (status, body) = match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => answer.map_err(|error| self.unreachable(&error))?,
            Err(_) => {
                let reason = format!("no answer within {} s", self.patience.as_secs());
                return Err(HubError::Unreachable {
                    endpoint: self.endpoint.clone(),
                    reason,
                });
            }
        };
        match status.as_u16() {
            200 => serde_json::from_slice(&body).map_err(|error| {
                self.refused(source, format!("its listing cannot be read: {error}"))
            }),
            401 | 403 => Err(self.refused(
                source,
                format!("{status}; a gated model needs a token in HF_TOKEN"),
            )),
            404 => Err(self.refused(
                source,
                format!(
                    "there is no such repository or revision {}",
                    source.revision
                ),
            )),
            500.. => Err(HubError::Unreachable {
                endpoint: self.endpoint.clone(),
                reason: status.to_string(),
            }),
            _ => Err(self.refused(source, status.to_string())),
        }
    }

    /// What serving needs: safetensors, configuration, tokenizer, templates. Nothing that
    /// could run code, and no second copy of the weights.
    fn wanted(&self, source: &HubSource, revision: &Revision) -> Result<Vec<WantedFile>, HubError> {
        let mut files = Vec::new();
        for sibling in revision
            .siblings
            .iter()
            .filter(|sibling| is_wanted(&sibling.rfilename))
        {
            let name = sibling.rfilename.clone();
            let known = source.files.iter().find(|file| file.path == name);
            let listed = sibling.lfs.as_ref().and_then(|lfs| lfs.sha256.clone());
            let sha256 = known.and_then(|file| file.sha256.clone()).or(listed);
            if sha256.as_deref().is_some_and(|sha256| !is_sha256(sha256)) {
                return Err(self.refused(source, format!("the digest it lists for {name} is none")));
            }
            let size = match (known.and_then(|file| file.size), sibling.size) {
                (Some(known), Some(listed)) if known != listed => {
                    let reason =
                        format!("it has {listed} bytes there, but {known} in the manifest");
                    return Err(HubError::Corrupt { file: name, reason });
                }
                (known, listed) => known.or(listed),
            };
            let Some(size) = size else {
                return Err(self.refused(source, format!("it does not say how long {name} is")));
            };
            files.push(WantedFile { name, size, sha256 });
        }
        // Small files first: what is wrong with a model shows before the long download.
        files.sort_by_key(|file| file.size);
        let has = |name: &str| files.iter().any(|file| file.name == name);
        for needed in ["config.json", "tokenizer.json"] {
            if !has(needed) {
                return Err(self.refused(
                    source,
                    format!("it has no {needed}, without which it cannot be served"),
                ));
            }
        }
        match files.iter().any(|file| file.name.ends_with(".safetensors")) {
            true => Ok(files),
            false => Err(self.refused(source, "it has no weights as safetensors".into())),
        }
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> HubError {
        HubError::Unreachable {
            endpoint: self.endpoint.clone(),
            reason: root_cause(error),
        }
    }

    fn refused(&self, source: &HubSource, reason: String) -> HubError {
        HubError::Refused {
            endpoint: self.endpoint.clone(),
            repo: source.repo.clone(),
            reason,
        }
    }
}

/// Removes what a stopped download of another revision left and this one does not have.
fn sweep(dir: &Path, files: &[WantedFile]) -> Result<(), HubError> {
    for entry in std::fs::read_dir(dir).map_err(HubError::io(dir))? {
        let entry = entry.map_err(HubError::io(dir))?;
        let name = entry.file_name();
        let belongs = files
            .iter()
            .any(|file| name == *file.name || name == *part_name(&file.name));
        if !belongs && entry.path().is_file() {
            std::fs::remove_file(entry.path()).map_err(HubError::io(entry.path()))?;
        }
    }
    Ok(())
}

fn is_wanted(name: &str) -> bool {
    is_plain_name(name)
        && !name.starts_with('.')
        && (name.ends_with(".json")
            || name.ends_with(".jinja")
            || matches!(name, "tokenizer.model" | "merges.txt")
            || (name.starts_with("model") && name.ends_with(".safetensors")))
}

/// The innermost message: "error sending request" says nothing, "Connection refused" does.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
