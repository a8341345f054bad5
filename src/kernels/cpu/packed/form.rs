use super::{ROTATION, WeightType};
use crate::kernels::cpu::KernelSet;

/// Outputs of a strip, which a kernel computes side by side.
pub const STRIP: usize = 32;

/// How a weight lies in memory: strip after strip, each one stream that its kernel reads once
/// from front to back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// bf16 `[k/2][32][2]`: what vdpbf16ps takes.
    Bf16Pairs,
    /// bf16 `[k][32]`.
    Bf16Columns,
    /// f32 `[k][32]`.
    F32Columns,
    /// Groups of [`Int8::GROUP`] inputs: codes `[group/4][32][4]`, what vpdpbusd takes, then
    /// the 32 scales as bf16.
    Int8,
    /// Groups of [`Int4::GROUP`] inputs: half-bytes `[group/8][32][4]`, each the number of one of
    /// [`Int4::LEVELS`], then the scales. The low half of a byte belongs to an even quad of
    /// inputs, the high half to the next one.
    Int4,
}

/// A form of whole numbers in groups that share a scale: `weight = (code - ZERO) * scale`.
pub trait Quantized {
    const FORM: Form;
    /// Inputs that share a scale; activations are quantised in the same groups.
    const GROUP: usize;
    /// Whether inputs are rotated before they are rounded.
    const IS_ROTATED: bool;
    /// The code of zero.
    const ZERO: i32;
    /// Bytes of the codes of a group of a strip; its scales follow.
    const CODE_BYTES: usize;
    /// Four inputs that one 32-bit lane multiplies.
    const QUADS: usize = Self::GROUP / 4;
    const GROUP_BYTES: usize = Self::CODE_BYTES + STRIP * 2;

    /// Groups of a row of `k` inputs, those that fill a rotation or a group up included.
    fn num_groups(k: usize) -> usize {
        let block = if Self::IS_ROTATED {
            ROTATION
        } else {
            Self::GROUP
        };
        k.next_multiple_of(block) / Self::GROUP
    }
}

pub struct Int8;
pub struct Int4;

impl Quantized for Int8 {
    const FORM: Form = Form::Int8;
    const GROUP: usize = 64;
    const IS_ROTATED: bool = true;
    const ZERO: i32 = 128;
    const CODE_BYTES: usize = Self::GROUP * STRIP;
}

impl Quantized for Int4 {
    const FORM: Form = Form::Int4;
    const GROUP: usize = 32;
    const IS_ROTATED: bool = false;
    const ZERO: i32 = 127;
    const CODE_BYTES: usize = Self::GROUP * STRIP / 2;
}

impl Int4 {
    /// Levels that leave little error where weights are spread as they mostly are: close together
    /// near zero, apart where there are few. Fitted to groups of 32 normally distributed numbers
    /// (Lloyd 1982), and of no model in particular.
    pub const LEVELS: [i8; 16] = [
        -127, -102, -80, -63, -48, -34, -21, -9, 2, 13, 24, 37, 50, 66, 85, 110,
    ];
    /// The levels as unsigned codes, which half-bytes count through.
    pub const CODES: [u8; 16] = {
        let mut codes = [0; 16];
        let mut i = 0;
        while i < 16 {
            codes[i] = (Self::LEVELS[i] as i32 + Self::ZERO) as u8;
            i += 1;
        }
        codes
    };
}

impl Form {
    pub fn new(weight_type: WeightType, set: KernelSet) -> Self {
        match (weight_type, set) {
            (WeightType::F32, _) => Self::F32Columns,
            (WeightType::Bf16, KernelSet::Avx512Bf16) => Self::Bf16Pairs,
            (WeightType::Bf16, _) => Self::Bf16Columns,
            (WeightType::Int8, _) => Self::Int8,
            (WeightType::Int4, _) => Self::Int4,
        }
    }

    /// Rows that a kernel computes side by side: with two vectors of outputs each, 16 chains of
    /// sums hide the latency of an AVX-512 dot product and leave registers for the weights. Whole
    /// numbers leave room for what their groups add up to.
    pub fn max_rows(self) -> usize {
        match self {
            Self::Bf16Pairs | Self::Bf16Columns | Self::F32Columns => 8,
            Self::Int8 | Self::Int4 => 6,
        }
    }

    /// Bytes of a strip of `k` inputs, those that fill a pair or a rotation up included.
    pub fn strip_bytes(self, k: usize) -> usize {
        match self {
            Self::Bf16Pairs => k.next_multiple_of(2) * STRIP * 2,
            Self::Bf16Columns => k * STRIP * 2,
            Self::F32Columns => k * STRIP * 4,
            Self::Int8 => Int8::num_groups(k) * Int8::GROUP_BYTES,
            Self::Int4 => Int4::num_groups(k) * Int4::GROUP_BYTES,
        }
    }
}
