//! Sampling by its definition: the edits and their order, the cuts, extremes, and the
//! distribution of draws against a reference.

mod draws;
mod edits;
mod extremes;
mod on_device;
mod reference;

use super::{SamplingParams, sample, score};
use crate::engine::constraint::{ConstraintError, TokenConstraint, TokenMask};
use crate::engine::runner::{SampleRequest, TokenOutput};
use crate::kernels::{KernelSet, Kernels, ThreadPool};
use std::sync::Arc;

/// A request that owns what it asks.
#[derive(Debug, Clone)]
struct Asked {
    params: SamplingParams,
    prompt: Vec<u32>,
    generated: Vec<u32>,
    banned: Vec<u32>,
    only: Option<Arc<dyn TokenConstraint>>,
}

/// Allows these tokens and no others.
#[derive(Debug)]
struct Only(Vec<u32>);

fn only(ids: &[u32]) -> Option<Arc<dyn TokenConstraint>> {
    Some(Arc::new(Only(ids.to_vec())))
}

impl TokenConstraint for Only {
    fn restrict(&self, _: &[u32], mask: &mut TokenMask) -> Result<(), ConstraintError> {
        mask.clear();
        self.0.iter().for_each(|id| mask.allow(*id));
        Ok(())
    }
}

impl Asked {
    fn request(&self) -> SampleRequest<'_> {
        SampleRequest {
            params: &self.params,
            prompt: &self.prompt,
            generated: &self.generated,
            banned: &self.banned,
            constraint: self.only.as_ref(),
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
    sample(&kernels, logits, summary, &asked.request(), position).unwrap()
}

/// How often each id is drawn at the positions below `count`.
fn draws(logits: &[f32], asked: &Asked, count: usize) -> Vec<usize> {
    let kernels = kernels();
    let summary = kernels.summarize(logits);
    let mut counts = vec![0; logits.len()];
    for position in 0..count {
        let token = sample(&kernels, logits, summary, &asked.request(), position).unwrap();
        counts[token.id as usize] += 1;
    }
    counts
}

/// The ids that 3000 draws met.
fn drawn_ids(logits: &[f32], asked: &Asked) -> Vec<usize> {
    let counts = draws(logits, asked, 3000);
    (0..logits.len()).filter(|id| counts[*id] > 0).collect()
}
