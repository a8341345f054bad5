use super::Group;
use crate::model::weights::formats::Quantized;
use crate::model::weights::formats::dequantized::{Dequantized, Layout};
use crate::model::weights::formats::numbers::{Groups, Scales, Words, integers};
use crate::model::weights::formats::parts::{Parts, check_shape, matrix_shape};
use crate::model::weights::formats::sharing::{Grid, Sharing};
use crate::model::weights::tensor::Tensor;
use safetensors::Dtype;
use std::sync::Arc;

/// A weight in the format pack-quantized: integers in words along the inputs, their sign turned by
/// half of their range; zero points in the same way along the outputs.
pub(super) fn packed(parts: &Parts<'_>, group: &Group) -> Result<Quantized, String> {
    let codes = parts.need(".weight_packed", &[Dtype::I32])?;
    let [n, k] = weight_shape(parts)?;
    let per_word = Words::per_word(group.bits);
    let words = k.div_ceil(per_word);
    check_shape(codes, &[&[n, words]], &format!("a matrix {:?}", [n, k]))?;
    let (groups, scales) = scales(parts, group, [n, k])?;
    let width = group.sharing.grid(k).width();
    let zeros = if group.is_symmetric {
        None
    } else {
        let zeros = parts.need(".weight_zero_point", &[Dtype::I32])?;
        let why = format!("{} of a matrix {:?}", group.sharing, [n, k]);
        check_shape(zeros, &[&[n.div_ceil(per_word), width]], &why)?;
        Some(Words::new(zeros, group.bits))
    };
    let layout = Packed {
        codes: Words::new(codes, group.bits),
        words,
        bits: group.bits,
        zeros,
        grid: group.sharing.grid(k),
        scales,
    };
    Ok(quantized(group, [n, k], groups, layout))
}

/// A weight in the format int-quantized: an integer a byte, and a zero point a scale.
pub(super) fn bytes(parts: &Parts<'_>, group: &Group) -> Result<Quantized, String> {
    let codes = parts.need(".weight", &[Dtype::I8])?;
    let [n, k] = matrix_shape(codes)?;
    let (groups, scales) = scales(parts, group, [n, k])?;
    let zeros = if group.is_symmetric {
        None
    } else {
        let zeros = parts.need(".weight_zero_point", &[Dtype::I8])?;
        group.sharing.check(zeros, [n, k])?;
        Some(Arc::clone(zeros))
    };
    let layout = Bytes {
        codes: Arc::clone(codes),
        k,
        zeros,
        grid: group.sharing.grid(k),
        scales,
    };
    Ok(quantized(group, [n, k], groups, layout))
}

fn quantized<L: Layout + 'static>(
    group: &Group,
    [n, k]: [usize; 2],
    groups: Groups,
    layout: L,
) -> Quantized {
    let order = match groups {
        Groups::Of(_) => "",
        Groups::Listed(_) => ", act-order",
    };
    Quantized {
        shape: vec![n, k],
        label: format!(
            "compressed-tensors int{}, {}{order}",
            group.bits, group.sharing
        ),
        is_bf16: false,
        matrix: Box::new(Dequantized { layout, groups }),
    }
}

fn scales(
    parts: &Parts<'_>,
    group: &Group,
    [n, k]: [usize; 2],
) -> Result<(Groups, Scales), String> {
    let scales = parts.need(".weight_scale", &[Dtype::F32, Dtype::F16, Dtype::BF16])?;
    group.sharing.check(scales, [n, k])?;
    let groups = match group.sharing {
        Sharing::Blocks([1, size]) => {
            if group.is_ordered_by_activation {
                parts.need(".weight_g_idx", &[Dtype::I32, Dtype::I64])?;
            }
            Groups::read(parts, ".weight_g_idx", k, size, k.div_ceil(size))?
        }
        sharing => sharing.groups(k),
    };
    Ok((groups, Scales::new(scales)?))
}

/// What the weight's shape was before its integers were packed.
fn weight_shape(parts: &Parts<'_>) -> Result<[usize; 2], String> {
    let tensor = parts.need(".weight_shape", &[Dtype::I64, Dtype::I32])?;
    check_shape(tensor, &[&[2]], "the shape of a matrix")?;
    let shape: Option<Vec<_>> = integers(tensor)
        .into_iter()
        .map(|size| usize::try_from(size).ok())
        .collect();
    shape
        .and_then(|shape| <[usize; 2]>::try_from(shape).ok())
        .ok_or_else(|| format!("the tensor {} holds no shape of a matrix", tensor.name))
}

#[derive(Debug)]
struct Packed {
    /// `[n, words]`.
    codes: Words,
    /// Words of an output.
    words: usize,
    bits: u32,
    /// `[n / (32 / bits), groups]`.
    zeros: Option<Words>,
    scales: Scales,
    grid: Grid,
}

impl Layout for Packed {
    fn code(&self, row: usize, input: usize) -> f32 {
        self.codes.get(row * self.words, 1, input) as f32
    }

    fn zero(&self, row: usize, group: usize) -> f32 {
        // The sign of codes and of zero points is turned alike, which their difference forgets.
        match &self.zeros {
            Some(zeros) => zeros.get(group, self.grid.width(), row) as f32,
            None => (1 << (self.bits - 1)) as f32,
        }
    }

    fn scale(&self, row: usize, group: usize) -> f32 {
        self.scales.get(self.grid.at(row, group))
    }
}

#[derive(Debug)]
struct Bytes {
    /// `[n, k]`.
    codes: Arc<Tensor>,
    k: usize,
    /// As many as there are scales.
    zeros: Option<Arc<Tensor>>,
    scales: Scales,
    grid: Grid,
}

impl Layout for Bytes {
    fn code(&self, row: usize, input: usize) -> f32 {
        f32::from(self.codes.bytes()[row * self.k + input] as i8)
    }

    fn zero(&self, row: usize, group: usize) -> f32 {
        match &self.zeros {
            Some(zeros) => f32::from(zeros.bytes()[self.grid.at(row, group)] as i8),
            None => 0.0,
        }
    }

    fn scale(&self, row: usize, group: usize) -> f32 {
        self.scales.get(self.grid.at(row, group))
    }
}
