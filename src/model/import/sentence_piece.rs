//! SentencePiece vocabularies as BPE with merges, as `transformers` converts them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Value, json};

use super::ImportError;
use super::architecture::SentencePieceStyle;
use super::metadata::Metadata;
use super::tokenizer::TokenKind;

/// What stands for a space in a piece.
const SPACE: &str = "\u{2581}";

/// Each way to cut a piece is looked at, so its length is bounded. Published ones are far shorter.
const MAX_PIECE_BYTES: usize = 1024;

/// A vocabulary of pieces, of which scores or ids tell the order of merges.
#[derive(Debug)]
pub(super) struct SentencePiece {
    /// Whether a space is written before each text.
    add_space_prefix: bool,
    merges: Vec<(String, String)>,
    /// The token for what no other stands for.
    unknown: u32,
}

impl SentencePiece {
    /// Spells user-defined tokens as the vocabulary does: the converter has written spaces in
    /// them.
    pub(super) fn respell<'a>(
        style: SentencePieceStyle,
        tokens: &'a [String],
        kinds: &[TokenKind],
    ) -> Result<Vec<Cow<'a, str>>, ImportError> {
        let spell = |(token, kind): (&'a String, &TokenKind)| {
            if *kind != TokenKind::UserDefined || !token.contains(' ') {
                return Ok(Cow::Borrowed(token.as_str()));
            }
            match style {
                SentencePieceStyle::Gemma => Ok(token.replace(' ', SPACE).into()),
                _ => Err(ImportError::Unsupported(format!(
                    "the user-defined token {token:?} has a space, and how it was spelled is not known, so the file is not imported"
                ))),
            }
        };
        tokens.iter().zip(kinds).map(spell).collect()
    }

    /// `ids` are those of all tokens that are used.
    pub(super) fn from_gguf(
        style: SentencePieceStyle,
        metadata: &Metadata<'_>,
        tokens: &[Cow<'_, str>],
        kinds: &[TokenKind],
        ids: &HashMap<Cow<'_, str>, u32>,
    ) -> Result<Self, ImportError> {
        let scores = metadata.floats("tokenizer.ggml.scores")?;
        if scores.len() != tokens.len() {
            return Err(ImportError::Malformed(
                "tokenizer.ggml.scores does not have one number a token".into(),
            ));
        }
        if tokens.iter().any(|token| token.len() > MAX_PIECE_BYTES) {
            return Err(ImportError::Malformed(format!(
                "the SentencePiece vocabulary has a token of more than {MAX_PIECE_BYTES} bytes"
            )));
        }
        let add_space_prefix = add_space_prefix(style, metadata)?;
        let takes_part = |kind: TokenKind| match kind {
            TokenKind::Normal | TokenKind::Byte => true,
            // Gemma's runs of spaces and of line ends are merged like others.
            TokenKind::UserDefined => style == SentencePieceStyle::Gemma,
            _ => false,
        };
        // Gemma's scores are not the order of its merges, but its ids are.
        let rank = |id: usize| match style {
            SentencePieceStyle::Gemma => -(id as f32),
            _ => scores[id],
        };
        if style == SentencePieceStyle::Llama {
            refuse_equal_scores(scores, kinds)?;
        }
        let pieces = tokens
            .iter()
            .enumerate()
            .filter(|(id, _)| takes_part(kinds[*id]))
            .map(|(id, piece)| (rank(id), piece.as_ref()));
        Ok(Self {
            add_space_prefix,
            merges: merges(pieces, ids, style == SentencePieceStyle::Gemma),
            unknown: unknown(metadata, kinds, ids)?,
        })
    }

    pub(super) fn merges(&self) -> &[(String, String)] {
        &self.merges
    }

    pub(super) fn unknown(&self) -> u32 {
        self.unknown
    }

    pub(super) fn normalizer(&self) -> Value {
        let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
        match self.add_space_prefix {
            true => json!({
                "type": "Sequence",
                "normalizers": [{"type": "Prepend", "prepend": SPACE}, replace],
            }),
            false => replace,
        }
    }

    pub(super) fn decoder(&self) -> Value {
        let mut steps = vec![
            json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if self.add_space_prefix {
            steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        json!({"type": "Sequence", "decoders": steps})
    }
}

fn add_space_prefix(
    style: SentencePieceStyle,
    metadata: &Metadata<'_>,
) -> Result<bool, ImportError> {
    let stated = metadata.optional_bool("tokenizer.ggml.add_space_prefix")?;
    match (style, stated) {
        (SentencePieceStyle::Refused, _) => Err(ImportError::Unsupported(
            "a SentencePiece tokenizer (tokenizer.ggml.model \"llama\") is imported for Llama, Mistral and Gemma models only".into(),
        )),
        (SentencePieceStyle::Llama, stated) => Ok(stated.unwrap_or(true)),
        (SentencePieceStyle::Gemma, Some(true)) => Err(ImportError::Unsupported(
            "a Gemma tokenizer with a space before each text (tokenizer.ggml.add_space_prefix) is not imported".into(),
        )),
        (SentencePieceStyle::Gemma, _) => Ok(false),
    }
}

/// Files made of a `tokenizer.json` alone have one score for all tokens: no order is left.
fn refuse_equal_scores(scores: &[f32], kinds: &[TokenKind]) -> Result<(), ImportError> {
    let mut normal = scores
        .iter()
        .zip(kinds)
        .filter(|(_, kind)| **kind == TokenKind::Normal)
        .map(|(score, _)| score);
    let first = normal.next();
    match normal.all(|score| Some(score) == first) {
        false => Ok(()),
        true => Err(ImportError::Unsupported(
            "all scores of the SentencePiece tokenizer are the same, so its merges are not known"
                .into(),
        )),
    }
}

/// The id that is stated, the token that is marked, or the one that goes by the usual name.
fn unknown(
    metadata: &Metadata<'_>,
    kinds: &[TokenKind],
    ids: &HashMap<Cow<'_, str>, u32>,
) -> Result<u32, ImportError> {
    let stated = metadata.optional_index("tokenizer.ggml.unknown_token_id")?;
    let marked = kinds.iter().position(|kind| *kind == TokenKind::Unknown);
    stated
        .or(marked.map(|id| id as u32))
        .or(ids.get("<unk>").copied())
        .filter(|id| (*id as usize) < kinds.len())
        .ok_or_else(|| {
            ImportError::Malformed("tokenizer.ggml.unknown_token_id is missing or no token".into())
        })
}

/// Each way to cut a piece into two tokens is a merge. They come by the rank of the piece, the
/// highest first, then in the order of the vocabulary and of the ids of their parts, as in Llama's
/// published tokenizers; or, with `longer_first`, longer parts before shorter, as in Gemma's.
fn merges<'p>(
    pieces: impl Iterator<Item = (f32, &'p str)>,
    ids: &HashMap<Cow<'_, str>, u32>,
    longer_first: bool,
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (rank, piece) in pieces {
        let length = piece.chars().count();
        let mut of_piece = Vec::new();
        for (chars, (at, _)) in piece.char_indices().enumerate().skip(1) {
            let (left, right) = piece.split_at(at);
            if let (Some(left_id), Some(right_id)) = (ids.get(left), ids.get(right)) {
                of_piece.push((
                    (*left_id, *right_id),
                    (rank, chars, length - chars),
                    left,
                    right,
                ));
            }
        }
        of_piece.sort_by_key(|(ids, ..)| *ids);
        all.append(&mut of_piece);
    }
    // Stable: what is equal stays in the order of the vocabulary.
    all.sort_by(|(_, a, ..), (_, b, ..)| {
        let by_rank = b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal);
        match longer_first {
            true => by_rank.then((b.1, b.2).cmp(&(a.1, a.2))),
            false => by_rank,
        }
    });
    all.into_iter()
        .map(|(_, _, left, right)| (left.to_owned(), right.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_come_by_rank_and_those_of_a_piece_as_the_family_has_them() {
        let pieces = [
            (-3.0, "a"),
            (-3.0, "b"),
            (-1.0, "ab"),
            (-2.0, "aab"),
            (-1.5, "aa"),
        ];
        let ids = pieces
            .iter()
            .enumerate()
            .map(|(id, (_, piece))| (Cow::Borrowed(*piece), id as u32))
            .collect();
        let check = |longer_first: bool, expected: [(&str, &str); 4]| {
            let expected = expected.map(|(left, right)| (left.to_owned(), right.to_owned()));
            assert_eq!(merges(pieces.into_iter(), &ids, longer_first), expected);
        };
        check(true, [("a", "b"), ("a", "a"), ("aa", "b"), ("a", "ab")]);
        check(false, [("a", "b"), ("a", "a"), ("a", "ab"), ("aa", "b")]);
    }
}
