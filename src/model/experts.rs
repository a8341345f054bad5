use super::ModelError;
use super::config::{Activation, DecoderConfig, ExpertsConfig, Weighting};
use super::family::{ExpertProducts, WeightNames};
use super::importance::{self, Importance};
use super::linear::{Linear, Loader, Part};
use super::mlp::Up;
use super::norm::RmsNorm;
use super::residual::Residual;
use super::weights::{Rows, Stack, StackOrder};
use super::workspace::Workspace;
use crate::kernels::{Arrangement, Array, Epilogue, Kernels, Routing, Vector, WeightType};
use std::ops::Range;

/// A mixture of experts: `x += Σ weight · expert(norm(x))` over the experts that a router chooses
/// for each token. Tokens are grouped by expert, so that each is read once a step; a token's
/// experts are added in the order of their numbers, whatever else a step holds. A CPU takes one
/// expert after the other, a GPU all at once. Each of several ranks has its part of every expert, and
/// routes by itself.
pub struct Experts {
    norm: Option<RmsNorm>,
    router: Linear,
    router_bias: Option<Vector>,
    num_used: usize,
    weighting: Weighting,
    width: usize,
    /// As many together as a device computes at once.
    experts: Vec<Expert>,
    shared: Option<Shared>,
    residual: Residual,
}

/// The weights of one expert, or of several, one below the other.
struct Expert {
    up: Up,
    down: Linear,
    down_bias: Option<Vector>,
}

/// An MLP for every token, weighed by a gate.
struct Shared {
    expert: Expert,
    width: usize,
    gate: Linear,
}

impl Experts {
    pub fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        norm: Option<RmsNorm>,
        experts: &ExpertsConfig,
        name: &dyn Fn(&str) -> String,
    ) -> Result<Self, ModelError> {
        let (hidden, names) = (config.hidden_size, &config.names);
        let normed = importance::of_normed(loader, norm.as_ref())?;
        let router = name(names.experts.router);
        let has_bias = matches!(names.experts.products, ExpertProducts::Interleaved { .. });
        let router_bias = has_bias.then(|| {
            let bias = WeightNames::bias(&router);
            let values = loader.checkpoint.take_vec(&bias, experts.num_experts)?;
            Ok::<_, ModelError>(loader.kernels.vector(values)?)
        });
        let loaded = match names.experts.products {
            ExpertProducts::Each { gate, up, down } => together(loader, experts.num_experts)
                .map(|group| {
                    let names: Vec<_> = group
                        .map(|index| {
                            let index = index.to_string();
                            [gate, up, down].map(|pattern| name(&pattern.replace("{}", &index)))
                        })
                        .collect();
                    Expert::load(loader, hidden, experts.width, &names, &normed)
                })
                .collect::<Result<_, _>>()?,
            ExpertProducts::Interleaved {
                gate_up,
                gate_up_bias,
                down,
                down_bias,
            } => {
                let names = [gate_up, gate_up_bias, down, down_bias].map(name);
                load_interleaved(loader, hidden, experts, names, &normed)?
            }
        };
        Ok(Self {
            router: Linear::load_as(loader, WeightType::F32, router, experts.num_experts, hidden)?,
            router_bias: router_bias.transpose()?,
            num_used: experts.num_used,
            weighting: experts.weighting,
            width: loader.shard().range(experts.width).len(),
            experts: loaded,
            shared: match experts.shared_width {
                Some(width) => Some(Shared::load(loader, config, width, &normed, name)?),
                None => None,
            },
            residual: Residual::load(loader, config, &name(names.mlp_output_norm))?,
            norm,
        })
    }

    pub fn num_bytes(&self) -> usize {
        let experts = self.experts.iter().map(Expert::num_bytes).sum::<usize>();
        let shared = self.shared.as_ref();
        experts + self.router.num_bytes() + shared.map_or(0, |shared| shared.expert.num_bytes())
    }

    pub fn forward(&self, kernels: &Kernels, work: &Workspace) -> Result<(), ModelError> {
        let room = work.experts()?;
        // Once for the router and all experts of a token.
        let x = match &self.norm {
            Some(norm) => {
                kernels.rms_norm(&room.normed, &work.x, &norm.weight, norm.eps)?;
                &room.normed
            }
            None => &work.x,
        };
        self.router
            .forward(kernels, &room.router, x, Epilogue::Store)?;
        if let Some(bias) = &self.router_bias {
            kernels.add_bias(&room.router, bias)?;
        }
        let of_used = self.weighting == Weighting::OfUsed;
        let routings = kernels.route(&room.router, self.num_used, of_used)?;
        kernels.clear(&work.branch)?;
        for routing in routings.iter().filter(|routing| routing.num_rows() > 0) {
            let expert = &self.experts[routing.index()];
            add(kernels, work, x, expert, self.width, routing)?;
        }
        if let Some(shared) = &self.shared {
            shared
                .gate
                .forward(kernels, &room.gate, x, Epilogue::Store)?;
            let routing = kernels.gates(&room.gate)?;
            add(kernels, work, x, &shared.expert, shared.width, &routing)?;
        }
        kernels.all_reduce(&work.branch)?;
        self.residual.add(kernels, work)
    }
}

/// The experts that stand in one weight each.
fn together(loader: &Loader<'_>, num_experts: usize) -> impl Iterator<Item = Range<usize>> {
    let together = loader.kernels.experts_together(num_experts);
    (0..num_experts)
        .step_by(together)
        .map(move |first| first..num_experts.min(first + together))
}

