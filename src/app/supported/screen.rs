use super::{FamilyEntry, ModelEntry, Supported, gib, languages, parameters};
use std::fmt::{self, Write as _};

/// Columns of a terminal.
const WIDTH: usize = 100;

pub(super) fn of(supported: &Supported) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, supported);
    out
}

fn write(out: &mut String, supported: &Supported) -> fmt::Result {
    writeln!(out, "DECODERS, for chats and completions")?;
    families(out, &supported.decoders)?;
    writeln!(out, "\nENCODERS, for embeddings and reranking")?;
    families(out, &supported.encoders)?;
    writeln!(
        out,
        "\nFORMATS OF WEIGHTS, inside safetensors; `guichet import` takes GGUF"
    )?;
    for format in &supported.weight_formats {
        let text = format!("{}; {}", format.files, format.in_memory);
        entry(out, format.name, &[&text])?;
    }
    writeln!(out, "\nPRECISIONS IN MEMORY")?;
    for precision in &supported.precisions {
        let text = format!("{} bits, {}", precision.bits, precision.option);
        entry(
            out,
            &format!("{} {}", precision.of, precision.name),
            &[&text],
        )?;
    }
    writeln!(
        out,
        "\nMODELS that `guichet pull NAME` fetches; memory in GiB"
    )?;
    writeln!(
        out,
        "  {:<37} {:>7} {:>6} {:>6} {:>6} {:>8}  {:<10} LICENCE",
        "NAME", "PARAMS", "BF16", "INT8", "INT4", "CONTEXT", "FOR"
    )?;
    for model in &supported.models {
        row(out, model)?;
    }
    writeln!(
        out,
        "\n`guichet models NAME` tells more of one, `guichet check DIR` of a directory."
    )
}

fn families(out: &mut String, families: &[FamilyEntry]) -> fmt::Result {
    for family in families {
        let architectures = family.architectures.join(", ");
        entry(
            out,
            family.name,
            &[&architectures, family.models, family.features],
        )?;
    }
    Ok(())
}

/// A name, and beside it paragraphs.
fn entry(out: &mut String, name: &str, paragraphs: &[&str]) -> fmt::Result {
    let mut name = name;
    for paragraph in paragraphs {
        for line in wrapped(paragraph) {
            writeln!(out, "  {name:<18} {line}")?;
            name = "";
        }
    }
    Ok(())
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > WIDTH - 21 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn row(out: &mut String, model: &ModelEntry) -> fmt::Result {
    let memory = model.memory_mib;
    writeln!(
        out,
        "  {:<37} {:>7} {:>6} {:>6} {:>6} {:>8}  {:<10} {}",
        model.name,
        parameters(model.parameters),
        gib(memory.bf16),
        gib(memory.int8),
        gib(memory.int4),
        model.context_length,
        model.kind(),
        model.licence.chars().take(18).collect::<String>()
    )
}

/// All that is known of one.
impl fmt::Display for ModelEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory_mib;
        writeln!(f, "{}, for {}", self.title, self.good_for)?;
        writeln!(f)?;
        writeln!(f, "  family     {}", self.family)?;
        writeln!(f, "  size       {} parameters", parameters(self.parameters))?;
        writeln!(
            f,
            "  memory     {} GiB as bf16, {} as int8, {} as int4, with a sequence of {} tokens",
            gib(memory.bf16),
            gib(memory.int8),
            gib(memory.int4),
            self.context_length.min(super::MEASURED_TOKENS)
        )?;
        writeln!(f, "  context    {} tokens", self.context_length)?;
        writeln!(f, "  languages  {}", languages(&self.languages, usize::MAX))?;
        match &self.licence_url {
            None => writeln!(f, "  licence    {}", self.licence)?,
            Some(url) => writeln!(f, "  licence    {}: {url}", self.licence)?,
        }
        match &self.repo {
            None => Ok(()),
            Some(repo) => writeln!(f, "  hub        {repo}"),
        }
    }
}
