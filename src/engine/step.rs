use super::EngineConfig;
use super::constraint::ConstraintError;
use super::runner::TokenOutput;
use super::sequence::{Class, FinishReason, FlowId, PromptReport, Sequence, SequenceId};

/// Prefill tokens for a step, by whether streams wait for their next token in it.
#[derive(Debug, Clone, Copy)]
pub struct PrefillLimits {
    pub beside_streams: usize,
    pub alone: usize,
}

impl PrefillLimits {
    /// As many as fit.
    pub const NONE: Self = Self {
        beside_streams: usize::MAX,
        alone: usize::MAX,
    };
}

/// A decided step: for each item a running sequence and how many of its tokens to compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub items: Vec<ScheduledTokens>,
    /// Sequences that left the queue for the first time.
    pub started: Vec<SequenceId>,
    /// Some streams wait for their next token in it.
    pub has_streams: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduledTokens {
    pub sequence: SequenceId,
    /// Where it stands among the running.
    pub(super) slot: usize,
    /// Position of the first token.
    pub start: usize,
    pub num_tokens: usize,
}

impl Step {
    pub fn num_tokens(&self) -> usize {
        self.items.iter().map(|item| item.num_tokens).sum()
    }

    /// Tokens of items that have more than one.
    pub fn num_prefill_tokens(&self) -> usize {
        let items = self.items.iter().map(|item| item.num_tokens);
        items.filter(|num_tokens| *num_tokens > 1).sum()
    }
}

/// What a step meant for one sequence, in the order in which it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub sequence: SequenceId,
    /// Once, when the prompt is computed.
    pub prompt: Option<PromptReport>,
    pub token: Option<TokenOutput>,
    /// Set on the sequence's last outcome.
    pub end: Option<End>,
}

/// How a sequence ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Finished(FinishReason),
    /// Its logits held no number.
    Damaged,
    /// Its constraint leaves no token.
    Stuck(ConstraintError),
}

/// Outcomes of a step, and the prompt tokens that it computed for the first time.
#[derive(Debug, Default, PartialEq)]
pub struct Committed {
    pub outcomes: Vec<Outcome>,
    /// Suspects that were computed alone for long enough and nothing happened.
    pub cleared: Vec<SequenceId>,
    pub num_prompt_tokens: usize,
}

/// A step in the making.
#[derive(Debug)]
pub(super) struct Plan {
    /// What the step may still compute.
    pub num_tokens: usize,
    pub num_outputs: usize,
    /// What it may still compute for prefills.
    pub num_prefill: usize,
    items: Vec<Option<ScheduledTokens>>,
    item_of_slot: Vec<Option<usize>>,
    pub started: Vec<SequenceId>,
    pub has_streams: bool,
    /// Sequences that left the queue in this step, for the first time or again.
    pub num_starts: u32,
    /// Flows that had to give something back in this step and start nothing in it.
    pub victims: Vec<FlowId>,
    /// The step is for this sequence alone. `None`: for all but suspects.
    pub alone: Option<SequenceId>,
    /// Slots with prefills that may get more tokens, in the order of arrival.
    pub prefilling: Vec<usize>,
    /// Blocks ran out for one that runs, so nobody else is let in.
    pub is_full: bool,
    /// First in their queues, and there was no room.
    pub refused: Vec<(FlowId, Class)>,
}

impl Plan {
    pub fn new(config: &EngineConfig) -> Self {
        Self {
            num_tokens: config.max_num_batched_tokens,
            num_outputs: config.max_num_outputs,
            num_prefill: 0,
            items: Vec::new(),
            item_of_slot: vec![None; config.max_num_seqs],
            started: Vec::new(),
            has_streams: false,
            num_starts: 0,
            victims: Vec::new(),
            alone: None,
            prefilling: Vec::new(),
            is_full: false,
            refused: Vec::new(),
        }
    }

    /// Whether a sequence may be in this step.
    pub fn admits(&self, sequence: &Sequence) -> bool {
        match self.alone {
            Some(id) => sequence.id == id,
            None => !sequence.is_suspect,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.items.iter().all(Option::is_none)
    }

    /// The range that is planned for a slot.
    pub fn item(&self, slot: usize) -> Option<ScheduledTokens> {
        self.items[self.item_of_slot[slot]?]
    }

    /// Sets the range of a slot.
    pub fn set(&mut self, item: ScheduledTokens) {
        match self.item_of_slot[item.slot] {
            Some(index) => self.items[index] = Some(item),
            None => {
                self.item_of_slot[item.slot] = Some(self.items.len());
                self.items.push(Some(item));
            }
        }
    }

    /// Takes a slot's range out again.
    pub fn remove(&mut self, slot: usize) -> Option<ScheduledTokens> {
        self.items[self.item_of_slot[slot].take()?].take()
    }

    pub fn finish(self) -> Step {
        Step {
            items: self.items.into_iter().flatten().collect(),
            started: self.started,
            has_streams: self.has_streams,
        }
    }
}
