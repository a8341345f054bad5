//! What a checkpoint says about sampling and stopping: its manifest over
//! `generation_config.json`, and `config.json`.

use super::AppError;
use crate::generation::SamplingDefaults;
use crate::hub::lock::{self, Lock};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tracing::warn;

const GENERATION_CONFIG: &str = "generation_config.json";

/// Fields that change an answer and are not applied, with the value that changes nothing.
const NOT_APPLIED: [(&str, f64); 2] = [("no_repeat_ngram_size", 0.0), ("typical_p", 1.0)];

const TEMPERATURE: Range = Range {
    must: "a number from 0 to 2",
    holds: |t| (0.0..=2.0).contains(&t),
};
const TOP_P: Range = Range {
    must: "a number above 0 and at most 1",
    holds: |p| p > 0.0 && p <= 1.0,
};
const REPETITION_PENALTY: Range = Range {
    must: "a number above 0",
    holds: |p| p > 0.0 && p <= f64::from(f32::MAX),
};
const MIN_P: Range = Range {
    must: "a number from 0 to 1",
    holds: |p| (0.0..=1.0).contains(&p),
};

struct Range {
    must: &'static str,
    holds: fn(f64) -> bool,
}

/// Defaults that a file states, each of which may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PartialSampling {
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    pub top_k: Option<usize>,
    pub repetition_penalty: Option<f32>,
    pub min_p: Option<f32>,
}

impl PartialSampling {
    /// What the model's manifest recommends, which the lock remembers.
    pub fn from_lock(dir: &Path, lock: &Lock) -> Result<Self, AppError> {
        let Some(sampling) = lock.origin.sampling else {
            return Ok(Self::default());
        };
        let wrong = |name: &str, range: &Range| AppError::Checkpoint {
            path: dir.join(lock::FILE_NAME),
            message: format!("sampling.{name} must be {}", range.must),
        };
        if sampling
            .temperature
            .is_some_and(|t| !(TEMPERATURE.holds)(t))
        {
            return Err(wrong("temperature", &TEMPERATURE));
        }
        if sampling.top_p.is_some_and(|p| !(TOP_P.holds)(p)) {
            return Err(wrong("top_p", &TOP_P));
        }
        Ok(Self::new(
            sampling.temperature,
            sampling.top_p,
            sampling.top_k,
        ))
    }

    /// Where this states nothing, what `other` states.
    pub fn or(self, other: Self) -> Self {
        Self {
            temperature: self.temperature.or(other.temperature),
            top_p: self.top_p.or(other.top_p),
            top_k: self.top_k.or(other.top_k),
            repetition_penalty: self.repetition_penalty.or(other.repetition_penalty),
            min_p: self.min_p.or(other.min_p),
        }
    }

    /// OpenAI's defaults where nothing is stated.
    pub fn or_openai(self) -> SamplingDefaults {
        let openai = SamplingDefaults::default();
        SamplingDefaults {
            temperature: self.temperature.unwrap_or(openai.temperature),
            top_p: self.top_p.unwrap_or(openai.top_p),
            top_k: self.top_k.or(openai.top_k),
            repetition_penalty: self.repetition_penalty.unwrap_or(openai.repetition_penalty),
            min_p: self.min_p.unwrap_or(openai.min_p),
        }
    }

    fn new(temperature: Option<f64>, top_p: Option<f64>, top_k: Option<usize>) -> Self {
        Self {
            temperature: temperature.map(|t| t as f32),
            // A positive number may be too small for an f32, and 0 is not allowed.
            top_p: top_p.map(|p| (p as f32).max(f32::MIN_POSITIVE)),
            // Transformers writes 0 for "all tokens".
            top_k: top_k.filter(|&k| k > 0),
            ..Self::default()
        }
    }
}

/// The defaults and the ids that end a generation, which a model with so many tokens has.
pub fn read(dir: &Path, vocab_size: usize) -> Result<(PartialSampling, Vec<u32>), AppError> {
    let mut stop_ids = BTreeSet::new();
    let mut sampling = PartialSampling::default();
    if let Some(file) = File::read(dir, GENERATION_CONFIG)? {
        sampling = file.sampling()?;
        stop_ids.extend(file.stop_ids(vocab_size)?);
        file.warn_of_what_is_not_applied();
    }
    if let Some(file) = File::read(dir, "config.json")? {
        stop_ids.extend(file.stop_ids(vocab_size)?);
    }
    Ok((sampling, stop_ids.into_iter().collect()))
}

struct File {
    path: PathBuf,
    fields: Map<String, Value>,
}

