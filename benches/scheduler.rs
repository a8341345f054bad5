//! What a step costs beside computing it: `schedule`, what the runner is given of it, and `commit`,
//! at 1, 64 and 256 running sequences.

use guichet::engine::{
    EngineConfig, FlowId, ItemOutput, KvGroup, Namespace, Origin, PrefillLimits, Scheduler,
    SequenceId, SequenceRequest, StepOutput, TokenOutput,
};
use std::time::{Duration, Instant};

const NUM_STEPS: usize = 4000;

fn main() {
    for num_running in [1, 64, 256] {
        measure(num_running);
    }
}

fn measure(num_running: usize) {
    let whole = KvGroup::without_window(num_running * 40);
    let window = KvGroup {
        num_blocks: num_running * 7,
        window: Some(128),
    };
    for (name, num_flows, num_waiting, kv_groups) in [
        ("one flow", 1, 0, vec![whole]),
        ("eight flows", 8, 0, vec![whole]),
        ("eight flows, 1,000 waiting", 8, 1000, vec![whole]),
        ("eight flows, a window beside", 8, 0, vec![whole, window]),
    ] {
        let mut times = run(num_running, num_flows, num_waiting, kv_groups);
        times.sort_unstable();
        let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e6;
        println!(
            "schedule + commit, {num_running} running, {name}: median {:.1} us, p90 {:.1} us, p99 {:.1} us over {} steps",
            at(0.5),
            at(0.9),
            at(0.99),
            times.len()
        );
    }
}

/// How long each step took to decide and to apply, prefills and ends of sequences included.
fn run(
    num_running: usize,
    num_flows: u32,
    num_waiting: usize,
    kv_groups: Vec<KvGroup>,
) -> Vec<Duration> {
    let config = EngineConfig {
        kv_groups,
        max_num_seqs: num_running,
        max_num_outputs: num_running,
        max_num_batched_tokens: 1024,
        ..EngineConfig::new(1000, 4096, 32, 1)
    };
    let mut scheduler = Scheduler::new(config, [1; 32]);
    let mut next_id = 0;
    let mut add = |scheduler: &mut Scheduler| {
        let flow = (next_id % u64::from(num_flows)) as u32;
        let len = 100 + (next_id as usize * 37) % 400;
        let prompt: Vec<u32> = (0..len)
            .map(|i| (i as u32 * 7 + next_id as u32) % 1000)
            .collect();
        let origin = Origin {
            flow: FlowId(flow),
            namespace: Namespace(u64::from(flow)),
            ..Origin::default()
        };
        let request = SequenceRequest {
            origin,
            ..SequenceRequest::new(prompt, 200 + (next_id as usize * 53) % 400)
        };
        scheduler.add(SequenceId(next_id), next_id, request, false);
        next_id += 1;
    };
    for _ in 0..num_running + num_waiting {
        add(&mut scheduler);
    }
    let mut times = Vec::new();
    while times.len() < NUM_STEPS {
        let is_full = scheduler.num_running() == num_running;
        let begin = Instant::now();
        let step = scheduler.schedule(PrefillLimits::NONE);
        let items = scheduler.step_items(&step);
        let decided = begin.elapsed();
        // The model's part is not ours to measure.
        let output = StepOutput {
            items: items
                .iter()
                .map(|item| ItemOutput {
                    sampled: item.sample.map(|_| {
                        Ok(TokenOutput {
                            id: (item.start % 997) as u32,
                            ..TokenOutput::default()
                        })
                    }),
                    ..ItemOutput::default()
                })
                .collect(),
        };
        drop(items);
        let begin = Instant::now();
        let committed = scheduler.commit(&step, output);
        if is_full {
            times.push(decided + begin.elapsed());
        }
        for _ in committed
            .outcomes
            .iter()
            .filter(|outcome| outcome.end.is_some())
        {
            add(&mut scheduler);
        }
    }
    times
}
