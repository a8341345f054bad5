use super::ModelError;
use super::config::{DecoderConfig, NormPlacement};
use super::importance::Importance;
use super::linear::{Linear, Loader, Part};
use super::norm::RmsNorm;
use super::workspace::Workspace;
use crate::kernels::{Arrangement, Array, Epilogue, Kernels, Vector};

/// How what a block computes joins the residual stream.
pub struct Residual {
    norm: Option<RmsNorm>,
    scale: f32,
}

/// The last product of a block.
pub struct Output {
    linear: Linear,
    bias: Option<Vector>,
    residual: Residual,
}

impl Residual {
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        norm: &str,
    ) -> Result<Self, ModelError> {
        let is_there = config.norm_placement != NormPlacement::Before;
        Ok(Self {
            norm: RmsNorm::load_if(is_there, loader, config, norm)?,
            scale: config.residual_scale,
        })
    }

    /// Whether a product may add to the residual stream by itself.
    fn is_plain(&self) -> bool {
        self.norm.is_none() && self.scale == 1.0
    }

    /// `x += scale * norm(branch)`.
    pub fn add(&self, kernels: &Kernels, work: &Workspace) -> Result<(), ModelError> {
        let norm = self.norm.as_ref().map(|norm| (&norm.weight, norm.eps));
        Ok(kernels.add_branch(&work.x, &work.branch, norm, self.scale)?)
    }
}

impl Output {
    /// A product with `k` inputs, the columns that this rank has; `bias` and `norm` name what some
    /// families have behind it.
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        part: Part,
        k: usize,
        bias: Option<&str>,
        norm: &str,
        importance: &Importance,
    ) -> Result<Self, ModelError> {
        let linear = Linear::load_parts(loader, Arrangement::Stacked, &[part], k, importance)?;
        let bias = bias.map(|name| {
            let values = loader.checkpoint.take_vec(name, config.hidden_size)?;
            Ok::<_, ModelError>(loader.kernels.vector(values)?)
        });
        Ok(Self {
            linear,
            bias: bias.transpose()?,
            residual: Residual::load(loader, config, norm)?,
        })
    }

    pub fn num_bytes(&self) -> usize {
        self.linear.num_bytes()
    }

    /// Adds the product of `input` to the residual stream: the sum of those of all ranks, before a
    /// bias, a norm or a multiplier sees it.
    pub fn add(
        &self,
        kernels: &Kernels,
        work: &Workspace,
        input: &Array,
    ) -> Result<(), ModelError> {
        let adds_by_itself = self.residual.is_plain() && kernels.shard().is_whole();
        let (out, epilogue) = match adds_by_itself {
            true => (&work.x, Epilogue::Add),
            false => (&work.branch, Epilogue::Store),
        };
        self.linear.forward(kernels, out, input, epilogue)?;
        kernels.all_reduce(out)?;
        if let Some(bias) = &self.bias {
            kernels.add_bias(out, bias)?;
        }
        match adds_by_itself {
            true => Ok(()),
            false => self.residual.add(kernels, work),
        }
    }
}
