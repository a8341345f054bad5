//! PDF. A crate interprets the pages: fonts, encodings, colors, layers, encryption. What makes
//! text of the glyphs is ours: which of them a reader sees, lines, columns, tables, paragraphs.

mod catalog;
mod collector;
mod fragment;
mod furniture;
mod geometry;
mod gutter;
mod order;
mod paragraph;
mod region;
mod rules;
mod visibility;

use super::error::{DocumentError, Limit};
use super::format::{Format, unsupported};
use super::model::{BlockKind, LeftOutKind};
use super::normal::normalise;
use super::writer::Writer;
use collector::Collector;
use furniture::Habits;
use geometry::{Area, Fragment};
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError};
use hayro_interpret::hayro_syntax::{Pdf, page::Page};
use hayro_interpret::kurbo::{Affine, Rect};
use hayro_interpret::{Context, InterpreterCache, InterpreterSettings, interpret_page};
use order::Item;
use paragraph::{Paragraph, Shape, Vocabulary, paragraphs};
use std::collections::BTreeMap;
use visibility::Visibility;

/// Glyphs of one page that are read; a page of fine print has 10,000.
const MAX_GLYPHS: u64 = 400_000;

pub(super) fn read(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let pdf = open(bytes)?;
    let num_pages = pdf.pages().len() as u64;
    if num_pages > writer.limits.max_pages {
        return Err(DocumentError::TooManyPages {
            num_pages,
            max: writer.limits.max_pages,
        });
    }
    if num_pages == 0 {
        return Err(malformed("it has no pages"));
    }
    if catalog::is_dynamic_form(&pdf) {
        return Err(unsupported(
            "a dynamic XFA form, whose pages are drawn by a program",
            "print it to a PDF and send that",
        ));
    }
    writer.title = pdf
        .metadata()
        .title
        .as_deref()
        .and_then(catalog::decoded_bytes);
    let cache = InterpreterCache::new();
    let mut pages = Vec::new();
    for page in pdf.pages().iter() {
        pages.push(PageText::read(page, &pdf, &cache, writer)?);
    }
    let mut habits = Habits::default();
    let mut vocabulary = Vocabulary::default();
    let mut sizes: BTreeMap<i64, usize> = BTreeMap::new();
    for page in &pages {
        habits.observe(&page.items);
        for item in &page.items {
            match item {
                Item::Line(line) => {
                    vocabulary.add(line.text.trim_end_matches('-'));
                    *sizes.entry((line.size * 2.0).round() as i64).or_default() += line.text.len();
                }
                Item::Table(_, rows) => rows.iter().flatten().for_each(|cell| vocabulary.add(cell)),
                Item::Break => {}
            }
        }
    }
    let body = sizes
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or(0.0, |(size, _)| size as f64 / 2.0);
    let mut written = Vec::new();
    for mut page in pages {
        let (heads, feet) = habits.take(&mut page.items);
        let items = std::mem::take(&mut page.items);
        written.push((page, heads, feet, paragraphs(items, &vocabulary)));
    }
    let headings = Headings::of(
        written.iter().flat_map(|(_, _, _, paragraphs)| paragraphs),
        body,
    );
    for ((page, heads, feet, paragraphs), source) in written.iter().zip(pdf.pages().iter()) {
        writer.page(None)?;
        writer.block(BlockKind::Header, &heads.join("\n"))?;
        for paragraph in paragraphs {
            writer.block(headings.kind(paragraph, page.height), &paragraph.text)?;
        }
        catalog::fields(source, writer)?;
        writer.block(BlockKind::Footer, &feet.join("\n"))?;
        page.report(writer);
    }
    catalog::report(&pdf, writer);
    catalog::attachments(&pdf, writer)
}

fn open(bytes: &[u8]) -> Result<Pdf, DocumentError> {
    Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => DocumentError::Encrypted {
            format: Format::Pdf,
        },
        LoadPdfError::Decryption(_) => malformed("it is encrypted in a way that is not known here"),
        LoadPdfError::Invalid => malformed("its structure is damaged"),
    })
}

fn malformed(reason: &str) -> DocumentError {
    DocumentError::Malformed {
        format: Format::Pdf,
        reason: reason.to_owned(),
    }
}

/// What was found on one page.
struct PageText {
    items: Vec<Item>,
    height: f64,
    visibility: Visibility,
    num_pictures: u64,
    num_unknown: u64,
    is_unreadable: bool,
}

