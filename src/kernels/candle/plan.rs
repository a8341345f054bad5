//! How a step's attention is cut into products that a device has memory for.

use super::Candle;
use crate::kernels::{AttentionShape, AttentionSpan, KV_BLOCK_SIZE};
use candle_core::{Error, Result, Tensor};

/// Most scores at a time, those of all heads counted: 64 MiB.
const MAX_SCORES: usize = 1 << 24;

/// Most tokens whose keys and values are together at a time, unless one sequence has more.
const MAX_KEYS: usize = 1 << 15;

/// What is added to the scores of tokens that are not seen: nothing is left of their exponentials.
/// Not infinite, see [`super`].
const UNSEEN: f32 = -1e30;

pub struct Plan {
    pub window: Option<usize>,
    pub groups: Vec<Group>,
    /// For each row of the step, where it is among the rows of all groups; `None`: where it was.
    pub order: Option<Tensor>,
}

/// As many tokens of each of some sequences, which are computed together.
pub struct Group {
    pub num_sequences: usize,
    pub num_tokens: usize,
    /// Of each sequence; those with fewer have their last again.
    pub num_blocks: usize,
    /// Rows of the step `[sequences * tokens]`.
    pub rows: Tensor,
    /// `[sequences * blocks]`.
    pub blocks: Tensor,
    /// 0, or [`UNSEEN`]: `[sequences, 1, tokens, blocks * slots]`.
    pub mask: Tensor,
}

/// Some tokens of a span, and the blocks that they see.
struct Piece<'a> {
    first_row: usize,
    num_tokens: usize,
    /// Position of the first token.
    start: usize,
    /// Position of the first slot.
    first_slot: usize,
    blocks: &'a [u32],
}

impl Candle {
    pub fn plan(
        &self,
        spans: &[AttentionSpan<'_>],
        num_rows: usize,
        shape: AttentionShape,
        window: Option<usize>,
    ) -> Result<Plan> {
        let mut groups: Vec<Vec<Piece<'_>>> = Vec::new();
        for span in spans {
            for piece in pieces(span, shape, window)? {
                match groups.iter_mut().find(|group| fits(group, &piece, shape)) {
                    Some(group) => group.push(piece),
                    None => groups.push(vec![piece]),
                }
            }
        }
        let mut order = vec![None; num_rows];
        for (row, place) in groups.iter().flatten().flat_map(Piece::rows).zip(0u32..) {
            if let Some(order) = order.get_mut(row) {
                *order = Some(place);
            }
        }
        let order: Option<Vec<u32>> = order.into_iter().collect();
        let order = order.ok_or_else(|| Error::Msg("a row of a step has no sequence".into()))?;
        let is_same = order.iter().zip(0..).all(|(place, row)| *place == row);
        let groups = groups.iter().map(|pieces| self.group(pieces, window));
        Ok(Plan {
            window,
            groups: groups.collect::<Result<_>>()?,
            order: (!is_same).then(|| self.vector(&order)).transpose()?,
        })
    }

    fn group(&self, pieces: &[Piece<'_>], window: Option<usize>) -> Result<Group> {
        let num_blocks = most_blocks(pieces);
        let (num_sequences, num_tokens) =
            (pieces.len(), pieces.first().map_or(0, |p| p.num_tokens));
        let num_slots = num_blocks * KV_BLOCK_SIZE;
        let rows: Vec<u32> = pieces
            .iter()
            .flat_map(Piece::rows)
            .map(|row| row as u32)
            .collect();
        let mut blocks = Vec::with_capacity(num_sequences * num_blocks);
        let mut mask = Vec::with_capacity(rows.len() * num_slots);
        for piece in pieces {
            // Those that fill up are the sequence's own: nothing of another may reach it, even
            // multiplied by zero.
            let last = piece.blocks.last().copied().unwrap_or(0);
            let filled = piece.blocks.iter().copied().chain(std::iter::repeat(last));
            blocks.extend(filled.take(num_blocks));
            for position in piece.start..piece.start + piece.num_tokens {
                let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
                let seen = first..=position;
                let slots = piece.first_slot..piece.first_slot + num_slots;
                mask.extend(slots.map(|slot| if seen.contains(&slot) { 0.0 } else { UNSEEN }));
            }
        }
        let size = (num_sequences, 1, num_tokens, num_slots);
        Ok(Group {
            num_sequences,
            num_tokens,
            num_blocks,
            rows: self.vector(&rows)?,
            blocks: self.vector(&blocks)?,
            mask: Tensor::from_vec(mask, size, &self.device)?,
        })
    }
}

impl Piece<'_> {
    fn rows(&self) -> std::ops::Range<usize> {
        self.first_row..self.first_row + self.num_tokens
    }
}

/// A span in pieces that have few enough scores.
fn pieces<'a>(
    span: &AttentionSpan<'a>,
    shape: AttentionShape,
    window: Option<usize>,
) -> Result<Vec<Piece<'a>>> {
    let num_tokens = span.rows.len();
    let num_keys = (span.start + num_tokens).next_multiple_of(KV_BLOCK_SIZE);
    let most = (MAX_SCORES / (shape.num_heads * num_keys).max(1)).max(1);
    let piece = |first: usize| {
        let (start, count) = (span.start + first, most.min(num_tokens - first));
        let seen = window.map_or(0, |window| (start + 1).saturating_sub(window));
        let blocks = seen / KV_BLOCK_SIZE..(start + count).div_ceil(KV_BLOCK_SIZE);
        let missing = || Error::Msg("a sequence has too few KV blocks".into());
        Ok(Piece {
            first_row: span.rows.start + first,
            num_tokens: count,
            start,
            first_slot: blocks.start * KV_BLOCK_SIZE,
            blocks: span.block_table.get(blocks).ok_or_else(missing)?,
        })
    };
    (0..num_tokens).step_by(most).map(piece).collect()
}

fn most_blocks(pieces: &[Piece<'_>]) -> usize {
    let lens = pieces.iter().map(|piece| piece.blocks.len());
    lens.max().unwrap_or(0)
}

/// Whether there is room for one more piece in a group.
fn fits(group: &[Piece<'_>], piece: &Piece<'_>, shape: AttentionShape) -> bool {
    let num_blocks = most_blocks(group).max(piece.blocks.len());
    let num_keys = (group.len() + 1) * num_blocks * KV_BLOCK_SIZE;
    let same = group.iter().all(|of| of.num_tokens == piece.num_tokens);
    let num_scores = num_keys * piece.num_tokens * shape.num_heads;
    same && num_keys <= MAX_KEYS && num_scores <= MAX_SCORES
}
