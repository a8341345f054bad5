use super::*;
use crate::engine::Origin;

const BLOCK: usize = 4;

/// Engines that take requests, with these loads.
fn loads<const N: usize>(loads: [u64; N]) -> [EngineView; N] {
    loads.map(|load| EngineView {
        load: Some(load),
        num_deaths: 0,
    })
}

fn router(num_engines: usize, config: EngineConfig) -> Router {
    Router::new(&vec![config; num_engines], [5; 32])
}

/// Of two engines with 64 sequences a step, which lets one be busier by 8.
fn two() -> Router {
    router(2, config())
}

fn config() -> EngineConfig {
    EngineConfig::new(1000, 1000, BLOCK, 1000)
}

fn request(namespace: u64, prompt: &[u32]) -> SequenceRequest {
    SequenceRequest {
        origin: Origin {
            namespace: Namespace(namespace),
            ..Origin::default()
        },
        ..SequenceRequest::new(prompt, 10)
    }
}

/// `first` is all that two such prompts may have in common.
fn prompt(first: &[u32], seed: u32, len: u32) -> Vec<u32> {
    first
        .iter()
        .copied()
        .chain((0..len).map(|i| 100 + seed * 31 + i))
        .collect()
}

/// Routes a request, and the engine takes it.
fn send(router: &Router, request: &SequenceRequest, engines: &[EngineView]) -> usize {
    let route = router.route(std::slice::from_ref(request), engines);
    router.taken(route.order[0], &route);
    route.order[0]
}

fn order(router: &Router, request: &SequenceRequest, engines: &[EngineView]) -> Vec<usize> {
    router.route(std::slice::from_ref(request), engines).order
}

#[test]
fn new_prompts_go_to_the_least_busy_and_are_dealt_out_among_equals() {
    let router = router(3, config());
    let new = |seed: u32| request(1, &prompt(&[], 10 * seed, 20));
    assert_eq!(order(&router, &new(0), &loads([3, 1, 2])), [1, 2, 0]);
    let idle = loads([0, 0, 0]);
    let sent: Vec<usize> = (1..7)
        .map(|seed| send(&router, &new(seed), &idle))
        .collect();
    assert_eq!(sent, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_conversation_goes_on_where_it_was_though_its_answers_were_never_seen() {
    let router = two();
    let first = prompt(&[], 0, 10);
    assert_eq!(send(&router, &request(1, &first), &loads([5, 4])), 1);
    // An answer of 90 tokens, and the next question.
    let second = prompt(&first, 50, 100);
    assert_eq!(send(&router, &request(1, &second), &loads([4, 12])), 1);
    // Clearly busier: by a quarter of the least and 8 sequences, and one.
    assert_eq!(
        order(&router, &request(1, &second), &loads([4, 13])),
        [1, 0]
    );
    assert_eq!(
        order(&router, &request(1, &second), &loads([4, 14])),
        [0, 1]
    );
}

#[test]
fn a_short_beginning_that_all_prompts_share_does_not_draw_them_to_one_engine() {
    let router = two();
    let system: Vec<u32> = (0..8).collect();
    let mut busy = [0, 0];
    for seed in 0..40 {
        let request = request(1, &prompt(&system, 40 * seed, 92));
        busy[send(&router, &request, &loads(busy))] += 1;
    }
    assert_eq!(busy, [20, 20]);
}

#[test]
fn a_long_beginning_is_shared_until_its_engine_is_clearly_busier() {
    let router = two();
    let letter: Vec<u32> = (0..96).collect();
    let mut busy = [0, 0];
    for seed in 0..9 {
        let request = request(1, &prompt(&letter, 40 * seed, 4));
        busy[send(&router, &request, &loads(busy))] += 1;
    }
    // 96 % of 8 sequences more.
    assert_eq!(busy, [8, 1]);
}

#[test]
fn the_same_prompt_of_another_namespace_goes_to_the_least_busy() {
    let router = two();
    let prompt = prompt(&[], 0, 40);
    assert_eq!(send(&router, &request(1, &prompt), &loads([0, 1])), 0);
    assert_eq!(order(&router, &request(1, &prompt), &loads([2, 1])), [0, 1]);
    assert_eq!(order(&router, &request(2, &prompt), &loads([2, 1])), [1, 0]);
}

#[test]
fn a_flood_of_other_prompts_does_not_scatter_a_conversation() {
    let config = EngineConfig {
        kv_groups: vec![crate::engine::KvGroup::without_window(50)],
        ..config()
    };
    let router = router(2, config);
    let mut turn = prompt(&[], 0, 40);
    let home = send(&router, &request(1, &turn), &loads([0, 0]));
    for seed in 1..300 {
        let other = prompt(&[], 1000 + 100 * seed, 80);
        send(
            &router,
            &request(2, &other),
            &loads([u64::from(seed) % 7, 3]),
        );
        if seed % 50 == 0 {
            turn = prompt(&turn, seed, 12);
            assert_eq!(send(&router, &request(1, &turn), &loads([5, 5])), home);
        }
    }
}

#[test]
fn an_engine_that_takes_nothing_is_not_asked_and_one_that_died_holds_nothing() {
    let router = two();
    let prompt = request(1, &prompt(&[], 0, 40));
    assert_eq!(send(&router, &prompt, &loads([0, 1])), 0);
    let mut engines = loads([0, 0]);
    engines[0] = EngineView {
        load: None,
        num_deaths: 1,
    };
    assert_eq!(order(&router, &prompt, &engines), [1]);
    engines[0].load = Some(1);
    assert_eq!(order(&router, &prompt, &engines), [1, 0]);
    engines = engines.map(|engine| EngineView {
        load: None,
        ..engine
    });
    assert!(order(&router, &prompt, &engines).is_empty());
}

#[test]
fn the_prompts_of_one_request_are_weighed_together() {
    let router = two();
    let (short, long) = (prompt(&[], 0, 20), prompt(&[], 100, 60));
    assert_eq!(send(&router, &request(1, &short), &loads([0, 1])), 0);
    assert_eq!(send(&router, &request(1, &long), &loads([1, 0])), 1);
    let both: Vec<_> = [&short, &short, &long].map(|p| request(1, p)).into();
    assert_eq!(router.route(&both, &loads([0, 0])).order, [1, 0]);
    // Choices of one prompt are one prompt.
    let choices = vec![request(1, &short); 5];
    let mut all = choices.clone();
    all.push(request(1, &long));
    assert_eq!(router.route(&all, &loads([0, 0])).order, [1, 0]);
}

#[test]
fn affinity_is_nothing_to_a_prompt_that_is_scored_or_where_no_prefix_is_cached() {
    let router = two();
    let prompt = request(1, &prompt(&[], 0, 40));
    assert_eq!(send(&router, &prompt, &loads([0, 1])), 0);
    let scored = SequenceRequest {
        prompt_logprobs: Some(0),
        ..prompt.clone()
    };
    assert_eq!(order(&router, &scored, &loads([2, 1])), [1, 0]);
    let off = Router::new(
        &vec![
            EngineConfig {
                prefix_cache: PrefixCache::Off,
                ..config()
            };
            2
        ],
        [5; 32],
    );
    assert_eq!(send(&off, &prompt, &loads([0, 1])), 0);
    assert_eq!(order(&off, &prompt, &loads([2, 1])), [1, 0]);
}
