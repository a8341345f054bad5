use super::ModelError;
use super::config::{Activation, DecoderConfig, ExpertsConfig, MlpConfig, NormPlacement};
use crate::kernels::{Array, Kernels, Use};

/// Activations of a step, f32, allocated once for the largest step and narrowed to each.
#[derive(Clone)]
pub struct Workspace {
    /// The residual stream `[rows, hidden]`.
    pub x: Array,
    /// What a block computes before it joins the residual stream `[rows, hidden]`; without rows
    /// where products add to it themselves.
    pub branch: Array,
    pub qkv: Array,
    pub attended: Array,
    /// Of each width that an MLP has.
    activated: Vec<(usize, Array)>,
    experts: Option<ExpertWorkspace>,
}

/// What a mixture of experts takes beside.
#[derive(Clone)]
pub struct ExpertWorkspace {
    /// Which expert is how good for a token `[rows, experts]`.
    pub router: Array,
    /// A number for each token `[rows, 1]`.
    pub gate: Array,
    /// The residual stream after its norm `[rows, hidden]`.
    pub normed: Array,
    /// Its rows that experts get.
    pub input: Array,
    pub output: Array,
    /// Gates and ups, where they are not activated in a product.
    pub gate_up: Array,
}

impl Workspace {
    pub fn new(config: &DecoderConfig, kernels: &Kernels, rows: usize) -> Result<Self, ModelError> {
        let hidden = config.hidden_size;
        let is_branched = config.norm_placement != NormPlacement::Before
            || config.residual_scale != 1.0
            || experts(config).is_some()
            // Sums over ranks are complete before they join it.
            || !kernels.shard().is_whole();
        let mut widths: Vec<usize> = config
            .layers
            .iter()
            .flat_map(|layer| layer.mlp.widths())
            .collect();
        widths.sort_unstable();
        widths.dedup();
        let activated = widths.into_iter().map(|width| {
            let rows = match experts(config) {
                Some(experts) if experts.width == width => {
                    kernels.most_routed(rows, experts.num_used)
                }
                _ => rows,
            };
            let array = kernels.zeros(rows, width, Use::Inputs)?;
            Ok((width, array))
        });
        Ok(Self {
            x: kernels.zeros(rows, hidden, Use::Sums)?,
            branch: kernels.zeros(if is_branched { rows } else { 0 }, hidden, Use::Sums)?,
            qkv: kernels.zeros(rows, config.attention.qkv_width(), Use::Heads)?,
            attended: kernels.zeros(rows, config.attention.q_width(), Use::Inputs)?,
            activated: activated.collect::<Result<_, ModelError>>()?,
            experts: ExpertWorkspace::new(config, kernels, rows)?,
        })
    }

    pub fn narrow(&self, rows: usize) -> Result<Self, ModelError> {
        let narrow = |array: &Array| array.narrow(rows.min(array.num_rows()));
        let activated = self.activated.iter();
        Ok(Self {
            x: narrow(&self.x)?,
            branch: narrow(&self.branch)?,
            qkv: narrow(&self.qkv)?,
            attended: narrow(&self.attended)?,
            activated: activated
                .map(|(width, array)| Ok((*width, narrow(array)?)))
                .collect::<Result<_, ModelError>>()?,
            experts: match &self.experts {
                Some(experts) => Some(experts.narrow(rows)?),
                None => None,
            },
        })
    }

    /// The inputs of the last product of an MLP of this width, `[rows, width]`.
    pub fn activated(&self, width: usize) -> Result<&Array, ModelError> {
        let found = self.activated.iter().find(|(w, _)| *w == width);
        found
            .map(|(_, array)| array)
            .ok_or_else(|| ModelError::Unsupported(format!("no layer has an MLP of width {width}")))
    }

    pub fn experts(&self) -> Result<&ExpertWorkspace, ModelError> {
        self.experts
            .as_ref()
            .ok_or_else(|| ModelError::Unsupported("no layer has experts".into()))
    }
}

impl ExpertWorkspace {
    fn new(
        config: &DecoderConfig,
        kernels: &Kernels,
        rows: usize,
    ) -> Result<Option<Self>, ModelError> {
        let Some(experts) = experts(config) else {
            return Ok(None);
        };
        let hidden = config.hidden_size;
        let gate_up = match experts.activation {
            Activation::ClampedSwiGlu { .. } => 2 * experts.width,
            _ => 1,
        };
        let routed = kernels.most_routed(rows, experts.num_used);
        Ok(Some(Self {
            router: kernels.zeros(rows, experts.num_experts, Use::Sums)?,
            gate: kernels.zeros(rows, 1, Use::Sums)?,
            normed: kernels.zeros(rows, hidden, Use::Sums)?,
            input: kernels.zeros(routed, hidden, Use::Inputs)?,
            output: kernels.zeros(routed, hidden, Use::Sums)?,
            gate_up: kernels.zeros(routed, gate_up, Use::Heads)?,
        }))
    }

    fn narrow(&self, rows: usize) -> Result<Self, ModelError> {
        Ok(Self {
            router: self.router.narrow(rows)?,
            gate: self.gate.narrow(rows)?,
            normed: self.normed.narrow(rows)?,
            input: self.input.narrow(rows)?,
            output: self.output.narrow(rows)?,
            gate_up: self.gate_up.narrow(rows)?,
        })
    }
}

/// What the experts of a layer are; all layers with experts have the same ones.
fn experts(config: &DecoderConfig) -> Option<&ExpertsConfig> {
    config.layers.iter().find_map(|layer| match &layer.mlp {
        MlpConfig::Experts(experts) => Some(experts),
        MlpConfig::Dense { .. } => None,
    })
}
