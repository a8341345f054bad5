//! Which engine a request goes to.

use super::held_prefixes::{HeldPrefixes, Holding};
use crate::engine::faults::Faults;
use crate::engine::prefix::{BlockHash, BlockHasher, Scope};
use crate::engine::{EngineConfig, Namespace, PrefixCache, SequenceRequest};
use std::cmp::Reverse;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks of prompts that are remembered at most, in some 40 MB.
const MAX_BLOCKS: usize = 1 << 18;

/// Sends a request to the engine that holds most of its prompt, unless that one is clearly busier
/// than the least busy; then to the least busy.
///
/// Consistent hashing with bounded loads (Mirrokni et al. 2016) gives a key to its own bin until
/// that has so many times the mean; cache-aware routers of inference engines do so with the prefix
/// of a prompt in the place of the key. Here the bound grows with what affinity saves: an engine
/// that holds a whole prompt may be busier by a quarter and some sequences, one that holds a tenth
/// of it by a tenth of that. So a beginning that all prompts share does not draw them all to one
/// engine, and a conversation stays where it is.
#[derive(Debug)]
pub(super) struct Router {
    hasher: BlockHasher,
    block_size: usize,
    /// Sequences by which an engine may be busier for the sake of a whole prompt.
    slack: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    held: HeldPrefixes,
    engines: Vec<Seen>,
    /// Requests that were taken.
    num_taken: u64,
}

/// What was seen of an engine.
#[derive(Debug, Default, Clone)]
struct Seen {
    num_deaths: u64,
    /// Which request it took last.
    last_taken: u64,
}

/// What an engine looks like to the router.
#[derive(Debug, Clone, Copy)]
pub(super) struct EngineView {
    /// How much there is to do, in sequences; `None`: it takes no requests now.
    pub load: Option<u64>,
    /// With each it loses its prefix cache.
    pub num_deaths: u64,
}

/// Where a request should go.
#[derive(Debug)]
pub(super) struct Route {
    /// The engines to ask, the best first.
    pub order: Vec<usize>,
    namespace: Namespace,
    prompts: Vec<Prompt>,
}

#[derive(Debug)]
struct Prompt {
    num_tokens: usize,
    hashes: Vec<BlockHash>,
    /// All of a scored prompt is computed, whatever an engine holds of it.
    is_scored: bool,
}

impl Router {
    /// For engines with these limits. Nobody can make two prompts meet who does not know `key`.
    pub fn new(configs: &[EngineConfig], key: [u8; 32]) -> Self {
        // More than the engines hold is not worth remembering.
        let of_engine = |config: &EngineConfig| match config.prefix_cache {
            PrefixCache::Off => 0,
            PrefixCache::PerNamespace { .. } => {
                let blocks = config.kv_groups.iter().map(|group| group.num_blocks);
                blocks.max().unwrap_or(0)
            }
        };
        let max_blocks = configs.iter().map(of_engine).fold(0, usize::saturating_add);
        let max_num_seqs = configs.iter().map(|config| config.max_num_seqs).min();
        Self {
            hasher: BlockHasher::new(key, Faults::default()),
            block_size: configs.first().map_or(1, |config| config.block_size),
            slack: (max_num_seqs.unwrap_or(0) as u64 / 8).max(1),
            state: Mutex::new(State {
                held: HeldPrefixes::new(max_blocks.min(MAX_BLOCKS)),
                engines: vec![Seen::default(); configs.len()],
                num_taken: 0,
            }),
        }
    }

    /// Where the sequences of one request should go, all to the same engine. `engines` are those
    /// of [`Router::new`].
    pub fn route(&self, requests: &[SequenceRequest], engines: &[EngineView]) -> Route {
        let namespace = requests
            .first()
            .map_or(Namespace::default(), |request| request.origin.namespace);
        let prompts = self.prompts(namespace, requests);
        let num_tokens: usize = prompts.iter().map(|prompt| prompt.num_tokens).sum();
        let mut state = self.lock();
        state.forget_dead(engines);
        let held = state.held_tokens(namespace, &prompts, self.block_size);
        let load = |engine: &usize| engines[*engine].load.unwrap_or(u64::MAX);
        let mut order: Vec<usize> = (0..engines.len().min(held.len()))
            .filter(|engine| engines[*engine].load.is_some())
            .collect();
        // Of equals the one that was given nothing for longest: new prompts are spread.
        order.sort_by_key(|engine| (load(engine), state.engines[*engine].last_taken));
        let least = order.first().map_or(0, load);
        let is_within_bound = |engine: &usize| {
            let more = (least / 4 + self.slack) as u128 * held[*engine] as u128;
            u128::from(load(engine) - least) * num_tokens.max(1) as u128 <= more
        };
        // The first of equals in this order, too.
        let best = (0..order.len())
            .filter(|place| is_within_bound(&order[*place]))
            .min_by_key(|place| Reverse(held[order[*place]]));
        if let Some(place) = best {
            order[..=place].rotate_right(1);
        }
        Route {
            order,
            namespace,
            prompts,
        }
    }

    /// Notes that an engine took a request, and so will hold its prompts.
    pub fn taken(&self, engine: usize, route: &Route) {
        let mut state = self.lock();
        state.num_taken += 1;
        let last_taken = state.num_taken;
        if let Some(seen) = state.engines.get_mut(engine) {
            seen.last_taken = last_taken;
        }
        for prompt in &route.prompts {
            state.held.note(route.namespace, &prompt.hashes, engine);
        }
    }

    /// The prompts of a request; choices of one count once.
    fn prompts(&self, namespace: Namespace, requests: &[SequenceRequest]) -> Vec<Prompt> {
        let scope = Scope::Namespace(namespace);
        let mut before: Option<&SequenceRequest> = None;
        let mut prompts = Vec::new();
        for request in requests {
            let is_same = before.is_some_and(|b| Arc::ptr_eq(&b.prompt, &request.prompt));
            before = Some(request);
            if is_same {
                continue;
            }
            let mut hashes = Vec::new();
            self.hasher
                .extend(&mut hashes, scope, &request.prompt, self.block_size);
            prompts.push(Prompt {
                num_tokens: request.prompt.len(),
                hashes,
                is_scored: request.prompt_logprobs.is_some(),
            });
        }
        prompts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_dead(&mut self, engines: &[EngineView]) {
        for (index, (seen, view)) in self.engines.iter_mut().zip(engines).enumerate() {
            if seen.num_deaths != view.num_deaths {
                seen.num_deaths = view.num_deaths;
                self.held.forget(index);
            }
        }
    }

    /// Tokens of the prompts that each engine need not compute.
    fn held_tokens(
        &self,
        namespace: Namespace,
        prompts: &[Prompt],
        block_size: usize,
    ) -> Vec<usize> {
        let mut sums = vec![0; self.engines.len()];
        for prompt in prompts.iter().filter(|prompt| !prompt.is_scored) {
            let of_engines = self.held.find(namespace, &prompt.hashes, sums.len());
            for (
                sum,
                Holding {
                    num_blocks,
                    goes_on,
                },
            ) in sums.iter_mut().zip(of_engines)
            {
                *sum += match goes_on {
                    true => prompt.num_tokens,
                    false => num_blocks * block_size,
                };
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests;
