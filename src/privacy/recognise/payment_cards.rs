//! Payment cards: the ranges of the schemes, with Luhn's check digit.

use super::super::kind::Kind;
use super::Search;
use super::check_digits::{has_luhn, number};
use super::run::{Run, Trust};

/// First six digits from and to, and how many digits such numbers have. Visa's old numbers of 13
/// digits are left out: German article numbers begin as they do.
const RANGES: [(u64, u64, &[usize]); 17] = [
    (222_100, 272_099, &[16]),
    (300_000, 305_999, &[14]),
    (309_500, 309_599, &[14]),
    (340_000, 349_999, &[15]),
    (352_800, 358_999, &[16]),
    (360_000, 369_999, &[14]),
    (370_000, 379_999, &[15]),
    (380_000, 399_999, &[14, 16]),
    (400_000, 499_999, &[16, 19]),
    (500_000, 509_999, &[16, 19]),
    (510_000, 559_999, &[16]),
    (560_000, 599_999, &[16, 19]),
    (601_100, 601_199, &[16]),
    (620_000, 629_999, &[16, 17, 18, 19]),
    (630_000, 639_999, &[16, 19]),
    (644_000, 659_999, &[16]),
    (670_000, 679_999, &[16, 19]),
];

pub fn recognise(run: &Run, search: &mut Search) {
    let Some(head) = run.characters().get(..6).and_then(number) else {
        return;
    };
    let lengths = RANGES
        .iter()
        .filter(|(from, to, _)| (*from..=*to).contains(&head))
        .flat_map(|(_, _, lengths)| lengths.iter().copied());
    for length in lengths {
        let shaped = match length {
            14 => run.has_shape(&[4, 6, 4]) || run.has_shape(&[4, 4, 4, 2]),
            15 => run.has_shape(&[4, 6, 5]) || run.has_shape(&[4, 4, 4, 3]),
            16 => run.has_shape(&[4, 4, 4, 4]),
            17 => run.has_shape(&[4, 4, 4, 4, 1]) || run.has_shape(&[4, 4, 4, 5]),
            18 => run.has_shape(&[4, 4, 4, 4, 2]) || run.has_shape(&[6, 12]),
            _ => run.has_shape(&[4, 4, 4, 4, 3]) || run.has_shape(&[6, 13]),
        };
        if shaped && run.chars(length).is_some_and(has_luhn) {
            run.offer(length, Kind::PaymentCard, Trust::Alone, search);
        }
    }
}
