//! Takes down what a page shows: its glyphs in the order of the file, and the lines, fills and
//! pictures around them.

use super::geometry::Area;
use super::visibility::Visibility;
use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::kurbo::{Affine, BezPath, ParamCurve as _, Point, Shape as _};
use hayro_interpret::{
    BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, Paint, SoftMask,
};

/// A line or a thin box is a rule; what is thicker is a fill.
const MAX_RULE: f64 = 2.5;
const MAX_RULES: usize = 5_000;

/// What one glyph says, and where.
pub struct Character {
    pub text: String,
    /// Where it begins, and where the next one would.
    pub start: Point,
    pub end: Point,
    /// The height of its font, in points.
    pub size: f64,
    /// In quarters of a turn: 0 as one reads, 1 downwards, 2 upside down, 3 upwards; 4 is aslant.
    pub turn: u8,
}

pub struct Collector {
    pub characters: Vec<Character>,
    pub rules: Vec<Area>,
    pub visibility: Visibility,
    /// Points squared that pictures cover.
    pub picture_area: f64,
    pub num_pictures: u64,
    pub num_paths: u64,
    pub num_unknown: u64,
    /// More glyphs than are read of one page.
    pub is_full: bool,
    max_characters: usize,
}

impl Collector {
    pub fn new(page: Area, max_characters: usize) -> Self {
        Self {
            characters: Vec::new(),
            rules: Vec::new(),
            visibility: Visibility::new(page),
            picture_area: 0.0,
            num_pictures: 0,
            num_paths: 0,
            num_unknown: 0,
            is_full: false,
            max_characters,
        }
    }

    /// The characters that a reader sees.
    pub fn seen(&mut self) -> Vec<Character> {
        let characters = std::mem::take(&mut self.characters);
        let visibility = &self.visibility;
        let all = characters.into_iter().enumerate();
        all.filter(|(index, _)| !visibility.is_covered(*index))
            .map(|(_, character)| character)
            .collect()
    }

    fn glyph(&mut self, glyph: &Glyph<'_>, transform: Affine) -> Option<Character> {
        let start = transform * Point::ZERO;
        let up = transform * Point::new(0.0, 1000.0) - start;
        let width = match glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(drawn) => drawn.advance_width(),
        };
        let end = transform * Point::new(f64::from(width.unwrap_or(500.0)), 0.0);
        let along = transform * Point::new(1000.0, 0.0) - start;
        let (long, short) = (
            along.x.abs().max(along.y.abs()),
            along.x.abs().min(along.y.abs()),
        );
        let turn = match (
            along.x.abs() >= along.y.abs(),
            along.x >= 0.0,
            along.y >= 0.0,
        ) {
            (true, true, _) => 0,
            (false, _, true) => 1,
            (true, false, _) => 2,
            (false, _, false) => 3,
        };
        let turn = if short > 0.1 * long { 4 } else { turn };
        let text = match glyph.as_unicode() {
            Some(BfString::Char(c)) => c.to_string(),
            Some(BfString::String(text)) => text,
            None => String::new(),
        };
        let is_known = !text.is_empty()
            && !text
                .chars()
                .all(|c| matches!(c, '\u{e000}'..='\u{f8ff}' | '\0'..='\u{8}'));
        let size = up.hypot();
        if !(size.is_finite()
            && start.x.is_finite()
            && start.y.is_finite()
            && end.x.is_finite()
            && end.y.is_finite())
        {
            return None;
        }
        if !is_known {
            self.num_unknown += 1;
        }
        Some(Character {
            text: if is_known {
                text
            } else {
                char::REPLACEMENT_CHARACTER.to_string()
            },
            start,
            end,
            size,
            turn,
        })
    }

    fn add_rule(&mut self, area: Area) {
        if self.rules.len() < MAX_RULES {
            self.rules.push(area);
        }
    }

    /// A box's edges, if they are drawn.
    fn add_edges(&mut self, area: Area) {
        let Area { x0, y0, x1, y1 } = area;
        for edge in [
            Area { y1: y0, ..area },
            Area { y0: y1, ..area },
            Area { x1: x0, ..area },
            Area { x0: x1, ..area },
        ] {
            self.add_rule(edge);
        }
        debug_assert!(x0 <= x1 && y0 <= y1, "boxes are upright");
    }
}

