//! Encoding where some ranges of the text are literal.
//!
//! The steps are those of an ordinary encode, one by one, except that added tokens are only
//! looked for between the literal ranges. So text tokenizes as it ordinarily would, down to
//! the prefix space that some tokenizers put at the start of the whole text only.

use super::reserved::LeakyTokens;
use super::{GuardedText, Tokenizer};
use std::ops::Range;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizer::Range as OffsetRange;
use tokenizers::{
    AddedToken, AddedVocabulary, Model, NormalizedString, Normalizer, NormalizerWrapper,
    OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Token,
};

type Result<T> = tokenizers::Result<T>;
type Split = (NormalizedString, Option<Vec<Token>>);

/// Recognises the added tokens of a tokenizer, at either step at which an encode does.
pub(super) struct AddedTokenMatchers {
    /// Those matched in the text as it is.
    exact: AddedTokenMatcher,
    /// Those matched after normalization.
    normalized: AddedTokenMatcher,
    leaky: LeakyTokens,
}

struct AddedTokenMatcher {
    /// Numbers the tokens from 0, since it is built over an empty model.
    vocabulary: AddedVocabulary,
    ids: Vec<u32>,
}

impl AddedTokenMatchers {
    pub(super) fn of(pipeline: &tokenizers::Tokenizer) -> Result<Self> {
        let mut exact = Vec::new();
        let mut normalized = Vec::new();
        for (id, token) in pipeline.get_added_tokens_decoder() {
            if token.normalized {
                let mut form = NormalizedString::from(token.content.as_str());
                if let Some(normalizer) = pipeline.get_normalizer() {
                    normalizer.normalize(&mut form)?;
                }
                normalized.push((
                    id,
                    AddedToken {
                        content: form.get().to_owned(),
                        ..token
                    },
                ));
            } else {
                exact.push((id, token));
            }
        }
        Ok(Self {
            exact: AddedTokenMatcher::new(exact)?,
            normalized: AddedTokenMatcher::new(normalized)?,
            leaky: LeakyTokens::of(pipeline)?,
        })
    }
}

impl AddedTokenMatcher {
    fn new(tokens: Vec<(u32, AddedToken)>) -> Result<Self> {
        let (ids, tokens): (Vec<_>, Vec<_>) = tokens
            .into_iter()
            .filter(|(_, token)| !token.content.is_empty())
            .unzip();
        // Flags stay; the text is final, so that no normalizer touches it again.
        let tokens = tokens.into_iter().map(|token| AddedToken {
            normalized: false,
            ..token
        });
        let mut vocabulary = AddedVocabulary::new();
        vocabulary.add_tokens(tokens, &WordLevel::default(), None::<&NormalizerWrapper>)?;
        Ok(Self { vocabulary, ids })
    }

    /// Cuts `piece` at the added tokens that lie wholly outside of `literals`.
    fn split(&self, piece: NormalizedString, literals: &[Range<usize>]) -> Result<Vec<Split>> {
        let literals = in_normalized_offsets(&piece, literals);
        let text = piece.get();
        let mut splits = Vec::new();
        let mut done = 0;
        let slice = |range: Range<usize>| {
            piece
                .slice(OffsetRange::Normalized(range))
                .ok_or_else(|| "an added token ends within a character".to_owned())
        };
        let mut start = 0;
        for literal in literals
            .into_iter()
            .chain(std::iter::once(text.len()..text.len()))
        {
            for (range, id) in self.matches(&text[start..literal.start]) {
                let range = start + range.start..start + range.end;
                if done < range.start {
                    splits.push((slice(done..range.start)?, None));
                }
                done = range.end;
                splits.push((
                    slice(range)?,
                    Some(vec![Token::new(id, String::new(), (0, 0))]),
                ));
            }
            start = literal.end;
        }
        if done < text.len() {
            splits.push((slice(done..text.len())?, None));
        }
        Ok(splits)
    }

    fn matches(&self, text: &str) -> Vec<(Range<usize>, u32)> {
        if text.is_empty() || self.ids.is_empty() {
            return Vec::new();
        }
        let found = self
            .vocabulary
            .extract_and_normalize(None::<&NormalizerWrapper>, text);
        let splits = found
            .get_splits(OffsetReferential::Original, OffsetType::Byte)
            .into_iter();
        let ids = splits.filter_map(|(_, (start, end), tokens)| {
            let index = tokens.as_ref()?.first()?.id;
            Some((start..end, *self.ids.get(index as usize)?))
        });
        ids.collect()
    }
}

