//! The choice of a cut: the best place that leaves the rest in equal parts.

use super::boundary::{Boundary, Opening};
use super::gap::{Gap, gaps, last_break, last_break_outside_numbers};
use super::measure::Measure;
use super::sentence::sentences;
use std::ops::Range;

/// A part is at least so much of an equal share, in fifths, while it can be.
const SHORTEST: u64 = 2;

pub struct Cutter<'a> {
    pub text: &'a str,
    /// In order.
    pub boundaries: &'a [Boundary],
    pub measure: &'a Measure,
}

/// Where a cut may fall, and where it is meant to. `window` is the later part of `reach`.
struct Aim {
    /// After what the part holds at least, up to what it holds at most; both ends are places.
    window: Range<usize>,
    reach: Range<usize>,
    start_tokens: u64,
    target: u64,
}

impl Cutter<'_> {
    /// Where the part ends that begins at `start` and takes `room` thousandths of a token at
    /// most, by estimate, without the white space there. It holds at least one character.
    pub fn cut(&self, start: usize, room: u64) -> usize {
        let end = self.measure.end();
        let before = self.measure.before(start);
        let rest = self.measure.total().saturating_sub(before);
        if rest <= room {
            return end;
        }
        let at = self.place(start, room, before, rest).min(end);
        let taken = self.text.get(start..at).unwrap_or_default().trim_end();
        match taken.is_empty() {
            true => at,
            false => start + taken.len(),
        }
    }

    fn place(&self, start: usize, room: u64, before: u64, rest: u64) -> usize {
        let target = rest / rest.div_ceil(room.max(1));
        let one = self.text.get(start..).and_then(|rest| rest.chars().next());
        let one = start + one.map_or(1, char::len_utf8);
        let high = self
            .text
            .floor_char_boundary(self.measure.reach(before + room));
        let high = high.max(one);
        let low = self.measure.reach(before + target * SHORTEST / 5);
        let low = self.text.ceil_char_boundary(low).clamp(one, high);
        let aim = Aim {
            window: low..high,
            reach: one..high,
            start_tokens: before,
            target,
        };
        self.structural(&aim)
            .or_else(|| self.nearest_gap(&aim, Gap::Words))
            .or_else(|| self.nearest_gap(&aim, Gap::BesideNumber))
            .or_else(|| self.earlier(&aim))
            .or_else(|| self.nearest_gap(&aim, Gap::InNumber))
            .or_else(|| last_break_outside_numbers(self.text, aim.reach.clone()))
            .or_else(|| last_break(self.text, aim.reach.clone()))
            .unwrap_or(high)
    }

    /// The best boundary in the window, or the best end of a sentence where that is better.
    fn structural(&self, aim: &Aim) -> Option<usize> {
        let coarse = best(self.boundaries_in(&aim.window).map(|boundary| {
            let score = boundary.opening.worth() - self.waste(aim, boundary.at);
            (score, boundary.at)
        }));
        // No sentence scores more than it is worth.
        if let Some((score, at)) = coarse
            && score >= Opening::Sentence.worth()
        {
            return Some(at);
        }
        let fine = best(sentences(self.text, aim.window.clone()).map(|at| {
            let score = Opening::Sentence.worth() - self.waste(aim, at);
            (score, at)
        }));
        best(coarse.into_iter().chain(fine)).map(|(_, at)| at)
    }

    fn nearest_gap(&self, aim: &Aim, gap: Gap) -> Option<usize> {
        let places = gaps(self.text, aim.window.clone()).filter(|(_, found)| *found == gap);
        best(places.map(|(at, _)| (-self.waste(aim, at), at))).map(|(_, at)| at)
    }

    /// The last place before the window that is in no number.
    fn earlier(&self, aim: &Aim) -> Option<usize> {
        let earlier = aim.reach.start..aim.window.start;
        let coarse = self.boundaries_in(&earlier).last();
        let coarse = coarse.map(|boundary| boundary.at);
        let places = gaps(self.text, earlier).filter(|(_, gap)| *gap != Gap::InNumber);
        coarse.max(places.last().map(|(at, _)| at))
    }

    fn boundaries_in(&self, places: &Range<usize>) -> impl Iterator<Item = &Boundary> {
        let first = self
            .boundaries
            .partition_point(|boundary| boundary.at < places.start);
        let end = self
            .boundaries
            .partition_point(|boundary| boundary.at <= places.end);
        self.boundaries.get(first..end).unwrap_or_default().iter()
    }

    /// How far a part is from an equal share, in thousandths of it.
    fn waste(&self, aim: &Aim, at: usize) -> i64 {
        let size = self.measure.before(at).saturating_sub(aim.start_tokens);
        let thousandths = size.abs_diff(aim.target) * 1000 / aim.target.max(1);
        i64::try_from(thousandths).unwrap_or(i64::MAX)
    }
}

/// Of equals, the last.
fn best(places: impl IntoIterator<Item = (i64, usize)>) -> Option<(i64, usize)> {
    places.into_iter().max()
}
