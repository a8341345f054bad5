use super::cpu::pointwise;
use super::{Array, Kernels};
use candle_core::Result;

impl Kernels {
    /// xIELU (Huang and Schlag 2024) in place, with [`super::XIELU_BETA`].
    pub fn xielu(&self, x: &Array, alpha_p: f32, alpha_n: f32) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.xielu(x, alpha_p, alpha_n);
        }
        if let Some(candle) = &self.candle {
            return candle.xielu(x.candle("xielu")?, alpha_p, alpha_n);
        }
        self.change_rows("xielu", x, |_, row| {
            pointwise::xielu(self.set, row, alpha_p, alpha_n);
        })
    }

    /// `out [rows, n] = (up + 1) * gate * sigmoid(alpha * gate)` of `gate_up` `[rows, 2 * n]`,
    /// gates first; gates are at most `limit`, and ups lie within it (gpt-oss).
    pub fn clamped_swiglu(
        &self,
        out: &Array,
        gate_up: &Array,
        alpha: f32,
        limit: f32,
    ) -> Result<()> {
        let op = "clamped_swiglu";
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.clamped_swiglu(out, gate_up, alpha, limit);
        }
        if let Some(candle) = &self.candle {
            let (out, gate_up) = (out.candle(op)?, gate_up.candle(op)?);
            return candle.clamped_swiglu(out, gate_up, alpha, limit);
        }
        self.write_rows("clamped_swiglu", out, gate_up, |row, out, gate_up| {
            let width = out.len();
            let (gates, ups) = gate_up[row * 2 * width..][..2 * width].split_at(width);
            pointwise::clamped_swiglu(self.set, gates, ups, alpha, limit, out);
        })
    }
}
