//! Documents as readers make them: pages, blocks, and a text that they are ranges of.

use crate::document::{Block, BlockKind, Document, Format, Page};

pub use BlockKind::{Footer, Footnote, Header, Heading, ListItem, Paragraph, Table};

#[derive(Default)]
pub struct Maker {
    text: String,
    pages: Vec<Page>,
    blocks: Vec<Block>,
}

impl Maker {
    pub fn page(mut self) -> Self {
        self.end_page();
        let start = self.next_start();
        self.pages.push(Page {
            number: self.pages.len() as u32 + 1,
            name: None,
            range: start..start,
            is_unreadable: false,
        });
        self
    }

    pub fn block(mut self, kind: BlockKind, text: &str) -> Self {
        if self.pages.is_empty() {
            self = self.page();
        }
        let start = self.next_start();
        if start > self.text.len() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
        self.blocks.push(Block {
            kind,
            page: self.pages.len() as u32,
            range: start..self.text.len(),
        });
        self
    }

    /// A paragraph for each piece between empty lines, as a plain text is read.
    pub fn plain(self, text: &str) -> Self {
        text.split("\n\n")
            .fold(self, |made, paragraph| made.block(Paragraph, paragraph))
    }

    pub fn done(mut self) -> Document {
        if self.pages.is_empty() {
            self = self.page();
        }
        self.end_page();
        Document {
            format: Format::Pdf,
            title: None,
            pages: self.pages,
            blocks: self.blocks,
            text_sha256: String::new(),
            left_out: Vec::new(),
            attachments: Vec::new(),
            text: self.text,
        }
    }

    fn end_page(&mut self) {
        if let Some(page) = self.pages.last_mut() {
            page.range.start = page.range.start.min(self.text.len());
            page.range.end = self.text.len();
        }
    }

    fn next_start(&self) -> usize {
        match self.text.is_empty() {
            true => 0,
            false => self.text.len() + 2,
        }
    }
}

const FRENCH: &str = "Le préfet arrête la liste des communes concernées par la présente mesure. \
    Les agents mentionnés à l'art. 3 perçoivent une indemnité de 1 234,56 € versée le 12 mars 2026. \
    M. Dupont, chef du bureau n° 12, est chargé de l'exécution du présent arrêté.";
const GERMAN: &str = "Die zuständige Behörde entscheidet über den Antrag innerhalb von drei Monaten. \
    Nach § 35 Abs. 2 VwVfG gilt z. B. die Frist vom 3. März 2026 als gewahrt. \
    Der Betrag von 1.234,56 Euro ist bis zum 12. Januar an die Kasse zu zahlen.";
const ENGLISH: &str = "The chair opened the meeting at 10.30 am and welcomed Dr. Smith of the agency. \
    Members noted that expenditure had risen by 4.5 % to £1,234.56 since 12 March 2026. \
    It was agreed that the report would be published, i.e. sent to all councils.";

pub fn filler(number: usize) -> &'static str {
    [FRENCH, GERMAN, ENGLISH][number % 3]
}

/// A code: titles, chapters and articles, told by their words alone.
pub fn code_of_articles(num_articles: usize) -> Document {
    let mut made = Maker::default().page();
    for number in 1..=num_articles {
        if number % 40 == 1 {
            let title = ["I", "II", "III", "IV", "V", "VI"][number / 40 % 6];
            made = made.block(Paragraph, &format!("TITRE {title}\nDispositions générales"));
        }
        if number % 10 == 1 {
            let chapter = number / 10 % 4 + 1;
            made = made.block(Paragraph, &format!("Chapitre {chapter} – Des communes"));
        }
        made = made.block(Paragraph, &format!("Article {number}"));
        for _ in 0..1 + number % 3 {
            made = made.block(Paragraph, FRENCH);
        }
        if number % 5 == 0 {
            made = made.page();
        }
    }
    made.done()
}

/// A decree: sections and numbered paragraphs.
pub fn decree(num_sections: usize) -> Document {
    let mut made = Maker::default().page();
    for number in 1..=num_sections {
        if number % 8 == 1 {
            made = made.plain(&format!(
                "Abschnitt {}\n\nVerfahren der Behörde",
                number / 8 + 1
            ));
        }
        made = made.block(Paragraph, &format!("§ {number} Frist und Form"));
        for paragraph in 1..=1 + number % 4 {
            made = made.block(Paragraph, &format!("({paragraph}) {GERMAN}"));
        }
        made = made
            .block(ListItem, "1. die Anschrift,")
            .block(ListItem, "2. das Geburtsdatum vom 1. Mai 1980.");
        if number % 6 == 0 {
            made = made.page();
        }
    }
    made.done()
}

pub fn minutes(num_items: usize) -> Document {
    let mut made = Maker::default().page();
    made = made.block(Heading { level: 0 }, "Minutes of the council");
    for number in 1..=num_items {
        made = made
            .block(Heading { level: 1 }, &format!("Item {number}"))
            .block(Paragraph, ENGLISH)
            .block(Paragraph, "The council resolved:")
            .block(ListItem, "- to publish the report;")
            .block(ListItem, "- to inform all members.")
            .block(Footnote, "1 See the minutes of 3 May 2025.");
        if number % 3 == 0 {
            made = made.page();
        }
    }
    made.done()
}

pub fn table(num_rows: usize) -> Document {
    let mut rows = String::from("| Commune | Montant | Date |\n|---|---|---|\n");
    for row in 0..num_rows {
        rows += &format!(
            "| Commune {row} | {} 234,56 € | {}.03.2026 |\n",
            row % 90 + 1,
            row % 28 + 1
        );
    }
    Maker::default()
        .block(Heading { level: 1 }, "Subventions")
        .block(Table, rows.trim_end())
        .done()
}

/// The word on page 287 of [`three_hundred_pages`].
pub const PLANTED: &str = "palimpseste";

/// About a megabyte, with heads, feet and some empty pages.
pub fn three_hundred_pages() -> Document {
    let mut made = Maker::default();
    for page in 1..=300 {
        made = made.page();
        if page % 50 == 13 {
            continue;
        }
        made = made.block(Header, "Code des communes – Recueil annuel");
        if page % 12 == 1 {
            made = made.block(Heading { level: 1 }, &format!("Livre {}", page / 12 + 1));
        }
        for number in 0..4 {
            made = made.block(Paragraph, &format!("Article {page}-{number}"));
            for paragraph in 0..3 {
                made = made.block(Paragraph, filler(page + number + paragraph));
            }
        }
        if page == 287 {
            made = made.block(
                Paragraph,
                &format!("Le {PLANTED} est conservé aux archives."),
            );
        }
        made = made.block(Footer, &format!("Page {page} / 300"));
    }
    made.done()
}
