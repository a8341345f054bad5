//! Where the text of a message that goes on ends in what a template wrote.

use super::TextError;
use super::guard::Guard;
use serde_json::Value;

/// A mark behind the text of the last message: a character that stands nowhere else. The text
/// itself would be found in the wrong place where it is short, as `im` is in `<|im_end|>`.
pub(super) struct OpenEnd {
    mark: char,
}

impl OpenEnd {
    /// Puts the mark and a space behind the text.
    pub(super) fn mark(guard: &mut Guard<'_>, messages: &mut Value) -> Result<Self, TextError> {
        let mark = guard.mark()?;
        let last = messages.as_array_mut().and_then(|list| list.last_mut());
        let content = last.and_then(|last| last.get_mut("content"));
        let text = match content {
            Some(Value::Array(parts)) => parts.last_mut().and_then(|part| part.get_mut("text")),
            content => content,
        };
        if let Some(Value::String(text)) = text {
            text.push(mark);
            text.push(' ');
        }
        Ok(Self { mark })
    }

    /// What stands before the mark. A template that took the space away trims its messages, and
    /// the model has seen none that ended with a space: the text ends without it, too.
    pub(super) fn cut(self, rendered: &str) -> Result<String, TextError> {
        let Some((before, after)) = rendered.rsplit_once(self.mark) else {
            return Err(TextError::Template(
                "the last message cannot go on, because its text is not shown as it is".to_owned(),
            ));
        };
        let before = match after.starts_with(' ') {
            true => before,
            false => before.trim_end(),
        };
        // The text may stand there more than once.
        let spaced: String = [self.mark, ' '].iter().collect();
        Ok(before.replace(&spaced, "").replace(self.mark, ""))
    }
}
