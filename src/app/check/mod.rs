//! Whether a directory would be served, and why not.
//!
//! The same checks as those of loading, in their order, but for the weights, of which the headers
//! are enough; and all of what is wrong, where loading ends at the first of it.

mod licence;
mod report;

pub use report::Report;

use super::sampling_defaults::{self, PartialSampling};
use super::{AppError, contents, rehearsal};
use crate::engine::{self, LoadError, ModelOptions, Survey, TextModel};
use crate::generation::{Dialect, ToolFormat};
use crate::hub::lock::{self, Checked, Lock};
use crate::model::{DecoderConfig, EncoderConfig, EncoderTask, SentenceConfig};
use crate::text::{ChatTemplate, PairTokenizer, Tokenizer};
use report::{ChatReport, MemoryReport, ModelReport, TextReport, gib, one_line};
use std::fmt::Display;
use std::path::Path;

/// Looks at the files of `dir` as [`super::load_served_model`] and its like would, and loads no
/// weights.
pub fn check(dir: &Path, options: &ModelOptions) -> Report {
    let mut check = Check {
        dir,
        options,
        report: Report::new(dir),
    };
    check.run();
    check.report
}

struct Check<'a> {
    dir: &'a Path,
    options: &'a ModelOptions,
    report: Report,
}

/// Which files have been found broken, so that nothing is told twice.
struct Broken {
    /// Below the directory.
    names: Vec<String>,
    everything: bool,
}

impl Broken {
    fn of(dir: &Path, mistakes: &[AppError]) -> Self {
        let paths = mistakes.iter().filter_map(|mistake| match mistake {
            AppError::Checkpoint { path, .. } => Some(path.as_path()),
            _ => None,
        });
        let name = |path: &Path| Some(path.strip_prefix(dir).ok()?.to_string_lossy().into_owned());
        Self {
            everything: paths.clone().any(|path| path == dir),
            names: paths.filter_map(name).collect(),
        }
    }

    fn any(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.everything || self.names.iter().any(|name| is_it(name))
    }

    fn config(&self) -> bool {
        self.any(|name| name == "config.json")
    }

    fn weights(&self) -> bool {
        self.any(|name| name.contains(".safetensors"))
    }

    fn text(&self) -> bool {
        self.any(|name| {
            name.starts_with("tokenizer")
                || name == "special_tokens_map.json"
                || name == "chat_template.jinja"
        })
    }

    fn sentence(&self) -> bool {
        self.any(|name| {
            name == "modules.json" || name.contains("sentence_") || name.contains("_Pooling")
        })
    }

    fn generation(&self) -> bool {
        self.any(|name| name == "generation_config.json")
    }
}

