use half::{bf16, f16};

/// Rows of a checkpoint tensor, little-endian, as they lie in its file.
#[derive(Debug, Clone, Copy)]
pub enum RowSource<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    Bf16(&'a [u8]),
}

impl RowSource<'_> {
    pub fn num_elements(&self) -> usize {
        match self {
            Self::F32(bytes) => bytes.len() / 4,
            Self::F16(bytes) | Self::Bf16(bytes) => bytes.len() / 2,
        }
    }

    /// Elements from `start` on, which for each type are exact in f32.
    pub fn read(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::F32(bytes) => {
                let (values, _) = bytes[4 * start..].as_chunks::<4>();
                for (out, value) in out.iter_mut().zip(values) {
                    *out = f32::from_le_bytes(*value);
                }
            }
            Self::F16(bytes) => {
                let (values, _) = bytes[2 * start..].as_chunks::<2>();
                for (out, value) in out.iter_mut().zip(values) {
                    *out = f16::from_le_bytes(*value).to_f32();
                }
            }
            Self::Bf16(bytes) => {
                let (values, _) = bytes[2 * start..].as_chunks::<2>();
                for (out, value) in out.iter_mut().zip(values) {
                    *out = bf16::from_le_bytes(*value).to_f32();
                }
            }
        }
    }

    pub fn get(&self, i: usize) -> f32 {
        let mut value = [0.0];
        self.read(i, &mut value);
        value[0]
    }
}
