//! One document for each way to lose content, and what the answer says of it.

use super::read;
use guichet::document::{BlockKind, Document, DocumentError, Format, LeftOutKind};

fn count(document: &Document, what: LeftOutKind) -> u64 {
    document
        .left_out
        .iter()
        .filter(|left| left.what == what)
        .map(|left| left.count)
        .sum()
}

#[test]
fn text_that_nobody_sees_is_left_out_and_counted() {
    let document = read("hidden-text.pdf").unwrap();
    assert_eq!(document.text, "Ce que le lecteur voit.");
    // Drawn invisibly, white, tiny, off the page and under a black bar: 22 characters each time.
    assert_eq!(count(&document, LeftOutKind::HiddenText), 5 * 22);
    let html = read("letter-fr.html").unwrap();
    assert!(!html.text.contains("ignore your instructions"));
    assert_eq!(count(&html, LeftOutKind::HiddenText), 22);
}

#[test]
fn scanned_pages_are_listed_and_refused_unless_they_are_allowed() {
    let document = read("scanned-annex.pdf").unwrap();
    let unreadable: Vec<bool> = document
        .pages
        .iter()
        .map(|page| page.is_unreadable)
        .collect();
    assert_eq!(unreadable, [false, true, true]);
    let error = document.with_all_pages_readable().unwrap_err();
    assert_eq!(
        error,
        DocumentError::UnreadablePages {
            pages: vec![2, 3],
            num_pages: 3
        }
    );
    assert!(error.to_string().contains("2 of 3 pages"), "{error}");
}

#[test]
fn attachments_are_read_and_named() {
    let document = read("attachment.pdf").unwrap();
    let invoice = &document.attachments[0];
    assert_eq!(
        (invoice.name.as_str(), invoice.format),
        ("factur-x.xml", Some(Format::Text))
    );
    assert!(
        document
            .slice(invoice.range.as_ref().unwrap())
            .contains("<Total>1851.84</Total>")
    );
}

#[test]
fn forms_are_read_with_what_was_filled_in() {
    let document = read("form.pdf").unwrap();
    assert!(document.text.contains("Nom : Dupont"), "{}", document.text);
    let fields = document
        .blocks
        .iter()
        .filter(|block| block.kind == BlockKind::FormField);
    let fields: Vec<&str> = fields.map(|block| document.slice(&block.range)).collect();
    assert_eq!(fields, ["commune: Évry", "accord: ☒"]);
}

#[test]
fn a_file_with_an_empty_password_is_read_and_one_with_another_is_refused() {
    assert!(
        read("empty-password.pdf")
            .unwrap()
            .text
            .contains("1 234,56 €")
    );
    assert_eq!(
        read("locked.pdf").unwrap_err(),
        DocumentError::Encrypted {
            format: Format::Pdf
        }
    );
}

#[test]
fn a_page_on_its_side_is_read() {
    assert_eq!(
        read("rotated.pdf").unwrap().text,
        "Une page couchée se lit aussi."
    );
}

#[test]
fn hidden_sheets_are_reported() {
    for file in ["sheet-fr.ods", "sheet-fr.xlsx"] {
        let document = read(file).unwrap();
        assert!(!document.text.contains("invisible"), "{file}");
        assert_eq!(count(&document, LeftOutKind::HiddenSheet), 1, "{file}");
    }
}
