use super::Candle;
use crate::kernels::cpu::SplitMut;
use crate::kernels::{Arrangement, RowSource, ThreadPool, WeightType};
use candle_core::{Error, Result, Tensor};
use half::bf16;

/// A weight `[n, k]` of a linear layer. Of a pair, all rows of the first stand above those of the
/// second.
pub struct Weight {
    tensor: Tensor,
}

impl Weight {
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    pub fn n(&self) -> usize {
        self.tensor.dims()[0]
    }

    pub fn k(&self) -> usize {
        self.tensor.dims()[1]
    }

    pub fn num_bytes(&self) -> usize {
        self.tensor.elem_count() * self.tensor.dtype().size_in_bytes()
    }
}

impl Candle {
    /// Brings `sources`, each of rows of `k` elements, to the device; bf16 rounds to nearest even.
    ///
    /// # Panics
    /// If `arrangement` is paired and `sources` are not two of the same size.
    pub fn pack(
        &self,
        sources: &[RowSource<'_>],
        k: usize,
        arrangement: Arrangement,
        weight_type: WeightType,
        pool: &ThreadPool,
    ) -> Result<Weight> {
        if arrangement == Arrangement::Paired {
            let [gate, up] = sources else {
                panic!("a pair is of two sources, not of {}", sources.len());
            };
            assert_eq!(gate.num_elements(), up.num_elements(), "a pair of unequal");
        }
        let len: usize = sources.iter().map(RowSource::num_elements).sum();
        let size = (len / k.max(1), k);
        let tensor = match weight_type {
            WeightType::F32 => {
                let values = read(sources, k, pool, 0f32, |x| x);
                Tensor::from_vec(values, size, &self.device)?
            }
            WeightType::Bf16 => {
                let values = read(sources, k, pool, bf16::ZERO, bf16::from_f32);
                Tensor::from_vec(values, size, &self.device)?
            }
            WeightType::Int8 | WeightType::Int4 => {
                return Err(Error::Msg("here weights are f32 or bf16".into()));
            }
        };
        Ok(Weight { tensor })
    }
}

/// All rows, one source below the other.
fn read<T: Copy + Send>(
    sources: &[RowSource<'_>],
    k: usize,
    pool: &ThreadPool,
    zero: T,
    convert: impl Fn(f32) -> T + Sync,
) -> Vec<T> {
    let len: usize = sources.iter().map(RowSource::num_elements).sum();
    let mut values = vec![zero; len];
    let mut rest = values.as_mut_slice();
    for source in sources {
        let (part, later) = rest.split_at_mut(source.num_elements());
        rest = later;
        let num_rows = part.len() / k.max(1);
        let out = SplitMut::new(part);
        pool.run(num_rows, &|row| {
            let mut numbers = vec![0.0; k];
            source.read(row * k, &mut numbers);
            // SAFETY: each row is written by its own tile.
            let out = unsafe { out.part(row * k, k) };
            for (out, number) in out.iter_mut().zip(&numbers) {
                *out = convert(*number);
            }
        });
    }
    values
}
