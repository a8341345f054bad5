/// Bytes of a strip that a kernel takes at a time.
const LINE: usize = 128;
/// How far ahead a single pass asks: enough for the latency of memory, few enough lines that
/// they are still there when their turn comes.
const DISTANCE: usize = 8192;

/// What a kernel asks memory for while it computes. Where several passes go over a strip, each
/// asks for its share of the strip that follows, so that memory is busy all the time and not
/// in the first pass alone.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    start: *const u8,
    /// Bytes to ask for with each line.
    step: usize,
}

impl Ahead {
    /// For pass number `pass` of `num_passes` over `strip`.
    pub fn new<T>(strip: &[T], pass: usize, num_passes: usize) -> Self {
        let start = strip.as_ptr().cast::<u8>();
        let step = LINE / num_passes;
        let start = if num_passes == 1 {
            start.wrapping_add(DISTANCE)
        } else {
            let len = size_of_val(strip);
            start.wrapping_add(len + len / num_passes * pass)
        };
        Self { start, step }
    }

    /// For a kernel that takes twice as many lines.
    pub fn half(self) -> Self {
        let step = self.step / 2;
        Self { step, ..self }
    }

    /// Asks for what belongs to line number `line` of the strip.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn prefetch(self, line: usize) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let at = self.start.wrapping_add(line.wrapping_mul(self.step));
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(at.cast());
            _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(self.step / 2).cast());
        }
    }
}