impl PageText {
    fn read<'a>(
        page: &Page<'a>,
        pdf: &'a Pdf,
        cache: &InterpreterCache<'a>,
        writer: &Writer<'_>,
    ) -> Result<Self, DocumentError> {
        let (width, height) = page.render_dimensions();
        let (width, height) = (f64::from(width), f64::from(height));
        let area = Area {
            x0: 0.0,
            y0: 0.0,
            x1: width,
            y1: height,
        };
        let max = writer.limits.max_nodes.min(MAX_GLYPHS);
        let mut collector = Collector::new(area, usize::try_from(max).unwrap_or(usize::MAX));
        let transform = Affine::new(page.initial_transform(true).as_coeffs());
        let bounds = Rect::new(0.0, 0.0, width, height);
        let mut context = Context::new(
            transform,
            bounds,
            cache,
            pdf.xref(),
            InterpreterSettings::default(),
        );
        interpret_page(page, &mut context, &mut collector);
        if collector.is_full {
            return Err(DocumentError::LimitExceeded {
                limit: Limit::Nodes,
                max,
            });
        }
        let characters = collector.seen();
        let num_seen: usize = characters
            .iter()
            .map(|character| character.text.trim().chars().count())
            .sum();
        let num_unknown = collector.num_unknown;
        // A stamp or a page's number on a scan does not make it readable.
        let is_scan = collector.picture_area > 0.6 * width * height && num_seen < 16;
        let shows_something = collector.num_pictures > 0
            || collector.num_paths > 20
            || collector.visibility.has_invisible();
        let is_unreadable = is_scan
            || (num_seen == 0 && shows_something)
            || (num_unknown > 20 && num_unknown * 4 > num_seen as u64);
        let [upright, down, over, up, aslant] =
            fragment::fragments(characters, width, height, &rules::borders(&collector.rules));
        let mut items = Vec::new();
        // A page that is laid on its side has all its text turned; a stamp in the margin comes last.
        let mut turned = [
            (upright, true),
            (down, false),
            (over, false),
            (up, false),
            (aslant, false),
        ];
        turned.sort_by_key(|(fragments, _)| {
            std::cmp::Reverse(fragments.iter().map(Fragment::num_chars).sum::<usize>())
        });
        for (mut fragments, is_upright) in turned {
            let tables = match is_upright {
                true => rules::take_tables(&collector.rules, &mut fragments),
                false => Vec::new(),
            };
            if !items.is_empty() && !fragments.is_empty() {
                items.push(Item::Break);
            }
            items.extend(order::order(fragments, tables));
        }
        Ok(Self {
            items,
            height,
            visibility: collector.visibility,
            num_pictures: collector.num_pictures,
            num_unknown,
            is_unreadable,
        })
    }

    fn report(&self, writer: &mut Writer<'_>) {
        self.visibility.report(writer);
        writer.leave_out(LeftOutKind::Image, self.num_pictures, "pictures");
        writer.leave_out(
            LeftOutKind::UnknownGlyphs,
            self.num_unknown,
            "characters that the file's fonts do not name",
        );
        if self.is_unreadable {
            writer.mark_unreadable(match self.visibility.has_invisible() {
                true => "a picture over text that nobody sees, as scanners add it: what it says is not checked against the picture",
                false => "no text can be read from what it shows",
            });
        }
    }
}

/// Which sizes of type are headings, the largest first.
struct Headings {
    sizes: Vec<i64>,
    body: f64,
}

impl Headings {
    fn of<'a>(paragraphs: impl Iterator<Item = &'a Paragraph>, body: f64) -> Self {
        let mut sizes: Vec<i64> = paragraphs
            .filter(|paragraph| is_heading(paragraph, body))
            .map(|paragraph| half_points(paragraph.size))
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes.reverse();
        Self { sizes, body }
    }

    fn kind(&self, paragraph: &Paragraph, page_height: f64) -> BlockKind {
        if paragraph.shape == Shape::Table {
            return BlockKind::Table;
        }
        if is_heading(paragraph, self.body) {
            let rank = self
                .sizes
                .iter()
                .position(|size| *size == half_points(paragraph.size))
                .unwrap_or(0);
            return BlockKind::Heading {
                level: u8::try_from(rank + 1).unwrap_or(9).min(9),
            };
        }
        let is_note = paragraph.size < 0.95 * self.body
            && paragraph.area.y0 > 0.4 * page_height
            && is_note_mark(
                paragraph
                    .text
                    .split([' ', '\u{a0}'])
                    .next()
                    .unwrap_or_default(),
            );
        match (is_note, paragraph.shape) {
            (true, _) => BlockKind::Footnote,
            (false, Shape::Item) => BlockKind::ListItem,
            (false, _) => BlockKind::Paragraph,
        }
    }
}

/// `¹`, `12` or `*` before a note.
fn is_note_mark(word: &str) -> bool {
    let raised = |c: char| "⁰¹²³⁴⁵⁶⁷⁸⁹*†".contains(c);
    word.starts_with(raised)
        || (word.len() <= 3 && !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()))
}

fn is_heading(paragraph: &Paragraph, body: f64) -> bool {
    paragraph.shape != Shape::Table
        && paragraph.size > 1.12 * body
        && normalise(&paragraph.text).text.len() < 200
}

fn half_points(size: f64) -> i64 {
    (size * 2.0).round() as i64
}
