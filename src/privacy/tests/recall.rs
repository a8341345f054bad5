//! How many values of a made set are found, and how much else is taken for one: of the seed and the
//! number of sentences that `GUICHET_PRIVACY` says (`6,2000` if it is not set).

use super::super::{Finding, Kind};
use super::{Random, made, recogniser};
use std::collections::BTreeMap;

/// The kinds that check digits tell.
pub const CHECKSUMMED: [Kind; 10] = [
    Kind::Iban,
    Kind::Nir,
    Kind::VatId,
    Kind::FrenchTaxNumber,
    Kind::GermanTaxId,
    Kind::GermanInsuranceNumber,
    Kind::GermanIdentityCard,
    Kind::Siret,
    Kind::PaymentCard,
    Kind::Siren,
];

#[derive(Default)]
struct Score {
    made: usize,
    right: usize,
    wrong: usize,
    near_misses: usize,
}

impl Score {
    fn recall(&self) -> f64 {
        self.right as f64 / self.made as f64
    }

    fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }
}

#[test]
fn values_are_found_among_decoys() {
    let recogniser = recogniser();
    let set = std::env::var("GUICHET_PRIVACY").unwrap_or("6,2000".to_owned());
    let (seed, num_sentences) = set.split_once(',').unwrap();
    let (seed, num_sentences): (u64, usize) =
        (seed.parse().unwrap(), num_sentences.parse().unwrap());
    let mut random = Random(seed);
    let mut scores = BTreeMap::<Kind, Score>::new();
    let (mut num_decoys, mut failures) = (0, Vec::new());
    for _ in 0..num_sentences {
        let sentence = made::sentence(&mut random);
        num_decoys += sentence.num_decoys;
        for kind in sentence.wrong {
            scores.entry(kind).or_default().near_misses += 1;
        }
        let expected: Vec<Finding> = sentence
            .values
            .into_iter()
            .map(|(kind, range)| Finding { kind, range })
            .collect();
        let found = recogniser.find(&sentence.text);
        for finding in &expected {
            let score = scores.entry(finding.kind).or_default();
            score.made += 1;
            score.right += usize::from(found.contains(finding));
        }
        for finding in found.iter().filter(|finding| !expected.contains(finding)) {
            scores.entry(finding.kind).or_default().wrong += 1;
        }
        if found != expected {
            failures.push(format!("{:?}\n  {found:?}", sentence.text));
        }
    }

    println!("seed {seed}, {num_sentences} sentences, {num_decoys} decoys beside the near misses");
    println!(
        "kind                      made  found  missed  false  near misses  recall  precision"
    );
    for (kind, score) in &scores {
        println!(
            "{:<25} {:>4} {:>6} {:>7} {:>6} {:>12} {:>7.4} {:>10.4}",
            kind.name(),
            score.made,
            score.right,
            score.made - score.right,
            score.wrong,
            score.near_misses,
            score.recall(),
            score.precision()
        );
    }
    for failure in &failures {
        println!("{failure}");
    }
    for kind in Kind::ALL {
        let least = if CHECKSUMMED.contains(&kind) {
            0.99
        } else {
            0.95
        };
        let score = &scores[&kind];
        assert!(score.recall() >= least, "{}", kind.name());
        assert!(score.precision() >= least, "{}", kind.name());
    }
}
