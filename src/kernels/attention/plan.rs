//! How a step's attention is cut into tiles. What is computed does not depend on it.

use super::{AttentionOptions, AttentionShape, AttentionSpan};
use crate::kernels::cpu::AlignedBuffer;
use crate::kernels::cpu::attention::{MAX_ROWS, Partial, Reach};
use crate::kernels::paged_layout::PagedLayout;
use std::cmp::Reverse;
use std::ops::Range;

/// What an op needs beside its tensors; kept, so that a step allocates nothing.
#[derive(Default)]
pub struct Work {
    pub tiles: Vec<Tile>,
    pub joins: Vec<Join>,
    pub partials: AlignedBuffer,
}

/// Tokens of a span, and heads.
#[derive(Debug, Clone)]
pub struct Rows {
    pub span: usize,
    /// Counted from the span's first.
    pub tokens: Range<usize>,
    pub kv_heads: Range<usize>,
    /// Of the query heads that share a KV head, these.
    pub group: Range<usize>,
}

/// Some rows, and some splits of what they see.
pub struct Tile {
    pub rows: Rows,
    pub splits: Range<usize>,
    /// Where partial results go; without a place, these are all splits.
    pub partial: Option<usize>,
    cost: usize,
}

/// Rows whose splits are tiles of their own, and where these leave their results.
pub struct Join {
    pub rows: Rows,
    /// Of the first split; others follow at the second number.
    pub partials: (usize, usize),
    pub num_splits: usize,
}

impl Rows {
    pub fn reach(&self, spans: &[AttentionSpan<'_>], options: AttentionOptions<'_>) -> Reach {
        let span = &spans[self.span];
        Reach {
            start: span.start + self.tokens.start,
            num_tokens: self.tokens.len(),
            window: options.window,
            whole: (options.is_bidirectional).then(|| span.start + span.rows.len()),
        }
    }

    /// Room for partial results.
    pub fn partial_len(&self, shape: AttentionShape) -> usize {
        let rows = self.tokens.len() * self.kv_heads.len() * self.group.len();
        Partial::len(rows, PagedLayout::padded_head_dim(shape.head_dim))
    }
}

impl Work {
    /// Cuts a step into tiles for some threads and makes room for partial results.
    pub fn plan(
        &mut self,
        spans: &[AttentionSpan<'_>],
        shape: AttentionShape,
        options: AttentionOptions<'_>,
        num_threads: usize,
    ) {
        self.tiles.clear();
        self.joins.clear();
        let group_len = shape.num_heads / shape.num_kv_heads;
        let group_len = group_len.div_ceil(group_len.div_ceil(MAX_ROWS));
        // A power of two, so that tiles and KV blocks mostly end together.
        let tokens_per_tile = 1 << (MAX_ROWS / group_len).ilog2();
        let room = MAX_ROWS / group_len;
        let mut num_partials = 0;
        for (span, num_tokens) in spans.iter().map(|span| span.rows.len()).enumerate() {
            for first in (0..num_tokens).step_by(tokens_per_tile) {
                let tokens = first..num_tokens.min(first + tokens_per_tile);
                // Where there are sequences enough, all heads that fit share a tile: they
                // are neighbours in memory.
                let share = (spans.len() * shape.num_kv_heads).div_ceil(4 * num_threads);
                let kv_heads_per_tile = (room / tokens.len()).min(share).max(1);
                for kv_heads in cut(0..shape.num_kv_heads, kv_heads_per_tile) {
                    for group in cut(0..shape.num_heads / shape.num_kv_heads, group_len) {
                        let rows = Rows {
                            span,
                            tokens: tokens.clone(),
                            kv_heads: kv_heads.clone(),
                            group,
                        };
                        // A prefill has tiles enough, which walk their splits themselves. A
                        // span of one tile, such as a sequence being decoded, is spread.
                        if num_tokens > tokens_per_tile {
                            self.add_whole(rows, spans, options);
                        } else {
                            self.add_splits(rows, spans, options, shape, &mut num_partials);
                        }
                    }
                }
            }
        }
        // The longest are claimed first, so that threads finish together.
        self.tiles.sort_unstable_by_key(|tile| Reverse(tile.cost));
        self.partials.resize::<f32>(num_partials);
    }

    fn add_whole(
        &mut self,
        rows: Rows,
        spans: &[AttentionSpan<'_>],
        options: AttentionOptions<'_>,
    ) {
        let reach = rows.reach(spans, options);
        self.tiles.push(Tile {
            cost: rows.tokens.len() * rows.kv_heads.len() * reach.seen().len(),
            splits: reach.splits(),
            rows,
            partial: None,
        });
    }

    fn add_splits(
        &mut self,
        rows: Rows,
        spans: &[AttentionSpan<'_>],
        options: AttentionOptions<'_>,
        shape: AttentionShape,
        num_partials: &mut usize,
    ) {
        let reach = rows.reach(spans, options);
        if reach.splits().len() == 1 {
            return self.add_whole(rows, spans, options);
        }
        let len = rows.partial_len(shape);
        self.joins.push(Join {
            rows: rows.clone(),
            partials: (*num_partials, len),
            num_splits: reach.splits().len(),
        });
        for split in reach.splits() {
            self.tiles.push(Tile {
                cost: rows.tokens.len() * rows.kv_heads.len() * reach.seen_of(split).len(),
                rows: rows.clone(),
                splits: split..split + 1,
                partial: Some(*num_partials),
            });
            *num_partials += len;
        }
    }
}

fn cut(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(len)
        .map(move |first| first..end.min(first + len))
}
