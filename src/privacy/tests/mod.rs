//! What holds for the whole module.

mod any_text;
mod canary;
mod decoys;
mod letters;
mod made;
mod numbers;
mod phrases;
mod recall;
mod restoration;
mod sessions;

use super::{Recogniser, WordList};

/// Names of the agency that the tests look for.
const NAMES: [&str; 8] = [
    "Jean Dupont",
    "Dupont",
    "Élodie Lefèvre-Müller",
    "Sabine Groß",
    "Bad Münstereifel",
    "Nguyễn",
    "O'Connor",
    "Çelik",
];

fn recogniser() -> Recogniser {
    Recogniser::new(WordList::new(&NAMES).unwrap())
}

/// Numbers that look random and are the same in each run: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    fn of<'a, T: ?Sized>(&mut self, options: &[&'a T]) -> &'a T {
        options[self.below(options.len())]
    }

    fn digits(&mut self, len: usize) -> String {
        (0..len)
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }

    fn drawn_from(&mut self, alphabet: &str, len: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..len)
            .map(|_| letters[self.below(letters.len())])
            .collect()
    }
}
