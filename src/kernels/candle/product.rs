use super::rows::normed;
use super::{Array, Candle, Weight};
use crate::kernels::{Epilogue, Indices};
use candle_core::{DType, Result, Tensor};

impl Candle {
    pub fn embedding(&self, out: &Array, ids: Indices<'_>, table: &Weight) -> Result<()> {
        let rows = table.tensor().index_select(&self.indices(ids)?, 0)?;
        out.put(rows.to_dtype(DType::F32)?)
    }

    pub fn linear(
        &self,
        out: &Array,
        x: &Array,
        weight: &Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        self.product(out, &x.tensor()?, weight, epilogue)
    }

    pub fn normed_linear(
        &self,
        out: &Array,
        x: &Array,
        norm: &Tensor,
        eps: f32,
        weight: &Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        self.product(out, &normed(&x.tensor()?, norm, eps)?, weight, epilogue)
    }

    fn product(&self, out: &Array, x: &Tensor, weight: &Weight, epilogue: Epilogue) -> Result<()> {
        let weight = weight.tensor();
        let x = x.to_dtype(weight.dtype())?;
        let sums = x.matmul(&weight.t()?)?.to_dtype(DType::F32)?;
        let halves = || {
            let width = out.width();
            Ok::<_, candle_core::Error>((
                sums.narrow(1, 0, width)?.contiguous()?,
                sums.narrow(1, width, width)?.contiguous()?,
            ))
        };
        out.put(match epilogue {
            Epilogue::Store => sums,
            Epilogue::Add => (out.tensor()? + sums)?,
            Epilogue::SwiGlu => {
                let (gates, ups) = halves()?;
                (gates.silu()? * ups)?
            }
            Epilogue::GeGlu => {
                let (gates, ups) = halves()?;
                // By tanh: candle's other one is `gelu_erf`.
                (gates.gelu()? * ups)?
            }
        })
    }
}
