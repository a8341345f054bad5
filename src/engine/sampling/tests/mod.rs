//! Sampling by its definition: the edits and their order, the cuts, extremes, and the
//! distribution of draws against a reference.

mod draws;
mod edits;
mod extremes;
mod reference;

use super::{SamplingParams, sample, score};
use crate::engine::constraint::{TokenConstraint, TokenMask};
use crate::engine::runner::{SampleRequest, TokenOutput};
use crate::kernels::{KernelSet, Kernels, ThreadPool};

/// A request that owns what it asks.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    params: SamplingParams,
    prompt: Vec<u32>,
    generated: Vec<u32>,
    banned: Vec<u32>,
    only: Option<Only>,
}

/// Allows these tokens and no others.
#[derive(Debug, Clone, PartialEq)]
struct Only(Vec<u32>);

impl TokenConstraint for Only {
    fn restrict(&self, _: &[u32], mask: &mut TokenMask) {
        mask.clear();
        self.0.iter().for_each(|id| mask.allow(*id));
    }
}

impl Asked {
    fn request(&self) -> SampleRequest<'_> {
        SampleRequest {
            params: &self.params,
            prompt: &self.prompt,
            generated: &self.generated,
            banned: &self.banned,
            constraint: self.only.as_ref().map(|only| only as &dyn TokenConstraint),
        }
    }
}

fn params() -> SamplingParams {
    SamplingParams {
        seed: 42,
        ..SamplingParams::default()
    }
}

fn greedy() -> SamplingParams {
    SamplingParams {
        temperature: 0.0,
        ..params()
    }
}

/// `params` for a sequence without a history.
fn asked(params: SamplingParams) -> Asked {
    Asked {
        params,
        prompt: Vec::new(),
        generated: Vec::new(),
        banned: Vec::new(),
        only: None,
    }
}

fn kernels() -> Kernels {
    Kernels::new(KernelSet::best(), ThreadPool::new(1).unwrap())
}

fn sampled(logits: &[f32], asked: &Asked, position: usize) -> TokenOutput {
    let kernels = kernels();
    let summary = kernels.summarize(logits);
    sample(&kernels, logits, summary, &asked.request(), position)
}

/// How often each id is drawn at the positions below `count`.
fn draws(logits: &[f32], asked: &Asked, count: usize) -> Vec<usize> {
    let kernels = kernels();
    let summary = kernels.summarize(logits);
    let mut counts = vec![0; logits.len()];
    for position in 0..count {
        let token = sample(&kernels, logits, summary, &asked.request(), position);
        counts[token.id as usize] += 1;
    }
    counts
}

/// The ids that 3000 draws met.
fn drawn_ids(logits: &[f32], asked: &Asked) -> Vec<usize> {
    let counts = draws(logits, asked, 3000);
    (0..logits.len()).filter(|id| counts[*id] > 0).collect()
}
