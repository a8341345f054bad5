use std::time::Duration;

/// Steps without streams may take so many times as long, and as long as this: nobody waits for a
/// next token, and long ranges are computed faster.
const ALONE: u32 = 2;
const MIN_ALONE: Duration = Duration::from_millis(100);

/// Finds how many prefill tokens a step may have so that it takes the time it should.
///
/// A controller rather than a model of the machine: it looks at how long steps took and
/// corrects itself, whatever contexts, models and neighbours make of a token's cost.
#[derive(Debug)]
pub(super) struct Pace {
    beside_streams: Option<BesideStreams>,
    alone: Option<Controller>,
}

/// Where streams by themselves take long, because the model is large or they are many, prefills
/// get twice the time that they do. Otherwise a step would read all weights for the few tokens
/// that are left, and a first token be what all wait for.
#[derive(Debug)]
struct BesideStreams {
    controller: Controller,
    max_step: Duration,
    /// Of a step without prefills: a mean of the last ones.
    streams_take: Duration,
}

/// A step with prefills may take so many times as long as its streams alone.
const BESIDE: u32 = 3;

/// What a step counts for in the mean.
const WEIGHT: u32 = 8;

#[derive(Debug)]
struct Controller {
    target: Duration,
    max_prefill: f64,
    limit: f64,
}

impl Pace {
    /// `max_step` is for steps with streams; `first_guess` is how many tokens take so long at
    /// most, and `limit` of them are never exceeded.
    pub fn new(max_step: Option<Duration>, first_guess: usize, limit: usize) -> Self {
        let controller = |target: Duration| Controller {
            target,
            max_prefill: first_guess.min(limit) as f64,
            limit: limit as f64,
        };
        Self {
            beside_streams: max_step.map(|max_step| BesideStreams {
                controller: controller(max_step),
                max_step,
                streams_take: max_step / BESIDE,
            }),
            alone: max_step.map(|max_step| controller((max_step * ALONE).max(MIN_ALONE))),
        }
    }

    /// Prefill tokens for a step with or without streams.
    pub fn max_prefill(&self, has_streams: bool) -> usize {
        let beside_streams = self
            .beside_streams
            .as_ref()
            .map(|beside| &beside.controller);
        let controller = if has_streams {
            beside_streams
        } else {
            self.alone.as_ref()
        };
        controller.map_or(usize::MAX, |controller| controller.max_prefill as usize)
    }

    /// Notes how long a step took.
    pub fn observe(&mut self, has_streams: bool, num_prefill: usize, took: Duration) {
        if !has_streams {
            if let Some(alone) = &mut self.alone {
                alone.observe(num_prefill, took);
            }
        } else if let Some(beside) = &mut self.beside_streams {
            beside.observe(num_prefill, took);
        }
    }
}

impl BesideStreams {
    fn observe(&mut self, num_prefill: usize, took: Duration) {
        if num_prefill > 0 {
            return self.controller.observe(num_prefill, took);
        }
        // One that was held up says little about the next.
        let took = took.min(self.streams_take * 2);
        self.streams_take = (self.streams_take * (WEIGHT - 1) + took) / WEIGHT;
        self.controller.target = self.max_step.max(self.streams_take * BESIDE);
    }
}

impl Controller {
    fn observe(&mut self, num_prefill: usize, took: Duration) {
        // A step that had less to do than it might says nothing about its limit, unless it
        // was too long all the same.
        let is_full = num_prefill as f64 >= 0.75 * self.max_prefill;
        let ratio = self.target.as_secs_f64() / took.as_secs_f64().max(1e-6);
        if !is_full && ratio > 1.0 {
            return;
        }
        let factor = ratio.clamp(0.5, 1.5);
        self.max_prefill = (self.max_prefill * factor).clamp(1.0, self.limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds of a step on an imagined machine.
    fn cost(num_decodes: usize, num_prefill: usize) -> Duration {
        Duration::from_micros(5_000 + 500 * num_decodes as u64 + 1_200 * num_prefill as u64)
    }

    #[test]
    fn steps_come_to_take_the_time_they_should_and_follow_the_load() {
        let mut pace = Pace::new(Some(Duration::from_millis(100)), 64, 512);
        for num_decodes in [4, 60, 20] {
            for _ in 0..20 {
                let num_prefill = pace.max_prefill(true);
                pace.observe(true, num_prefill, cost(num_decodes, num_prefill));
            }
            let took = cost(num_decodes, pace.max_prefill(true)).as_secs_f64();
            assert!(
                (0.09..0.11).contains(&took),
                "{took} s with {num_decodes} streams"
            );
        }
        for _ in 0..20 {
            let num_prefill = pace.max_prefill(false);
            pace.observe(false, num_prefill, cost(0, num_prefill));
        }
        let took = cost(0, pace.max_prefill(false)).as_secs_f64();
        assert!((0.18..0.22).contains(&took), "{took} s without streams");
    }

    #[test]
    fn prefills_get_twice_the_time_of_streams_that_take_long() {
        let mut pace = Pace::new(Some(Duration::from_millis(20)), 64, 512);
        // 35 ms without a prefill.
        let run = |pace: &mut Pace| {
            for _ in 0..40 {
                pace.observe(true, 0, cost(60, 0));
                let num_prefill = pace.max_prefill(true);
                pace.observe(true, num_prefill, cost(60, num_prefill));
            }
            cost(60, pace.max_prefill(true)).as_secs_f64()
        };
        let took = run(&mut pace);
        assert!((0.1..0.11).contains(&took), "{took} s");
        // Being held up once does not count for what it took.
        pace.observe(true, 0, Duration::from_secs(60));
        let took = run(&mut pace);
        assert!((0.1..0.11).contains(&took), "{took} s after a long one");
        // Fewer streams, and the configured time is what holds again.
        for _ in 0..60 {
            pace.observe(true, 0, cost(0, 0));
            let num_prefill = pace.max_prefill(true);
            pace.observe(true, num_prefill, cost(0, num_prefill));
        }
        let took = cost(0, pace.max_prefill(true)).as_secs_f64();
        assert!((0.018..0.022).contains(&took), "{took} s with none");
    }

    #[test]
    fn short_prefills_do_not_raise_the_limit_and_none_is_needed() {
        let mut pace = Pace::new(Some(Duration::from_millis(50)), 64, 512);
        let before = pace.max_prefill(true);
        for _ in 0..100 {
            pace.observe(true, 3, Duration::from_millis(2));
            pace.observe(true, 0, Duration::from_millis(2));
        }
        assert_eq!(pace.max_prefill(true), before);
        pace.observe(false, 0, Duration::from_millis(2));
        assert_eq!(pace.max_prefill(false), before);
        assert_eq!(Pace::new(None, 64, 512).max_prefill(true), usize::MAX);
    }
}
