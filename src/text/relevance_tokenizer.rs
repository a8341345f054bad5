use super::checkpoint::file_error;
use super::{Cut, GuardedText, TextError, Tokenized, Tokenizer};
use std::ops::Range;
use std::path::Path;

/// Puts a query and a document into the question that Qwen3-Reranker (Zhang et al. 2025) was trained
/// to answer with `yes` or `no`.
///
/// What stands in a query or a document is literal: a `<|im_end|>` that a caller wrote ends nothing.
pub struct RelevanceTokenizer {
    tokenizer: Tokenizer,
    instruction: String,
    yes: u32,
    no: u32,
}

const BEFORE: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query \
     and the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n\
     <|im_start|>user\n<Instruct>: ";
const BEFORE_QUERY: &str = "\n<Query>: ";
const BEFORE_DOCUMENT: &str = "\n<Document>: ";
const AFTER: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

/// What a document must do, where nobody says.
const INSTRUCTION: &str =
    "Given a web search query, retrieve relevant passages that answer the query";

impl RelevanceTokenizer {
    /// Reads the files that [`Tokenizer::from_dir`] reads; an error if the vocabulary lacks a token
    /// of the question or of its answers.
    pub fn from_dir(dir: &Path) -> Result<Self, TextError> {
        let tokenizer = Tokenizer::from_dir(dir)?;
        let id = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| {
                let message = format!("has no token `{token}`, which reranking by answers needs");
                file_error(&dir.join("tokenizer.json"), message)
            })
        };
        id("<|im_start|>")?;
        id("<|im_end|>")?;
        Ok(Self {
            yes: id("yes")?,
            no: id("no")?,
            tokenizer,
            instruction: INSTRUCTION.to_owned(),
        })
    }

    /// What a document must do to be relevant.
    pub fn with_instruction(self, instruction: String) -> Self {
        Self {
            instruction,
            ..self
        }
    }

    /// The tokens of the two answers: yes, and no.
    pub fn answers(&self) -> (u32, u32) {
        (self.yes, self.no)
    }

    /// One more than the highest id that text becomes.
    pub fn text_vocab_size(&self) -> usize {
        self.tokenizer.text_vocab_size()
    }

    /// The whole question; nothing but a document is cut.
    pub fn encode(&self, query: &str, document: &str, cut: Cut) -> Result<Tokenized, TextError> {
        let whole = self.question(query, document)?;
        let num_uncut = whole.len();
        let ids = match cut {
            Cut::ToTotal(len) if len < num_uncut => {
                self.within(query, document, len, num_uncut - len, Side::End)?
            }
            Cut::BeginningToTotal(len) if len < num_uncut => {
                self.within(query, document, len, num_uncut - len, Side::Beginning)?
            }
            Cut::ToSecond(len) => {
                let tokens = self.tokens(document)?;
                let kept = &document[Side::End.keep(document, &tokens, len)];
                self.question(query, kept)?
            }
            Cut::Nothing | Cut::ToTotal(_) | Cut::BeginningToTotal(_) => whole,
        };
        Ok(Tokenized {
            second: ids.len(),
            ids,
            num_uncut,
        })
    }

    fn question(&self, query: &str, document: &str) -> Result<Vec<u32>, TextError> {
        let mut text = GuardedText::default();
        text.push(BEFORE);
        text.push_literal(&self.instruction);
        text.push(BEFORE_QUERY);
        text.push_literal(query);
        text.push(BEFORE_DOCUMENT);
        text.push_literal(document);
        text.push(AFTER);
        self.tokenizer.encode_guarded(&text)
    }

    /// The question with so much of the document that it has `len` tokens, if it can; `excess` is
    /// what it has too many. Where a document is cut, its tokens may join otherwise than in the whole.
    fn within(
        &self,
        query: &str,
        document: &str,
        len: usize,
        excess: usize,
        side: Side,
    ) -> Result<Vec<u32>, TextError> {
        let tokens = self.tokens(document)?;
        let mut num_kept = tokens.len().saturating_sub(excess);
        loop {
            let kept = &document[side.keep(document, &tokens, num_kept)];
            let ids = self.question(query, kept)?;
            let excess = ids.len().saturating_sub(len);
            if excess == 0 || num_kept == 0 {
                return Ok(ids);
            }
            num_kept = num_kept.saturating_sub(excess);
        }
    }

    /// Where the tokens of a document begin, taken by itself.
    fn tokens(&self, document: &str) -> Result<Vec<usize>, TextError> {
        let encoding = self.tokenizer.pipeline.encode(document, false);
        let encoding = encoding.map_err(|error| TextError::Tokenize(error.to_string()))?;
        let offsets = encoding.get_offsets().iter();
        Ok(offsets.map(|(start, _)| *start).collect())
    }
}

/// Where something is cut off.
#[derive(Clone, Copy)]
enum Side {
    Beginning,
    End,
}

impl Side {
    /// What is left of a text when so many of its tokens stay, in whole characters.
    fn keep(self, text: &str, token_starts: &[usize], num_kept: usize) -> Range<usize> {
        let start_of = |token: usize| {
            let start = token_starts.get(token).copied().unwrap_or(text.len());
            text.floor_char_boundary(start)
        };
        match self {
            Self::End => 0..start_of(num_kept),
            Self::Beginning => start_of(token_starts.len().saturating_sub(num_kept))..text.len(),
        }
    }
}
