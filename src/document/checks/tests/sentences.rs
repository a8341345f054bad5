//! Sentences as officials write them, and what they are in another language: nothing is changed,
//! and nothing is missing.

use super::{report, said};
use crate::document::checks::Kind;

const PAIRS: &[(&str, &str)] = &[
    (
        "Le conseil municipal s'est réuni le 12 janvier 2026 à 18 h 30. 23 élus étaient présents sur 29. Le budget de 4,2 M€ a été voté par 20 voix contre 3.",
        "Der Gemeinderat tagte am 12.1.2026 um 18.30 Uhr. 23 von 29 Mitgliedern waren da. Der Haushalt von 4,2 Mio. € wurde mit 20 zu 3 Stimmen beschlossen.",
    ),
    (
        "Sehr geehrte Frau Dr. Schmidt, Ihr Antrag vom 5.1. ist am 07.01.2026 eingegangen (Az. 32-1.5/117). Die Frist endet am 20. Januar.",
        "Ms Schmidt's application of 5 January arrived on 7 January 2026 (ref. 32-1.5/117). The deadline is January 20.",
    ),
    (
        "Nach §§ 48, 49 VwVfG und Art. 14 GG sowie § 3 Nr. 2 BauGB in der Fassung vom 3. November 2017 (BGBl. I S. 3634).",
        "Under sections 48 and 49 VwVfG and Article 14 of the Basic Law, and § 3 no. 2 BauGB as amended on 3 November 2017.",
    ),
    (
        "L'aide couvre 60 % des frais, dans la limite de 1 500 € par an et par foyer, pour les 18-25 ans.",
        "The aid covers 60% of the costs, up to €1,500 per year and household, for people aged 18 to 25.",
    ),
    (
        "Die Öffnungszeiten sind Mo–Fr 8–12 Uhr, Do auch 14–18 Uhr.",
        "We are open Monday to Friday from 8 am to 12 noon, on Thursdays also 2 pm to 6 pm.",
    ),
    (
        "Loi n° 78-17 du 6 janvier 1978 ; décret n° 2019-797 du 26 juillet 2019, articles 2 à 5.",
        "Gesetz Nr. 78-17 vom 6. Januar 1978; Dekret Nr. 2019-797 vom 26. Juli 2019, Artikel 2 bis 5.",
    ),
    (
        "M. Jean-Pierre de La Tour, 3 bis, rue de l'Église, 75 014 Paris. Né en 1956.",
        "Herr Jean-Pierre de La Tour, 3 bis, rue de l'Église, 75014 Paris, geboren 1956.",
    ),
    (
        "Der Zuschuss steigt von 250 auf 300 Euro. Das sind 20 Prozent mehr.",
        "La subvention passe de 250 € à 300 €, soit 20 % de plus.",
    ),
    (
        "Der Kurs dauert eineinhalb Jahre und kostet 80,50 € pro Quartal.",
        "The course takes one and a half years and costs €80.50 a quarter.",
    ),
    (
        "You must reply within fourteen days. The hearing is at 10.30am on Monday 2 March 2026 in Court 4.",
        "Vous devez répondre sous 14 jours. L'audience est le lundi 2 mars 2026 à 10 h 30, salle 4.",
    ),
    (
        "Der Preis beträgt zwischen 2,5 und 3 Millionen Euro; die Frist von zwei bis drei Wochen gilt.",
        "Le prix est de 2,5 à 3 millions d'euros ; le délai de 2 à 3 semaines s'applique.",
    ),
    (
        "Le règlement d'exécution (UE) 2015/2447 et la directive 95/46/CE s'appliquent (article 5, paragraphe 3, sous b)).",
        "Die Durchführungsverordnung (EU) 2015/2447 und die Richtlinie 95/46/EG gelten (Artikel 5 Absatz 3 Buchstabe b).",
    ),
    (
        "Objet : arrêté préfectoral n° 2026-DDT-0412 du 1er février 2026. Superficie : 3,5 ha. Débit : 120 l/s.",
        "Betreff: Präfekturerlass Nr. 2026-DDT-0412 vom 1. Februar 2026. Fläche: 3,5 Hektar. Durchfluss: 120 l/s.",
    ),
    (
        "Im Haushaltsjahr 2025/2026 wurden 1.250 Anträge gestellt, davon 37,5 % bewilligt.",
        "Over the 2025/2026 financial year, 1,250 applications were made and 37.5% were granted.",
    ),
    (
        "Monsieur le Maire, Madame la Préfète, la séance du 14/02/2026 est levée à 21h05.",
        "Herr Bürgermeister, Frau Präfektin, die Sitzung vom 14. Februar 2026 endet um 21.05 Uhr.",
    ),
    (
        "Rückfragen: Frau Anna-Lena Groß-Weber, Zimmer 3.14, Tel. 0228 99 123-4567.",
        "Questions : Mme Anna-Lena Groß-Weber, bureau 3.14, tél. +49 228 99 1234567.",
    ),
    (
        "Die Kündigungsfrist beträgt sechs Wochen zum Quartalsende.",
        "The notice period is 6 weeks to the end of the quarter.",
    ),
    (
        "Sie erhalten 3x jährlich 150 EUR, erstmals zum 01.04.26.",
        "You receive €150 three times a year, for the first time on 1 April 2026.",
    ),
];

#[test]
fn a_faithful_translation_raises_no_alarm() {
    let kinds = [
        Kind::Number,
        Kind::Date,
        Kind::Amount,
        Kind::Duration,
        Kind::Time,
        Kind::Name,
        Kind::Phone,
        Kind::LegalReference,
        Kind::FileNumber,
    ];
    for (source, answer) in PAIRS {
        let report = report(source, answer, &kinds);
        assert!(report.findings.is_empty(), "{answer}: {:?}", said(&report));
    }
}
