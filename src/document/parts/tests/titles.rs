use super::made::{Footer, Footnote, Header, Heading, Maker, Paragraph, filler};
use super::{parts, texts};
use crate::document::Document;

/// The titles above the part that holds some words, and with what that part begins.
fn above(document: &Document, max_tokens: usize, words: &str) -> Vec<String> {
    let at = document.text.find(words).expect("words of the document");
    let parts = parts(document, max_tokens);
    let part = parts.iter().find(|part| part.range.contains(&at));
    part.expect("parts that cover the document").titles.clone()
}

#[test]
fn a_part_tells_the_titles_above_it_but_not_those_it_begins_with() {
    let long = [filler(0); 4].join(" ");
    let document = Maker::default()
        .plain("TITRE II\nDispositions générales\n\nChapitre Ier\n\nDes communes\n\nArticle 11")
        .block(Paragraph, &long)
        .block(Paragraph, "Article 12")
        .block(Paragraph, &long)
        .block(Paragraph, &format!("{long} Ici la fin."))
        .done();
    let division = [
        "TITRE II – Dispositions générales",
        "Chapitre Ier – Des communes",
    ];
    assert_eq!(
        above(&document, 320, "Ici la fin"),
        [&division[..], &["Article 12"]].concat()
    );
    assert_eq!(above(&document, 400, "Article 12"), division);
}

#[test]
fn a_title_ends_those_beside_and_below_it() {
    let document = Maker::default()
        .block(Heading { level: 1 }, "Erster Teil")
        .block(Heading { level: 2 }, "Verfahren")
        .block(Paragraph, filler(1))
        .plain("§ 3 Frist")
        .block(Paragraph, filler(1))
        .block(Heading { level: 1 }, "Zweiter Teil")
        .block(Paragraph, filler(1))
        .block(Paragraph, &format!("{} Zuletzt.", filler(1)))
        .done();
    assert_eq!(above(&document, 100, "Zuletzt"), ["Zweiter Teil"]);
}

#[test]
fn a_title_in_the_middle_of_a_block_of_lines_is_found() {
    let lines = format!(
        "Article 1\n{0}\nArticle 2\n{0}\n{0}\nArticle 12 du code s'applique.",
        filler(0)
    );
    let document = Maker::default().block(Paragraph, &lines).done();
    let parts = texts(&document, 150);
    assert!(
        parts.iter().any(|part| part.starts_with("Article 2\n")),
        "{parts:#?}"
    );
    assert_eq!(above(&document, 150, "du code"), ["Article 2"]);
}

#[test]
fn a_line_in_the_middle_of_a_sentence_is_no_title() {
    let lines = format!(
        "{0}\nLa décision est prise selon l'\nArticle 7 (nouveau) du code et\n2. La fin. {0}\n{0} Ici.",
        filler(0)
    );
    let document = Maker::default()
        .block(Heading { level: 1 }, "Livre premier")
        .block(Paragraph, &lines)
        .done();
    assert_eq!(above(&document, 100, "Ici."), ["Livre premier"]);
    let parts = texts(&document, 100);
    assert!(
        !parts.iter().any(|part| part.starts_with("Article")),
        "{parts:#?}"
    );
}

#[test]
fn numbered_lines_are_titles_alone_and_items_in_a_row() {
    let document = Maker::default()
        .plain(&format!(
            "1. Ausgangslage\n\n{0}\n\n1.1 Anlass\n\n{0}\n\n{0} Hier.",
            filler(1)
        ))
        .plain("2. Mitzubringen sind:\n\n1. Brot\n\n2. Wasser\n\n3. Salz")
        .plain(&format!("{0}\n\n{0} Dort.", filler(1)))
        .done();
    assert_eq!(
        above(&document, 100, "Hier."),
        ["1. Ausgangslage", "1.1 Anlass"]
    );
    let dort = above(&document, 100, "Dort.");
    assert!(
        !dort
            .iter()
            .any(|title| title.contains("Brot") || title.contains("Wasser")),
        "{dort:?}"
    );
}

#[test]
fn heads_and_feet_of_pages_are_no_titles_and_stay_with_their_pages() {
    let mut made = Maker::default();
    for page in 1..=6 {
        made = made.page().block(Header, "Article 99");
        if page % 2 == 1 {
            made = made.block(Paragraph, &format!("Article {page}"));
        }
        made = made
            .block(Paragraph, filler(page))
            .block(Footnote, "1 Voir plus haut.")
            .block(Footer, &format!("Page {page}"));
    }
    let document = made.done();
    for part in parts(&document, 130) {
        let text = document.slice(&part.range);
        assert!(
            !part.titles.iter().any(|title| title.contains("99")),
            "{part:?}"
        );
        assert!(
            !text.starts_with("Page") && !text.ends_with("Article 99"),
            "{text}"
        );
        assert!(!text.starts_with("1 Voir"), "{text}");
    }
    let first = texts(&document, 130);
    assert!(
        first
            .iter()
            .any(|text| text.starts_with("Article 99\n\nArticle 3")),
        "{first:#?}"
    );
}

#[test]
fn an_entry_of_a_table_of_contents_stands_above_nothing() {
    let document = Maker::default()
        .plain("Titre Ier – Des communes ........ 3\n\nTitre II – Des régions ........ 17")
        .plain(&format!("{0}\n\n{0} Fin.", filler(0)))
        .done();
    assert_eq!(above(&document, 100, "Fin."), Vec::<String>::new());
}

#[test]
fn a_heading_that_names_nothing_stands_above_nothing() {
    let document = Maker::default()
        .block(Heading { level: 1 }, "Gebühren")
        .block(Heading { level: 1 }, "18")
        .block(Heading { level: 1 }, "§ 4")
        .plain(&format!("{0}\n\n{0} Schluss.", filler(1)))
        .done();
    assert_eq!(above(&document, 100, "Schluss."), ["§ 4"]);
}

#[test]
fn long_titles_are_shortened_and_take_a_quarter_of_the_part_at_most() {
    let mut made = Maker::default();
    for level in 1..=9 {
        made = made.block(Heading { level }, &format!("{level} {}", filler(0)));
    }
    let document = made.plain(&[filler(0); 12].join("\n\n")).done();
    let parts = parts(&document, 120);
    let last = &parts[parts.len() - 1];
    assert!(!last.titles.is_empty() && last.titles.len() < 9);
    assert!(last.titles.iter().all(|title| title.chars().count() <= 82));
    assert!(last.titles[last.titles.len() - 1].starts_with('9'));
}

#[test]
fn what_is_shown_is_the_titles_and_then_the_text_itself() {
    let document = Maker::default()
        .block(Heading { level: 1 }, "Livre [premier]")
        .plain(&[filler(0); 4].join("\n\n"))
        .done();
    let parts = parts(&document, 120);
    let last = &parts[parts.len() - 1];
    let text = document.slice(&last.range);
    assert_eq!(
        last.shown(&document),
        format!("[Livre (premier)]\n\n{text}")
    );
}
