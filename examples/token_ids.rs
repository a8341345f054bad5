//! Prints the token ids of texts, as `scripts/prove_import.py` compares them.
//!
//! Reads one JSON string a line from standard input and writes one array of ids a line:
//! `token_ids DIR [--plain]`. With `--plain`, reserved strings are literal text.

use std::io::{BufRead, Write};
use std::path::Path;

use tokenizers::Tokenizer;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("usage: token_ids DIR [--plain]")?;
    let mut tokenizer = Tokenizer::from_file(Path::new(&dir).join("tokenizer.json"))?;
    tokenizer.set_encode_special_tokens(args.next().is_some_and(|arg| arg == "--plain"));
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let encoding = tokenizer.encode(text, false)?;
        writeln!(output, "{}", serde_json::to_string(encoding.get_ids())?)?;
    }
    Ok(output.flush()?)
}
