//! The strings that mean control tokens to a tokenizer.

use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use tokenizers::{
    Model, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, Token,
};

type Result<T> = tokenizers::Result<T>;

/// Elements of HTML whose tags Gemma's vocabulary holds as added tokens. `s` is none of them here:
/// its tag begins the texts of other models.
const HTML_TAGS: [&str; 27] = [
    "table",
    "caption",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "strong",
    "em",
    "b",
    "i",
    "u",
    "sub",
    "sup",
    "code",
    "p",
    "ul",
    "ol",
    "li",
];

/// Every added token, special or not, but those of plain text: Gemma's runs of newlines, for one,
/// are vocabulary like any other.
pub(super) struct ReservedStrings {
    ids: HashSet<u32>,
    whole: Option<AhoCorasick>,
    /// Proper beginnings and ends of reserved strings.
    beginnings: HashSet<Box<str>>,
    ends: HashSet<Box<str>>,
    /// All of them, one a line, to look for middles in.
    joined: String,
    longest: usize,
    /// Some are matched in normalized text, so a caller may write them in other characters.
    any_normalized: bool,
}

/// Control tokens that the model itself produces from text, as the text that it sees then.
pub(super) struct LeakyTokens(HashMap<u32, String>);

impl ReservedStrings {
    pub(super) fn of(pipeline: &tokenizers::Tokenizer) -> Result<Self> {
        let mut ids = HashSet::new();
        let mut strings = Vec::new();
        let mut any_normalized = false;
        for (id, token) in pipeline.get_added_tokens_decoder() {
            if !token.content.is_empty()
                && (token.special || !is_text(pipeline, id, &token.content)?)
            {
                ids.insert(id);
                any_normalized |= token.normalized && pipeline.get_normalizer().is_some();
                strings.push(token.content);
            }
        }
        let mut beginnings = HashSet::new();
        let mut ends = HashSet::new();
        for string in &strings {
            for (index, _) in string.char_indices().skip(1) {
                beginnings.insert(string[..index].into());
                ends.insert(string[index..].into());
            }
        }
        let whole = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&strings)?;
        Ok(Self {
            ids,
            whole: (!strings.is_empty()).then_some(whole),
            beginnings,
            ends,
            longest: strings.iter().map(String::len).max().unwrap_or(0),
            joined: strings.join("\n"),
            any_normalized,
        })
    }

    pub(super) fn has_id(&self, id: u32) -> bool {
        self.ids.contains(&id)
    }

    pub(super) fn any_normalized(&self) -> bool {
        self.any_normalized
    }

    pub(super) fn characters(&self) -> &str {
        &self.joined
    }

    /// The reserved strings in a text, the longest first where several begin.
    pub(super) fn occurrences(&self, text: &str) -> Vec<Range<usize>> {
        self.whole
            .iter()
            .flat_map(|whole| whole.find_iter(text))
            .map(|found| found.range())
            .collect()
    }

    /// The start of `text` that may end a reserved string begun before it; its length.
    pub(super) fn dangling_start(&self, text: &str) -> usize {
        let lengths = text
            .char_indices()
            .map(|(index, character)| index + character.len_utf8());
        let lengths = lengths.take_while(|length| *length < self.longest);
        lengths
            .filter(|length| self.ends.contains(&text[..*length]))
            .last()
            .unwrap_or(0)
    }

    /// The end of `text` that may begin a reserved string; its length.
    pub(super) fn dangling_end(&self, text: &str) -> usize {
        let starts = text.char_indices().rev().map(|(index, _)| index);
        let starts = starts.take_while(|start| text.len() - start < self.longest);
        starts
            .filter(|start| self.beginnings.contains(&text[*start..]))
            .last()
            .map_or(0, |start| text.len() - start)
    }

    /// Whether all of `text` may be the middle of a reserved string.
    pub(super) fn may_be_middle(&self, text: &str) -> bool {
        text.len() < self.longest && !text.contains('\n') && self.joined.contains(text)
    }
}

impl LeakyTokens {
    pub(super) fn of(pipeline: &tokenizers::Tokenizer) -> Result<Self> {
        let mut leaky = HashMap::new();
        for (id, token) in pipeline.get_added_tokens_decoder() {
            let splits = plain_splits(pipeline, &token.content)?;
            for (text, _, _) in splits.get_splits(OffsetReferential::Normalized, OffsetType::None) {
                let found = pipeline
                    .get_model()
                    .tokenize(text)?
                    .into_iter()
                    .find(|found| found.id == id);
                if let Some(found) = found {
                    // An unknown token stands for any text, not only for its own name.
                    let covered = text
                        .get(found.offsets.0..found.offsets.1)
                        .unwrap_or_default();
                    if covered.len() >= token.content.len() {
                        leaky.insert(id, covered.to_owned());
                    }
                }
            }
        }
        Ok(Self(leaky))
    }

    pub(super) fn is_written_by(&self, token: &Token, text: &str) -> bool {
        self.0
            .get(&token.id)
            .is_some_and(|leak| text.get(token.offsets.0..token.offsets.1) == Some(leak))
    }
}

/// Whether a token that is not special is vocabulary like any other: plain text makes it without
/// its being added, or it is white space or a tag of HTML.
fn is_text(pipeline: &tokenizers::Tokenizer, id: u32, content: &str) -> Result<bool> {
    let is_written = content.chars().all(char::is_whitespace) || is_html_tag(content);
    Ok(is_written || plain_ids(pipeline, content)? == [id])
}

fn is_html_tag(content: &str) -> bool {
    let name = content
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'));
    name.is_some_and(|name| HTML_TAGS.contains(&name.strip_prefix('/').unwrap_or(name)))
}

/// The ids of a text in which no added token is recognised.
fn plain_ids(pipeline: &tokenizers::Tokenizer, text: &str) -> Result<Vec<u32>> {
    let mut splits = plain_splits(pipeline, text)?;
    splits.tokenize(|piece| pipeline.get_model().tokenize(piece.get()))?;
    Ok(splits
        .into_encoding(None, 0, OffsetType::None)?
        .get_ids()
        .to_vec())
}

fn plain_splits(pipeline: &tokenizers::Tokenizer, text: &str) -> Result<PreTokenizedString> {
    let mut text = NormalizedString::from(text);
    if let Some(normalizer) = pipeline.get_normalizer() {
        normalizer.normalize(&mut text)?;
    }
    let mut splits = PreTokenizedString::from(text);
    if let Some(pre_tokenizer) = pipeline.get_pre_tokenizer() {
        pre_tokenizer.pre_tokenize(&mut splits)?;
    }
    Ok(splits)
}
