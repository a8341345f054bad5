use super::cpu::pointwise;
use super::{Array, Kernels, storage};
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Storage};

/// The tokens of an expert, and what its outputs for them are multiplied with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Routing {
    pub rows: Vec<u32>,
    pub weights: Vec<f32>,
}

struct Clear;

struct ScatterRows<'a> {
    kernels: &'a Kernels,
    routing: &'a Routing,
}

impl Kernels {
    /// The tokens of each expert: a token, a row of `logits` `[rows, experts]`, goes to the
    /// `num_used` experts that are best for it, the first of equals. Weights are probabilities
    /// among those used, or among all.
    pub fn route(&self, logits: &Array, num_used: usize, of_used: bool) -> Result<Vec<Routing>> {
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

    /// Every token, weighed by the sigmoid of its number in `logits` `[rows, 1]`.
    pub fn gates(&self, logits: &Array) -> Result<Routing> {
        if self.candle.is_some() {
            return Ok(gated(&logits.to_rows()?.concat()));
        }
        let (storage, layout) = logits.cpu("gates")?.storage_and_layout();
        let Storage::Cpu(values) = &*storage else {
            return Err(super::array::elsewhere("gates"));
        };
        Ok(gated(storage::f32s("gates", values, layout)?))
    }

    /// Fills `x` with zeros.
    pub fn clear(&self, x: &Array) -> Result<()> {
        if let Some(candle) = &self.candle {
            return candle.clear(x.candle("clear")?);
        }
        x.cpu("clear")?.inplace_op1(&Clear)
    }

    /// Adds each row of `y`, times its weight, to the row of `x` that `routing` names for it.
    pub fn scatter_rows(&self, x: &Array, y: &Array, routing: &Routing) -> Result<()> {
        let op = "scatter_rows";
        if let Some(candle) = &self.candle {
            return candle.scatter_rows(x.candle(op)?, y.candle(op)?, routing);
        }
        x.cpu(op)?.inplace_op2(
            y.cpu(op)?,
            &ScatterRows {
                kernels: self,
                routing,
            },
        )
    }
}

/// What [`Kernels::route`] says of `logits`, row after row.
fn routings(logits: &[f32], num_experts: usize, num_used: usize, of_used: bool) -> Vec<Routing> {
    let mut routing = vec![Routing::default(); num_experts];
    for (row, logits) in logits.chunks_exact(num_experts.max(1)).enumerate() {
        for (expert, weight) in best(logits, num_used, of_used) {
            routing[expert].rows.push(row as u32);
            routing[expert].weights.push(weight);
        }
    }
    routing
}

/// What [`Kernels::gates`] says of a number for each token.
fn gated(logits: &[f32]) -> Routing {
    Routing {
        rows: (0..logits.len() as u32).collect(),
        weights: logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
    }
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
        let Routing { rows, weights } = self.routing;
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
