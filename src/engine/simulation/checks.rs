//! What must hold after every step and at the end.

use super::client::Client;
use super::scenario::Kind;
use super::simulator::Simulator;
use crate::engine::{Class, EngineConfig, PrefixCache, SequenceId, Step};

/// Steps until the prompt of the single request of another flow must be computed.
const FLOOD_BOUND: u64 = 8;
const LARGE_BOUND: u64 = 160;
const BATCH_BOUND: u64 = 200;

impl Simulator {
    pub(super) fn check_deadlines(&self) -> Result<(), String> {
        let late = self.clients.iter().find(|client| {
            client.end.is_none()
                && client
                    .stream
                    .as_ref()
                    .is_some_and(|stream| stream.is_empty() && !stream.is_closed())
                && client.deadline.is_some_and(|deadline| deadline <= self.now)
        });
        match late {
            Some(client) => Err(format!("{:?} goes on after its deadline", client.id)),
            None => Ok(()),
        }
    }

    /// The step is within its limits, writes no shared block and leaves nobody out.
    pub(super) fn check_step(
        &self,
        step: &Step,
        decoding: &[SequenceId],
        had_suspects: bool,
    ) -> Result<(), String> {
        let EngineConfig {
            max_num_batched_tokens,
            max_num_outputs,
            block_size,
            ..
        } = self.scenario.config;
        let scheduler = self.core.scheduler();
        let items = scheduler.step_items(step);
        let num_outputs: usize = items.iter().map(|item| item.num_outputs()).sum();
        if step.num_tokens() > max_num_batched_tokens || num_outputs > max_num_outputs {
            return Err(format!(
                "{} tokens and {num_outputs} outputs",
                step.num_tokens()
            ));
        }
        for item in &items {
            let blocks =
                item.start / block_size..=(item.start + item.tokens.len() - 1) / block_size;
            for index in blocks {
                let Some(block) = item.block_tables[0].get(index) else {
                    return Err(format!("sequence {} has no block {index}", item.sequence));
                };
                if scheduler.blocks.num_readers(*block) != 1 {
                    return Err(format!("block {block} is written and has other readers"));
                }
            }
        }
        let suspects = self.running(|sequence| sequence.is_suspect);
        if had_suspects || !suspects.is_empty() {
            let num_items = step.items.len();
            let has_suspect = step
                .items
                .iter()
                .any(|item| suspects.contains(&item.sequence));
            return match has_suspect && num_items > 1 || suspects.len() > 1 {
                true => Err(format!("suspects {suspects:?} are not alone")),
                false => Ok(()),
            };
        }
        let has_item = |id: &SequenceId| step.items.iter().any(|item| item.sequence == *id);
        let still = self.running(|_| true);
        let is_left_out = |id: &&SequenceId| still.contains(id) && !has_item(id);
        if let Some(id) = decoding.iter().find(is_left_out) {
            return Err(format!("the stream of {id:?} gets no token"));
        }
        let prefilling = self.running(|sequence| sequence.num_missing() > 1);
        if !prefilling.is_empty()
            && !prefilling.iter().any(has_item)
            && step.num_tokens() < max_num_batched_tokens
        {
            return Err(format!("no prefill of {prefilling:?} gets a token"));
        }
        Ok(())
    }

    /// Within a flow and class, who came first starts first.
    pub(super) fn check_order(&self, step: &Step, first: &[SequenceId]) -> Result<(), String> {
        let origin = |id: &SequenceId| {
            let client = self
                .clients
                .iter()
                .find(|client| client.id == *id && client.arrived_in > self.last_death());
            client.map(|client| (client.request.origin.flow, client.request.origin.class))
        };
        let scheduler = self.core.scheduler();
        if self.scenario.hash_bits < 256 || self.has_suspects {
            // Collisions make sequences wait for prefixes that are not theirs, now and then,
            // and suspects wait for each other.
            return Ok(());
        }
        for id in &step.started {
            let is_passed = |other: &&SequenceId| {
                let sequence = scheduler.find_waiting(**other);
                // One whose prefix another began to compute in this step waits for that.
                sequence.is_some_and(|sequence| !scheduler.is_computing(sequence))
                    && !step.started.contains(other)
                    && *other < id
                    && origin(other) == origin(id)
            };
            let earlier = first.iter().find(is_passed);
            if let Some(earlier) = earlier {
                return Err(format!("{id:?} starts before {earlier:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn last_death(&self) -> u64 {
        self.died_in.last().copied().unwrap_or(0)
    }

    pub(super) fn check_blocks(&self) {
        let scheduler = self.core.scheduler();
        let tables: Vec<_> = scheduler
            .slots
            .iter()
            .flatten()
            .map(|sequence| &sequence.block_tables[..])
            .collect();
        scheduler.blocks.check(&tables);
    }

    /// Nobody finds more than what came before it in its own namespace.
    pub(super) fn check_cached(&self, client: &Client) -> Result<(), String> {
        let Some(num_cached) = client.num_cached_tokens() else {
            return Ok(());
        };
        let config = &self.scenario.config;
        let namespace = client.request.origin.namespace;
        let common = |other: &Client| {
            let (a, b) = (&client.request.prompt, &other.request.prompt);
            // What was generated is cached, too.
            let (_, generated) = super::model::reference(&other.request);
            let other = b
                .iter()
                .copied()
                .chain(generated.iter().map(|token| token.id));
            a.iter().zip(other).take_while(|(a, b)| **a == *b).count()
        };
        let known = self
            .clients
            .iter()
            .filter(|other| other.id != client.id && other.request.origin.namespace == namespace)
            .map(common)
            .max()
            .unwrap_or(0);
        let limit = match config.prefix_cache {
            PrefixCache::Off => 0,
            PrefixCache::PerNamespace { .. } => known.min(client.request.prompt.len() - 1),
        };
        if num_cached > limit || !num_cached.is_multiple_of(config.block_size) {
            return Err(format!(
                "{:?} found {num_cached} tokens of {limit}",
                client.id
            ));
        }
        Ok(())
    }

    /// The single request is answered within its bound, whatever the others send.
    pub(super) fn check_bounds(&self) -> Result<(), String> {
        let bound = match self.scenario.kind {
            Kind::Mixed => return Ok(()),
            Kind::Flood => FLOOD_BOUND,
            Kind::Large => LARGE_BOUND,
            Kind::Batch => BATCH_BOUND,
        };
        let is_single = |client: &&Client| {
            let origin = client.request.origin;
            match self.scenario.kind {
                Kind::Batch => origin.class == Class::Batch,
                _ => origin.flow.0 == 1,
            }
        };
        let single = self.clients.iter().find(is_single);
        let Some(single) = single else {
            return Err("the single request was refused".into());
        };
        let took = single.prompted_in.map(|step| step - single.arrived_in);
        match took.is_some_and(|took| took <= bound) {
            true => Ok(()),
            false => Err(format!(
                "the single request waited {took:?} steps of {bound}"
            )),
        }
    }
}
