//! Characters become words and fragments of lines.

use super::collector::Character;
use super::geometry::{Area, Fragment};
use crate::document::office::superscript;

/// In heights of the font: a gap that parts words, and one that parts fragments.
const WORD_GAP: f64 = 0.14;
const FRAGMENT_GAP: f64 = 1.1;
/// How far characters of one line may stand above or below one another.
const SAME_LINE: f64 = 0.2;

/// Fragments by how their text is turned, each turned as one reads it: in quarters of a turn, and
/// aslant at last. `width` and `height` are the page's; `borders` are lines from top to bottom,
/// across which no fragment goes.
pub fn fragments(
    characters: Vec<Character>,
    width: f64,
    height: f64,
    borders: &[Area],
) -> [Vec<Fragment>; 5] {
    let mut turned: [Vec<Fragment>; 5] = Default::default();
    let mut last = [false; 5];
    let mut previous_turn = None;
    // How far text that stands aslant has come.
    let mut slant = 0.0;
    for character in characters {
        let turn = usize::from(character.turn).min(4);
        let list = &mut turned[turn];
        let upright = |x: f64, y: f64| match turn {
            0 => (x, y),
            1 => (y, width - x),
            2 => (width - x, height - y),
            3 => (height - y, x),
            // Aslant, as stamps and watermarks are: letter by letter, in the order of the file.
            _ => (slant, 0.0),
        };
        let (x0, baseline) = upright(character.start.x, character.start.y);
        let (mut x1, _) = upright(character.end.x, character.end.y);
        if turn == 4 {
            let length =
                (character.end.x - character.start.x).hypot(character.end.y - character.start.y);
            slant += length;
            x1 = x0 + length;
        }
        if character.text.trim().is_empty() {
            // A space ends the word, and where the next one stands says how far away it is.
            if let Some(fragment) = list.last_mut()
                && last[turn]
                && !fragment.text.ends_with(' ')
            {
                fragment.text.push(' ');
            }
            continue;
        }
        let goes_on = last[turn] && previous_turn == Some(turn);
        previous_turn = Some(turn);
        last[turn] = true;
        let size = character.size;
        if goes_on
            && let Some(fragment) = list.last_mut()
            && continues(fragment, x0, baseline, size)
            && !(turn == 0 && is_parted(fragment.x1, x0, baseline, borders))
        {
            if is_doubled(fragment, &character.text, x0, x1) {
                continue;
            }
            extend(fragment, &character.text, x0, x1, baseline, size);
            continue;
        }
        list.push(Fragment {
            text: character.text,
            x0,
            x1: x1.max(x0),
            baseline,
            size,
        });
    }
    for (turn, list) in turned.iter_mut().enumerate() {
        let whole = std::mem::take(list);
        *list = joined(raised(whole), if turn == 0 { borders } else { &[] });
    }
    turned
}

/// Whether a line stands between two places on a baseline.
fn is_parted(from: f64, to: f64, baseline: f64, borders: &[Area]) -> bool {
    let is_between = |border: &Area| {
        let x = (border.x0 + border.x1) / 2.0;
        (from - 1.0..to + 1.0).contains(&x)
            && (border.y0 - 1.0..border.y1 + 1.0).contains(&baseline)
    };
    to > from && borders.iter().any(is_between)
}

fn continues(fragment: &Fragment, x0: f64, baseline: f64, size: f64) -> bool {
    let larger = size.max(fragment.size);
    let gap = x0 - fragment.x1;
    let shift = (baseline - fragment.baseline).abs();
    let is_alike = shift < SAME_LINE * larger && (size - fragment.size).abs() < 0.25 * larger;
    // Raised and lowered letters stand close to the others, and are not much smaller.
    let is_attached = shift < 0.55 * larger
        && gap.abs() < 0.35 * larger
        && size.min(fragment.size) > 0.45 * larger;
    gap > -0.5 * larger && gap < FRAGMENT_GAP * larger && (is_alike || is_attached)
}

/// Adds a character to the fragment that it continues.
fn extend(fragment: &mut Fragment, text: &str, x0: f64, x1: f64, baseline: f64, size: f64) {
    let rise = fragment.baseline - baseline;
    let is_digit = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if x0 - fragment.x1 > WORD_GAP * size.max(fragment.size) && !fragment.text.ends_with(' ') {
        fragment.text.push(' ');
    }
    if size < 0.85 * fragment.size && rise > 0.15 * fragment.size && is_digit(text) {
        fragment.text.push_str(&superscript(text));
    } else {
        // What came first was small: it hangs on this one.
        if size > 1.15 * fragment.size {
            if -rise > 0.15 * size && is_digit(fragment.text.trim()) {
                fragment.text = superscript(fragment.text.trim());
            }
            fragment.baseline = baseline;
            fragment.size = size;
        }
        push_letter(fragment, text, x0);
    }
    fragment.x1 = fragment.x1.max(x1);
}

/// Accents as older TeX prints them, by themselves and over the letter, and as Unicode has them
/// after it.
const ACCENTS: [(char, char); 9] = [
    ('`', '\u{300}'),
    ('´', '\u{301}'),
    ('ˆ', '\u{302}'),
    ('˜', '\u{303}'),
    ('¨', '\u{308}'),
    ('˚', '\u{30a}'),
    ('ˇ', '\u{30c}'),
    ('¸', '\u{327}'),
    ('˝', '\u{30b}'),
];

