//! What the checks find, and what they leave alone.

mod forms;
mod sentences;

use super::*;
use std::time::Instant;

fn report(source: &str, answer: &str, kinds: &[Kind]) -> Report {
    let options = CheckOptions {
        report_missing: kinds.to_vec(),
        ..CheckOptions::default()
    };
    check(
        &[SourceText {
            name: "source",
            text: source,
        }],
        answer,
        &options,
    )
}

/// What the findings say, shortly.
fn said(report: &Report) -> Vec<(Kind, Status, String)> {
    let text = |finding: &Finding| match (&finding.answer, &finding.source) {
        (Some(answer), _) => answer.text.clone(),
        (None, Some(source)) => source.quoted.text.clone(),
        (None, None) => String::new(),
    };
    report
        .findings
        .iter()
        .map(|finding| (finding.kind, finding.status, text(finding)))
        .collect()
}

#[track_caller]
fn agrees(source: &str, answer: &str) {
    let report = report(source, answer, &[]);
    assert!(
        report.findings.is_empty(),
        "{source} | {answer}: {:?}",
        said(&report)
    );
}

#[track_caller]
fn differs(source: &str, answer: &str, kind: Kind, text: &str) {
    let report = report(source, answer, &[]);
    let found = report.findings.iter().any(|finding| {
        finding.kind == kind
            && finding
                .answer
                .as_ref()
                .is_some_and(|answer| answer.text == text)
    });
    assert!(found, "{source} | {answer}: {:?}", said(&report));
}

#[test]
fn values_that_change_places_are_found() {
    let source = "Le loyer est de 650 €. L'amende est de 90 €.";
    agrees(source, "Die Geldbuße beträgt 90 €, die Miete 650 €.");
    differs(
        source,
        "Le loyer est de 90 €. L'amende est de 650 €.",
        Kind::Amount,
        "90 €",
    );
    differs(
        "Fermé du 3 mars 2026 au 9 mai 2026.",
        "Closed from 9 May 2026 to 3 March 2026.",
        Kind::Date,
        "9 May 2026",
    );
}

#[test]
fn numbers_that_are_no_facts_are_left_alone() {
    agrees(
        "Le dossier est complet.",
        "1. Le dossier\n2) est complet.\n1.2 Suite\nSeite 3 von 7\nPage 2/5\n- 4 -",
    );
    agrees(
        "Le dossier est complet.",
        "Vous avez deux possibilités. CO2, A4 et H2O n'en sont pas.",
    );
    agrees(
        "Article 1er. La rue est fermée.",
        "Selon l'article 1er, la rue est fermée.",
    );
    agrees("Signé le 3 mars 2026.", "Das war im Jahr 2026.");
    agrees("3 enfants", "die drei Kinder");
}

#[test]
fn what_is_left_out_is_reported_for_the_kinds_that_are_asked_for() {
    let source = "Payez 90 € avant le 5 mai 2026 à Mme Morvan.";
    let kinds = [Kind::Amount, Kind::Name];
    assert!(
        report(source, "Payez 90 € à Mme Morvan.", &kinds)
            .findings
            .is_empty()
    );
    let found = said(&report(source, "Payez avant le 5 mai 2026.", &kinds));
    assert_eq!(
        found,
        [
            (Kind::Amount, Status::Missing, "90 €".into()),
            (Kind::Name, Status::Missing, "Mme Morvan".into())
        ]
    );
}

#[test]
fn offsets_are_bytes_and_code_points_of_both_texts() {
    let report = report("Né à Évry : 12 élèves.", "Évry : 13 élèves.", &[]);
    let finding = &report.findings[0];
    let answer = finding
        .answer
        .as_ref()
        .map(|answer| (answer.span.start_byte, answer.span.start_code_point));
    let source = finding.source.as_ref().map(|source| {
        (
            source.quoted.span.start_byte,
            source.quoted.span.start_code_point,
        )
    });
    assert_eq!((answer, source), (Some((8, 7)), Some((15, 12))));
}

