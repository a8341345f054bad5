use super::vocabulary::vocabulary;
use super::{Format, FormatError, Grammar, schema};
use crate::generation::citation::WalkedTokens;
use crate::generation::reasoning_gate::PassingTokens;
use crate::generation::transcript::Marker;
use crate::text::Tokenizer;
use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::InferenceCapabilities;
use llguidance::{Matcher, ParserFactory};
use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Compiled forms that are kept, the last used ones.
const MAX_CACHED: usize = 64;
/// Parsers of nested schemas recurse.
const STACK_BYTES: usize = 32 << 20;
/// Whoever waits longer is told so. What is being compiled is compiled on and kept.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How much less of a processor compiling gets than what is being answered.
#[cfg(target_os = "linux")]
const NICE: libc::c_int = 10;

/// What a grammar of a client may not say: what schemas do is checked in schemas, and the model
/// samples as the request says.
const REFUSED_IN_LARK: [&str; 4] = ["%json", "%lark", "%llguidance", "temperature"];

/// Compiles the forms of one model's answers, on a thread of its own.
pub struct Grammars {
    jobs: Sender<Job>,
    cache: Arc<Mutex<Cache>>,
    /// Made with the first form of a model that thinks.
    passing: OnceLock<Arc<PassingTokens>>,
    /// Made with the first request that quotes.
    walked: OnceLock<Arc<WalkedTokens>>,
}

struct Job {
    key: blake3::Hash,
    format: Format,
    done: oneshot::Sender<Result<Grammar, FormatError>>,
    /// The client's place in line, given back with the job.
    _place: Box<dyn Any + Send>,
}

impl Grammars {
    /// Fails where the system gives no thread.
    pub fn start(
        tokenizer: Arc<Tokenizer>,
        vocab_size: usize,
        stop_token_ids: Arc<[u32]>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let cache = Arc::default();
        let compiler = Compiler {
            tokenizer,
            vocab_size,
            stop_token_ids,
            factory: None,
            cache: Arc::clone(&cache),
        };
        std::thread::Builder::new()
            .name("grammars".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || compiler.run(&queue))?;
        Ok(Self {
            jobs,
            cache,
            passing: OnceLock::new(),
            walked: OnceLock::new(),
        })
    }

    /// Tokens that pass the end of the model's reasoning, which has one tag.
    pub(in crate::generation) fn passing(
        &self,
        tokenizer: &Tokenizer,
        close: &Marker,
    ) -> Arc<PassingTokens> {
        let passing = self
            .passing
            .get_or_init(|| Arc::new(PassingTokens::of(tokenizer, close)));
        Arc::clone(passing)
    }

    /// The tokens that quotations are written with.
    pub(in crate::generation) fn walked(
        &self,
        tokenizer: &Tokenizer,
        stop_token_ids: &[u32],
    ) -> Arc<WalkedTokens> {
        let walked = self.walked.get_or_init(|| {
            let ids = 0..tokenizer.vocab_size() as u32;
            let is_text = |id: &u32| !tokenizer.is_special_id(*id) && !stop_token_ids.contains(id);
            let tokens = ids
                .filter(is_text)
                .map(|id| (id, tokenizer.token_bytes(id)));
            Arc::new(WalkedTokens::new(tokens))
        });
        Arc::clone(walked)
    }

    /// A form that was compiled lately.
    pub(super) fn cached(&self, key: &blake3::Hash) -> Option<Result<Grammar, FormatError>> {
        lock(&self.cache).get(key)
    }

    /// Compiles one form after the other, those aside that were compiled lately. `place` is a
    /// place in line; it is held until this one's turn is over, also if nobody waits for it any
    /// more: who gives places bounds how many wait.
    pub async fn compile<P: Send + 'static>(
        &self,
        format: Format,
        place: impl Future<Output = P>,
    ) -> Result<Grammar, FormatError> {
        let key = key(&format);
        if let Some(compiled) = self.cached(&key) {
            return compiled;
        }
        let compiled = async {
            let (done, compiled) = oneshot::channel();
            let job = Job {
                key,
                format,
                done,
                _place: Box::new(place.await),
            };
            self.jobs.send(job).map_err(|_| FormatError::Stopped)?;
            compiled.await.map_err(|_| FormatError::Stopped)?
        };
        tokio::time::timeout(MAX_WAIT, compiled)
            .await
            .unwrap_or(Err(FormatError::Timeout(MAX_WAIT)))
    }
}

#[derive(Default)]
struct Cache {
    entries: HashMap<blake3::Hash, Cached>,
    /// Counts up with each use.
    clock: u64,
}

struct Cached {
    grammar: Result<Grammar, FormatError>,
    used: u64,
}

impl Cache {
    fn get(&mut self, key: &blake3::Hash) -> Option<Result<Grammar, FormatError>> {
        self.clock += 1;
        let cached = self.entries.get_mut(key)?;
        cached.used = self.clock;
        Some(cached.grammar.clone())
    }

