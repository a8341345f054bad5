use super::cpu::pointwise;
#[cfg(feature = "cuda")]
use super::cuda;
use super::{Array, Epilogue, Kernels, Vector, Weight, storage};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Storage};

/// The tokens that go through experts whose weights are one, and what becomes of the outputs: those
/// of one expert on a CPU, those of all experts of a layer at once on a GPU.
pub enum Routing {
    Cpu(Tokens),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Routing),
}

/// The tokens of an expert, and what its outputs for them are multiplied with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tokens {
    expert: usize,
    pub(super) rows: Vec<u32>,
    pub(super) weights: Vec<f32>,
}

struct Clear;

struct ScatterRows<'a> {
    kernels: &'a Kernels,
    tokens: &'a Tokens,
}

impl Routing {
    /// Rows that go through the experts, a token's once for each of its experts.
    pub fn num_rows(&self) -> usize {
        match self {
            Self::Cpu(tokens) => tokens.rows.len(),
            #[cfg(feature = "cuda")]
            Self::Cuda(routing) => routing.num_places(),
        }
    }

    /// Which of a layer's weights they go through, each of [`Kernels::experts_together`] experts.
    pub fn index(&self) -> usize {
        match self {
            Self::Cpu(tokens) => tokens.expert,
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => 0,
        }
    }

    /// Those that the host knows, as it does but for a GPU that routes by itself.
    pub(super) fn tokens(&self, op: &'static str) -> Result<&Tokens> {
        let _ = op;
        match self {
            Self::Cpu(tokens) => Ok(tokens),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => Err(super::array::elsewhere(op)),
        }
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, op: &'static str) -> Result<&cuda::Routing> {
        match self {
            Self::Cuda(routing) => Ok(routing),
            Self::Cpu(_) => Err(super::array::elsewhere(op)),
        }
    }
}

impl Kernels {
    /// How many of a layer's experts stand in one weight, one below the other.
    pub fn experts_together(&self, num_experts: usize) -> usize {
        match self.gpu_has_experts() {
            true => num_experts.max(1),
            false => 1,
        }
    }

    /// Rows that go through one weight of experts at most, of so many tokens with so many experts
    /// each.
    pub fn most_routed(&self, rows: usize, num_used: usize) -> usize {
        match self.gpu_has_experts() {
            true => rows * num_used,
            false => rows,
        }
    }

    fn gpu_has_experts(&self) -> bool {
        #[cfg(feature = "cuda")]
        return self.cuda.is_some();
        #[cfg(not(feature = "cuda"))]
        false
    }

    /// The tokens of each expert: a token, a row of `logits` `[rows, experts]`, goes to the
    /// `num_used` experts that are best for it, the first of equals. Weights are probabilities
    /// among those used, or among all.
    pub fn route(&self, logits: &Array, num_used: usize, of_used: bool) -> Result<Vec<Routing>> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Ok(vec![Routing::Cuda(cuda.route(logits, num_used, of_used)?)]);
        }
        if self.candle.is_some() {
            let rows = logits.to_rows()?;
            let num_experts = rows.first().map_or(0, Vec::len);
            return Ok(routings(&rows.concat(), num_experts, num_used, of_used));
        }
        let logits = logits.cpu("route")?;
        let (_, num_experts) = logits.dims2()?;
        let (storage, layout) = logits.storage_and_layout();
        let Storage::Cpu(values) = &*storage else {
            return Err(super::array::elsewhere("route"));
        };
        let logits = storage::f32s("route", values, layout)?;
        Ok(routings(logits, num_experts, num_used, of_used))
    }

    /// Every token, weighed by the sigmoid of its number in `logits` `[rows, 1]`, in whose place a
    /// device may put it.
    pub fn gates(&self, logits: &Array) -> Result<Routing> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return Ok(Routing::Cuda(cuda.gates(logits)?));
        }
        if self.candle.is_some() {
            return Ok(gated(&logits.to_rows()?.concat()));
        }
        let (storage, layout) = logits.cpu("gates")?.storage_and_layout();
        let Storage::Cpu(values) = &*storage else {
            return Err(super::array::elsewhere("gates"));
        };
        Ok(gated(storage::f32s("gates", values, layout)?))
    }

    /// `out` `[routed rows, width]` = the rows of `x` that go through experts.
    pub fn gather_routed(&self, out: &Array, x: &Array, routing: &Routing) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.gather_inputs(out, x, routing.cuda("gather_routed")?);
        }
        self.gather_rows(out, x, &routing.tokens("gather_routed")?.rows)
    }

    /// [`Kernels::linear`] of each row with the weights of its expert.
    pub fn routed_linear(
        &self,
        out: &Array,
        x: &Array,
        weight: &Weight,
        routing: &Routing,
        epilogue: Epilogue,
    ) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            let routing = routing.cuda("routed_linear")?;
            return cuda.expert_linear(out, x, weight, routing, epilogue);
        }
        let _ = routing;
        self.linear(out, x, weight, epilogue)
    }

    /// [`Kernels::add_bias`] of the bias of its expert to each row.
    pub fn add_routed_bias(&self, x: &Array, biases: &Vector, routing: &Routing) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.add_expert_bias(x, biases, routing.cuda("add_routed_bias")?);
        }
        let _ = routing;
        self.add_bias(x, biases)
    }

    /// Fills `x` with zeros.
    pub fn clear(&self, x: &Array) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.change_rows("clear_rows", x, 0.0);
        }
        if let Some(candle) = &self.candle {
            return candle.clear(x.candle("clear")?);
        }
        x.cpu("clear")?.inplace_op1(&Clear)
    }

    /// Adds each row of `y`, times its weight, to the row of `x` that `routing` names for it.
    pub fn scatter_rows(&self, x: &Array, y: &Array, routing: &Routing) -> Result<()> {
        let op = "scatter_rows";
        #[cfg(feature = "cuda")]
        if let Some(cuda) = &self.cuda {
            return cuda.scatter_rows(x, y, routing.cuda(op)?);
        }
        let tokens = routing.tokens(op)?;
        if let Some(candle) = &self.candle {
            return candle.scatter_rows(x.candle(op)?, y.candle(op)?, tokens);
        }
        x.cpu(op)?.inplace_op2(
            y.cpu(op)?,
            &ScatterRows {
                kernels: self,
                tokens,
            },
        )
    }
}