impl Tokenizer {
    /// Whether an ordinary encode would take a caller's text for a control token.
    pub(super) fn would_misread(&self, text: &GuardedText) -> bool {
        let mut literals = text.literals().iter().peekable();
        self.control_tokens_in(text.as_str())
            .into_iter()
            .any(|token| {
                while literals
                    .next_if(|literal| literal.end <= token.start)
                    .is_some()
                {}
                literals
                    .peek()
                    .is_some_and(|literal| literal.start < token.end)
            })
    }

    /// Where an ordinary encode finds control tokens.
    pub(super) fn control_tokens_in(&self, text: &str) -> Vec<Range<usize>> {
        let added = self.pipeline.get_added_vocabulary();
        let found = added.extract_and_normalize(self.pipeline.get_normalizer(), text);
        let splits = found
            .get_splits(OffsetReferential::Original, OffsetType::Byte)
            .into_iter();
        let control = splits.filter(|(_, _, tokens)| {
            tokens
                .as_ref()
                .and_then(|tokens| tokens.first())
                .is_some_and(|token| self.reserved.has_id(token.id))
        });
        control.map(|(_, (start, end), _)| start..end).collect()
    }

    pub(super) fn encode_around_literals(&self, text: &GuardedText) -> Result<Vec<u32>> {
        let literals = text.literals();
        let mut splits = PreTokenizedString::from(text.as_str());
        splits.split(|_, piece| self.matchers.exact.split(piece, literals))?;
        splits.split(|_, mut piece| {
            if let Some(normalizer) = self.pipeline.get_normalizer() {
                normalizer.normalize(&mut piece)?;
            }
            self.matchers.normalized.split(piece, literals)
        })?;
        if let Some(pre_tokenizer) = self.pipeline.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut splits)?;
        }
        splits.tokenize(|piece| self.tokenize_plain(piece.get()))?;
        Ok(splits
            .into_encoding(None, 0, OffsetType::None)?
            .get_ids()
            .to_vec())
    }

    /// Runs the model on text that holds no control token, also where the model by itself
    /// would find one.
    fn tokenize_plain(&self, text: &str) -> Result<Vec<Token>> {
        let tokens = self.pipeline.get_model().tokenize(text)?;
        if !tokens
            .iter()
            .any(|token| self.matchers.leaky.is_written_by(token, text))
        {
            return Ok(tokens);
        }
        let mut plain = Vec::new();
        for token in tokens {
            // The pieces of a character written as bytes have offsets within it.
            let covered = text
                .get(token.offsets.0..token.offsets.1)
                .unwrap_or_default();
            let first = covered.chars().next().map_or(0, char::len_utf8);
            if first < covered.len() && self.matchers.leaky.is_written_by(&token, text) {
                plain.extend(self.tokenize_plain(&covered[..first])?);
                plain.extend(self.tokenize_plain(&covered[first..])?);
            } else {
                plain.push(token);
            }
        }
        Ok(plain)
    }
}

/// Those of `literals` that lie in the piece, as ranges of its normalized text.
fn in_normalized_offsets(piece: &NormalizedString, literals: &[Range<usize>]) -> Vec<Range<usize>> {
    let (piece_start, piece_end) = piece.offsets_original();
    let first = literals.partition_point(|literal| literal.end <= piece_start);
    let mut literals = literals[first..]
        .iter()
        .take_while(|literal| literal.start < piece_end)
        .peekable();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (index, character) in piece.get().char_indices() {
        let end = index + character.len_utf8();
        let Some(original) = piece.convert_offsets(OffsetRange::Normalized(index..end)) else {
            continue;
        };
        let original = piece_start + original.start..piece_start + original.end;
        while literals
            .next_if(|literal| literal.end <= original.start)
            .is_some()
        {}
        if literals
            .peek()
            .is_some_and(|literal| literal.start < original.end)
        {
            match ranges.last_mut() {
                Some(last) if last.end == index => last.end = end,
                _ => ranges.push(index..end),
            }
        }
    }
    ranges
}
