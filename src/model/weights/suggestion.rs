use super::{Checkpoint, Tensor};
use crate::kernels::Float;
use std::collections::{BTreeMap, BTreeSet};

/// The type in memory that fits a checkpoint's matrices if nobody asks for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suggestion {
    /// bf16 holds every value.
    Bf16,
    /// bf16 rounds values by at most 1/256 of each. They are those of a quantised checkpoint, which
    /// its makers rounded more coarsely, and whose user wants it small.
    RoundedBf16,
    /// bf16 would lose digits that were kept on purpose.
    F32,
}

impl Checkpoint {
    /// What its matrices are best kept as.
    pub fn suggestion(&self) -> Suggestion {
        let is_plain_bf16 = self
            .plain_matrices()
            .all(|(_, float)| float == Some(Float::Bf16));
        let weights = || {
            self.quantized
                .values()
                .filter_map(|found| found.weight.as_ref().ok())
        };
        match (is_plain_bf16, self.quantized.is_empty()) {
            (true, _) if weights().all(|weight| weight.is_bf16) => Suggestion::Bf16,
            (_, false) => Suggestion::RoundedBf16,
            (_, true) => Suggestion::F32,
        }
    }

    /// Elements of all tensors, those of quantised weights counted as if they were not.
    pub fn num_elements(&self) -> usize {
        if let Some(random) = &self.random {
            return random.num_elements;
        }
        let parts = self.parts();
        let plain = self
            .tensors
            .values()
            .filter(|tensor| !parts.contains(tensor.name.as_str()));
        let plain: usize = plain.map(|tensor| tensor.num_elements()).sum();
        let weights = self
            .quantized
            .values()
            .filter_map(|found| found.weight.as_ref().ok());
        weights.fold(plain, |sum, weight| {
            sum.saturating_add(product(&weight.shape))
        })
    }

    /// The formats of its matrices, for people, the one of most elements first: "bf16", "gptq int4,
    /// group 128 + f16".
    pub fn formats(&self) -> String {
        if self.random.is_some() {
            return "random".into();
        }
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        for (tensor, float) in self.plain_matrices() {
            let name = match float {
                Some(Float::F32) => "f32".into(),
                Some(Float::F16) => "f16".into(),
                Some(Float::Bf16) => "bf16".into(),
                None => format!("{:?}", tensor.dtype),
            };
            *sizes.entry(name).or_default() += tensor.num_elements();
        }
        for weight in self
            .quantized
            .values()
            .filter_map(|found| found.weight.as_ref().ok())
        {
            *sizes.entry(weight.label.clone()).or_default() += product(&weight.shape);
        }
        let mut sizes: Vec<_> = sizes.into_iter().collect();
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let names: Vec<_> = sizes.into_iter().map(|(name, _)| name).collect();
        match self.num_unused() {
            0 => names.join(" + "),
            n => format!("{}, {n} scales of activations left out", names.join(" + ")),
        }
    }

    /// Whether any weight is quantised.
    pub fn is_quantized(&self) -> bool {
        !self.quantized.is_empty()
    }

    fn num_unused(&self) -> usize {
        let names = self.tensors.keys();
        names.filter(|name| self.is_unused(name)).count()
    }

    /// Tensors of more than one dimension that are no part of a quantised weight.
    fn plain_matrices(&self) -> impl Iterator<Item = (&Tensor, Option<Float>)> {
        let parts = self.parts();
        self.tensors
            .values()
            .filter(move |tensor| tensor.shape.len() > 1 && !parts.contains(tensor.name.as_str()))
            .filter(move |tensor| !self.is_unused(&tensor.name))
            .map(|tensor| (tensor.as_ref(), tensor.float()))
    }

    /// The tensors that quantised weights are made of.
    fn parts(&self) -> BTreeSet<&str> {
        let found = self.quantized.values();
        found
            .flat_map(|found| found.parts.iter().map(|part| part.name.as_str()))
            .collect()
    }
}

fn product(shape: &[usize]) -> usize {
    shape
        .iter()
        .fold(1, |product: usize, n| product.saturating_mul(*n))
}
