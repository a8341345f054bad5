//! What must hold after every step and at the end.

use super::client::Client;
use super::model::seen_from;
use super::scenario::Kind;
use super::simulator::Simulator;
use crate::engine::{Class, EngineConfig, NO_BLOCK, PrefixCache, SequenceId, Step, StepItem};

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

    /// The step is within its limits, has the blocks that it reads, writes no shared one and
    /// leaves nobody out.
    pub(super) fn check_step(
        &self,
        step: &Step,
        decoding: &[SequenceId],
        had_suspects: bool,
    ) -> Result<(), String> {
        let EngineConfig {
            max_num_batched_tokens,
            max_num_outputs,
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
            self.check_item(item)?;
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

    /// In each group an item has every block that its tokens see, and writes those that it
    /// alone reads.
    fn check_item(&self, item: &StepItem<'_>) -> Result<(), String> {
        let config = &self.scenario.config;
        let last = item.start + item.tokens.len() - 1;
        for (group, table) in item.block_tables.iter().enumerate() {
            let window = config.kv_groups[group].window;
            let first = *seen_from(item.start, window).start();
            for index in first / config.block_size..=last / config.block_size {
                let block = table.get(index).filter(|block| **block != NO_BLOCK);
                let Some(block) = block else {
                    let id = item.sequence;
                    return Err(format!(
                        "sequence {id} has no block {index} of group {group}"
                    ));
                };
                let is_written = index >= item.start / config.block_size;
                let num_readers = self.core.scheduler().blocks.num_readers(group, *block);
                if is_written && num_readers != 1 {
                    return Err(format!(
                        "block {block} of group {group} is written and has other readers"
                    ));
                }
            }
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

    /// All blocks are accounted for, and who runs has given back what no token that is still
    /// to be computed sees.
    pub(super) fn check_blocks(&self) -> Result<(), String> {
        let scheduler = self.core.scheduler();
        let config = &self.scenario.config;
        let running = || scheduler.slots.iter().flatten();
        let blocks: Vec<_> = running().map(|sequence| &sequence.blocks).collect();
        scheduler.blocks.check(&blocks);
        for sequence in running() {
            for (group, table) in sequence.blocks.tables.iter().enumerate() {
                let window = config.kv_groups[group].window;
                let first = *seen_from(sequence.num_computed, window).start();
                let id = sequence.id;
                for (index, block) in table.iter().enumerate() {
                    let is_seen = (index + 1) * config.block_size > first;
                    if is_seen != (*block != NO_BLOCK) {
                        return Err(format!(
                            "{id:?} sees {first}.. and has {table:?} of group {group}"
                        ));
                    }
                }
            }
        }
        Ok(())
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
            let generated = other.generated.iter().map(|token| token.id);
            let other = b.iter().copied().chain(generated);
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
