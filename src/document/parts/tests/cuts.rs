use super::made::{self, Heading, ListItem, Maker, Paragraph, Table, filler};
use super::{count, parts, texts};
use crate::document::parts::fit;

#[test]
fn a_document_that_fits_is_one_part() {
    let document = Maker::default()
        .page()
        .block(Paragraph, filler(0))
        .page()
        .done();
    let parts = parts(&document, 2000);
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].range, 0..document.text.len());
    assert_eq!((parts[0].pages.first, parts[0].pages.last), (1, 2));
}

#[test]
fn a_document_without_text_is_one_empty_part_of_all_its_pages() {
    let document = Maker::default().page().page().page().done();
    let parts = parts(&document, 100);
    assert_eq!(parts.len(), 1);
    assert!(parts[0].range.is_empty());
    assert_eq!((parts[0].pages.first, parts[0].pages.last), (1, 3));
}

#[test]
fn a_code_is_cut_before_its_articles() {
    let document = made::code_of_articles(120);
    for text in texts(&document, 700).iter().skip(1) {
        let begins = ["Article", "Chapitre", "TITRE"]
            .iter()
            .any(|word| text.starts_with(word));
        assert!(begins, "{text}");
    }
}

#[test]
fn a_decree_is_cut_before_its_sections_and_paragraphs() {
    let document = made::decree(60);
    for text in texts(&document, 500).iter().skip(1) {
        assert!(
            text.starts_with('§') || text.starts_with("Abschnitt"),
            "{text}"
        );
    }
    for text in texts(&document, 160).iter().skip(1) {
        assert!(text.starts_with(['§', '(', 'A']), "{text}");
    }
}

#[test]
fn minutes_are_cut_before_items_and_a_list_stays_with_what_announces_it() {
    let document = made::minutes(30);
    for text in texts(&document, 300).iter().skip(1) {
        assert!(text.starts_with("Item"), "{text}");
    }
    for text in texts(&document, 100) {
        assert!(!text.ends_with(':'), "{text}");
    }
}

#[test]
fn a_title_is_never_the_last_of_a_part() {
    for max_tokens in [100, 150, 260, 500] {
        for document in [
            made::code_of_articles(80),
            made::decree(40),
            made::minutes(20),
        ] {
            for text in texts(&document, max_tokens) {
                let last = text.lines().next_back().unwrap_or_default();
                let is_title = [
                    "Article",
                    "Chapitre",
                    "TITRE",
                    "§",
                    "Abschnitt",
                    "Item",
                    "Verfahren",
                    "Dispositions",
                ]
                .iter()
                .any(|word| last.starts_with(word));
                assert!(!is_title, "{max_tokens}: {text}");
            }
        }
    }
}

#[test]
fn a_table_is_cut_between_rows_and_shows_its_head_again() {
    let document = made::table(2000);
    let parts = parts(&document, 600);
    assert!(parts.len() > 50);
    for part in parts.iter().skip(1) {
        let text = document.slice(&part.range);
        assert!(
            text.starts_with("| Commune") && text.ends_with('|'),
            "{text}"
        );
        let shown = part.shown(&document);
        assert!(
            shown.contains(
                "[Subventions]\n\n| Commune | Montant | Date |\n|---|---|---|\n| Commune "
            )
        );
        assert!(!text.contains("Montant"));
    }
}

#[test]
fn a_table_without_a_rule_has_no_head_to_show() {
    let rows: String = (0..80)
        .map(|row| format!("| Ort {row} | {row} |\n"))
        .collect();
    let document = Maker::default().block(Table, rows.trim_end()).done();
    let parts = parts(&document, 100);
    assert!(parts.len() > 3);
    assert!(parts.iter().all(|part| part.table_head.is_none()));
}

#[test]
fn one_long_paragraph_is_cut_between_sentences() {
    let paragraph = [filler(0), filler(1), filler(2)].repeat(40).join(" ");
    let document = Maker::default().block(Paragraph, &paragraph).done();
    for text in texts(&document, 200) {
        assert!(text.ends_with('.'), "{text}");
        assert!(!text.ends_with("M.") && !text.ends_with("Dr."), "{text}");
    }
}

