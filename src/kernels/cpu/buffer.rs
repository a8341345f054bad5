/// Bytes on cache-line boundaries, which 64-byte vector loads want.
#[derive(Default)]
pub struct AlignedBuffer {
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers without padding or invalid bit patterns.
pub trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for u16 {}
impl Plain for u32 {}

impl AlignedBuffer {
    /// A zeroed buffer for `len` values of type `T`.
    pub fn zeroed<T: Plain>(len: usize) -> Self {
        let mut buffer = Self::default();
        buffer.resize::<T>(len);
        buffer
    }

    /// Makes room for `len` values of type `T`; never shrinks.
    pub fn resize<T: Plain>(&mut self, len: usize) {
        let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0; 64]));
        }
    }

    pub fn num_bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    pub fn as_slice<T: Plain>(&self) -> &[T] {
        // SAFETY: lines are initialised, aligned to 64 bytes, and any bits are a valid `T`.
        unsafe {
            std::slice::from_raw_parts(
                self.lines.as_ptr().cast(),
                self.num_bytes() / size_of::<T>(),
            )
        }
    }

    pub fn as_mut_slice<T: Plain>(&mut self) -> &mut [T] {
        // SAFETY: as above, and `&mut self` makes the access exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.lines.as_mut_ptr().cast(),
                self.num_bytes() / size_of::<T>(),
            )
        }
    }
}
