//! Numbers as quantised formats keep them.

use super::parts::{Parts, check_shape};
use crate::kernels::Float;
use crate::model::weights::tensor::Tensor;
use safetensors::Dtype;
use std::sync::Arc;

/// Words of 32 bits in which smaller integers lie, the first one in the lowest bits.
#[derive(Debug)]
pub struct Words {
    tensor: Arc<Tensor>,
    /// Of an integer.
    bits: u32,
}

impl Words {
    /// `bits` must be 4 or 8.
    pub fn new(tensor: &Arc<Tensor>, bits: u32) -> Self {
        Self {
            tensor: Arc::clone(tensor),
            bits,
        }
    }

    /// Integers in a word.
    pub fn per_word(bits: u32) -> usize {
        (32 / bits) as usize
    }

    /// Integer `at` of those that lie in words which are `step` apart, the first of them `first`.
    pub fn get(&self, first: usize, step: usize, at: usize) -> u32 {
        // A shift is faster than a division, and every weight comes by here.
        let shift = if self.bits == 4 { 3 } else { 2 };
        let place = at & ((1 << shift) - 1);
        self.in_word(first + (at >> shift) * step, place)
    }

    /// The integer of word `word` that `place` others come before.
    pub fn in_word(&self, word: usize, place: usize) -> u32 {
        let (words, _) = self.tensor.bytes().as_chunks::<4>();
        let word = u32::from_le_bytes(words[word]);
        word >> (place as u32 * self.bits) & ((1 << self.bits) - 1)
    }
}

/// Numbers that weights are multiplied by.
#[derive(Debug)]
pub struct Scales {
    tensor: Arc<Tensor>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Float(Float),
    /// Powers of two.
    E8m0,
}

impl Scales {
    pub const DTYPES: [Dtype; 4] = [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F8_E8M0];

    /// Fails unless the type is one of [`Scales::DTYPES`], or bytes that are meant as E8M0.
    pub fn new(tensor: &Arc<Tensor>) -> Result<Self, String> {
        let kind = match (tensor.float(), tensor.dtype) {
            (Some(float), _) => Kind::Float(float),
            (None, Dtype::F8_E8M0 | Dtype::U8) => Kind::E8m0,
            (None, other) => {
                return Err(format!(
                    "the tensor {} has type {other:?}, which is none of scales",
                    tensor.name
                ));
            }
        };
        Ok(Self {
            tensor: Arc::clone(tensor),
            kind,
        })
    }

    pub fn get(&self, at: usize) -> f32 {
        match self.kind {
            Kind::Float(float) => float.get(self.tensor.bytes(), at),
            Kind::E8m0 => e8m0(self.tensor.bytes()[at]),
        }
    }

    /// Whether each is a power of two that leaves any number of up to eight digits exact in bf16.
    pub fn are_powers_of_two(&self) -> bool {
        (0..self.tensor.num_elements()).all(|at| {
            let bits = self.get(at).to_bits();
            let exponent = (bits >> 23 & 0xff) as i32 - 127;
            bits & 0x7f_ffff == 0 && exponent.abs() < 100
        })
    }
}

/// The power of two of a byte (OCP Microscaling Formats 1.0, section 5.4.1): `2^(byte - 127)`,
/// and 255 is no number.
fn e8m0(byte: u8) -> f32 {
    match byte {
        0 => f32::from_bits(0x0040_0000),
        255 => f32::NAN,
        exponent => f32::from_bits(u32::from(exponent) << 23),
    }
}

/// Which inputs share their numbers.
#[derive(Debug)]
pub enum Groups {
    /// So many inputs each, one after the other; the last ones may be fewer.
    Of(usize),
    /// The group of each input.
    Listed(Box<[u32]>),
}

impl Groups {
    /// The group of an input, and how many inputs from it on are in that group at least.
    pub fn get(&self, input: usize) -> (usize, usize) {
        match self {
            Self::Of(size) => (input / size, size - input % size),
            Self::Listed(groups) => (groups[input] as usize, 1),
        }
    }

    /// The groups that the tensor `part` lists for `k` inputs. Without it, or where it lists what
    /// is usual, so many inputs one after the other; each group must be below `num_groups`.
    pub fn read(
        parts: &Parts<'_>,
        part: &str,
        k: usize,
        group_size: usize,
        num_groups: usize,
    ) -> Result<Self, String> {
        if parts.find(part).is_none() {
            return Ok(Self::Of(group_size));
        }
        let tensor = parts.need(part, &[Dtype::I32, Dtype::I64])?;
        check_shape(tensor, &[&[k]], "the number of inputs")?;
        let listed = integers(tensor);
        // What compressed-tensors writes where no order was chosen.
        if listed.contains(&-1) {
            return Ok(Self::Of(group_size));
        }
        let usual =
            |(input, group): (usize, &i64)| usize::try_from(*group) == Ok(input / group_size);
        if listed.iter().enumerate().all(usual) {
            return Ok(Self::Of(group_size));
        }
        let group = |group: &i64| {
            u32::try_from(*group)
                .ok()
                .filter(|g| (*g as usize) < num_groups)
        };
        let groups: Option<Box<[u32]>> = listed.iter().map(group).collect();
        match groups {
            Some(groups) => Ok(Self::Listed(groups)),
            None => Err(format!(
                "the tensor {} names a group that is none of the {num_groups}",
                tensor.name
            )),
        }
    }
}

/// The elements of a tensor of type I32 or I64.
pub fn integers(tensor: &Tensor) -> Vec<i64> {
    let bytes = tensor.bytes();
    if tensor.dtype == Dtype::I64 {
        let (values, _) = bytes.as_chunks::<8>();
        return values
            .iter()
            .map(|value| i64::from_le_bytes(*value))
            .collect();
    }
    let (values, _) = bytes.as_chunks::<4>();
    values
        .iter()
        .map(|value| i64::from(i32::from_le_bytes(*value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_reach_down_to_what_f32_has_and_255_is_no_number() {
        assert_eq!(e8m0(0), 2f32.powi(-127));
        assert_eq!(e8m0(1), 2f32.powi(-126));
        assert_eq!(e8m0(127), 1.0);
        assert_eq!(e8m0(254), 2f32.powi(127));
        assert!(e8m0(255).is_nan());
    }
}
