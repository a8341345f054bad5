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
use crate::kernels::{self, Arrangement, Array, Epilogue, Kernels, Routing, WeightType};

/// A mixture of experts: `x += Σ weight · expert(norm(x))` over the experts that a router chooses
/// for each token. Tokens are grouped by expert, so that each is read once a step; a token's
/// experts are added in the order of their numbers, whatever else a step holds. Each of several
/// ranks has its part of every expert, and routes by itself.
pub struct Experts {
    norm: Option<RmsNorm>,
    router: Linear,
    router_bias: Option<Vec<f32>>,
    num_used: usize,
    weighting: Weighting,
    width: usize,
    experts: Vec<Expert>,
    shared: Option<Shared>,
    residual: Residual,
}

struct Expert {
    up: Up,
    down: Linear,
    down_bias: Option<Vec<f32>>,
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
            loader.checkpoint.take_vec(&bias, experts.num_experts)
        });
        let loaded = match names.experts.products {
            ExpertProducts::Each { gate, up, down } => (0..experts.num_experts)
                .map(|index| {
                    let name = |pattern: &str| name(&pattern.replace("{}", &index.to_string()));
                    let names = [name(gate), name(up), name(down)];
                    Expert::load(loader, hidden, experts.width, names, &normed)
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
            kernels.bias(&room.router, bias, kernels::Activation::None)?;
        }
        let of_used = self.weighting == Weighting::OfUsed;
        let routing = kernels.route(&room.router, self.num_used, of_used)?;
        kernels.clear(&work.branch)?;
        for (expert, tokens) in self.experts.iter().zip(routing) {
            if !tokens.rows.is_empty() {
                add(kernels, work, x, expert, self.width, &tokens)?;
            }
        }
        if let Some(shared) = &self.shared {
            shared
                .gate
                .forward(kernels, &room.gate, x, Epilogue::Store)?;
            let tokens = kernels.gates(&room.gate)?;
            add(kernels, work, x, &shared.expert, shared.width, &tokens)?;
        }
        kernels.all_reduce(&work.branch)?;
        self.residual.add(kernels, work)
    }
}

/// Adds what an expert makes of its tokens, rows of `x`, to the branch.
fn add(
    kernels: &Kernels,
    work: &Workspace,
    x: &Array,
    expert: &Expert,
    width: usize,
    tokens: &Routing,
) -> Result<(), ModelError> {
    let (num, room) = (tokens.rows.len(), work.experts()?);
    let (input, output) = (room.input.narrow(num)?, room.output.narrow(num)?);
    let activated = work.activated(width)?.narrow(num)?;
    let gate_up = room.gate_up.narrow(num)?;
    kernels.gather_rows(&input, x, &tokens.rows)?;
    expert
        .up
        .forward(kernels, &activated, &input, None, Some(&gate_up))?;
    expert
        .down
        .forward(kernels, &output, &activated, Epilogue::Store)?;
    if let Some(bias) = &expert.down_bias {
        kernels.bias(&output, bias, kernels::Activation::None)?;
    }
    Ok(kernels.scatter_rows(&work.branch, &output, tokens)?)
}

impl Expert {
    fn load(
        loader: &Loader<'_>,
        hidden: usize,
        width: usize,
        names: [String; 3],
        normed: &Importance,
    ) -> Result<Self, ModelError> {
        let [gate, up, down] = names;
        let own = loader.shard().range(width);
        let parts = [gate, up].map(|name| Part::whole(name, width).of_rows(own.clone()));
        let (up, activated) = Up::gated(loader, Activation::SwiGlu, &parts, hidden, normed)?;
        let down = [Part::whole(down, hidden).of_columns(own.clone(), width)];
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
    let experts = gate_up_bias.chunks(2 * width).zip(down_bias.chunks(hidden));
    let load = |(index, (gate_up_bias, down_bias)): (usize, (&[f32], &[f32]))| {
        let every_second = |first| {
            let rows = Rows {
                first,
                step: 2,
                count: width,
            };
            let stack = stack(2 * width, hidden);
            Part::stacked(gate_up.clone(), stack, index, rows).of_rows(own.clone())
        };
        let all = Rows {
            first: 0,
            step: 1,
            count: hidden,
        };
        let down = Part::stacked(down.clone(), stack(hidden, width), index, all);
        let down = [down.of_columns(own.clone(), width)];
        let parts = [every_second(0), every_second(1)];
        let bias = |first| {
            let all = gate_up_bias.iter().skip(first).step_by(2);
            all.skip(own.start).take(own.len()).copied()
        };
        Ok(Expert {
            up: Up::Clamped {
                linear: Linear::load_parts(loader, Arrangement::Stacked, &parts, hidden, normed)?,
                bias: bias(0).chain(bias(1)).collect(),
                alpha,
                limit,
            },
            down: Linear::load_parts(loader, Arrangement::Stacked, &down, own.len(), &None)?,
            // Once in the sum over ranks.
            down_bias: (shard.rank == 0).then(|| down_bias.to_vec()),
        })
    };
    experts.enumerate().map(load).collect()
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
            expert: Expert::load(loader, hidden, width, products, normed)?,
            width: loader.shard().range(width).len(),
            gate: Linear::load_as(loader, WeightType::F32, name(names.weight), 1, hidden)?,
        })
    }
}
