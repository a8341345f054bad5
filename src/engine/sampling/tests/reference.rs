//! Draws against the distributions that `scripts/sampling_reference.py` computed.

use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    num_draws: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    logits: Vec<f32>,
    #[serde(default)]
    logit_bias: Vec<(u32, f32)>,
    repetition_penalty: Option<f32>,
    #[serde(default)]
    frequency_penalty: f32,
    #[serde(default)]
    presence_penalty: f32,
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    #[serde(default)]
    min_p: f32,
    #[serde(default)]
    banned: Vec<u32>,
    allowed: Option<Vec<u32>>,
    #[serde(default)]
    prompt: Vec<u32>,
    #[serde(default)]
    generated: Vec<u32>,
    probabilities: Vec<f64>,
    num_bins: usize,
    critical: f64,
}

impl Case {
    fn asked(&self) -> Asked {
        Asked {
            params: SamplingParams {
                logit_bias: self.logit_bias.as_slice().into(),
                repetition_penalty: self.repetition_penalty.unwrap_or(1.0),
                frequency_penalty: self.frequency_penalty,
                presence_penalty: self.presence_penalty,
                temperature: self.temperature.unwrap_or(1.0),
                top_k: self.top_k,
                top_p: self.top_p.unwrap_or(1.0),
                min_p: self.min_p,
                ..params()
            },
            prompt: self.prompt.clone(),
            generated: self.generated.clone(),
            banned: self.banned.clone(),
            only: self.allowed.as_deref().and_then(only),
        }
    }

    /// Expected and observed counts of each bin: a token where five draws are expected, all
    /// others together, which join the smallest bin where they still expect fewer.
    fn bins(&self, counts: &[usize]) -> Vec<(f64, f64)> {
        let num_draws: usize = counts.iter().sum();
        let (mut bins, mut rest) = (Vec::new(), (0.0, 0.0));
        for (probability, count) in self.probabilities.iter().zip(counts) {
            let bin = (probability * num_draws as f64, *count as f64);
            if bin.0 >= 5.0 {
                bins.push(bin);
            } else {
                rest = (rest.0 + bin.0, rest.1 + bin.1);
            }
        }
        if rest.0 >= 5.0 {
            bins.push(rest);
        } else if let Some(smallest) = bins.iter_mut().min_by(|a, b| a.0.total_cmp(&b.0)) {
            *smallest = (smallest.0 + rest.0, smallest.1 + rest.1);
        }
        bins
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../../tests/fixtures/sampling.json")).unwrap()
}

/// Chi-square statistic of `counts`, and whether a token without probability is among them.
fn judge(case: &Case, counts: &[usize]) -> (f64, bool) {
    let bins = case.bins(counts);
    assert_eq!(bins.len(), case.num_bins, "{}", case.name);
    let statistic = bins
        .iter()
        .map(|(expected, observed)| (observed - expected).powi(2) / expected)
        .sum();
    let mut drawn = case.probabilities.iter().zip(counts);
    let impossible = drawn.any(|(probability, count)| *probability == 0.0 && *count > 0);
    (statistic, impossible)
}

#[test]
fn draws_have_the_distribution_of_the_reference() {
    let golden = golden();
    assert!(golden.cases.len() >= 10);
    for case in &golden.cases {
        let counts = draws(&case.logits, &case.asked(), golden.num_draws);
        let (statistic, impossible) = judge(case, &counts);
        println!("{}: {statistic:.1} of {}", case.name, case.critical);
        assert!(!impossible, "{}: a token that was cut is drawn", case.name);
        assert!(
            statistic < case.critical,
            "{}: chi-square {statistic} of {} bins exceeds {}",
            case.name,
            case.num_bins,
            case.critical
        );
    }
}

/// A parameter that no case of the reference tells would not be tested by it.
#[test]
fn the_reference_tells_every_neglected_parameter() {
    let golden = golden();
    let neglects: [fn(&mut Asked); 10] = [
        |asked| asked.params.logit_bias = [].into(),
        |asked| asked.params.repetition_penalty = 1.0,
        |asked| asked.params.frequency_penalty = 0.0,
        |asked| asked.params.presence_penalty = 0.0,
        |asked| asked.params.temperature = 1.0,
        |asked| asked.params.top_k = None,
        |asked| asked.params.top_p = 1.0,
        |asked| asked.params.min_p = 0.0,
        |asked| asked.banned.clear(),
        |asked| asked.only = None,
    ];
    for (index, neglect) in neglects.iter().enumerate() {
        let told = golden.cases.iter().any(|case| {
            let mut asked = case.asked();
            neglect(&mut asked);
            // A constraint is known by what it shows of itself.
            if format!("{asked:?}") == format!("{:?}", case.asked()) {
                return false;
            }
            let counts = draws(&case.logits, &asked, golden.num_draws);
            let (statistic, impossible) = judge(case, &counts);
            impossible || statistic > case.critical
        });
        assert!(told, "neglect {index}");
    }
}