impl File {
    /// `None` if there is no such file.
    fn read(dir: &Path, name: &str) -> Result<Option<Self>, AppError> {
        let path = dir.join(name);
        let error = |message: String| AppError::Checkpoint {
            path: path.clone(),
            message,
        };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(error(format!("cannot be read: {e}"))),
        };
        let fields = serde_json::from_slice(&text)
            .map_err(|e| error(format!("is not a JSON object: {e}")))?;
        Ok(Some(Self { path, fields }))
    }

    fn sampling(&self) -> Result<PartialSampling, AppError> {
        let number = |name, range: &Range| match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if (range.holds)(number) => Ok(Some(number)),
                _ => Err(self.wrong(name, range.must)),
            },
        };
        let temperature = number("temperature", &TEMPERATURE)?;
        let top_p = number("top_p", &TOP_P)?;
        let top_k = match self.get("top_k") {
            None => None,
            Some(value) => {
                let k = value.as_u64().and_then(|k| usize::try_from(k).ok());
                Some(k.ok_or_else(|| self.wrong("top_k", "an integer of at least 0"))?)
            }
        };
        let repetition_penalty = number("repetition_penalty", &REPETITION_PENALTY)?;
        let min_p = number("min_p", &MIN_P)?;
        Ok(PartialSampling {
            // A positive number may be too small for an f32, and 0 is not allowed.
            repetition_penalty: repetition_penalty.map(|p| (p as f32).max(f32::MIN_POSITIVE)),
            min_p: min_p.map(|p| p as f32),
            ..PartialSampling::new(temperature, top_p, top_k)
        })
    }

    fn stop_ids(&self, vocab_size: usize) -> Result<Vec<u32>, AppError> {
        let wrong = || self.wrong("eos_token_id", "a token id or an array of them");
        let id = |value: &Value| {
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
            match id.ok_or_else(wrong)? {
                id if (id as usize) < vocab_size => Ok(id),
                _ => Err(self.wrong(
                    "eos_token_id",
                    &format!("below {vocab_size}, the number of tokens that the model has"),
                )),
            }
        };
        match self.get("eos_token_id") {
            None => Ok(Vec::new()),
            Some(Value::Array(ids)) => ids.iter().map(id).collect(),
            Some(value) => Ok(vec![id(value)?]),
        }
    }

    fn warn_of_what_is_not_applied(&self) {
        for (name, neutral) in NOT_APPLIED {
            if let Some(value) = self.get(name)
                && value.as_f64() != Some(neutral)
            {
                warn!("{}: {name} = {value} is not applied", self.path.display());
            }
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, must: &str) -> AppError {
        AppError::Checkpoint {
            path: self.path.clone(),
            message: format!("{name} must be {must}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_files(
        generation_config: &str,
        config: &str,
    ) -> Result<(PartialSampling, Vec<u32>), String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(GENERATION_CONFIG), generation_config).unwrap();
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        read(dir.path(), 100).map_err(|e| e.to_string())
    }

    #[test]
    fn stop_ids_come_from_both_files_as_a_number_or_a_list() {
        let (_, ids) = read_files(r#"{"eos_token_id": [7, 2]}"#, r#"{"eos_token_id": 2}"#).unwrap();
        assert_eq!(ids, [2, 7]);
        let (_, ids) = read_files("{}", r#"{"eos_token_id": null}"#).unwrap();
        assert!(ids.is_empty());
    }

    #[test]
    fn what_the_checkpoint_leaves_open_is_openais() {
        let (sampling, _) = read_files(r#"{"temperature": 0.6, "top_k": 0}"#, "{}").unwrap();
        let defaults = sampling.or_openai();
        assert_eq!(
            (defaults.temperature, defaults.top_p, defaults.top_k),
            (0.6, 1.0, None)
        );
        assert_eq!((defaults.repetition_penalty, defaults.min_p), (1.0, 0.0));
    }

    #[test]
    fn a_repetition_penalty_and_a_min_p_are_taken() {
        let (sampling, _) = read_files(
            r#"{"repetition_penalty": 1.1, "min_p": 0.05, "top_k": 20}"#,
            "{}",
        )
        .unwrap();
        let defaults = sampling.or_openai();
        assert_eq!((defaults.repetition_penalty, defaults.min_p), (1.1, 0.05));
        assert_eq!(defaults.top_k, Some(20));
    }

    #[test]
    fn a_value_out_of_range_names_the_file_and_the_field() {
        for (json, field) in [
            (r#"{"temperature": -1}"#, "temperature"),
            (r#"{"temperature": "hot"}"#, "temperature"),
            (r#"{"top_p": 0}"#, "top_p"),
            (r#"{"top_k": -1}"#, "top_k"),
            (r#"{"repetition_penalty": 0}"#, "repetition_penalty"),
            (r#"{"min_p": 1.5}"#, "min_p"),
            (r#"{"eos_token_id": "</s>"}"#, "eos_token_id"),
            (r#"{"eos_token_id": [4294967296]}"#, "eos_token_id"),
            (
                r#"{"eos_token_id": [2, 100]}"#,
                "eos_token_id must be below 100",
            ),
        ] {
            let error = read_files(json, "{}").unwrap_err();
            assert!(
                error.contains(GENERATION_CONFIG) && error.contains(field),
                "{error}"
            );
        }
        assert!(
            read_files("[]", "{}")
                .unwrap_err()
                .contains("is not a JSON object")
        );
    }
}