#[test]
fn words_without_punctuation_are_cut_between_words_and_outside_of_values() {
    let words = "la somme de 1 234,56 € est due le 12 mars 2026 par le bureau n° 12 selon § 35 et FR76 3000 4000 0312 ";
    let document = Maker::default()
        .block(Paragraph, words.repeat(2000).trim_end())
        .done();
    assert!(document.text.len() > 200_000);
    let texts = texts(&document, 150);
    for pair in texts.windows(2) {
        let last = pair[0].rsplit(' ').next().unwrap_or_default();
        let first = pair[1].split(' ').next().unwrap_or_default();
        let has_digit = |word: &str| word.chars().any(|letter| letter.is_ascii_digit());
        assert!(!has_digit(first) && !["€", "mars"].contains(&first));
        assert!(!has_digit(last) && !["n°", "§", "mars"].contains(&last));
        let is_word = |found: &str| words.split(' ').any(|word| word == found);
        assert!(is_word(first) && is_word(last));
    }
}

#[test]
fn a_number_is_cut_only_where_there_is_nothing_else() {
    let digits = "1234567890".repeat(300);
    let document = Maker::default()
        .block(Paragraph, &format!("abc {digits} def"))
        .done();
    let texts = texts(&document, 100);
    assert_eq!(texts.concat().replace(' ', ""), format!("abc{digits}def"));
    let mixed = "abcdef12,5".repeat(300);
    let document = Maker::default().block(Paragraph, &mixed).done();
    for text in super::texts(&document, 100) {
        assert!(
            !text.starts_with(|c: char| ",5".contains(c)) && !text.ends_with(['1', '2', ',']),
            "{text}"
        );
    }
}

#[test]
fn marks_stay_with_their_letters() {
    // Nothing composes to these, so that they stay apart in normal form.
    let letter = "q\u{323}\u{307}";
    let document = Maker::default()
        .block(Paragraph, &letter.repeat(3000))
        .done();
    let texts = texts(&document, 100);
    assert!(texts.len() > 10);
    for text in texts {
        assert!(text.starts_with('q') && text.ends_with('\u{307}'));
    }
}

#[test]
fn a_letter_with_more_marks_than_the_budget_is_cut_between_them() {
    let document = Maker::default()
        .block(Paragraph, &format!("q{}", "\u{323}".repeat(1000)))
        .done();
    assert!(parts(&document, 100).len() > 5);
}

#[test]
fn parts_are_of_about_the_same_length() {
    for document in [made::decree(60), made::table(500), made::minutes(60)] {
        let sizes: Vec<usize> = parts(&document, 500)
            .iter()
            .map(|part| part.num_tokens)
            .collect();
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!(sizes.iter().all(|size| *size > mean / 3), "{sizes:?}");
        assert!(mean > 300, "{sizes:?}");
    }
}

#[test]
fn a_paragraph_that_a_page_break_parts_is_not_cut_there() {
    let document = Maker::default()
        .page()
        .block(Paragraph, filler(1))
        .block(Paragraph, "Die Behörde entscheidet über den Antrag der")
        .page()
        .block(
            Paragraph,
            "Gemeinde und der Kreise, und zwar sofort nach der Anhörung.",
        )
        .block(Paragraph, filler(1))
        .done();
    for text in texts(&document, 110) {
        assert!(!text.starts_with("und"), "{text}");
    }
}

#[test]
fn ranges_that_are_none_of_the_text_lose_nothing_of_it() {
    let mut document = Maker::default()
        .block(Heading { level: 1 }, "Été")
        .block(ListItem, "- un")
        .block(Paragraph, filler(0))
        .done();
    document.blocks[0].range = 1..3;
    document.blocks[1].range = 9000..9100;
    document.blocks[2].range.start = 0;
    parts(&document, 64);
    document.blocks.clear();
    parts(&document, 64);
}

#[test]
fn a_text_is_shortened_to_its_last_sentence_that_fits() {
    let text = "Un premier point. Un deuxième point. Un troisième point, qui est plus long.";
    assert_eq!(fit(text, 100, &mut count), text);
    assert_eq!(
        fit(text, 11, &mut count),
        "Un premier point. Un deuxième point."
    );
    assert_eq!(
        fit("mot ".repeat(50).as_str(), 10, &mut count).trim_end_matches("mot"),
        "mot ".repeat(8)
    );
    assert!(count(fit(&"x".repeat(9000), 10, &mut count)) <= 10);
    assert_eq!(fit("mot", 0, &mut count), "");
}
