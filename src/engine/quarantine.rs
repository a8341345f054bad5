use super::sequence::SequenceRequest;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Identifies a request by what its computation depends on, the seed and what a constraint
/// allows excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// Requests in whose step the engine died twice in a row. Kept in a file, because a lost device
/// takes the process with it. A process that is killed in a step notes nothing.
///
/// A fingerprint is a hash of token ids and parameters: it tells nothing of a prompt to anyone
/// who does not have it.
#[derive(Debug)]
pub(super) struct Quarantine {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    /// In the step of the last death.
    suspects: BTreeSet<Fingerprint>,
    convicted: BTreeSet<Fingerprint>,
}

const SUSPECT: &str = "suspect";
const CONVICTED: &str = "quarantined";

impl Fingerprint {
    pub fn of(request: &SequenceRequest) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("guichet request fingerprint 1");
        hasher.update(&(request.prompt.len() as u64).to_le_bytes());
        for token in request.prompt.iter() {
            hasher.update(&token.to_le_bytes());
        }
        // Not the seed: where a request names none, each try has another.
        let sampling = &request.sampling;
        for number in [
            sampling.temperature,
            sampling.top_p,
            sampling.min_p,
            sampling.repetition_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ] {
            hasher.update(&number.to_le_bytes());
        }
        for (id, bias) in sampling.logit_bias.iter() {
            hasher.update(&id.to_le_bytes()).update(&bias.to_le_bytes());
        }
        let top_k = sampling.top_k.map_or(0, |k| k as u64);
        let scored = request
            .prompt_logprobs
            .map_or(0, |num_top| num_top as u64 + 1);
        for number in [
            top_k,
            scored,
            sampling.num_top_logprobs as u64,
            request.min_tokens as u64,
            request.max_tokens as u64,
            request.constraint.is_some() as u64,
        ] {
            hasher.update(&number.to_le_bytes());
        }
        for id in request.stop_token_ids.iter() {
            hasher.update(&id.to_le_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = blake3::HexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(*blake3::Hash::from_hex(text)?.as_bytes()))
    }
}

impl Quarantine {
    /// Reads the file, if there is one. What cannot be read is reported in the log and
    /// counts as empty: a damaged note must not keep a server from starting.
    pub fn open(path: Option<PathBuf>) -> Self {
        let state = path.as_deref().map(read).unwrap_or_default();
        if !state.convicted.is_empty() {
            tracing::warn!("{} requests are in quarantine", state.convicted.len());
        }
        Self {
            path,
            state: Mutex::new(state),
        }
    }

    pub fn contains(&self, fingerprint: &Fingerprint) -> bool {
        self.lock().convicted.contains(fingerprint)
    }

    /// Whether it was in the step of the last death.
    pub fn is_suspect(&self, fingerprint: &Fingerprint) -> bool {
        self.lock().suspects.contains(fingerprint)
    }

    /// Notes in whose step the engine died.
    pub fn record_death(&self, in_step: impl IntoIterator<Item = Fingerprint>) {
        let mut state = self.lock();
        let in_step: BTreeSet<_> = in_step.into_iter().collect();
        if in_step.is_empty() {
            return;
        }
        let again: Vec<_> = in_step.intersection(&state.suspects).copied().collect();
        for fingerprint in &again {
            tracing::error!(%fingerprint, "in quarantine: the engine died twice while it computed request {fingerprint}");
        }
        state.convicted.extend(again);
        state.suspects = in_step;
        self.write(&state);
    }

    /// A request was computed for long enough, or ended as it should: it is no suspect any
    /// more.
    pub fn clear(&self, fingerprint: &Fingerprint) {
        let mut state = self.lock();
        if state.suspects.remove(fingerprint) {
            self.write(&state);
        }
    }

    fn write(&self, state: &State) {
        let Some(path) = &self.path else { return };
        let line = |kind, fingerprint: &Fingerprint| format!("{kind} {fingerprint}\n");
        let suspects = state.suspects.iter().map(|f| line(SUSPECT, f));
        let convicted = state.convicted.iter().map(|f| line(CONVICTED, f));
        let text: String = suspects.chain(convicted).collect();
        let new = path.with_extension("new");
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&new, text))
            .and_then(|()| std::fs::rename(&new, path));
        if let Err(error) = written {
            tracing::warn!("{} cannot be written: {error}", path.display());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> State {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!("{} cannot be read: {error}", path.display());
            }
            return State::default();
        }
    };
    let mut state = State::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let parsed = line
            .split_once(' ')
            .and_then(|(kind, hash)| Some((kind, hash.trim().parse::<Fingerprint>().ok()?)));
        match parsed {
            Some((SUSPECT, fingerprint)) => _ = state.suspects.insert(fingerprint),
            Some((CONVICTED, fingerprint)) => _ = state.convicted.insert(fingerprint),
            _ => tracing::warn!("{}: a line is not `{CONVICTED} HASH`", path.display()),
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(token: u32) -> Fingerprint {
        Fingerprint::of(&SequenceRequest::new(vec![token], 5))
    }

    #[test]
    fn only_who_is_there_at_two_deaths_in_a_row_is_convicted_across_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/quarantine");
        let [a, b, c] = [1, 2, 3].map(fingerprint);
        Quarantine::open(Some(path.clone())).record_death([a, b]);
        let quarantine = Quarantine::open(Some(path.clone()));
        quarantine.record_death([c]);
        quarantine.record_death([a, b]);
        assert!(![a, b, c].iter().any(|f| quarantine.contains(f)));
        quarantine.clear(&b);
        quarantine.record_death([a, b]);
        drop(quarantine);
        let quarantine = Quarantine::open(Some(path));
        assert!(quarantine.contains(&a));
        assert!(!quarantine.contains(&b) && !quarantine.contains(&c));
    }

    #[test]
    fn a_damaged_file_loses_its_damaged_lines_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("quarantine");
        let good = fingerprint(1);
        std::fs::write(
            &path,
            format!("quarantined {good}\nquarantined 12\n\u{fffd}\n"),
        )
        .unwrap();
        assert!(Quarantine::open(Some(path)).contains(&good));
    }

    #[test]
    fn what_a_client_cannot_repeat_is_not_in_the_fingerprint() {
        let mut request = SequenceRequest::new(vec![1, 2], 5);
        let before = Fingerprint::of(&request);
        request.sampling.seed = 9;
        assert_eq!(Fingerprint::of(&request), before);
        request.max_tokens = 6;
        assert_ne!(Fingerprint::of(&request), before);
    }
}
