/// A title, an article, or what else stands above the text that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    pub at: usize,
    /// Where a part begins that begins with it: at the head of its page, if that stands between.
    pub opens: usize,
    /// Whatever has a greater depth stands under it.
    pub depth: u8,
    pub label: String,
}

/// The name of an attachment is above all that is in it.
pub const ATTACHMENT_DEPTH: u8 = 0;
/// Of a document's own title; those that its format tells follow, and then those that only their
/// words tell.
pub const HEADING_DEPTH: u8 = 1;

/// Characters of a title that are shown.
const MAX_CHARS: usize = 80;

/// A line as a title is shown: without the marks of Markdown, and of one that the text goes on in
/// (`Article 3. – Le préfet …`), up to its number, which `number_end` is the end of.
pub fn label(line: &str, number_end: Option<usize>) -> String {
    let is_short = line.chars().nth(MAX_CHARS).is_none();
    let shown = match number_end {
        Some(end) if !is_short => line.get(..end).unwrap_or(line),
        _ => line,
    };
    let shown =
        shown.trim_matches(|mark: char| matches!(mark, '#' | '*' | '_') || mark.is_whitespace());
    shortened(shown)
}

/// A label with the line that says what the title is about.
pub fn with_subtitle(label: &str, subtitle: &str) -> String {
    shortened(&format!("{label} – {}", self::label(subtitle, None)))
}

/// Whole words, if there are several.
fn shortened(text: &str) -> String {
    // What would close the brackets around the titles, or look like the next one.
    let plain = text.chars().map(|character| match character {
        '[' => '(',
        ']' => ')',
        '›' => '>',
        '\n' => ' ',
        character => character,
    });
    let plain: String = plain.collect();
    let Some((limit, _)) = plain.char_indices().nth(MAX_CHARS) else {
        return plain;
    };
    let kept = plain.get(..limit).unwrap_or_default();
    let kept = kept.rsplit_once(' ').map_or(kept, |(words, _)| words);
    format!("{kept} …")
}
