//! What of a page's text a reader can see. The rest is counted, and left out: text that only a
//! machine reads is where instructions to machines hide.

use super::collector::Character;
use super::geometry::Area;
use crate::document::model::LeftOutKind;
use crate::document::writer::Writer;
use std::collections::HashSet;

/// No smaller font is meant to be read, in points.
const MIN_SIZE: f64 = 1.5;
/// Colors this near to what is behind them are not seen: the greatest difference of a channel.
const MIN_CONTRAST: f32 = 0.06;
/// How many backgrounds of a page are remembered, and how often all glyphs are looked at.
const MAX_FILLS: usize = 500;
const MAX_COVERINGS: usize = 2_000;

#[derive(Default)]
struct Hidden {
    invisible: u64,
    pale: u64,
    tiny: u64,
    outside: u64,
    covered: u64,
}

pub struct Visibility {
    page: Area,
    clips: Vec<Area>,
    opacities: Vec<f32>,
    /// Backgrounds, the latest last; none for pictures and patterns, of whose color nobody knows.
    fills: Vec<(Area, Option<[f32; 4]>)>,
    covered: HashSet<usize>,
    num_coverings: usize,
    hidden: Hidden,
}

impl Visibility {
    pub fn new(page: Area) -> Self {
        Self {
            page,
            clips: Vec::new(),
            opacities: Vec::new(),
            fills: Vec::new(),
            covered: HashSet::new(),
            num_coverings: 0,
            hidden: Hidden::default(),
        }
    }

    pub fn clip(&self) -> Area {
        self.clips.last().copied().unwrap_or(self.page)
    }

    pub fn push_clip(&mut self, area: Option<Area>) {
        let clip = self.clip();
        self.clips
            .push(area.map_or(clip, |area| clip.intersect(&area)));
    }

    pub fn pop_clip(&mut self) {
        self.clips.pop();
    }

    pub fn push_group(&mut self, opacity: f32) {
        let outer = self.opacities.last().copied().unwrap_or(1.0);
        self.opacities.push(outer * opacity);
    }

    pub fn pop_group(&mut self) {
        self.opacities.pop();
    }

    /// A box is painted; `is_plain` if it hides what is under it.
    pub fn fill(
        &mut self,
        area: Area,
        color: Option<[f32; 4]>,
        is_plain: bool,
        before: &[Character],
    ) {
        let area = area.intersect(&self.clip());
        let opacity =
            color.map_or(1.0, |color| color[3]) * self.opacities.last().copied().unwrap_or(1.0);
        if opacity < 0.3 {
            return;
        }
        if is_plain && opacity > 0.95 {
            self.cover(&area, before);
        }
        self.background(area, color);
    }

    pub fn picture(&mut self, area: Area, is_plain: bool, before: &[Character]) {
        if is_plain {
            self.cover(&area, before);
        }
        self.background(area, None);
    }

    fn background(&mut self, area: Area, color: Option<[f32; 4]>) {
        if self.fills.len() >= MAX_FILLS {
            self.fills.remove(0);
        }
        self.fills.push((area, color));
    }

    /// What was drawn before is under it now, as under the bars of a redaction.
    fn cover(&mut self, area: &Area, before: &[Character]) {
        self.num_coverings += 1;
        if self.num_coverings > MAX_COVERINGS {
            return;
        }
        for (index, character) in before.iter().enumerate() {
            let (x, y) = middle(character);
            if area.contains(x, y) && self.covered.insert(index) {
                self.hidden.covered += visible_chars(character);
            }
        }
    }

    pub fn is_covered(&self, index: usize) -> bool {
        self.covered.contains(&index)
    }

    /// Whether a reader sees a character; it is counted if not.
    pub fn shows(
        &mut self,
        character: &Character,
        color: Option<[f32; 4]>,
        is_invisible: bool,
    ) -> bool {
        let num_chars = visible_chars(character);
        let opacity =
            color.map_or(1.0, |color| color[3]) * self.opacities.last().copied().unwrap_or(1.0);
        let (x, y) = middle(character);
        let counter = if is_invisible || opacity < 0.05 {
            &mut self.hidden.invisible
        } else if character.size < MIN_SIZE {
            &mut self.hidden.tiny
        } else if !self.page.contains(x, y) || !self.clip().contains(x, y) {
            &mut self.hidden.outside
        } else if color.is_some_and(|color| !self.has_contrast(color, x, y)) {
            &mut self.hidden.pale
        } else {
            return true;
        };
        *counter += num_chars;
        false
    }

    fn has_contrast(&self, color: [f32; 4], x: f64, y: f64) -> bool {
        let behind = self
            .fills
            .iter()
            .rev()
            .find(|(area, _)| area.contains(x, y));
        let behind = match behind {
            Some((_, None)) => return true,
            Some((_, Some(behind))) => *behind,
            None => [1.0; 4],
        };
        color
            .iter()
            .zip(&behind)
            .take(3)
            .any(|(own, behind)| (own - behind).abs() > MIN_CONTRAST)
    }

    pub fn has_invisible(&self) -> bool {
        self.hidden.invisible + self.hidden.covered > 0
    }

    pub fn report(&self, writer: &mut Writer<'_>) {
        for (count, note) in [
            (self.hidden.invisible, "characters that are drawn invisibly"),
            (
                self.hidden.pale,
                "characters in the color of what is behind them",
            ),
            (self.hidden.tiny, "characters too small to be read"),
            (self.hidden.outside, "characters off the page"),
            (self.hidden.covered, "characters that something covers"),
        ] {
            writer.leave_out(LeftOutKind::HiddenText, count, note);
        }
    }
}

fn visible_chars(character: &Character) -> u64 {
    character
        .text
        .chars()
        .filter(|c| !c.is_whitespace())
        .count() as u64
}

/// Somewhere within the letter.
fn middle(character: &Character) -> (f64, f64) {
    let (dx, dy) = (
        character.end.x - character.start.x,
        character.end.y - character.start.y,
    );
    let length = dx.hypot(dy).max(0.01);
    // A third of the font's height above the baseline.
    let up = 0.3 * character.size;
    let x = character.start.x + dx / 2.0 + up * dy / length;
    (x, character.start.y + dy / 2.0 - up * dx / length)
}
