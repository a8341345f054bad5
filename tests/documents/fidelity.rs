//! How much of a text comes out of each format: words in their order, against the text that the
//! documents were made from (`scripts/document-fixtures`).

use super::{fixture, parser, read};
use guichet::document::{BlockKind, LeftOutKind, ParseLimits};
use std::io::{Cursor, Write as _};
use unicode_normalization::UnicodeNormalization as _;

/// Words in compatibility form, so that a raised digit counts as the digit that it is.
fn words(text: &str) -> Vec<String> {
    let text: String = text.nfkc().collect();
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The harmonic mean of precision and recall, where a word counts if it stands in the longest
/// common sequence.
fn f1(found: &str, wanted: &str) -> f64 {
    let (found, wanted) = (words(found), words(wanted));
    let mut row = vec![0_usize; wanted.len() + 1];
    for word in &found {
        let mut diagonal = 0;
        for (index, other) in wanted.iter().enumerate() {
            let above = row[index + 1];
            row[index + 1] = if word == other {
                diagonal + 1
            } else {
                above.max(row[index])
            };
            diagonal = above;
        }
    }
    2.0 * row[wanted.len()] as f64 / (found.len() + wanted.len()) as f64
}

#[test]
fn every_format_keeps_the_words_in_their_order() {
    let mut all_hold = true;
    for (kind, file, text) in [
        ("docx", "letter", ".txt"),
        ("odt", "letter", ".txt"),
        ("rtf", "letter", ".txt"),
        ("html", "letter", ".txt"),
        ("pdf", "letter", ".paged.txt"),
        ("xlsx", "sheet", ".txt"),
        ("ods", "sheet", ".txt"),
        ("txt", "latin", ".txt"),
    ] {
        for language in ["fr", "de", "en"] {
            let document = read(&format!("{file}-{language}.{kind}")).unwrap();
            let source = if file == "latin" { "letter" } else { file };
            let wanted = String::from_utf8(fixture(&format!("{source}-{language}{text}"))).unwrap();
            let share = f1(&document.text, &wanted);
            println!(
                "{kind} {language}: F1 {share:.4} of {} words",
                words(&wanted).len()
            );
            all_hold &= share >= 0.98;
        }
    }
    assert!(all_hold, "a format is below 0.98");
}

/// A quoted-printable text in UTF-8, read without the reader's library.
fn unquoted(text: &str) -> String {
    let joined = text.replace("\r\n", "\n").replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes().iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'=' => {
                let code: Vec<u8> = rest.by_ref().take(2).copied().collect();
                let code = std::str::from_utf8(&code).unwrap();
                bytes.push(u8::from_str_radix(code, 16).unwrap());
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Latin-1 is the first 256 characters of Unicode.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[test]
fn a_message_and_a_table_of_values_keep_their_words_too() {
    for language in ["fr", "de", "en"] {
        let csv = fixture(&format!("table-{language}.csv"));
        let table = latin(&csv);
        let read_table = read(&format!("table-{language}.csv")).unwrap();
        let share = f1(&read_table.text, &table);
        println!(
            "csv {language}: F1 {share:.4} of {} words",
            words(&table).len()
        );
        assert!(share >= 0.98);

        let file = format!("letter-{language}.eml");
        let source = String::from_utf8(fixture(&file))
            .unwrap()
            .replace("\r\n", "\n");
        let body = source.split("quoted-printable\n\n").nth(1).unwrap();
        let body = body.split("\n--=frontier").next().unwrap();
        let wanted = format!("{}\ntable.csv\n{table}", unquoted(body));
        let message = read(&file).unwrap();
        let is_head = |block: &&guichet::document::Block| block.kind == BlockKind::MessageHeader;
        let head = message
            .blocks
            .iter()
            .filter(is_head)
            .map(|block| block.range.end);
        let text = &message.text[head.max().unwrap()..];
        let share = f1(text, &wanted);
        println!(
            "eml {language}: F1 {share:.4} of {} words",
            words(&wanted).len()
        );
        assert!(share >= 0.98, "{text}");

        let letter = String::from_utf8(fixture(&format!("letter-{language}.txt"))).unwrap();
        let message = parser()
            .parse(&outlook(&letter, &csv), &ParseLimits::default())
            .unwrap();
        let head = message
            .blocks
            .iter()
            .filter(is_head)
            .map(|block| block.range.end);
        let wanted = format!("{letter}\ntable.csv\n{table}");
        let share = f1(&message.text[head.max().unwrap()..], &wanted);
        println!(
            "msg {language}: F1 {share:.4} of {} words",
            words(&wanted).len()
        );
        assert!(share >= 0.98);
    }
}

/// A message as Outlook saves it ([MS-OXMSG]): a compound file with a stream for each property.
fn outlook(body: &str, table: &[u8]) -> Vec<u8> {
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let attachment = "/__attach_version1.0_#00000000";
    let streams = [
        ("/__properties_version1.0".to_owned(), vec![0; 32]),
        ("/__substg1.0_0037001F".to_owned(), wide("Letter")),
        (
            "/__substg1.0_1000001F".to_owned(),
            wide(&body.replace('\n', "\r\n")),
        ),
        (
            format!("{attachment}/__substg1.0_3707001F"),
            wide("table.csv"),
        ),
        (format!("{attachment}/__substg1.0_37010102"), table.to_vec()),
    ];
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    file.create_storage_all(attachment).unwrap();
    for (name, bytes) in streams {
        file.create_stream(name).unwrap().write_all(&bytes).unwrap();
    }
    file.into_inner().into_inner()
}

#[test]
fn tables_headings_items_and_notes_are_told_apart() {
    for file in [
        "letter-fr.docx",
        "letter-fr.odt",
        "letter-fr.pdf",
        "letter-fr.rtf",
    ] {
        let document = read(file).unwrap();
        let of = |kind: fn(BlockKind) -> bool| {
            let blocks = document.blocks.iter().filter(|block| kind(block.kind));
            blocks
                .map(|block| document.slice(&block.range))
                .collect::<Vec<_>>()
        };
        let tables = of(|kind| kind == BlockKind::Table);
        assert_eq!(tables.len(), 1, "{file}");
        assert!(
            tables[0].starts_with(
                "| Taxe | Base | Montant |\n|---|---|---|\n| Part communale | 120 m² | 1 234,56 € |"
            ),
            "{file}: {}",
            tables[0]
        );
        let headings = of(|kind| matches!(kind, BlockKind::Heading { .. }));
        assert_eq!(
            headings,
            [
                "Décision relative à votre demande de permis de construire",
                "Voies et délais de recours"
            ],
            "{file}"
        );
        assert_eq!(
            of(|kind| kind == BlockKind::ListItem)[1],
            "2. La façade est enduite à la chaux naturelle.",
            "{file}"
        );
    }
}

#[test]
fn tracked_changes_are_read_as_accepted_and_counted() {
    for file in ["letter-de.docx", "letter-de.odt", "letter-de.rtf"] {
        let document = read(file).unwrap();
        assert!(
            document.text.contains("Die Genehmigung wird erteilt und"),
            "{file}"
        );
        assert!(!document.text.contains("abgelehnt"), "{file}");
        let deletion = document
            .left_out
            .iter()
            .find(|left| left.what == LeftOutKind::Deletion);
        assert!(deletion.is_some(), "{file}: {:?}", document.left_out);
    }
}

#[test]
fn a_mail_is_read_with_its_table() {
    let document = read("letter-fr.eml").unwrap();
    assert!(
        document
            .text
            .contains("| Part départementale | 120 m² | 617,28 € |"),
        "{}",
        document.text
    );
    assert_eq!(document.attachments[0].name, "table.csv");
}