/// What [`Kernels::route`] says of `logits`, row after row.
fn routings(logits: &[f32], num_experts: usize, num_used: usize, of_used: bool) -> Vec<Routing> {
    let of_expert = |expert| Tokens {
        expert,
        ..Tokens::default()
    };
    let mut experts: Vec<_> = (0..num_experts).map(of_expert).collect();
    for (row, logits) in logits.chunks_exact(num_experts.max(1)).enumerate() {
        for (expert, weight) in best(logits, num_used, of_used) {
            experts[expert].rows.push(row as u32);
            experts[expert].weights.push(weight);
        }
    }
    experts.into_iter().map(Routing::Cpu).collect()
}

/// What [`Kernels::gates`] says of a number for each token.
fn gated(logits: &[f32]) -> Routing {
    Routing::Cpu(Tokens {
        expert: 0,
        rows: (0..logits.len() as u32).collect(),
        weights: logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
    })
}

/// The best experts of a token with their weights.
fn best(logits: &[f32], num_used: usize, of_used: bool) -> Vec<(usize, f32)> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let max = order.first().map_or(0.0, |first| logits[*first]);
    let weight = |expert: usize| (logits[expert] - max).exp();
    let counted = match of_used {
        true => &order[..num_used.min(order.len())],
        false => &order[..],
    };
    let sum: f32 = counted.iter().map(|expert| weight(*expert)).sum();
    order.truncate(num_used);
    let with_weight = |expert| (expert, weight(expert) / sum);
    order.into_iter().map(with_weight).collect()
}

impl InplaceOp1 for Clear {
    fn name(&self) -> &'static str {
        "clear"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> Result<()> {
        storage::f32s_mut(self.name(), x, layout)?.fill(0.0);
        Ok(())
    }
}

impl InplaceOp2 for ScatterRows<'_> {
    fn name(&self) -> &'static str {
        "scatter_rows"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<()> {
        let width = storage::row_len(x_layout);
        let y = storage::f32s(self.name(), y, y_layout)?;
        let x = storage::f32s_mut(self.name(), x, x_layout)?;
        let Tokens { rows, weights, .. } = self.tokens;
        for ((row, weight), y) in rows.iter().zip(weights).zip(y.chunks_exact(width)) {
            let x = &mut x[*row as usize * width..][..width];
            pointwise::add_scaled(self.kernels.set, x, y, *weight);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_experts_are_weighed_by_their_probabilities() {
        let logits = [1.0, 3.0, 2.0, 3.0];
        let of_used = best(&logits, 2, true);
        assert_eq!(of_used, [(1, 0.5), (3, 0.5)]);
        let of_all = best(&logits, 3, false);
        let sum: f32 = logits.iter().map(|x| (x - 3.0).exp()).sum();
        let is_near = |(found, weight): (usize, f32), expert, expected: f32| {
            found == expert && (weight - expected).abs() < 1e-6
        };
        assert!(is_near(of_all[0], 1, 1.0 / sum), "{of_all:?}");
        assert!(is_near(of_all[2], 2, (-1f32).exp() / sum), "{of_all:?}");
        assert_eq!(best(&logits, 9, true).len(), 4);
    }
}
