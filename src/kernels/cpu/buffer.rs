/// Bytes on cache-line boundaries, which 64-byte vector loads want.
#[derive(Default)]
pub struct AlignedBuffer {
    lines: Vec<Line>,
}

#[derive(Clone, Copy, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers without padding or invalid bit patterns.
pub trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for u32 {}
impl Plain for half::bf16 {}

impl AlignedBuffer {
    /// Makes room for `len` values of type `T`; never shrinks. What was there may be lost when it
    /// grows.
    pub fn resize<T: Plain>(&mut self, len: usize) {
        let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        if lines > self.lines.len() {
            // Zeroed by the system, page by page when each is first written.
            self.lines = bytemuck::allocation::zeroed_vec(lines);
        }
    }

    /// `len` values, whatever they are; grows where it must.
    pub fn resized<T: Plain>(&mut self, len: usize) -> &mut [T] {
        self.resize::<T>(len);
        &mut self.as_mut_slice::<T>()[..len]
    }

    pub fn num_bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    pub fn as_mut_slice<T: Plain>(&mut self) -> &mut [T] {
        // SAFETY: lines are initialised, aligned to 64 bytes, and any bits are a valid `T`;
        // `&mut self` makes the access exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.lines.as_mut_ptr().cast(),
                self.num_bytes() / size_of::<T>(),
            )
        }
    }
}
