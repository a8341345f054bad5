/// How far ahead a single pass asks: enough for the latency of memory, few enough lines that
/// they are still there when their turn comes.
const DISTANCE: usize = 8192;
/// Bytes that a kernel takes at a time, and of the scales after a group of them.
pub(super) const LINE: usize = 128;
const SCALES: usize = 64;
/// Steps are counted in parts of a byte, of which there are two to this.
const STEP_BITS: u32 = 8;

/// What a kernel asks memory for while it computes. Where several passes go over a strip, each
/// asks for its share of the strip that follows, so that memory is busy all the time and not
/// in the first pass alone.
///
/// Passed by reference: a copy of it is read in larger pieces than it was written in, and the
/// processor then waits for all stores before it, those of the last block's sums among them.
pub(super) struct Ahead {
    start: *const u8,
    /// From a line's share to the next line's, and to its own second half.
    step: usize,
    half: usize,
    /// What lies between two groups' lines.
    gap: usize,
}

impl Ahead {
    /// For pass number `pass` of `num_passes` over `num_lines` of 128 bytes that stand for
    /// `strip`.
    pub fn new(strip: &[u8], num_lines: usize, pass: usize, num_passes: usize) -> Self {
        if num_passes == 1 {
            // Line by line, for a line that is left out is waited for.
            return Self {
                start: strip.as_ptr().wrapping_add(DISTANCE),
                step: LINE << STEP_BITS,
                half: LINE / 2,
                gap: SCALES,
            };
        }
        let part = strip.len() / num_passes;
        let step = (part << STEP_BITS).div_ceil(num_lines.max(1));
        Self {
            start: strip.as_ptr().wrapping_add(strip.len() + part * pass),
            step,
            half: step >> (STEP_BITS + 1),
            gap: 0,
        }
    }

    /// Asks for what belongs to a line, of which so many groups with scales have ended before.
    #[inline(always)]
    pub fn prefetch(&self, line: usize, group: usize) {
        let at = self.at(line, group);
        ask_for(at);
        ask_for(at.wrapping_add(self.half));
    }

    /// Asks for what belongs to the scales between a group's last line and `line`.
    #[inline(always)]
    pub fn prefetch_scales(&self, line: usize, group: usize) {
        ask_for(self.at(line, group));
    }

    #[inline(always)]
    fn at(&self, line: usize, group: usize) -> *const u8 {
        self.start
            .wrapping_add(line.wrapping_mul(self.step) >> STEP_BITS)
            .wrapping_add(group.wrapping_mul(self.gap))
    }
}

#[inline(always)]
fn ask_for(line: *const u8) {
    // SAFETY: a prefetch reads nothing, whatever the address.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}
