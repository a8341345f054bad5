use super::{Array, Candle};
use crate::kernels::routing::Tokens;
use crate::kernels::{Indices, XIELU_BETA, XIELU_EPS};
use candle_core::{D, Error, Result, Tensor};

impl Candle {
    pub fn add_branch(
        &self,
        x: &Array,
        branch: &Array,
        norm: Option<(&Tensor, f32)>,
        scale: f32,
    ) -> Result<()> {
        let branch = branch.tensor()?;
        let branch = match norm {
            Some((weight, eps)) => normed(&branch, weight, eps)?,
            None => branch,
        };
        x.put((x.tensor()? + (branch * f64::from(scale))?)?)
    }

    pub fn add_bias(&self, x: &Array, bias: &Tensor) -> Result<()> {
        x.put(x.tensor()?.broadcast_add(bias)?)
    }

    pub fn rms_norm(&self, out: &Array, x: &Array, weight: &Tensor, eps: f32) -> Result<()> {
        out.put(normed(&x.tensor()?, weight, eps)?)
    }

    pub fn scale(&self, x: &Array, scale: f32) -> Result<()> {
        x.put((x.tensor()? * f64::from(scale))?)
    }

    pub fn softcap(&self, x: &Array, cap: f32) -> Result<()> {
        x.put(capped(&x.tensor()?, cap)?)
    }

    pub fn xielu(&self, x: &Array, alpha_p: f32, alpha_n: f32) -> Result<()> {
        let values = x.tensor()?;
        let linear = (&values * f64::from(XIELU_BETA))?;
        let above = ((values.sqr()? * f64::from(alpha_p))? + &linear)?;
        let bent = ((values.minimum(f64::from(XIELU_EPS))?.exp()? - 1.0)? - &values)?;
        let below = ((bent * f64::from(alpha_n))? + linear)?;
        x.put(values.gt(0.0)?.where_cond(&above, &below)?)
    }

    pub fn clamped_swiglu(
        &self,
        out: &Array,
        gate_up: &Array,
        alpha: f32,
        limit: f32,
    ) -> Result<()> {
        let (gate_up, width) = (gate_up.tensor()?, out.width());
        let (alpha, limit) = (f64::from(alpha), f64::from(limit));
        let gates = gate_up.narrow(1, 0, width)?.contiguous()?.minimum(limit)?;
        let ups = gate_up.narrow(1, width, width)?.contiguous()?;
        let ups = ups.clamp(-limit, limit)?;
        // alpha times gate * sigmoid(alpha * gate).
        let scaled = (gates * alpha)?.silu()?;
        out.put(((ups + 1.0)? * (scaled / alpha)?)?)
    }

    pub fn gather_rows(&self, out: &Array, x: &Array, rows: Indices<'_>) -> Result<()> {
        // An op may have written fewer rows of `x` than it has.
        let x = match x.written() {
            Some(written) => written,
            None => x.tensor()?,
        };
        let num_rows = x.dims()[0];
        // A GPU would not say so.
        if let Some(row) = rows.host.iter().find(|row| **row as usize >= num_rows) {
            return Err(Error::Msg(format!(
                "gather_rows: row {row} is not among {num_rows}"
            )));
        }
        out.put(x.index_select(&self.indices(rows)?, 0)?)
    }

    pub fn clear(&self, x: &Array) -> Result<()> {
        let zeros = self.zeros(x.num_rows(), x.width()).tensor()?;
        x.put(zeros)
    }

    pub fn scatter_rows(&self, x: &Array, y: &Array, tokens: &Tokens) -> Result<()> {
        let rows = self.vector(&tokens.rows)?;
        let weights = self.vector(&tokens.weights)?.unsqueeze(1)?;
        let weighed = y.tensor()?.broadcast_mul(&weights)?;
        x.put(x.tensor()?.index_add(&rows, &weighed, 0)?)
    }
}

/// `x / rms(x) * weight` over the last dimension.
pub fn normed(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
    let rms = (mean + f64::from(eps))?.sqrt()?;
    x.broadcast_div(&rms)?.broadcast_mul(weight)
}

/// `cap * tanh(x / cap)`.
pub fn capped(x: &Tensor, cap: f32) -> Result<Tensor> {
    let cap = f64::from(cap);
    (x / cap)?.tanh()? * cap
}
