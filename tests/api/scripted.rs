//! A model that says what it is told to, and the tokenizer and template around it.

use guichet::engine::{
    ConstraintError, Engine, EngineConfig, ItemOutput, RunnerError, SampleRequest, SamplingParams,
    StepItem, StepOutput, StepRunner, TokenMask, TokenOutput, TopToken,
};
use guichet::generation::{Dialect, Grammars, SamplingDefaults, ServedModel};
use guichet::text::{ChatTemplate, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const MODEL: &str = "scripted";
pub const MAX_MODEL_LEN: usize = 512;

/// The id of a byte is the byte; these follow, and then the family's control tokens.
const IM_START: u32 = 256;
const IM_END: u32 = 257;
const VOCAB_SIZE: usize = 258;

/// A chat template, and the tokens that it is used with.
#[derive(Clone, Copy)]
pub struct Family {
    /// Or several with their names, in JSON.
    pub template: &'static str,
    /// Those that no text shows.
    pub control: &'static [&'static str],
    /// Those that a text shows.
    pub tags: &'static [&'static str],
}

const PLAIN: Family = Family {
    template: CHAT_TEMPLATE,
    control: &[],
    tags: &[],
};

impl Family {
    fn templates(&self) -> serde_json::Value {
        serde_json::from_str(self.template).unwrap_or_else(|_| self.template.into())
    }

    fn added(&self) -> impl Iterator<Item = (u32, &'static str)> {
        (VOCAB_SIZE as u32..).zip(self.control.iter().chain(self.tags).copied())
    }

    fn vocab_size(&self) -> usize {
        VOCAB_SIZE + self.control.len() + self.tags.len()
    }

