use super::tools::explained;
use super::{GenerationError, ServedModel};
use crate::text::{ChatMessage, ChatPrompt, ChatTemplate, GuardedText};
use std::time::SystemTime;

/// The prompt that a chat becomes.
#[derive(Debug, Clone)]
pub struct RenderedChat {
    pub text: GuardedText,
    pub ids: Vec<u32>,
    /// The template makes nothing of the messages' names.
    pub names_ignored: bool,
    /// Tools stand in the prompt in our words.
    pub(super) is_explained: bool,
}

impl ServedModel {
    /// Renders and tokenizes a chat. Takes time in proportion to the text, so not for an async
    /// thread.
    pub fn rendered(
        &self,
        prompt: &ChatPrompt,
        clock: SystemTime,
    ) -> Result<RenderedChat, GenerationError> {
        let template = self
            .chat_template
            .as_ref()
            .ok_or(GenerationError::NoChatTemplate)?;
        let (text, is_explained) = self.render(template, prompt, clock)?;
        Ok(RenderedChat {
            names_ignored: self.ignores_names(template, prompt, &text, clock)?,
            ids: self.tokenizer.encode_guarded(&text)?,
            text,
            is_explained,
        })
    }

    /// A template that knows no tools is given them in words; whether it was.
    fn render(
        &self,
        template: &ChatTemplate,
        prompt: &ChatPrompt,
        clock: SystemTime,
    ) -> Result<(GuardedText, bool), GenerationError> {
        let in_words = || template.render(&self.tokenizer, &explained(prompt), clock);
        let is_call =
            |message: &ChatMessage| message.role == "tool" || !message.tool_calls.is_empty();
        let has_tools = !prompt.tools.is_empty();
        let uses_tools = has_tools || prompt.messages.iter().any(is_call);
        let source = template.source_for(prompt.template.as_deref(), has_tools);
        if uses_tools && !source.contains("tool") {
            return Ok((in_words()?, true));
        }
        let text = template.render(&self.tokenizer, prompt, clock)?;
        if has_tools {
            let toolless = ChatPrompt {
                tools: Vec::new(),
                ..prompt.clone()
            };
            let without = template.render(&self.tokenizer, &toolless, clock);
            if without.is_ok_and(|without| without == text) {
                return Ok((in_words()?, true));
            }
        }
        Ok((text, false))
    }

    /// Whether there are names and `text` is the same without them.
    fn ignores_names(
        &self,
        template: &ChatTemplate,
        prompt: &ChatPrompt,
        text: &GuardedText,
        clock: SystemTime,
    ) -> Result<bool, GenerationError> {
        if prompt.messages.iter().all(|message| message.name.is_none()) {
            return Ok(false);
        }
        let mut nameless = prompt.clone();
        for message in &mut nameless.messages {
            message.name = None;
        }
        Ok(self.render(template, &nameless, clock)?.0 == *text)
    }
}
