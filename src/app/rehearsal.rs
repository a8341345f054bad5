//! What of a model can be tried before its weights are loaded: whether its tokenizer fits them, and
//! whether its chat template writes a prompt.

use super::AppError;
use crate::text::{ChatMessage, ChatPrompt, ChatTemplate, Content, TextError, Tokenizer};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the conversation says that every chat template must be able to write.
const GREETING: &str = "Bonjour";

/// The longest default instructions of a published template have some 20 KiB.
const MAX_PROMPT_BYTES: usize = 256 << 10;

const MAX_REASON_CHARS: usize = 300;

/// Text never becomes a token that the model has no embedding for.
///
/// `text_vocab_size` is one more than the highest id that text becomes.
pub(super) fn check_vocabulary(
    dir: &Path,
    text_vocab_size: usize,
    vocab_size: usize,
) -> Result<(), AppError> {
    if text_vocab_size <= vocab_size {
        return Ok(());
    }
    Err(AppError::Checkpoint {
        path: dir.join("tokenizer.json"),
        message: format!(
            "has {text_vocab_size} tokens, but config.json says that the model has {vocab_size}: \
             they belong to different models"
        ),
    })
}

/// The template writes one message of a user, whole and in bounded time. Gives the number of
/// tokens.
pub(super) fn check_template(
    dir: &Path,
    template: &ChatTemplate,
    tokenizer: &Tokenizer,
) -> Result<usize, AppError> {
    let refused = |message: String| AppError::Checkpoint {
        path: template_path(dir),
        message,
    };
    let (text, num_tokens) = write(template, tokenizer, &["user"]).map_err(|error| {
        let reason = one_line(&error.to_string());
        refused(format!(
            "the chat template cannot write one message of a user: {reason}"
        ))
    })?;
    match text.contains(GREETING) {
        true => Ok(num_tokens),
        false => Err(refused(
            "the chat template leaves out what a user's message says".to_owned(),
        )),
    }
}

/// Whether the template takes a message of the system before that of the user.
pub(super) fn takes_system(template: &ChatTemplate, tokenizer: &Tokenizer) -> bool {
    write(template, tokenizer, &["system", "user"]).is_ok()
}

fn write(
    template: &ChatTemplate,
    tokenizer: &Tokenizer,
    roles: &[&str],
) -> Result<(String, usize), TextError> {
    let message = |role: &&str| ChatMessage {
        role: (*role).to_owned(),
        content: Content::Text(GREETING.to_owned()),
        ..ChatMessage::default()
    };
    let prompt = ChatPrompt {
        messages: roles.iter().map(message).collect(),
        ..ChatPrompt::default()
    };
    let text = template.render(tokenizer, &prompt, SystemTime::now())?;
    let num_bytes = text.as_str().len();
    if num_bytes > MAX_PROMPT_BYTES {
        let message = format!("it makes {num_bytes} bytes of one word");
        return Err(TextError::Template(message));
    }
    let num_tokens = tokenizer.encode_guarded(&text)?.len();
    Ok((text.as_str().to_owned(), num_tokens))
}

/// What a template says of itself may have any length and form.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_REASON_CHARS).collect()
}

/// Where the default template stands.
fn template_path(dir: &Path) -> PathBuf {
    let own = dir.join("chat_template.jinja");
    match own.exists() {
        true => own,
        false => dir.join("tokenizer_config.json"),
    }
}
