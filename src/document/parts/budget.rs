/// How many tokens a part may take, with what is shown above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    max_tokens: usize,
}

impl Budget {
    /// With fewer a part would hold a sentence at best, and its titles would have no room.
    pub const MIN_TOKENS: usize = 64;

    /// `None` where `max_tokens` is below [`Self::MIN_TOKENS`].
    pub fn new(max_tokens: usize) -> Option<Self> {
        (max_tokens >= Self::MIN_TOKENS).then_some(Self { max_tokens })
    }

    pub fn max_tokens(self) -> usize {
        self.max_tokens
    }
}
