//! What a request's values become.

use super::super::{Kind, Mode, PrivacyError, Recogniser, Restorer, Session};
use super::made::{self, Sentence};
use super::{Random, recogniser};

const IBAN: &str = "DE89 3704 0044 0532 0130 00";

fn pseudonymized(texts: &[&str]) -> (Session, Vec<String>) {
    let (session, applied) = Session::new(&recogniser(), Mode::Pseudonymize, texts).unwrap();
    let texts = applied.into_iter().map(|applied| applied.text).collect();
    (session, texts)
}

#[test]
fn a_value_has_one_number_in_all_texts_and_a_letter_for_each_spelling() {
    let (_, texts) = pseudonymized(&[
        "De DE89370400440532013000 à FR1420041010050500013M02606.",
        "Encore DE89 3704 0044 0532 0130 00, puis DE89370400440532013000 ; JEAN DUPONT et Jean Dupont.",
    ]);
    assert_eq!(texts[0], "De [IBAN1] à [IBAN2].");
    assert_eq!(
        texts[1],
        "Encore [IBAN1b], puis [IBAN1] ; [NAME1] et [NAME1b]."
    );
}

#[test]
fn a_number_is_known_without_its_label_once_it_had_one() {
    let text = "SIREN 732 829 320. Née le 12 mars 1985. Le 732829320 et le 12/03/1985 reviennent.";
    let (_, texts) = pseudonymized(&[text]);
    assert_eq!(
        texts[0],
        "SIREN [SIREN1]. Née le [BIRTH1]. Le [SIREN1b] et le [BIRTH1b] reviennent."
    );
    let (_, texts) = pseudonymized(&["Le 732829320 et le 12/03/1985."]);
    assert_eq!(texts[0], "Le 732829320 et le 12/03/1985.");
}

#[test]
fn earlier_surrogates_stay_when_a_conversation_goes_on() {
    let first = "Mail a@b.fr et c@d.fr";
    let (_, before) = pseudonymized(&[first]);
    let (_, after) = pseudonymized(&[first, "x@y.fr und c@d.fr"]);
    assert_eq!(before[0], after[0]);
    assert_eq!(after[1], "[EMAIL3] und [EMAIL2]");
}

#[test]
fn a_text_that_holds_a_surrogate_keeps_it() {
    let texts = ["Laissez [IBAN1] et [email2] ainsi.", IBAN];
    let (session, replaced) = pseudonymized(&texts);
    assert_eq!(replaced[0], texts[0]);
    assert!(replaced[1].starts_with("[IBAN-"), "{}", replaced[1]);
    assert_eq!(session.restore(&replaced[0]), texts[0]);
    assert_eq!(session.restore(&replaced[1]), texts[1]);
    let (_, again) = pseudonymized(&texts);
    assert_eq!(replaced, again);
}

#[test]
fn a_mask_says_the_kind_and_keeps_nothing() {
    let text = format!("{IBAN}, a@b.fr, {IBAN}");
    let (session, applied) = Session::new(&recogniser(), Mode::Mask, &[&text]).unwrap();
    assert_eq!(applied[0].text, "[IBAN], [EMAIL], [IBAN]");
    assert_eq!(session.restore("[IBAN] [IBAN1]"), "[IBAN] [IBAN1]");
    let mut restorer = session.restorer();
    assert_eq!(restorer.push("[IBAN"), "[IBAN");
    let count = session.report().found[&Kind::Iban];
    assert_eq!((count.occurrences, count.distinct_values), (2, 1));
}

#[test]
fn a_blocked_request_is_told_by_kinds_and_counts() {
    let text = format!("{IBAN} a@b.fr c@d.fr");
    let blocked = Session::new(&recogniser(), Mode::Block, &["rien", &text]);
    let error = blocked.unwrap_err();
    assert!(matches!(&error, PrivacyError::Blocked(report) if report.found.len() == 2));
    assert!(
        error.to_string().ends_with(": iban (1), email (2)"),
        "{error}"
    );
    let (session, applied) = Session::new(&recogniser(), Mode::Block, &["rien"]).unwrap();
    assert!(session.report().found.is_empty());
    assert_eq!(applied[0].text, "rien");
}

#[test]
fn a_range_leads_back_to_the_original() {
    let text = "é DE89370400440532013000 und a@b.fr.";
    let (_, applied) = Session::new(&Recogniser::default(), Mode::Pseudonymize, &[text]).unwrap();
    let applied = &applied[0];
    assert_eq!(applied.text, "é [IBAN1] und [EMAIL1].");
    let original = |part: &str| {
        let start = applied.text.find(part).unwrap();
        &text[applied.original_range(start..start + part.len())]
    };
    assert_eq!(original("é"), "é");
    assert_eq!(original(" und "), " und ");
    assert_eq!(original("[IBAN1]"), "DE89370400440532013000");
    assert_eq!(
        original("BAN1] und [EM"),
        "DE89370400440532013000 und a@b.fr"
    );
    assert_eq!(original("AN"), "DE89370400440532013000");
    assert_eq!(original("é [IBAN1] und [EMAIL1]."), text);
    // Empty ranges: between values they stay empty, inside one they take it.
    assert_eq!(applied.original_range(3..3), 3..3);
    assert_eq!(applied.original_range(5..5), 3..25);
    assert_eq!(applied.original_range(0..999), 0..text.len());
}

#[test]
fn the_longest_of_two_stands_and_then_the_more_telling() {
    // An e-mail address with a listed name in it; a company's number in its VAT id and in its
    // establishment's; an establishment that has the form of a payment card.
    let (session, texts) = pseudonymized(&[
        "jean.dupont@mairie.fr, SIREN FR 40 303 265 045, SIRET 732 829 320 00074, 30569309801005",
    ]);
    let kinds: Vec<Kind> = session.report().found.keys().copied().collect();
    assert_eq!(texts[0].matches("[EMAIL1]").count(), 1, "{}", texts[0]);
    assert!(!kinds.contains(&Kind::Listed));
    assert!(!kinds.contains(&Kind::Siren), "{}", texts[0]);
    assert!(kinds.contains(&Kind::VatId) && kinds.contains(&Kind::Siret));
}

#[test]
fn no_value_is_left_in_any_text_of_a_request() {
    let mut random = Random(3);
    for _ in 0..100 {
        let sentences: Vec<Sentence> = (0..10).map(|_| made::sentence(&mut random)).collect();
        let texts: Vec<&str> = sentences.iter().map(|made| made.text.as_str()).collect();
        let (session, replaced) = pseudonymized(&texts);
        let found = recogniser();
        let values = texts.iter().flat_map(|text| {
            let found = found.find(text).into_iter();
            found.map(move |finding| &text[finding.range])
        });
        for value in values {
            for text in &replaced {
                assert!(!text.contains(value), "{value} in {text}");
            }
        }
        for (text, replaced) in texts.iter().zip(&replaced) {
            assert_eq!(session.restore(replaced), *text);
        }
    }
}

#[test]
fn a_recogniser_serves_all_threads() {
    fn serves_all<T: Send + Sync + 'static>() {}
    serves_all::<Recogniser>();
    serves_all::<Session>();
    serves_all::<Restorer>();
}
