use super::Tokenizer;
use super::decoder::Stage;
use std::sync::Arc;

/// Turns ids into text as they come; never emits half a character.
///
/// The texts of [`Detokenizer::push`] and [`Detokenizer::finish`], joined, are what decoding
/// all ids at once gives. Each id costs the same, however many came before.
pub struct Detokenizer {
    tokenizer: Arc<Tokenizer>,
    run: Run,
}

enum Run {
    Stages(Vec<Stage>),
    /// A decoder that cannot be run token by token: its ids wait for the end.
    Buffered(Vec<u32>),
}

impl Detokenizer {
    pub(super) fn new(tokenizer: Arc<Tokenizer>) -> Self {
        let run = match tokenizer.decode_plan.stages() {
            Some(stages) => Run::Stages(stages.to_vec()),
            None => Run::Buffered(Vec::new()),
        };
        Self { tokenizer, run }
    }

    /// For ids that go on where a text left off: a space before the first word is shown,
    /// which at the start of a text some tokenizers drop.
    pub fn continuing(mut self) -> Self {
        if let Run::Stages(stages) = &mut self.run {
            // A word that is certain at once takes the place of the text before.
            run_stages(stages, vec!["a".to_owned()]);
        }
        self
    }

    /// Text that became certain with this id; may be empty. Unknown ids have no text.
    pub fn push(&mut self, id: u32) -> String {
        let stages = match &mut self.run {
            Run::Stages(stages) => stages,
            Run::Buffered(ids) => {
                ids.push(id);
                return String::new();
            }
        };
        match self.tokenizer.written(id) {
            Some(token) if !self.tokenizer.is_special(&token) => run_stages(stages, vec![token]),
            Some(_) | None => String::new(),
        }
    }

    /// What was held back, before a control token that stands in the text. What comes next goes
    /// on behind it.
    pub fn cut(&mut self) -> String {
        let rest = self.finish();
        *self = Self::new(Arc::clone(&self.tokenizer)).continuing();
        rest
    }

    /// What was held back, at the end (incomplete bytes become U+FFFD).
    pub fn finish(&mut self) -> String {
        match &mut self.run {
            Run::Stages(stages) => {
                let mut text = String::new();
                for index in 0..stages.len() {
                    let rest = stages[index].finish();
                    text.push_str(&run_stages(&mut stages[index + 1..], rest));
                }
                text
            }
            Run::Buffered(ids) => {
                let ids = std::mem::take(ids);
                self.tokenizer
                    .pipeline
                    .decode(&ids, true)
                    .unwrap_or_default()
            }
        }
    }
}

fn run_stages(stages: &mut [Stage], tokens: Vec<String>) -> String {
    stages
        .iter_mut()
        .fold(tokens, |tokens, stage| stage.run(tokens))
        .concat()
}
