//! Mixtures of experts: all experts of a layer at once, so that the host need not know which tokens
//! go where.

use super::array::{Array, Type};
use super::blocks::{PART, by_rows};
use super::device::{Address, Argument, Launch};
use super::product::Mode;
use super::variants::{self, ExpertTiles};
use super::weight::Form;
use super::{Cuda, Scratch};
use crate::kernels::{self, Arrangement, Epilogue, Vector};
use candle_core::{Error, Result};

/// Experts that a layer may have, and a token.
const MAX_EXPERTS: usize = 512;
const MAX_USED: usize = 32;

/// Where on the device it stands which rows go through which experts. It holds until the next
/// layer's is found out.
pub struct Routing {
    num_rows: usize,
    /// Experts of a token.
    num_used: usize,
    /// Of each token, what the outputs of its experts are multiplied with, by their numbers.
    weights: Address,
    /// `None`: all rows, in order, through one.
    groups: Option<Groups>,
}

/// The places of all tokens, one for each of their experts, ordered by expert.
struct Groups {
    num_experts: usize,
    kernel: &'static ExpertTiles,
    num_tiles: usize,
    tiles: Address,
    /// Of each token's places, where they come.
    order: Address,
    /// Of each that is ordered, its token and its expert.
    rows: Address,
    experts: Address,
}

impl Routing {
    /// Rows that go through experts.
    pub fn num_places(&self) -> usize {
        self.num_rows * self.num_used
    }
}

impl Cuda {
    pub fn route(
        &self,
        logits: &kernels::Array,
        num_used: usize,
        of_used: bool,
    ) -> Result<Routing> {
        let logits = logits.cuda("route")?;
        let (num_rows, num_experts) = (logits.num_rows(), logits.width());
        let num_used = num_used.min(num_experts);
        if num_experts > MAX_EXPERTS || num_used > MAX_USED {
            return Err(Error::Msg(format!(
                "route: {num_used} of {num_experts} experts are too many on CUDA"
            )));
        }
        let num_places = num_rows * num_used;
        let kernel = variants::expert_tiles(num_places, num_experts, self.device.max_shared());
        let num_tiles = num_places / kernel.rows + num_places.min(num_experts);
        // Tiles first, which are read as vectors of four numbers.
        let scratch = self.scratch(Scratch::Routing, 4 * (4 * num_tiles + 5 * num_places))?;
        let part = |index: usize| scratch.offset(4 * (4 * num_tiles + index * num_places));
        let (chosen, weights, order, rows, experts) = (part(0), part(1), part(2), part(3), part(4));
        self.device.launch(
            &by_rows("route", num_rows.div_ceil(8), 1),
            &[
                logits.expect(Type::F32, "route")?.into(),
                chosen.into(),
                weights.into(),
                num_rows.into(),
                num_experts.into(),
                num_used.into(),
                usize::from(of_used).into(),
            ],
        )?;
        self.device.launch(
            &by_rows("group_by_expert", num_experts, 1),
            &[
                chosen.into(),
                scratch.into(),
                order.into(),
                rows.into(),
                experts.into(),
                num_places.into(),
                num_used.into(),
                num_experts.into(),
                kernel.rows.into(),
                num_tiles.into(),
            ],
        )?;
        Ok(Routing {
            num_rows,
            num_used,
            weights,
            groups: Some(Groups {
                num_experts,
                kernel,
                num_tiles,
                tiles: scratch,
                order,
                rows,
                experts,
            }),
        })
    }

    pub fn gates(&self, logits: &kernels::Array) -> Result<Routing> {
        let logits = logits.cuda("gates")?;
        let num_rows = logits.num_rows();
        let weights = logits.expect(Type::F32, "gates")?;
        self.device.launch(
            &by_rows("gates", num_rows.div_ceil(256), 1),
            &[weights.into(), num_rows.into()],
        )?;
        Ok(Routing {
            num_rows,
            num_used: 1,
            weights,
            groups: None,
        })
    }

    pub fn gather_inputs(
        &self,
        out: &kernels::Array,
        x: &kernels::Array,
        routing: &Routing,
    ) -> Result<()> {
        let op = "gather_inputs";
        let (out, x) = (out.cuda(op)?, x.cuda(op)?);
        self.device.launch(
            &by_rows(op, out.num_rows(), 1),
            &[
                x.expect(Type::F32, op)?.into(),
                routing
                    .groups
                    .as_ref()
                    .map_or(Argument::Null, |groups| groups.rows.into()),
                out.expect(Type::Bf16, op)?.into(),
                x.width().into(),
                out.stride.into(),
            ],
        )
    }

