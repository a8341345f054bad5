use crate::engine::KvSurvey;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub directory: PathBuf,
    /// What config.json calls the model.
    pub architecture: Option<String>,
    /// `None` where config.json cannot be used.
    pub model: Option<ModelReport>,
    /// `None` where the headers of the weights cannot be read.
    pub memory: Option<MemoryReport>,
    /// `None` where the tokenizer cannot be used.
    pub text: Option<TextReport>,
    pub licence: Option<Licence>,
    /// Where the files come from; `None` without a lock.
    pub lock: Option<String>,
    /// Each a reason why it would not be served.
    pub problems: Vec<String>,
    /// What whoever serves it should know.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelReport {
    pub family: String,
    pub task: String,
    pub num_layers: usize,
    /// Longest sequence that it was made for, in tokens.
    pub context: usize,
    pub vocab_size: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryReport {
    pub num_parameters: u64,
    pub num_files: usize,
    pub file_bytes: u64,
    /// Of the files.
    pub formats: String,
    pub in_memory: String,
    pub weight_bytes: u64,
    /// Of a decoder.
    pub kv: Option<KvReport>,
    pub free_bytes: u64,
}

/// Memory for keys and values, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KvReport {
    /// Of one sequence as long as the context.
    pub sequence_bytes: u64,
    /// Of as many of them as may run at a time.
    pub all_sequences_bytes: u64,
    /// What there is for all sequences together.
    pub budget_bytes: u64,
    /// Longest sequence that is asked for, in tokens.
    pub context: usize,
    /// Longest sequence that there is room for, in tokens.
    pub served_context: usize,
}

impl From<KvSurvey> for KvReport {
    fn from(kv: KvSurvey) -> Self {
        Self {
            sequence_bytes: kv.sequence_bytes,
            all_sequences_bytes: kv.all_sequences_bytes,
            budget_bytes: kv.budget_bytes,
            context: kv.context,
            served_context: kv.served_context,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextReport {
    pub num_tokens: usize,
    pub end_tokens: Vec<String>,
    pub chat: Option<ChatReport>,
}

/// A chat template that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatReport {
    /// Of one short message with the beginning of its answer.
    pub num_tokens: usize,
    /// In which form calls are read.
    pub tools: String,
    pub template_knows_tools: bool,
    pub reasoning: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Licence {
    pub name: String,
    /// Which file or manifest says so.
    pub from: String,
}

/// So many reasons and notes are shown; all of them are counted.
const MAX_SHOWN: usize = 6;

const MAX_CHARS: usize = 500;

impl Report {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            directory: dir.to_owned(),
            architecture: None,
            model: None,
            memory: None,
            text: None,
            licence: None,
            lock: None,
            problems: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub fn would_serve(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Everything on one screen.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.directory.display();
        match self.problems.len() {
            0 => writeln!(f, "{dir} would be served."),
            1 => writeln!(f, "{dir} would not be served:"),
            n => writeln!(f, "{dir} would not be served, for {n} reasons:"),
        }?;
        list(f, &self.problems)?;
        writeln!(f)?;
        let architecture = self.architecture.as_deref().unwrap_or("unknown");
        match &self.model {
            None => line(f, "model", format_args!("{architecture}"))?,
            Some(model) => line(
                f,
                "model",
                format_args!(
                    "{} ({architecture}), {} layers, {} tokens of context, for {}",
                    model.family, model.num_layers, model.context, model.task
                ),
            )?,
        }
        if let Some(memory) = &self.memory {
            memory.write(f)?;
        }
        if let Some(text) = &self.text {
            text.write(f)?;
        }
        match &self.licence {
            Some(licence) => line(
                f,
                "licence",
                format_args!("{} (says {})", licence.name, licence.from),
            )?,
            None => line(f, "licence", format_args!("unknown: no file here says"))?,
        }
        match &self.lock {
            Some(lock) => line(f, "files", format_args!("{lock}"))?,
            None => line(
                f,
                "files",
                format_args!("without a lock: nothing says that they are what they should be"),
            )?,
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
            list(f, &self.notes)?;
        }
        Ok(())
    }
}

impl MemoryReport {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = match self.num_files {
            1 => "1 file".to_owned(),
            n => format!("{n} files"),
        };
        line(
            f,
            "weights",
            format_args!(
                "{} parameters, {} in {files} of {}, as {} in memory",
                count(self.num_parameters),
                self.formats,
                gib(self.file_bytes),
                self.in_memory
            ),
        )?;
        let Some(kv) = &self.kv else {
            let (needed, free) = (gib(self.weight_bytes), gib(self.free_bytes));
            return line(
                f,
                "memory",
                format_args!("{needed} of {free} that are free"),
            );
        };
        line(
            f,
            "memory",
            format_args!(
                "{} for weights and {} for keys and values of one full context: {} of {} that are free",
                gib(self.weight_bytes),
                gib(kv.sequence_bytes),
                gib(self.weight_bytes.saturating_add(kv.sequence_bytes)),
                gib(self.free_bytes)
            ),
        )?;
        line(
            f,
            "cache",
            format_args!(
                "{} for all sequences, where {} would hold them all at full length; the longest of {} tokens",
                gib(kv.budget_bytes),
                gib(kv.all_sequences_bytes),
                kv.served_context
            ),
        )
    }
}

impl TextReport {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = match self.end_tokens.as_slice() {
            [] => String::new(),
            tokens => format!(", answers end with {}", tokens.join(" or ")),
        };
        line(
            f,
            "tokenizer",
            format_args!("{} tokens{ends}", self.num_tokens),
        )?;
        let Some(chat) = &self.chat else {
            return Ok(());
        };
        let calls = match chat.template_knows_tools {
            true => format!("calls of functions as {}", chat.tools),
            false => "functions explained to it by the server".to_owned(),
        };
        let reasoning = match chat.reasoning {
            true => "reasoning apart from the answer",
            false => "no reasoning",
        };
        line(
            f,
            "chat",
            format_args!(
                "one word takes {} tokens; {calls}; {reasoning}",
                chat.num_tokens
            ),
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "  {name:<10} {text}")
}

fn list(f: &mut fmt::Formatter<'_>, sentences: &[String]) -> fmt::Result {
    for sentence in sentences.iter().take(MAX_SHOWN) {
        writeln!(f, "  - {sentence}")?;
    }
    match sentences.len().saturating_sub(MAX_SHOWN) {
        0 => Ok(()),
        n => writeln!(f, "  - and {n} more"),
    }
}

/// Bytes for people.
pub(super) fn gib(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1 << 10)),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

fn count(parameters: u64) -> String {
    match parameters {
        0..1_000_000 => parameters.to_string(),
        1_000_000..1_000_000_000 => format!("{} million", parameters / 1_000_000),
        _ => format!("{:.1} billion", parameters as f64 / 1e9),
    }
}

/// What a file says may stand in a message, whatever its length and form.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_CHARS).collect()
}
