use super::choice::Choice;
use super::{CompletionPrompt, Generation, GenerationError, GenerationParams, SamplingDefaults};
use crate::engine::{Engine, SamplingParams, SequenceRequest};
use crate::text::{ChatMessage, ChatTemplate, Detokenizer, GuardedText, StopStrings, Tokenizer};
use std::sync::Arc;
use std::time::SystemTime;

/// A loaded checkpoint with the id that clients use.
pub struct ServedModel {
    pub id: String,
    /// Unix seconds of the checkpoint's newest file.
    pub created: u64,
    pub engine: Engine,
    pub tokenizer: Arc<Tokenizer>,
    /// None: the checkpoint has no chat template, so chat is refused.
    pub chat_template: Option<ChatTemplate>,
    pub defaults: SamplingDefaults,
    /// Ids that end a generation, from generation_config.json and config.json.
    pub stop_token_ids: Arc<[u32]>,
}

impl ServedModel {
    /// Longest prompt plus completion, in tokens.
    pub fn max_model_len(&self) -> usize {
        self.engine.config().max_sequence_len()
    }

    /// Starts the answer to `messages`. `clock` is the one time value that the template
    /// may print. Takes time in proportion to the text, so not for an async thread.
    pub fn chat(
        &self,
        messages: &[ChatMessage],
        params: &GenerationParams,
        clock: SystemTime,
    ) -> Result<Generation, GenerationError> {
        let template = self
            .chat_template
            .as_ref()
            .ok_or(GenerationError::NoChatTemplate)?;
        let text = template.render(&self.tokenizer, messages, clock)?;
        let names_ignored = self.ignores_names(template, messages, &text, clock)?;
        let prompt = self.tokenizer.encode_guarded(&text)?;
        let mut generation =
            self.generate(vec![prompt], params, || self.tokenizer.detokenizer())?;
        generation.names_ignored = names_ignored;
        Ok(generation)
    }

    /// Starts the completions of `prompts`. `max_tokens` absent means the rest of the
    /// context here too; the API applies 16.
    pub fn complete(
        &self,
        prompts: &[CompletionPrompt],
        params: &GenerationParams,
    ) -> Result<Generation, GenerationError> {
        let prompts = prompts
            .iter()
            .map(|prompt| match prompt {
                CompletionPrompt::Text(text) => Ok(self.tokenizer.encode_prompt(text)?),
                CompletionPrompt::Tokens(ids) => Ok(ids.clone()),
            })
            .collect::<Result<Vec<_>, GenerationError>>()?;
        // A completion goes on where its prompt ends.
        self.generate(prompts, params, || {
            self.tokenizer.detokenizer().continuing()
        })
    }

    /// Whether there are names and `text` is the same without them.
    fn ignores_names(
        &self,
        template: &ChatTemplate,
        messages: &[ChatMessage],
        text: &GuardedText,
        clock: SystemTime,
    ) -> Result<bool, GenerationError> {
        if messages.iter().all(|message| message.name.is_none()) {
            return Ok(false);
        }
        let nameless: Vec<_> = messages
            .iter()
            .map(|message| ChatMessage {
                name: None,
                ..message.clone()
            })
            .collect();
        Ok(template.render(&self.tokenizer, &nameless, clock)? == *text)
    }

    fn generate(
        &self,
        prompts: Vec<Vec<u32>>,
        params: &GenerationParams,
        detokenizer: impl Fn() -> Detokenizer,
    ) -> Result<Generation, GenerationError> {
        let seed = match params.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|e| GenerationError::Internal(e.to_string()))?,
        };
        let num_prompt_tokens = prompts.iter().map(Vec::len).sum();
        let mut requests = Vec::with_capacity(prompts.len() * params.n);
        for prompt in prompts {
            let max_tokens = self.max_tokens(prompt.len(), params)?;
            let prompt: Arc<[u32]> = prompt.into();
            for _ in 0..params.n {
                requests.push(SequenceRequest {
                    stop_token_ids: self.stop_token_ids.clone(),
                    sampling: SamplingParams {
                        temperature: params.temperature.unwrap_or(self.defaults.temperature),
                        top_p: params.top_p.unwrap_or(self.defaults.top_p),
                        top_k: self.defaults.top_k,
                        seed,
                        choice: requests.len() as u32,
                        ..SamplingParams::default()
                    },
                    ..SequenceRequest::new(prompt.clone(), max_tokens)
                });
            }
        }
        let streams = self.engine.submit(requests)?;
        let choices = streams
            .into_iter()
            .enumerate()
            .map(|(index, stream)| {
                Choice::new(
                    index,
                    stream,
                    detokenizer(),
                    StopStrings::new(params.stop.clone()),
                )
            })
            .collect();
        Ok(Generation::new(num_prompt_tokens, seed, choices))
    }

    /// The rest of the context where no maximum is asked for. A prompt that leaves no room
    /// is refused with both counts, never cut.
    fn max_tokens(
        &self,
        num_prompt_tokens: usize,
        params: &GenerationParams,
    ) -> Result<usize, GenerationError> {
        if num_prompt_tokens == 0 {
            return Err(GenerationError::EmptyPrompt);
        }
        let max_model_len = self.max_model_len();
        let room = max_model_len.saturating_sub(num_prompt_tokens);
        let max_tokens = params.max_tokens.unwrap_or(room.max(1));
        if max_tokens > room {
            return Err(GenerationError::ContextLength {
                max_model_len,
                num_prompt_tokens,
                max_tokens,
            });
        }
        Ok(max_tokens)
    }
}