    /// The product of each row with the weights of its expert.
    pub fn expert_linear(
        &self,
        out: &kernels::Array,
        x: &kernels::Array,
        weight: &kernels::Weight,
        routing: &Routing,
        epilogue: Epilogue,
    ) -> Result<()> {
        let op = "expert_linear";
        let Some(groups) = &routing.groups else {
            return self.linear(out, x, weight, epilogue);
        };
        let (out, x, weight) = (out.cuda(op)?, x.cuda(op)?, weight.cuda(op)?);
        let mode = Mode::new(epilogue, out)?;
        let num_products = match mode {
            Mode::StoreBf16 | Mode::StoreF32 => 1,
            Mode::SwiGlu => 2,
            Mode::AddF32 | Mode::GeGlu => {
                return Err(Error::Msg(format!(
                    "{op}: experts have no form of {epilogue:?} on CUDA"
                )));
            }
        };
        if (weight.arrangement == Arrangement::Paired) != (mode == Mode::SwiGlu) {
            return Err(Error::Msg(format!("{op}: a gate needs a pair of weights")));
        }
        let n = weight.n() / (groups.num_experts * num_products).max(1);
        let form = match weight.form {
            Form::Bf16 => "bf16_",
            other => other.prefix(),
        };
        let kernel = groups.kernel;
        let outputs = if mode == Mode::SwiGlu {
            kernel.gated_outputs
        } else {
            kernel.outputs
        };
        let mut arguments = weight.arguments();
        arguments.extend::<[Argument; 6]>([
            groups.tiles.into(),
            x.expect(Type::Bf16, op)?.into(),
            out.address().into(),
            n.into(),
            weight.k_padded().into(),
            out.stride.into(),
        ]);
        self.device.launch(
            &Launch {
                name: &format!("gemm_experts_{form}{}_{}", kernel.name, mode.name()),
                grid: [n.div_ceil(outputs), groups.num_tiles, 1],
                threads: 256,
                shared: kernel.shared(weight.form),
            },
            &arguments,
        )
    }

    /// Adds the bias of its expert to each row.
    pub fn add_expert_bias(
        &self,
        x: &kernels::Array,
        biases: &Vector,
        routing: &Routing,
    ) -> Result<()> {
        let op = "add_expert_bias";
        let Some(groups) = &routing.groups else {
            return self.add_bias(x, biases);
        };
        let x = x.cuda(op)?;
        let name = match x.element {
            Type::F32 => "add_expert_bias_f32",
            Type::Bf16 => "add_expert_bias_bf16",
        };
        self.device.launch(
            &by_rows(name, x.num_rows(), 1),
            &[
                x.address().into(),
                biases.cuda(op)?.address().into(),
                groups.experts.into(),
                x.stride.into(),
            ],
        )
    }

    /// Adds to each row of `x` what its experts made of it, rows of `y`.
    pub fn scatter_rows(
        &self,
        x: &kernels::Array,
        y: &kernels::Array,
        routing: &Routing,
    ) -> Result<()> {
        let op = "scatter_rows";
        let (x, y) = (x.cuda(op)?, y.cuda(op)?);
        let order = routing.groups.as_ref();
        self.device.launch(
            &by_rows("add_experts", routing.num_rows, x.width().div_ceil(PART)),
            &[
                x.expect(Type::F32, op)?.into(),
                y.expect(Type::F32, op)?.into(),
                order.map_or(Argument::Null, |groups| groups.order.into()),
                routing.weights.into(),
                x.width().into(),
                routing.num_used.into(),
            ],
        )
    }

    pub fn clamped_swiglu(
        &self,
        out: &kernels::Array,
        gate_up: &kernels::Array,
        alpha: f32,
        limit: f32,
    ) -> Result<()> {
        let op = "clamped_swiglu";
        let (out, gate_up) = (out.cuda(op)?, gate_up.cuda(op)?);
        self.device.launch(
            &by_rows(op, out.num_rows(), out.width().div_ceil(PART)),
            &[
                gate_up.expect(Type::Bf16, op)?.into(),
                out.expect(Type::Bf16, op)?.into(),
                out.width().into(),
                gate_up.stride.into(),
                out.stride.into(),
                alpha.into(),
                limit.into(),
            ],
        )
    }

    /// A product in f32, with f32 weights.
    pub(super) fn linear_f32(
        &self,
        out: &Array,
        x: &Array,
        weight: &super::Weight,
        epilogue: Epilogue,
    ) -> Result<()> {
        let op = "linear";
        if epilogue != Epilogue::Store {
            return Err(Error::Msg(format!("{op}: f32 has no {epilogue:?} on CUDA")));
        }
        let (n, rows) = (weight.n(), x.num_rows());
        self.device.launch(
            &Launch {
                name: "linear_f32",
                grid: [n.div_ceil(8), rows.div_ceil(8), 1],
                threads: 256,
                shared: 0,
            },
            &[
                weight.row(0).into(),
                x.expect(Type::F32, op)?.into(),
                out.expect(Type::F32, op)?.into(),
                rows.into(),
                n.into(),
                weight.k().into(),
            ],
        )
    }
}
