//! No value leaves by a way that ends in a log.

use super::super::{Mode, PrivacyError, Recogniser, Session, WordList};

const CANARIES: [&str; 5] = [
    "Canarix",
    "DE89 3704 0044 0532 0130 00",
    "serin@canari.fr",
    "05 56 43 12 98",
    "12 mars 1985",
];

#[test]
fn nothing_prints_a_value() {
    let recogniser = Recogniser::new(WordList::new(&["Canarix"]).unwrap());
    let text = format!(
        "{} {} {} {} né le {}",
        CANARIES[0], CANARIES[1], CANARIES[2], CANARIES[3], CANARIES[4]
    );
    let mut printed = format!("{recogniser:?} {:?}", recogniser.find(&text));
    for mode in [Mode::Pseudonymize, Mode::Mask] {
        let (session, applied) = Session::new(&recogniser, mode, &[&text]).unwrap();
        assert_eq!(session.report().found.len(), CANARIES.len());
        let mut restorer = session.restorer();
        restorer.push("[IBA");
        printed.push_str(&format!(
            "{session:?} {session:#?} {applied:?} {restorer:?}"
        ));
        printed.push_str(&serde_json::to_string(session.report()).unwrap());
        for canary in CANARIES {
            assert!(!applied[0].text.contains(canary), "{canary}");
        }
    }
    let error: PrivacyError = Session::new(&recogniser, Mode::Block, &[&text]).unwrap_err();
    printed.push_str(&format!("{error} {error:?}"));
    let lower = printed.to_lowercase();
    for canary in ["canari", "3704", "serin", "56 43", "mars"] {
        assert!(!lower.contains(canary), "{canary} in {printed}");
    }
}

#[test]
fn a_report_counts_kinds() {
    let (session, _) = Session::new(
        &Recogniser::default(),
        Mode::Mask,
        &["DE89 3704 0044 0532 0130 00, DE89370400440532013000"],
    )
    .unwrap();
    assert_eq!(
        serde_json::to_string(session.report()).unwrap(),
        r#"{"mode":"mask","found":{"iban":{"occurrences":2,"distinct_values":1}}}"#
    );
}
