use super::{FamilyEntry, ModelEntry, Supported, gib, languages, parameters};
use std::fmt::{self, Write as _};

const HEAD: &str = "# Models

What Guichet serves, from the tables that it loads and pulls with; `guichet models` prints the same
(with `--json` for programs), and `guichet check DIR` says whether a directory would be served and
why not. This page is written by `make bless`.

A checkpoint is a directory as its makers publish it: `config.json`, `tokenizer.json` and
safetensors. Which family it is of, `architectures` in `config.json` says.
";

const FORMATS: &str = "
## Formats of weights

Inside safetensors; [weight-formats.md](weight-formats.md) has all of each. GGUF is imported first
(`guichet import`).

| format | where | in memory |
|---|---|---|
";

const PRECISIONS: &str = "
## Precisions in memory

What each costs in quality: [quantization.md](quantization.md).

| of | type | bits of a number | asked for by |
|---|---|---|---|
";

const MODELS: &str = "
## Models with a manifest

`guichet pull NAME` fetches them from a hub; a lock beside the weights then has the digest of every
file. Memory is in GiB: weights in that precision, keys and values of one sequence of 8,192 tokens
(or of the whole context, where that is shorter), and work space. More sequences at a time, and
longer ones, take more. Languages are those that the makers name; of models with very many the
official ones of the European Union and some others are counted.

| name | parameters | bf16 | int8 | int4 | context | languages | licence | good for |
|---|---:|---:|---:|---:|---:|---|---|---|
";

const TAIL: &str = "
A licence with a link is not one of the usual open ones: read it before a model is used. Some of
these repositories ask for an account that has agreed to it (`HF_TOKEN`).

Not here, although it is European and open: Teuken 7B, whose tokenizer is a program that comes with
the model. Guichet runs none, and serves it where somebody has written a `tokenizer.json` for it.
";

pub(super) fn of(supported: &Supported) -> String {
    let mut out = HEAD.to_owned();
    // Writing to a string cannot fail.
    let _ = write(&mut out, supported);
    out
}

fn write(out: &mut String, supported: &Supported) -> fmt::Result {
    families(out, "Decoders: chats and completions", &supported.decoders)?;
    families(
        out,
        "Encoders: embeddings and reranking",
        &supported.encoders,
    )?;
    out.push_str(FORMATS);
    for format in &supported.weight_formats {
        writeln!(
            out,
            "| {} | {} | {} |",
            format.name, format.files, format.in_memory
        )?;
    }
    out.push_str(PRECISIONS);
    for precision in &supported.precisions {
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            precision.of, precision.name, precision.bits, precision.option
        )?;
    }
    out.push_str(MODELS);
    for model in &supported.models {
        row(out, model)?;
    }
    out.push_str(TAIL);
    Ok(())
}

fn families(out: &mut String, title: &str, families: &[FamilyEntry]) -> fmt::Result {
    writeln!(
        out,
        "\n## {title}\n\n| family | `architectures` | models | what sets it apart |\n|---|---|---|---|"
    )?;
    for family in families {
        let architectures: Vec<_> = (family.architectures.iter())
            .map(|name| format!("`{name}`"))
            .collect();
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            family.name,
            architectures.join(", "),
            family.models,
            family.features
        )?;
    }
    Ok(())
}

fn row(out: &mut String, model: &ModelEntry) -> fmt::Result {
    let memory = model.memory_mib;
    let licence = match &model.licence_url {
        None => model.licence.clone(),
        Some(url) => format!("[{}]({url})", model.licence),
    };
    writeln!(
        out,
        "| `{}` | {} | {} | {} | {} | {} | {} | {licence} | {} |",
        model.name,
        parameters(model.parameters),
        gib(memory.bf16),
        gib(memory.int8),
        gib(memory.int4),
        model.context_length,
        languages(&model.languages, 3),
        model.good_for
    )
}
