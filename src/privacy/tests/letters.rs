//! Whole letters, with the numbers that letters have beside values.

use super::recogniser;

const FRENCH: &str = "\
Direction des finances publiques du Rhône
12 rue de la République, 69001 Lyon
Tél. : 04 72 00 12 34 - Fax : 04 72 00 12 35
Courriel : accueil.lyon@dgfip.finances.gouv.fr

N/Réf. : 2026-DDFIP-00412              Recommandé n° 1A 123 456 7890 1
Objet : avis d'imposition n° 25 69 1234567 89

Madame Lefèvre, (dossier suivi par Jean Dupont, poste 3417)

Vous (née le 3 avril 1961 à Brest, NIR : 2 55 08 14 168 025 38, numéro fiscal 30 23 217 600 053) \
nous avez écrit le 12/02/2026 au sujet de la facture 2026-0012345 d'un montant de 1 234 567,89 €, \
payée par carte 4111 1111 1111 1111. Sur les 123 456 789 euros inscrits au budget, la part de la \
société Martin (732 829 320 RCS Lyon, SIRET 732 829 320 00074, TVA FR 40 303 265 045) a été versée \
sur le compte FR14 2004 1010 0505 0001 3M02 606 (BIC PSSTFRPPLYO), conformément à l'article \
L. 311-3-1 et au décret n° 2019-797 du 26 juillet 2019 (JORF n° 0171). Le véhicule AB-123-CD a été \
vendu le 03.03.2026 à 14 h 30. La commande 4111111111111111 reste à livrer, tout comme le colis \
6A 12345 67890 1 et les 25 000 exemplaires (ISBN 978-2-07-036822-8).

Le montant du devis n° 732829320 est de 10 000 €.";

const GERMAN: &str = "\
Stadt Bad Münstereifel · Marktstraße 11 · 53902 Bad Münstereifel
Auskunft erteilt: Frau Sabine Groß, Zimmer 2.14, Durchwahl 02253/505-123
E-Mail: s.gross@bad-muenstereifel.de, USt-IdNr.: DE136695976

Az.: 32-1.5/117-2026, Kassenzeichen 5301.0047.1189

Sehr geehrter Herr Çelik (geb. am 12.03.1985 in Köln, Steuer-ID 86 095 742 719),

der Bescheid Nr. 2026/0815-4711 vom 05.03.2026 über 1.250,50 EUR ist bestandskräftig. Ihre \
Rentenversicherungsnummer 65 180539 W 001 und Ihr Personalausweis (L01X00T471, gültig bis \
01.08.2031) liegen vor. Bitte überweisen Sie auf DE89 3704 0044 0532 0130 00 bei der Kreissparkasse \
unter Angabe von 5301.0047.1189. Der Pkw mit dem Kennzeichen EU-AB 1234 wurde nach § 12 Abs. 3 \
Nr. 1 StVO abgeschleppt (Rechnung 86095742719, Auftrag 4111 1111 1111 1111). Die Leitung nach DIN EN \
1090-2 misst 12 345 678 901 mm. Rückfragen: 0171 1234567 oder +49 (0)2253 505-0, Mo–Fr 8.30-12.00 Uhr. \
Zählerstand 403.854.509 kWh, Einwohnerzahl 17 299, Haushalt 86.095.742.719 Euro.";

const ENGLISH: &str = "\
From: Mary O'Connor <mary.oconnor+tax@council.gov.uk>
Date: Tue, 3 Mar 2026 14:30:05 +0100
Message-ID: 20260303143005-11491

| Field | Value |
| --- | --- |
| Date of birth | 03/04/1961 |
| IBAN | GB29 NWBK 6016 1331 9268 19 |
| German tax ID | 65929970489 |
| Invoice | 65929970489 |
| Version | 12.4.1001 (build 73282932000074123) |

Please call +44 20 7946 0958 or +33 (0)1 42 92 81 00. The account was charged €1,234,567.89 on card \
3782 822463 10005 (order 3782 822463 10006, IMEI 490154203237518). See https://example.org/c/2026/0171 \
and 192.168.100.200. Austrian partner: ATU13585627, Belgian one BE 0428.759.497.";

fn check(text: &str, expected: &[&str]) {
    let findings = recogniser().find(text);
    let found: Vec<&str> = findings
        .iter()
        .map(|finding| &text[finding.range.clone()])
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_french_letter_keeps_its_dates_amounts_and_references() {
    check(
        FRENCH,
        &[
            "04 72 00 12 34",
            "04 72 00 12 35",
            "accueil.lyon@dgfip.finances.gouv.fr",
            "Jean Dupont",
            "3 avril 1961",
            "2 55 08 14 168 025 38",
            "30 23 217 600 053",
            "4111 1111 1111 1111",
            "732 829 320",
            "732 829 320 00074",
            "FR 40 303 265 045",
            "FR14 2004 1010 0505 0001 3M02 606",
            "AB-123-CD",
            // A SIREN by its digits, and known from above: only in a session.
        ],
    );
}

#[test]
fn a_german_letter_keeps_its_dates_amounts_and_references() {
    check(
        GERMAN,
        &[
            "Bad Münstereifel",
            "Bad Münstereifel",
            "Sabine Groß",
            "02253/505-123",
            "s.gross@bad-muenstereifel.de",
            "DE136695976",
            "Çelik",
            "12.03.1985",
            "86 095 742 719",
            "65 180539 W 001",
            "L01X00T471",
            "DE89 3704 0044 0532 0130 00",
            "EU-AB 1234",
            "0171 1234567",
            "+49 (0)2253 505-0",
        ],
    );
}

#[test]
fn an_english_message_keeps_its_dates_amounts_and_references() {
    check(
        ENGLISH,
        &[
            "O'Connor",
            "mary.oconnor+tax@council.gov.uk",
            "03/04/1961",
            "GB29 NWBK 6016 1331 9268 19",
            "65929970489",
            "+44 20 7946 0958",
            "+33 (0)1 42 92 81 00",
            "3782 822463 10005",
            "ATU13585627",
            "BE 0428.759.497",
        ],
    );
}