impl<'a> Device<'a> for Collector {
    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, mode: &DrawMode) {
        self.num_paths += 1;
        let path = props.transform * path.clone();
        let Some(area) = area_of(&path) else { return };
        let is_box =
            path.elements().len() <= 6 && path.segments().count() <= 5 && is_upright(&path);
        if area.height() <= MAX_RULE || area.width() <= MAX_RULE {
            self.add_rule(area);
        } else if is_box {
            match mode {
                DrawMode::Fill(_) | DrawMode::FillAndStroke(..) => {
                    let color = color_of(&props.paint);
                    let is_plain =
                        props.soft_mask.is_none() && props.blend_mode == BlendMode::Normal;
                    self.visibility
                        .fill(area, color, is_plain, &self.characters);
                    self.add_edges(area);
                }
                DrawMode::Stroke(_) => self.add_edges(area),
                DrawMode::Invisible => {}
            }
        }
    }

    fn push_clip_path(&mut self, clip: &ClipPath) {
        self.visibility.push_clip(area_of(&clip.path));
    }

    fn pop_clip(&mut self) {
        self.visibility.pop_clip();
    }

    fn push_transparency_group(&mut self, opacity: f32, mask: Option<SoftMask<'a>>, _: BlendMode) {
        self.visibility
            .push_group(if mask.is_some() { 1.0 } else { opacity });
    }

    fn pop_transparency_group(&mut self) {
        self.visibility.pop_group();
    }

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, mode: &DrawMode) {
        let color = color_of(&props.paint);
        let is_invisible = matches!(mode, DrawMode::Invisible);
        // Text that is filled and stroked comes twice.
        if matches!(mode, DrawMode::Stroke(_)) && self.is_repeated(run, props.transform) {
            return;
        }
        for glyph in run.glyphs() {
            if self.characters.len() >= self.max_characters {
                self.is_full = true;
                return;
            }
            let Some(character) = self.glyph(glyph, props.transform * glyph.transform()) else {
                continue;
            };
            if self.visibility.shows(&character, color, is_invisible) {
                self.characters.push(character);
            }
        }
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
            .map(|(x, y)| props.transform * Point::new(x, y));
        let area = corners
            .iter()
            .skip(1)
            .fold(at(corners[0]), |area, corner| area.union(&at(*corner)));
        let area = area.intersect(&self.visibility.clip());
        if !(area.width() > 1.0 && area.height() > 1.0) {
            return;
        }
        self.num_pictures += 1;
        self.picture_area += area.width() * area.height();
        let is_opaque = match &image {
            Image::Raster(raster) => {
                let keys = raster.stream().dict();
                !keys.contains_key(b"SMask") && !keys.contains_key(b"Mask")
            }
            Image::Stencil(_) => false,
        };
        let is_plain =
            is_opaque && props.soft_mask.is_none() && props.blend_mode == BlendMode::Normal;
        self.visibility.picture(area, is_plain, &self.characters);
    }
}

impl Collector {
    fn is_repeated(&self, run: &GlyphRun<'_, '_>, transform: Affine) -> bool {
        let first = run
            .glyphs()
            .first()
            .map(|glyph| transform * glyph.transform() * Point::ZERO);
        let before = self
            .characters
            .len()
            .checked_sub(run.glyphs().len())
            .and_then(|index| self.characters.get(index));
        matches!((first, before), (Some(first), Some(before)) if (first - before.start).hypot() < 0.01)
    }
}

/// The color, with how opaque it is; none for patterns.
fn color_of(paint: &Paint<'_>) -> Option<[f32; 4]> {
    match paint {
        Paint::Color(color) => Some(color.to_rgba().components()),
        Paint::Pattern(_) => None,
    }
}

fn at(point: Point) -> Area {
    Area {
        x0: point.x,
        y0: point.y,
        x1: point.x,
        y1: point.y,
    }
}

fn area_of(path: &BezPath) -> Option<Area> {
    let bounds = path.bounding_box();
    let area = Area {
        x0: bounds.x0,
        y0: bounds.y0,
        x1: bounds.x1,
        y1: bounds.y1,
    };
    (area.x0.is_finite() && area.x1.is_finite() && area.y0.is_finite() && area.y1.is_finite())
        .then_some(area)
}

/// Whether all sides go straight along or across the page.
fn is_upright(path: &BezPath) -> bool {
    path.segments().all(|segment| {
        let (from, to) = (segment.start(), segment.end());
        (from.x - to.x).abs() < 0.1 || (from.y - to.y).abs() < 0.1
    })
}
