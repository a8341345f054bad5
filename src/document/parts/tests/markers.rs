use crate::document::parts::marker::Marker;
use crate::document::parts::sentence::sentences;

#[track_caller]
fn are_titles(lines: &[&str], is_title: bool) {
    for line in lines {
        let found = matches!(Marker::of(line), Some(Marker::Title { .. }));
        assert_eq!(found, is_title, "{line}: {:?}", Marker::of(line));
    }
}

#[test]
fn divisions_and_articles_are_told_by_their_words() {
    are_titles(
        &[
            "TITRE II",
            "Titre Ier",
            "TITRE PREMIER",
            "Chapitre 3 – Des communes",
            "Section 2",
            "Sous-section 1 : Recours",
            "Première partie",
            "LIVRE III",
            "ANNEXE",
            "Annexe B",
            "Article 12",
            "Article 1er.",
            "Art. 5",
            "ARTICLE L. 311-3-1",
            "Article R*123-4",
            "Article unique",
            "Article 12 bis",
            "Article 3. – Le préfet arrête la liste.",
            "Article 4 Les agents de l'État",
            "**Article 9**",
            "§ 3",
            "§ 35 Begriff des Verwaltungsaktes",
            "§ 35a Vollautomatischer Erlass",
            "Artikel 6",
            "Abschnitt 2",
            "Erster Abschnitt",
            "2. Kapitel Zuständigkeit",
            "Kapitel IV",
            "Teil B",
            "TOP 3: Haushalt",
            "Tagesordnungspunkt 4",
            "Point n° 3 : Budget",
            "Part One",
            "Chapter 7",
            "Schedule 2",
            "Section 12 Offences",
            "First Part",
        ],
        true,
    );
}

#[test]
fn a_reference_at_the_beginning_of_a_line_is_no_title() {
    are_titles(
        &[
            "Article 12 du code général des collectivités",
            "Article 12, paragraphe 3, prévoit que",
            "article 5",
            "Art. 5 Abs. 2 gilt entsprechend.",
            "§ 35 VwVfG regelt den Begriff.",
            "§ 3 Nr. 2 BauGB",
            "§§ 48, 49 VwVfG",
            "Art. 6 DSGVO ist die Grundlage.",
            "Section 12 of the Act",
            "Teil der Antwort",
            "Partie de plaisir",
            "Title",
            "Chapitre 3 ........ 17",
            "Article 4 … 12",
        ],
        false,
    );
}

#[test]
fn numbered_paragraphs_and_items_are_told_from_dates_and_amounts() {
    let number = |line: &str| match Marker::of(line) {
        Some(Marker::Number { depth, .. }) => Some(depth),
        _ => None,
    };
    assert_eq!(number("1. Ausgangslage"), Some(1));
    assert_eq!(number("1.2.3 Title"), Some(3));
    assert_eq!(number("II. – Les agents"), Some(0));
    assert_eq!(number("I."), Some(0));
    assert_eq!(number(&"1.".repeat(300)), None);
    for line in [
        "12.03.2026 Sitzung",
        "1 234,56 €",
        "2026 war ein Jahr",
        "M. Dupont",
        "3.000 Euro",
        "Civil",
    ] {
        assert_eq!(Marker::of(line), None, "{line}");
    }
    for line in [
        "a) la date",
        "1° le nom",
        "– le lieu",
        "- to publish",
        "• Ort",
    ] {
        assert_eq!(Marker::of(line), Some(Marker::Item), "{line}");
    }
    for line in ["(2) Die Behörde", "B. Begründung"] {
        assert_eq!(Marker::of(line), Some(Marker::Paragraph), "{line}");
    }
}

#[track_caller]
fn has_sentences(text: &str, expected: &[&str]) {
    let mut starts = vec![0];
    starts.extend(sentences(text, 0..text.len()));
    starts.push(text.len());
    let found: Vec<&str> = starts
        .windows(2)
        .map(|pair| text[pair[0]..pair[1]].trim())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn abbreviations_ordinals_and_initials_end_no_sentence() {
    has_sentences(
        "Selon l'art. 3, M. Dupont (cf. n° 12) répond. Mme. Martin « attend. » Puis elle part.",
        &[
            "Selon l'art. 3, M. Dupont (cf. n° 12) répond.",
            "Mme. Martin « attend. »",
            "Puis elle part.",
        ],
    );
    has_sentences(
        "Am 12. Januar gilt z. B. § 35 Abs. 2 Nr. 1 i. V. m. Art. 6. Das war im Jahr 2026. 23 kamen, u.a. Dr. Weiß. Wer?  Er!",
        &[
            "Am 12. Januar gilt z. B. § 35 Abs. 2 Nr. 1 i. V. m. Art. 6. Das war im Jahr 2026.",
            "23 kamen, u.a. Dr. Weiß.",
            "Wer?",
            "Er!",
        ],
    );
    has_sentences(
        "Mr. Smith paid £1.50, i.e. too little (e.g. for tea). \"Why?\" It is no. 3.",
        &[
            "Mr. Smith paid £1.50, i.e. too little (e.g. for tea).",
            "\"Why?\"",
            "It is no. 3.",
        ],
    );
}