    /// One token for each of its tokens, one for each other byte.
    fn tokens(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text.as_bytes()[at..];
            let added = self
                .added()
                .find(|(_, tag)| rest.starts_with(tag.as_bytes()));
            let (id, len) = added.map_or((u32::from(rest[0]), 1), |(id, tag)| (id, tag.len()));
            ids.push(id);
            at += len;
        }
        ids
    }

    /// The text that these are the tokens of.
    fn text(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for id in ids {
            match u8::try_from(*id) {
                Ok(byte) => bytes.push(byte),
                Err(_) => {
                    let tag = self.added().find(|(added, _)| added == id);
                    bytes.extend(tag.unwrap_or_default().1.as_bytes());
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Of every token.
pub const LOGPROB: f32 = -0.5;

const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// What each choice says before it ends its turn.
#[derive(Clone)]
pub struct Script {
    /// Whatever the prompt.
    pub choices: Vec<String>,
    /// Instead, to the prompts that these are for; the first one counts.
    pub replies: Vec<Reply>,
    /// How long each step takes.
    pub step: Duration,
    /// The step at which the model fails, counted in tokens of a sequence.
    pub fails_at: Option<usize>,
    /// Panics there instead of failing in order.
    pub panics: bool,
    /// How each token was to be sampled.
    pub seen: Arc<Mutex<Vec<SamplingParams>>>,
    /// What every prompt was.
    pub prompts: Arc<Mutex<Vec<Vec<u32>>>>,
    pub family: Family,
}

/// What is said to some prompts.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Stands in the prompt's last message, which the template writes on a line.
    #[serde(default)]
    to: String,
    /// Stands anywhere in the prompt.
    #[serde(default)]
    with: String,
    say: String,
    /// As of [`Script`].
    #[serde(default)]
    fails_at: Option<usize>,
}

impl Reply {
    fn is_for(&self, prompt: &str) -> bool {
        let last = prompt.trim_end().lines().next_back();
        last.is_some_and(|last| last.contains(&self.to)) && prompt.contains(&self.with)
    }
}

impl Script {
    pub fn saying(text: &str) -> Self {
        Self {
            choices: vec![text.to_owned()],
            replies: Vec::new(),
            step: Duration::ZERO,
            fails_at: None,
            panics: false,
            seen: Arc::default(),
            prompts: Arc::default(),
            family: PLAIN,
        }
    }

    fn reply(&self, prompt: &[u32]) -> Option<&Reply> {
        if self.replies.is_empty() {
            return None;
        }
        let prompt = self.family.text(prompt);
        self.replies.iter().find(|reply| reply.is_for(&prompt))
    }

    /// The token after `num_said` ones: what the script says, its end, or a full stop where
    /// that may not be yet.
    fn next(&self, sample: &SampleRequest<'_>, reply: Option<&Reply>, num_said: usize) -> u32 {
        let choice = &self.choices[sample.params.choice as usize % self.choices.len()];
        let text = reply.map_or(choice, |reply| &reply.say);
        let id = self.family.tokens(text).get(num_said).copied();
        let id = id.unwrap_or(IM_END);
        if sample.banned.contains(&id) {
            u32::from(b'.')
        } else {
            id
        }
    }
}

/// A token, whatever it is, with those that are next to it in the vocabulary.
fn output(id: u32, num_top: usize) -> TokenOutput {
    let top = (0..num_top as u32).map(|rank| TopToken {
        id: (id + rank) % 256,
        logprob: LOGPROB - rank as f32,
    });
    TokenOutput {
        id,
        logprob: LOGPROB,
        top: top.collect(),
    }
}

/// The token, or the first one that the constraint allows in its place.
fn obeying(sample: &SampleRequest<'_>, id: u32, vocab_size: usize) -> Result<u32, ConstraintError> {
    let Some(constraint) = sample.constraint else {
        return Ok(id);
    };
    let mut mask = TokenMask::all(vocab_size);
    constraint.restrict(sample.generated, &mut mask)?;
    let allowed = (0..vocab_size as u32).find(|id| mask.allows(*id));
    Ok(if mask.allows(id) {
        id
    } else {
        allowed.unwrap()
    })
}

struct ScriptedRunner {
    script: Script,
    /// Where the answer of a sequence begins.
    prompt_lens: HashMap<u64, usize>,
}

impl StepRunner for ScriptedRunner {
    fn execute(&mut self, step: &[StepItem<'_>]) -> Result<StepOutput, RunnerError> {
        std::thread::sleep(self.script.step);
        let mut items = Vec::new();
        for item in step {
            let scored = item.score.map_or_else(Vec::new, |score| {
                let targets = score.targets.iter();
                targets.map(|id| output(*id, score.num_top)).collect()
            });
            let mut sampled = None;
            if let Some(sample) = &item.sample {
                let position = item.start + item.tokens.len();
                if !self.prompt_lens.contains_key(&item.sequence) {
                    self.script
                        .prompts
                        .lock()
                        .unwrap()
                        .push(sample.prompt.to_vec());
                }
                let said = position - *self.prompt_lens.entry(item.sequence).or_insert(position);
                let reply = self.script.reply(sample.prompt);
                let fails_at = reply.map_or(self.script.fails_at, |reply| reply.fails_at);
                if fails_at == Some(said) {
                    assert!(!self.script.panics, "the script panics here");
                    return Err(RunnerError::Step("the script fails here".to_owned()));
                }
                self.script.seen.lock().unwrap().push(sample.params.clone());
                let id = self.script.next(sample, reply, said);
                let id = obeying(sample, id, self.script.family.vocab_size());
                sampled = Some(id.map(|id| output(id, sample.params.num_top_logprobs)));
            }
            items.push(ItemOutput { sampled, scored });
        }
        Ok(StepOutput { items })
    }
}

pub fn engine_config() -> EngineConfig {
    EngineConfig {
        max_num_batched_tokens: 64,
        max_num_seqs: 16,
        max_num_outputs: 16,
        max_num_waiting: 32,
        ..EngineConfig::new(VOCAB_SIZE, MAX_MODEL_LEN, 16, 1024)
    }
}

pub fn runner(script: Script) -> Box<dyn StepRunner> {
    Box::new(ScriptedRunner {
        script,
        prompt_lens: HashMap::new(),
    })
}

pub fn served_model(script: Script, config: EngineConfig) -> ServedModel {
    let family = script.family;
    let config = EngineConfig {
        vocab_size: family.vocab_size(),
        ..config
    };
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, value: serde_json::Value| {
        std::fs::write(dir.path().join(name), value.to_string()).unwrap();
    };
    write("tokenizer.json", tokenizer(&family));
    write(
        "tokenizer_config.json",
        json!({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "chat_template": family.templates()}),
    );
    let runner = runner(script);
    let tokenizer = Arc::new(Tokenizer::from_dir(dir.path()).unwrap());
    let stop_token_ids: Arc<[u32]> = Arc::new([IM_END]);
    let (vocab_size, ends) = (config.vocab_size, stop_token_ids.clone());
    let chat_template = ChatTemplate::from_dir(dir.path()).unwrap();
    ServedModel {
        id: MODEL.to_owned(),
        created: 1_700_000_000,
        engines: Engine::start(runner, config).unwrap().into(),
        grammars: Grammars::start(Arc::clone(&tokenizer), vocab_size, ends).unwrap(),
        dialect: Dialect::of_model(chat_template.as_ref(), &tokenizer),
        tokenizer,
        chat_template,
        defaults: SamplingDefaults::default(),
        stop_token_ids,
    }
}

/// Byte-level BPE without merges: one token a byte.
fn tokenizer(family: &Family) -> serde_json::Value {
    let vocab: Map<_, _> = byte_characters()
        .into_iter()
        .zip(0..)
        .map(|(c, id)| (c.to_string(), json!(id)))
        .collect();
    let token = |id: u32, content: &str, special: bool| {
        json!({"id": id, "content": content, "special": special, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false})
    };
    let mut added = vec![
        token(IM_START, "<|im_start|>", true),
        token(IM_END, "<|im_end|>", true),
    ];
    added.extend(
        family
            .added()
            .map(|(id, content)| token(id, content, family.control.contains(&content))),
    );
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": []}
    })
}

/// The visible character that stands for each byte in byte-level vocabularies.
fn byte_characters() -> Vec<char> {
    let visible = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut stand_ins = 256..;
    (0..256)
        .map(|byte| {
            if visible(byte) {
                byte
            } else {
                stand_ins.next().unwrap()
            }
        })
        .map(|code| char::from_u32(code).unwrap())
        .collect()
}
