//! Bugs that other engines had, planted here one at a time by the simulation, which must
//! find each. Outside of tests [`Faults::has`] is always false and leaves no code behind.
//!
//! `docs/simulation.md` has the table: who had the bug, and which seed finds it.

/// One planted bug. The name says what is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Bug {
    /// A request that can never fit is queued, and everyone behind it waits.
    #[cfg(test)]
    AdmitNeverFitting,
    /// A cancelled sequence keeps the last of its blocks.
    LeakBlockOnCancel,
    /// A cancelled sequence is forgotten while it waits, but its place is not given back.
    LeakPlaceOnCancel,
    /// A cache hit believes the hash without looking at the tokens.
    TrustHash,
    /// The namespace is not part of what is hashed and compared.
    IgnoreNamespace,
    /// A hit compares a block's own tokens, but not what stands before them.
    IgnoreParent,
    /// A preempted sequence frees its blocks, and its cancellation frees them again.
    DoubleFreeAfterPreemption,
    /// A preempted sequence believes that its tokens are still computed.
    KeepComputedOnPreemption,
    /// Blocks are offered to others before their tokens are computed.
    PublishBeforeComputed,
    /// A block that is full but for its last token is offered to others.
    PublishPartialBlock,
    /// A prompt that is cached as a whole is not computed at all.
    CacheWholePrompt,
    /// Adopting a cached block does not count the new reader.
    ForgetReader,
    /// Adopting a cached block does not take it off the list of evictable ones.
    EvictReferenced,
    /// An evicted block stays in the index.
    KeepEvictedInIndex,
    /// Decodes take the whole budget of a step, however long prefills wait.
    StarvePrefill,
    /// Prefills come first and may take the whole step.
    StarveDecode,
    /// Flows are served in the order of arrival, whatever each has had.
    FirstComeFirstServed,
    /// Nobody is preempted for a flow that has less than its share.
    KeepOverShare,
    /// The latest arrival is started again before the one that was preempted for it.
    ResumeOutOfOrder,
    /// A large request is overtaken for ever by small ones.
    OvertakeForEver,
    /// The batch class waits for as long as there is anything interactive.
    StarveBatch,
    /// The deadline of a sequence that waits is not looked at.
    IgnoreDeadlineWhileWaiting,
    /// Generated tokens are counted anew after a preemption.
    RestartCountOnPreemption,
    /// A follower goes on waiting for a prefix whose leader was cancelled.
    WaitForCancelledLeader,
    /// One flow may fill the queue for all.
    SharedQueue,
    /// A window gives the last block that a token still sees back.
    FreeOneTooEarly,
    /// Before a range is computed, what its last token does not see is given back.
    FreeByLastToken,
    /// What falls out of a window is kept until the sequence ends.
    KeepFallenOut,
    /// A cache hit looks at groups without window alone.
    HitWithoutWindow,
    /// To start, a sequence is thought to need as much of a windowed group as of others.
    CountPastWindow,
}

#[cfg(test)]
impl Bug {
    pub const ALL: [Self; 30] = [
        Self::AdmitNeverFitting,
        Self::LeakBlockOnCancel,
        Self::LeakPlaceOnCancel,
        Self::TrustHash,
        Self::IgnoreNamespace,
        Self::IgnoreParent,
        Self::DoubleFreeAfterPreemption,
        Self::KeepComputedOnPreemption,
        Self::PublishBeforeComputed,
        Self::PublishPartialBlock,
        Self::CacheWholePrompt,
        Self::ForgetReader,
        Self::EvictReferenced,
        Self::KeepEvictedInIndex,
        Self::StarvePrefill,
        Self::StarveDecode,
        Self::FirstComeFirstServed,
        Self::KeepOverShare,
        Self::ResumeOutOfOrder,
        Self::OvertakeForEver,
        Self::StarveBatch,
        Self::IgnoreDeadlineWhileWaiting,
        Self::RestartCountOnPreemption,
        Self::WaitForCancelledLeader,
        Self::SharedQueue,
        Self::FreeOneTooEarly,
        Self::FreeByLastToken,
        Self::KeepFallenOut,
        Self::HitWithoutWindow,
        Self::CountPastWindow,
    ];
}

/// Which bug is planted, if any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults(#[cfg(test)] pub Option<Bug>);

impl Faults {
    pub fn has(self, bug: Bug) -> bool {
        #[cfg(test)]
        return self.0 == Some(bug);
        #[cfg(not(test))]
        {
            let _ = bug;
            false
        }
    }
}
