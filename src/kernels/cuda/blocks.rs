//! What families do beside products and attention.

use super::Cuda;
use super::array::{Array, Type};
use super::device::{Address, Argument, Launch};
use crate::kernels::{self, AttentionShape, HeadNorms, Vector};
use candle_core::Result;

/// Numbers of a row that one block takes, where several share it.
pub(super) const PART: usize = 4096;

impl Cuda {
    pub fn add_bias(&self, x: &kernels::Array, bias: &Vector) -> Result<()> {
        let op = "add_bias";
        let x = x.cuda(op)?;
        let name = match x.element {
            Type::F32 => "add_bias_f32",
            Type::Bf16 => "add_bias_bf16",
        };
        self.device.launch(
            &by_rows(name, x.num_rows(), 1),
            &[
                x.address().into(),
                bias.cuda(op)?.address().into(),
                x.stride.into(),
            ],
        )
    }

    pub fn norm_heads(
        &self,
        qkv: &kernels::Array,
        shape: AttentionShape,
        norms: &HeadNorms,
    ) -> Result<()> {
        let op = "norm_heads";
        let (qkv, q, k) = (qkv.cuda(op)?, norms.q.cuda(op)?, norms.k.cuda(op)?);
        let (q_width, k_width) = (shape.q_width(), shape.num_kv_heads * shape.head_dim);
        let num_parts = q_width / q.width().max(1) + k_width / k.width().max(1);
        self.device.launch(
            &by_rows("norm_heads", qkv.num_rows(), num_parts),
            &[
                qkv.expect(Type::Bf16, op)?.into(),
                q.address().into(),
                k.address().into(),
                q.width().into(),
                k.width().into(),
                q_width.into(),
                qkv.stride.into(),
                norms.eps.into(),
            ],
        )
    }

    pub fn add_branch(
        &self,
        x: &kernels::Array,
        branch: &kernels::Array,
        norm: Option<(&Vector, f32)>,
        scale: f32,
    ) -> Result<()> {
        let op = "add_branch";
        let (x, branch) = (x.cuda(op)?, branch.cuda(op)?);
        let (weight, eps) = match norm {
            Some((weight, eps)) => (weight.cuda(op)?.address().into(), eps),
            None => (Argument::Null, 0.0),
        };
        self.device.launch(
            &by_rows(op, x.num_rows(), 1),
            &[
                x.expect(Type::F32, op)?.into(),
                branch.expect(Type::F32, op)?.into(),
                weight,
                x.stride.into(),
                eps.into(),
                scale.into(),
            ],
        )
    }

    pub fn rms_norm(
        &self,
        out: &kernels::Array,
        x: &kernels::Array,
        weight: &Vector,
        eps: f32,
    ) -> Result<()> {
        let op = "rms_norm";
        let (out, x) = (out.cuda(op)?, x.cuda(op)?);
        self.device.launch(
            &by_rows("rms_norm_f32", x.num_rows(), 1),
            &[
                x.expect(Type::F32, op)?.into(),
                weight.cuda(op)?.address().into(),
                out.expect(Type::F32, op)?.into(),
                x.width().into(),
                eps.into(),
            ],
        )
    }

    /// `x += part`, which has as many numbers of f32, in rows as far apart.
    pub fn add_part(&self, x: &Array, part: Address) -> Result<()> {
        let op = "add_branch";
        self.device.launch(
            &by_rows(op, x.num_rows(), 1),
            &[
                x.expect(Type::F32, op)?.into(),
                part.into(),
                Argument::Null,
                x.stride.into(),
                Argument::Float(0.0),
                Argument::Float(1.0),
            ],
        )
    }

    /// `name` is a kernel that changes each number of rows of f32 with one other.
    pub fn change_rows(&self, name: &'static str, x: &kernels::Array, with: f32) -> Result<()> {
        let x = x.cuda(name)?;
        self.device.launch(
            &by_rows(name, x.num_rows(), x.width().div_ceil(PART)),
            &[
                x.expect(Type::F32, name)?.into(),
                x.width().into(),
                x.stride.into(),
                with.into(),
            ],
        )
    }

    pub fn xielu(&self, x: &kernels::Array, alpha_p: f32, alpha_n: f32) -> Result<()> {
        let op = "xielu";
        let x = x.cuda(op)?;
        self.device.launch(
            &by_rows(op, x.num_rows(), x.width().div_ceil(PART)),
            &[
                x.expect(Type::Bf16, op)?.into(),
                x.width().into(),
                x.stride.into(),
                alpha_p.into(),
                alpha_n.into(),
            ],
        )
    }
}

pub(super) fn by_rows(name: &str, num_rows: usize, parts: usize) -> Launch<'_> {
    Launch {
        name,
        grid: [num_rows, parts.max(1), 1],
        threads: 256,
        shared: 0,
    }
}
