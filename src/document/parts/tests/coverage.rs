//! Documents that chance makes, under budgets and counters that it chooses.

use super::made::{Maker, filler};
use super::{budget, check, count};
use crate::document::parts::split;
use crate::document::{BlockKind, Document};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

const PIECES: &[&str] = &[
    "Article 12",
    "§ 3",
    "TITRE II",
    "1. Punkt",
    "1.2 Titel",
    "(2) Absatz",
    "a) item",
    "- und",
    "und",
    "M. Dupont",
    "1 234,56 €",
    "12 mars 2026",
    "z. B.",
    "q\u{323}\u{307}",
    "😀\u{200d}🔥",
    "ÄÖÜ.",
    "\n",
    "\n",
    ":",
    ";",
    "FR76 3000 4000",
    "Fin. Début",
    "1.1.1.1.1.1.1.1.1.1.1.1.1",
    "[x › y]",
    "...",
    "IIIIIIIIIIII.",
    "« Oui ! » Non",
    "ééééééééééééééééééééééééééééééééé",
    "12345678901234567890",
    "🇫🇷🇩🇪",
    "| a | b |",
    "…",
];

fn document(random: &mut Random) -> Document {
    const KINDS: &[BlockKind] = &[
        BlockKind::Paragraph,
        BlockKind::Paragraph,
        BlockKind::Paragraph,
        BlockKind::ListItem,
        BlockKind::Heading { level: 1 },
        BlockKind::Heading { level: 3 },
        BlockKind::Table,
        BlockKind::Footnote,
        BlockKind::Header,
        BlockKind::Footer,
        BlockKind::FormField,
        BlockKind::MessageHeader,
        BlockKind::Attachment,
    ];
    let mut made = Maker::default().page();
    for _ in 0..random.below(40) {
        if random.below(4) == 0 {
            made = made.page();
        }
        let kind = KINDS[random.below(KINDS.len())];
        let mut text = String::new();
        if kind == BlockKind::Table && random.below(2) == 0 {
            text.push_str("| a | b |\n|---|---|\n");
        }
        for _ in 0..1 + random.below(30) {
            match random.below(12) {
                0 => text.push_str(filler(random.below(3))),
                _ => text.push_str(random.of(PIECES)),
            }
            text.push_str(random.of(&[" ", " ", " ", "", "\n"]));
        }
        let text = text.trim();
        if !text.is_empty() {
            made = made.block(kind, text);
        }
    }
    made.done()
}

/// Wholes that take more than their pieces do, and some that take less.
fn uneven(text: &str) -> usize {
    let bytes = text.bytes().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31) ^ usize::from(byte)
    });
    count(text) + text.len() / 40 + bytes % 3
}

/// A token a byte, as for a script that a tokenizer has never seen.
fn bytes(text: &str) -> usize {
    text.len()
}

#[test]
fn whatever_the_document_the_parts_cover_it_within_the_budget_and_are_the_same_again() {
    for seed in 0..1500 {
        let mut random = Random(seed);
        let document = document(&mut random);
        let max_tokens = 64 + random.below(400);
        let mut counter = [count, uneven, bytes][random.below(3)];
        let parts = split(&document, budget(max_tokens), &mut counter);
        check(&document, &parts, max_tokens);
        for part in parts.iter().filter(|part| !part.range.is_empty()) {
            assert_eq!(
                part.num_tokens,
                counter(&part.shown(&document)),
                "seed {seed}"
            );
        }
        assert_eq!(
            parts,
            split(&document, budget(max_tokens), &mut counter),
            "seed {seed}"
        );
    }
}

#[test]
fn a_counter_that_is_never_satisfied_does_not_keep_the_splitter_from_ending() {
    let document = document(&mut Random(5));
    let parts = split(&document, budget(64), &mut |_| 1_000_000);
    let characters = document
        .text
        .chars()
        .filter(|character| !character.is_whitespace());
    assert_eq!(parts.len(), characters.count());
}