#[test]
fn a_list_of_names_is_compared_as_it_is_written() {
    let names =
        NameList::new(vec!["Bürgeramt Pankow".into(), "Bürgeramt Mitte".into()]).expect("a list");
    let options = CheckOptions {
        names,
        ..CheckOptions::default()
    };
    let source = [SourceText {
        name: "s",
        text: "Das Bürgeramt Pankow schreibt.",
    }];
    assert!(
        check(&source, "Le Bürgeramt Pankow écrit.", &options)
            .findings
            .is_empty()
    );
    assert_eq!(
        check(&source, "Le Bürgeramt Mitte écrit.", &options)
            .findings
            .len(),
        1
    );
    assert!(matches!(
        NameList::new(vec![" ".into()]),
        Err(ChecksError::Name { place: 1 })
    ));
}

#[test]
fn plain_language_is_measured_against_its_limits() {
    let limits = PlainLanguageLimits {
        max_mean_sentence_words: Some(4.0),
        max_passive_share: Some(0.9),
        ..Default::default()
    };
    let options = CheckOptions {
        plain_language: Some(limits),
        ..CheckOptions::default()
    };
    let plain = check(
        &[],
        "Der Antrag wird heute geprüft. Wir schreiben Ihnen bald wieder.",
        &options,
    )
    .plain_language;
    assert_eq!(
        (
            plain.num_sentences,
            plain.longest_sentence_words,
            plain.passive_share
        ),
        (2, 5, 0.5)
    );
    assert_eq!(plain.exceeded, ["max_mean_sentence_words"]);
}

#[test]
fn the_time_is_in_proportion_to_the_texts() {
    let letter = "Madame Claire Morvan, le 3 mars 2026 : 1 234,56 € sous trente jours, art. L. 311-3-1 du CRPA, RF-2026-004512, 05 56 43 12 98. ";
    let seconds = |bytes: usize| {
        let text = letter.repeat(bytes / letter.len() + 1);
        let started = Instant::now();
        let report = check(
            &[SourceText {
                name: "s",
                text: &text,
            }],
            &text,
            &CheckOptions {
                report_missing: vec![Kind::Date],
                ..Default::default()
            },
        );
        assert!(report.findings.is_empty(), "{:?}", &report.findings[0]);
        started.elapsed().as_secs_f64()
    };
    seconds(1000);
    let (small, large) = (seconds(100_000), seconds(1_000_000));
    println!("100 kB against itself: {small:.2} s, 1 MB: {large:.2} s");
    assert!(
        large < 30.0 * small && large < 60.0,
        "{small} s and {large} s"
    );
}

#[test]
fn values_that_all_change_places_take_no_longer() {
    let mut source = String::new();
    let mut answer = String::new();
    for number in 0..12_000 {
        let (rent, fine) = (number % 40 + 100, number % 30 + 500);
        source.push_str(&format!(
            "Le loyer est de {rent} €. L'amende est de {fine} €. "
        ));
        answer.push_str(&format!(
            "Le loyer est de {fine} €. L'amende est de {rent} €. "
        ));
    }
    let started = Instant::now();
    let report = check(
        &[SourceText {
            name: "s",
            text: &source,
        }],
        &answer,
        &CheckOptions::default(),
    );
    println!(
        "{} kB of exchanged amounts: {:?}",
        answer.len() / 1000,
        started.elapsed()
    );
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!(report.findings.len(), MAX_FINDINGS);
    assert!(report.num_not_listed > 0);
}

#[test]
fn no_text_takes_long_or_panics() {
    let pieces = [
        "1",
        "1 ",
        "§ 1, ",
        "12.",
        "€",
        "L. 1-1 et ",
        "+33 ",
        "a@",
        "AB12 ",
        "zwei",
        "hundert",
        "é",
        "\u{301}",
        "Herr ",
        "A-1/",
        "(1)",
        "1er ",
        "\u{a0}",
        "12:",
        "quatre-vingt-",
    ];
    for piece in pieces {
        let text = piece.repeat(60_000 / piece.len());
        let started = Instant::now();
        check(
            &[SourceText {
                name: "s",
                text: &text,
            }],
            &text,
            &CheckOptions {
                report_missing: vec![Kind::Number],
                ..Default::default()
            },
        );
        assert!(
            started.elapsed().as_secs() < 10,
            "{piece}: {:?}",
            started.elapsed()
        );
    }
}