/// Adds a letter, with the accent that has been printed over it before, or after.
fn push_letter(fragment: &mut Fragment, text: &str, x0: f64) {
    let combining = |c: char| {
        ACCENTS
            .iter()
            .find(|(own, _)| *own == c)
            .map(|(_, combining)| *combining)
    };
    let overlaps = x0 < fragment.x1 - 0.1 * fragment.size;
    let before = fragment.text.chars().next_back();
    let (first, mut rest) = {
        let mut chars = text.chars();
        (chars.next(), chars)
    };
    match (before.and_then(combining), first) {
        (Some(accent), Some(letter)) if overlaps && letter.is_alphabetic() => {
            fragment.text.pop();
            // Over an accent the letter i has no dot.
            fragment.text.push(if letter == 'ı' { 'i' } else { letter });
            fragment.text.push(accent);
            fragment.text.push_str(rest.as_str());
            return;
        }
        _ => {}
    }
    if let (Some(accent), true, None) = (first.and_then(combining), overlaps, rest.next())
        && before.is_some_and(char::is_alphabetic)
    {
        fragment.text.push(accent);
        return;
    }
    fragment.text.push_str(text);
}

/// Bold type is faked now and then by printing a letter twice.
fn is_doubled(fragment: &Fragment, text: &str, x0: f64, x1: f64) -> bool {
    let width = x1 - x0;
    width > 0.0 && fragment.text.ends_with(text) && (fragment.x1 - x1).abs() < 0.15 * width
}

/// Small numbers that stand high beside a word are raised: the numbers of notes, and exponents.
fn raised(mut fragments: Vec<Fragment>) -> Vec<Fragment> {
    for index in 0..fragments.len() {
        let Some(small) = fragments.get(index) else {
            continue;
        };
        let is_number = !small.text.trim().is_empty()
            && small.text.trim().chars().all(|c| c.is_ascii_digit())
            && small.text.trim().len() <= 3;
        if !is_number {
            continue;
        }
        let near = |other: &Fragment| {
            let rise = other.baseline - small.baseline;
            small.size < 0.85 * other.size
                && (0.15 * other.size..0.7 * other.size).contains(&rise)
                && small.x0 < other.x1 + 0.6 * other.size
                && small.x1 > other.x0 - 0.6 * other.size
        };
        let neighbours = [index.checked_sub(1), index.checked_add(1)]
            .into_iter()
            .flatten();
        let found = neighbours
            .filter_map(|other| fragments.get(other))
            .find(|other| near(other));
        let (baseline, size) = match found {
            Some(other) => (other.baseline, other.size),
            None => continue,
        };
        if let Some(small) = fragments.get_mut(index) {
            small.text = superscript(small.text.trim());
            small.baseline = baseline;
            small.size = size;
        }
    }
    fragments
}

/// Joins fragments of one line that stand side by side, in whatever order they came.
fn joined(mut fragments: Vec<Fragment>, borders: &[Area]) -> Vec<Fragment> {
    let order = |a: &Fragment, b: &Fragment| {
        a.baseline
            .total_cmp(&b.baseline)
            .then(a.x0.total_cmp(&b.x0))
    };
    fragments.sort_by(order);
    // Baselines that are nearly the same become the same, so that sorting puts a line together.
    let mut line: Option<(f64, f64)> = None;
    for fragment in &mut fragments {
        match line {
            Some((baseline, size))
                if (fragment.baseline - baseline).abs() < SAME_LINE * size.min(fragment.size) =>
            {
                fragment.baseline = baseline;
            }
            _ => line = Some((fragment.baseline, fragment.size)),
        }
    }
    fragments.sort_by(order);
    let mut lines: Vec<Fragment> = Vec::new();
    for fragment in fragments {
        if let Some(last) = lines.last_mut() {
            let larger = last.size.max(fragment.size);
            let gap = fragment.x0 - last.x1;
            let is_one = last.baseline == fragment.baseline
                && gap > -0.6 * larger
                && gap < FRAGMENT_GAP * larger
                && !is_parted(last.x1, fragment.x0, fragment.baseline, borders);
            if is_one {
                let is_apart = gap > WORD_GAP * larger || fragment.text.starts_with(' ');
                if is_apart && !last.text.ends_with(' ') {
                    last.text.push(' ');
                }
                last.text.push_str(&fragment.text);
                last.x1 = last.x1.max(fragment.x1);
                last.size = last.size.max(fragment.size);
                continue;
            }
        }
        lines.push(fragment);
    }
    for fragment in &mut lines {
        fragment.text = without_leaders(fragment.text.trim());
    }
    lines.retain(|fragment| !fragment.text.is_empty());
    lines
}

/// Dots that lead the eye to a page's number become one character.
fn without_leaders(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut dots = String::new();
    for c in text.chars().chain(['\0']) {
        if c == '.' || (c == ' ' && !dots.is_empty()) {
            dots.push(c);
            continue;
        }
        match dots.matches('.').count() {
            0..=3 => plain.push_str(&dots),
            _ => plain.push_str(" … "),
        }
        dots.clear();
        if c != '\0' {
            plain.push(c);
        }
    }
    plain.trim().to_owned()
}