/// Adds what experts make of their tokens, rows of `x`, to the branch.
fn add(
    kernels: &Kernels,
    work: &Workspace,
    x: &Array,
    expert: &Expert,
    width: usize,
    routing: &Routing,
) -> Result<(), ModelError> {
    let (num, room) = (routing.num_rows(), work.experts()?);
    let (input, output) = (room.input.narrow(num)?, room.output.narrow(num)?);
    let activated = work.activated(width)?.narrow(num)?;
    let gate_up = room.gate_up.narrow(num)?;
    kernels.gather_routed(&input, x, routing)?;
    expert
        .up
        .forward_routed(kernels, &activated, &input, routing, &gate_up)?;
    expert
        .down
        .forward_routed(kernels, &output, &activated, routing, Epilogue::Store)?;
    if let Some(bias) = &expert.down_bias {
        kernels.add_routed_bias(&output, bias, routing)?;
    }
    Ok(kernels.scatter_rows(&work.branch, &output, routing)?)
}

impl Expert {
    /// `names` are those of gate, up and down of each.
    fn load(
        loader: &Loader<'_>,
        hidden: usize,
        width: usize,
        names: &[[String; 3]],
        normed: &Importance,
    ) -> Result<Self, ModelError> {
        let own = loader.shard().range(width);
        let rows = |name: &String| Part::whole(name.clone(), width).of_rows(own.clone());
        let parts: Vec<_> = names
            .iter()
            .flat_map(|[gate, up, _]| [rows(gate), rows(up)])
            .collect();
        let (up, activated) = Up::gated(loader, Activation::SwiGlu, &parts, hidden, normed)?;
        let down: Vec<_> = names
            .iter()
            .map(|[.., down]| Part::whole(down.clone(), hidden).of_columns(own.clone(), width))
            .collect();
        Ok(Self {
            up,
            down: Linear::load_parts(loader, Arrangement::Stacked, &down, own.len(), &activated)?,
            down_bias: None,
        })
    }

    fn num_bytes(&self) -> usize {
        self.up.num_bytes() + self.down.num_bytes()
    }
}

/// Experts in two tensors for all, in which gates and ups take turns.
fn load_interleaved(
    loader: &Loader<'_>,
    hidden: usize,
    config: &ExpertsConfig,
    names: [String; 4],
    normed: &Importance,
) -> Result<Vec<Expert>, ModelError> {
    let [gate_up, gate_up_bias, down, down_bias] = names;
    let Activation::ClampedSwiGlu { alpha, limit } = config.activation else {
        return Err(ModelError::Unsupported(
            "no checkpoint has interleaved experts of this activation".into(),
        ));
    };
    let (num, width) = (config.num_experts, config.width);
    let (shard, own) = (loader.shard(), loader.shard().range(width));
    let stack = |n, k| Stack {
        num,
        n,
        k,
        order: StackOrder::InputsFirst,
    };
    let checkpoint = loader.checkpoint;
    let gate_up_bias = checkpoint.take_values(&gate_up_bias, &[num, 2 * width])?;
    let down_bias = checkpoint.take_values(&down_bias, &[num, hidden])?;
    let up_parts = |index: usize| {
        [0, 1].map(|first| {
            let every_second = Rows {
                first,
                step: 2,
                count: width,
            };
            let stack = stack(2 * width, hidden);
            Part::stacked(gate_up.clone(), stack, index, every_second).of_rows(own.clone())
        })
    };
    let down_part = |index: usize| {
        let all = Rows {
            first: 0,
            step: 1,
            count: hidden,
        };
        let stack = stack(hidden, width);
        Part::stacked(down.clone(), stack, index, all).of_columns(own.clone(), width)
    };
    // Gates, then ups, of each expert.
    let up_bias = |index: usize| {
        let bias = &gate_up_bias[2 * width * index..][..2 * width];
        [0, 1].map(|first| {
            let all = bias.iter().skip(first).step_by(2);
            all.skip(own.start).take(own.len()).copied()
        })
    };
    let load = |group: Range<usize>| {
        let up: Vec<_> = group.clone().flat_map(up_parts).collect();
        let down: Vec<_> = group.clone().map(down_part).collect();
        let up_bias = group.clone().flat_map(up_bias).flatten().collect();
        // Once in the sum over ranks.
        let down_bias = (shard.rank == 0).then(|| {
            let biases = &down_bias[hidden * group.start..hidden * group.end];
            loader.kernels.vector(biases.to_vec())
        });
        let stacked = Arrangement::Stacked;
        Ok(Expert {
            up: Up::Clamped {
                linear: Linear::load_parts(loader, stacked, &up, hidden, normed)?,
                bias: loader.kernels.vector(up_bias)?,
                alpha,
                limit,
            },
            down: Linear::load_parts(loader, stacked, &down, own.len(), &None)?,
            down_bias: down_bias.transpose()?,
        })
    };
    together(loader, num).map(load).collect()
}

impl Shared {
    fn load(
        loader: &Loader<'_>,
        config: &DecoderConfig,
        width: usize,
        normed: &Importance,
        name: &dyn Fn(&str) -> String,
    ) -> Result<Self, ModelError> {
        let (hidden, names) = (config.hidden_size, &config.names.shared);
        let products = [names.gate, names.up, names.down].map(name);
        Ok(Self {
            expert: Expert::load(loader, hidden, width, &[products], normed)?,
            width: loader.shard().range(width).len(),
            gate: Linear::load_as(loader, WeightType::F32, name(names.weight), 1, hidden)?,
        })
    }
}