    fn insert(&mut self, key: blake3::Hash, grammar: Result<Grammar, FormatError>) {
        if self.entries.len() >= MAX_CACHED {
            let oldest = self.entries.iter().min_by_key(|(_, cached)| cached.used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        let used = self.clock;
        self.entries.insert(key, Cached { grammar, used });
    }
}

fn lock(cache: &Mutex<Cache>) -> std::sync::MutexGuard<'_, Cache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the compiling thread owns.
struct Compiler {
    tokenizer: Arc<Tokenizer>,
    vocab_size: usize,
    stop_token_ids: Arc<[u32]>,
    /// Made with the first form: most servers are never asked for one.
    factory: Option<Result<ParserFactory, FormatError>>,
    cache: Arc<Mutex<Cache>>,
}

impl Compiler {
    fn run(mut self, queue: &Receiver<Job>) {
        // SAFETY: on Linux this changes the calling thread alone; where it is refused, nothing.
        #[cfg(target_os = "linux")]
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        }
        for job in queue {
            if job.done.is_closed() {
                continue;
            }
            let cached = lock(&self.cache).get(&job.key);
            let grammar = cached.unwrap_or_else(|| {
                let grammar = self.compile(&job.format);
                lock(&self.cache).insert(job.key, grammar.clone());
                grammar
            });
            // A client that left meanwhile misses nothing.
            let _ = job.done.send(grammar);
        }
    }

    fn compile(&mut self, format: &Format) -> Result<Grammar, FormatError> {
        // The library answers some broken grammars with a panic.
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            let grammar = top_level(format, &self.tokenizer)?;
            let factory = self.factory()?;
            let parser = factory.create_parser(grammar);
            let matcher = Matcher::new(Ok(parser.map_err(|error| refusal(&error.to_string()))?));
            match matcher.get_error() {
                None => Ok(matcher),
                Some(error) => Err(refusal(&error)),
            }
        }));
        let matcher = compiled.unwrap_or_else(|_| Err(refusal("panic")))?;
        Ok(Grammar::new(matcher, Arc::clone(&self.stop_token_ids)))
    }

    fn factory(&mut self) -> Result<&ParserFactory, FormatError> {
        let made = self.factory.get_or_insert_with(|| {
            let ends = &self.stop_token_ids;
            let vocabulary = vocabulary(&self.tokenizer, self.vocab_size, ends)
                .ok_or(FormatError::NoStopToken)?;
            let slices = SlicedBiasComputer::general_slices();
            let capabilities = InferenceCapabilities::default();
            let mut factory = ParserFactory::new(&vocabulary, capabilities, &slices)
                .map_err(|error| refusal(&error.to_string()))?;
            factory.quiet();
            *factory.limits_mut() = limits();
            Ok(factory)
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// What the library says, in words that are for clients. `None`: it panicked, and says where in
/// whose code.
pub(super) fn for_clients(message: &str) -> Option<String> {
    if message.starts_with("panic") {
        tracing::warn!("the library for grammars panicked");
        return None;
    }
    Some(message.replace("<non-verbose/>", "…"))
}

fn refusal(message: &str) -> FormatError {
    let words = for_clients(message);
    FormatError::Grammar(words.unwrap_or_else(|| "the grammar cannot be compiled".to_owned()))
}

/// What compiling may cost, beyond what the sizes of schemas bound: some second. And a token:
/// some milliseconds.
fn limits() -> ParserLimits {
    ParserLimits {
        max_grammar_size: 200_000,
        initial_lexer_fuel: 300_000,
        max_lexer_states: 20_000,
        step_lexer_fuel: 100_000,
        step_max_items: 20_000,
        // What was generated belongs in no message.
        verbose_errors: false,
        ..ParserLimits::default()
    }
}

fn top_level(format: &Format, tokenizer: &Tokenizer) -> Result<TopLevelGrammar, FormatError> {
    Ok(match format {
        Format::JsonObject => TopLevelGrammar::from_json_schema(schema::prepare(
            &serde_json::json!({"type": "object"}),
        )?),
        Format::JsonSchema(schema) => TopLevelGrammar::from_json_schema(schema::prepare(schema)?),
        Format::Regex(regex) => TopLevelGrammar::from_regex(regex),
        Format::Choice(choices) => {
            let choices: Vec<String> = choices.iter().map(|c| lark_string(c)).collect();
            TopLevelGrammar::from_lark(format!("start: {}", choices.join(" | ")))
        }
        Format::Lark(grammar) => {
            if let Some(word) = REFUSED_IN_LARK.iter().find(|word| grammar.contains(*word)) {
                let message = format!("a grammar cannot hold `{word}` here");
                return Err(FormatError::Grammar(message));
            }
            TopLevelGrammar::from_lark(grammar.clone())
        }
        Format::Calls(form) => TopLevelGrammar::from_lark(form.lark(tokenizer)?),
    })
}

/// Lark reads strings as JSON does, but for one control character that JSON leaves as it is.
pub(super) fn lark_string(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{7f}', "\\u007f")
}

/// Equal for equal forms alone.
pub(super) fn key(format: &Format) -> blake3::Hash {
    let (name, text) = match format {
        Format::JsonObject => ("json_object", String::new()),
        Format::JsonSchema(schema) => ("json_schema", schema.to_string()),
        Format::Regex(regex) => ("regex", regex.clone()),
        Format::Choice(choices) => (
            "choice",
            serde_json::Value::from(choices.clone()).to_string(),
        ),
        Format::Lark(grammar) => ("lark", grammar.clone()),
        // Its fields say all that is in it, in order.
        Format::Calls(form) => ("calls", format!("{form:?}")),
    };
    blake3::Hasher::new_derive_key(name)
        .update(text.as_bytes())
        .finalize()
}