impl Check<'_> {
    fn run(&mut self) {
        let mistakes = contents::mistakes(self.dir);
        let broken = Broken::of(self.dir, &mistakes);
        for mistake in mistakes {
            self.problem(mistake);
        }
        if broken.everything {
            return;
        }
        let lock = self.lock();
        self.report.licence = licence::of(self.dir, lock.as_ref());
        if !broken.config() {
            self.report.architecture = architecture(self.dir);
        }
        match !broken.config() && EncoderConfig::is_encoder(self.dir) {
            true => self.encoder(&broken),
            false => self.decoder(&broken),
        }
    }

    fn decoder(&mut self, broken: &Broken) {
        let config = match broken.config() {
            true => None,
            false => self.keep(DecoderConfig::from_dir(self.dir)),
        };
        // What its files do not say is told where they are read.
        let used_as = TextModel::of(self.dir, self.options.task).ok().flatten();
        if let Some(config) = &config {
            self.report.model = Some(ModelReport {
                family: config.family.to_owned(),
                task: match used_as {
                    None | Some(TextModel::Encoder) => "chat and completions".to_owned(),
                    Some(TextModel::DecoderVectors) => "embeddings".to_owned(),
                    Some(TextModel::DecoderAnswers) => "reranking by an answer".to_owned(),
                },
                num_layers: config.num_layers,
                context: config.max_position_embeddings,
                vocab_size: config.vocab_size,
            });
        }
        let vocab_size = config.as_ref().map(|config| config.vocab_size);
        if used_as.is_some() && !broken.sentence() {
            self.keep(SentenceConfig::from_dir(self.dir));
        }
        if !broken.text() {
            match used_as {
                None => self.chat_text(vocab_size, broken),
                Some(_) => self.plain_text(vocab_size),
            }
        }
        if let Some(config) = config.filter(|_| !broken.weights()) {
            let survey = engine::survey_decoder(self.dir, &config, used_as, self.options);
            self.survey(survey);
        }
    }

    fn encoder(&mut self, broken: &Broken) {
        let config = self.keep(EncoderConfig::from_dir(self.dir));
        if let Some(config) = &config {
            self.report.model = Some(ModelReport {
                family: config.family.to_owned(),
                task: match config.task {
                    EncoderTask::Embedding => "embeddings".to_owned(),
                    EncoderTask::Classification { num_labels } => {
                        format!("reranking, {num_labels} labels")
                    }
                },
                num_layers: config.num_layers,
                context: config.max_positions,
                vocab_size: config.vocab_size,
            });
        }
        if !broken.sentence() {
            self.keep(SentenceConfig::from_dir(self.dir));
        }
        if !broken.text() {
            self.plain_text(config.as_ref().map(|config| config.vocab_size));
        }
        if let Some(config) = config.filter(|_| !broken.weights()) {
            let survey = engine::survey_encoder(self.dir, &config, self.options);
            self.survey(survey);
        }
    }

    /// The tokenizer of a model that writes nothing.
    fn plain_text(&mut self, vocab_size: Option<usize>) {
        let Some(tokenizer) = self.keep(PairTokenizer::from_dir(self.dir)) else {
            return;
        };
        let (text, all) = (tokenizer.text_vocab_size(), tokenizer.vocab_size());
        self.vocabulary(text, all, vocab_size);
        self.report.text = Some(TextReport {
            num_tokens: all,
            end_tokens: Vec::new(),
            chat: None,
        });
    }

    /// Tokenizer, chat template and what ends an answer.
    fn chat_text(&mut self, vocab_size: Option<usize>, broken: &Broken) {
        let Some(tokenizer) = self.keep(Tokenizer::from_dir(self.dir)) else {
            return;
        };
        let all = tokenizer.vocab_size();
        self.vocabulary(tokenizer.text_vocab_size(), all, vocab_size);
        let stop_ids = match broken.config() || broken.generation() {
            true => None,
            false => self.keep(sampling_defaults::read(
                self.dir,
                vocab_size.unwrap_or(usize::MAX),
            )),
        };
        let stop_ids = stop_ids.map(|(_, ids)| ids);
        if stop_ids.as_ref().is_some_and(Vec::is_empty) {
            self.note("no token ends an answer: neither config.json nor generation_config.json names an eos_token_id");
        }
        let mut end_tokens = Vec::new();
        for id in stop_ids.unwrap_or_default() {
            match tokenizer.written(id) {
                Some(token) => end_tokens.push(token),
                None => self.note(format!(
                    "the tokenizer has no token {id}, which is to end answers"
                )),
            }
        }
        let chat = self.chat(&tokenizer);
        self.report.text = Some(TextReport {
            num_tokens: all,
            end_tokens,
            chat,
        });
    }

    fn chat(&mut self, tokenizer: &Tokenizer) -> Option<ChatReport> {
        let template = self.keep(ChatTemplate::from_dir(self.dir))?;
        let Some(template) = template else {
            self.note("there is no chat template: completions are served, and chats refused");
            return None;
        };
        let num_tokens = self.keep(rehearsal::check_template(self.dir, &template, tokenizer))?;
        if !rehearsal::takes_system(&template, tokenizer) {
            self.note("the chat template refuses messages of the system");
        }
        let dialect = Dialect::of_model(Some(&template), tokenizer);
        let tools = dialect.tools();
        Some(ChatReport {
            num_tokens,
            tools: tools.name().to_owned(),
            template_knows_tools: tools != ToolFormat::Generic,
            reasoning: dialect.thinks(),
        })
    }

    fn vocabulary(&mut self, in_text: usize, all: usize, vocab_size: Option<usize>) {
        let Some(vocab_size) = vocab_size else {
            return;
        };
        let fits = rehearsal::check_vocabulary(self.dir, in_text, vocab_size);
        if self.keep(fits).is_some() && all > vocab_size {
            self.note(format!(
                "{} added tokens of the tokenizer have no place in the model, and are refused",
                all - vocab_size
            ));
        }
    }

    fn survey(&mut self, survey: Result<Survey, LoadError>) {
        let Some(survey) = self.keep(survey) else {
            return;
        };
        for problem in &survey.tensor_problems {
            self.problem(problem);
        }
        let Survey {
            weight_bytes,
            free_bytes,
            ..
        } = survey;
        let kv = survey.kv;
        if weight_bytes > free_bytes {
            self.problem(format!(
                "the weights take {} of memory as {}, and {} are free",
                gib(weight_bytes),
                survey.in_memory,
                gib(free_bytes)
            ));
        } else if let Some(kv) = kv.filter(|kv| kv.served_context < kv.context) {
            let message = format!(
                "{} for keys and values have room for sequences of {} of the {} tokens",
                gib(kv.budget_bytes),
                kv.served_context,
                kv.context
            );
            match kv.served_context {
                0 => self.problem(message),
                _ => self.note(message),
            }
        }
        let files = contents::weight_files(self.dir);
        self.report.memory = Some(MemoryReport {
            num_parameters: survey.num_parameters,
            num_files: files.len(),
            file_bytes: files.iter().sum(),
            formats: survey.formats,
            in_memory: survey.in_memory,
            weight_bytes,
            kv: kv.map(Into::into),
            free_bytes,
        });
    }

    /// Sizes alone, however many bytes the files have.
    fn lock(&mut self) -> Option<Lock> {
        let Checked { lock, moved } = self.keep(lock::check_sizes(self.dir))??;
        let mut told = format!("as {} delivered them", lock.origin.source);
        match moved.len() {
            0 => {}
            n => {
                told +=
                    &format!("; {n} files were moved since, whose bytes `guichet verify` compares")
            }
        }
        self.report.lock = Some(told);
        self.keep(PartialSampling::from_lock(self.dir, &lock));
        Some(lock)
    }

    fn keep<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.problem(error)).ok()
    }

    fn problem(&mut self, problem: impl Display) {
        self.report.problems.push(one_line(&problem.to_string()));
    }

    fn note(&mut self, note: impl Into<String>) {
        self.report.notes.push(note.into());
    }
}

/// The first of `architectures` in config.json.
fn architecture(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    let name = config.get("architectures")?.get(0)?.as_str()?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests;
