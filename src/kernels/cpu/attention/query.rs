use super::SPLIT;
use crate::kernels::PagedLayout;
use crate::kernels::cpu::kv::KvElement;
#[cfg(target_arch = "x86_64")]
use half::bf16;
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Consecutive tokens of one sequence, some KV heads, and the query heads that share them.
/// A row is one query head of one token; rows go by KV head, then token, then query head.
pub struct Query<'a> {
    /// The first token's first query head; others of its KV head follow.
    pub q: &'a [f32],
    /// From one token to the next, and from one KV head's query heads to the next's.
    pub token_stride: usize,
    pub kv_head_stride: usize,
    pub num_kv_heads: usize,
    /// Query heads of each KV head.
    pub num_heads: usize,
    pub head_dim: usize,
    pub reach: Reach,
    pub scale: f32,
    pub softcap: Option<f32>,
}

/// What consecutive tokens of a sequence see of it.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// Position of the first token.
    pub start: usize,
    pub num_tokens: usize,
    /// Tokens that a token sees, itself included; of what follows it as many, where it sees that.
    pub window: Option<usize>,
    /// Where tokens see what follows them too, the length of the sequence.
    pub whole: Option<usize>,
}

/// The blocks of one sequence, and the first of its KV heads.
pub struct Pages<'a, T> {
    pub cache: &'a [T],
    pub block_table: &'a [u32],
    pub layout: PagedLayout,
    pub first_head: usize,
}

impl Reach {
    /// Positions that a token sees; its own always. Neither bound falls from a token to the next.
    fn visible(&self, token: usize) -> Range<usize> {
        let position = self.start + token;
        let hidden = |window| (position + 1).saturating_sub(window);
        let first = self.window.map_or(0, hidden).min(position);
        let Some(len) = self.whole else {
            return first..position + 1;
        };
        let reached = |window: usize| position.saturating_add(window.max(1));
        first..self.window.map_or(len, reached).min(len)
    }

    /// Positions that some token sees.
    pub fn seen(&self) -> Range<usize> {
        let last = self.num_tokens.saturating_sub(1);
        self.visible(0).start..self.visible(last).end
    }

    /// The splits of these positions.
    pub fn splits(&self) -> Range<usize> {
        let seen = self.seen();
        seen.start / SPLIT..seen.end.div_ceil(SPLIT)
    }

    /// Positions of one of the splits that some token sees.
    pub fn seen_of(&self, split: usize) -> Range<usize> {
        let seen = self.seen();
        seen.start.max(split * SPLIT)..seen.end.min((split + 1) * SPLIT)
    }
}

impl Query<'_> {
    pub fn num_rows(&self) -> usize {
        self.num_kv_heads * self.rows_per_kv_head()
    }

    pub fn rows_per_kv_head(&self) -> usize {
        self.reach.num_tokens * self.num_heads
    }

    /// A row's token, and where its query head stands among those of the token.
    pub fn place(&self, row: usize) -> (usize, usize) {
        let (kv_head, row) = (row / self.rows_per_kv_head(), row % self.rows_per_kv_head());
        let head = row % self.num_heads * self.head_dim;
        (row / self.num_heads, kv_head * self.kv_head_stride + head)
    }

    pub fn row(&self, row: usize) -> &[f32] {
        let (token, head) = self.place(row);
        &self.q[token * self.token_stride + head..][..self.head_dim]
    }

    /// Those of `positions` that a KV head's row sees, counted from the first of them.
    pub fn visible_in(&self, row: usize, positions: &Range<usize>) -> Range<usize> {
        let visible = self.reach.visible(row / self.num_heads);
        let inside = |at: usize| at.clamp(positions.start, positions.end) - positions.start;
        inside(visible.start)..inside(visible.end)
    }

    /// What queries are multiplied with, so that scores become logarithms to base 2, or the
    /// exponents that [`Self::score_cap`] goes on with: `tanh(x) = 1 - 2 / (1 + e^2x)`.
    pub fn score_factor(&self) -> f32 {
        match self.softcap {
            Some(cap) => self.scale * (2.0 * LOG2_E / cap),
            None => self.scale * LOG2_E,
        }
    }

    /// The bound that scores approach.
    pub fn score_cap(&self) -> Option<f32> {
        self.softcap.map(|cap| cap * LOG2_E)
    }
}

impl<'a, T: KvElement> Pages<'a, T> {
    #[cfg(target_arch = "x86_64")]
    pub fn as_bf16(&self) -> Option<Pages<'a, bf16>> {
        Some(self.with(T::as_bf16(self.cache)?))
    }

    #[cfg(target_arch = "x86_64")]
    pub fn as_int8(&self) -> Option<Pages<'a, u8>> {
        Some(self.with(T::as_int8(self.cache)?))
    }

    #[cfg(target_arch = "x86_64")]
    fn with<U>(&self, cache: &'a [U]) -> Pages<'a, U> {
        Pages {
            cache,
            block_table: self.block_table,
            layout: self.layout,
            first_head: self.first_head,
        }
    }

    pub fn keys(&self, block: usize, head: usize) -> &'a [T] {
        let start = (self.layout).keys(self.block_table[block], self.first_head + head);
        &self.cache[start..start + self.layout.key_len()]
    }

    pub fn values(&self, block: usize, head: usize) -> &'a [T] {
        let start = (self.layout).values(self.block_table[block], self.first_head + head);
        &self.cache[start..start + self.layout.value_len()]
    }
}
