//! Each form that values take, in each language.

use super::{agrees, differs};
use crate::document::checks::Kind;

#[test]
fn an_amount_is_the_same_in_all_forms() {
    let source = "Le montant dû est de 1\u{202f}234,56 €.";
    for answer in [
        "Der Betrag ist 1.234,56 EUR.",
        "The amount is €1,234.56.",
        "The amount is EUR 1,234.56.",
        "Le montant est de 1234,56 euros.",
        "Der Betrag ist 1'234.56 Euro.",
    ] {
        agrees(source, answer);
    }
    differs(
        source,
        "Der Betrag ist 1.243,56 EUR.",
        Kind::Amount,
        "1.243,56 EUR",
    );
    differs(
        source,
        "The amount is £1,234.56.",
        Kind::Amount,
        "£1,234.56",
    );
    agrees(
        "Le budget est de 1,2 million d'euros.",
        "Der Haushalt umfasst 1,2 Mio. €, also 1.200.000 Euro.",
    );
    agrees("Une amende de mille deux cents euros.", "A fine of €1,200.");
}

#[test]
fn a_date_is_the_same_in_all_forms() {
    let source = "La réunion a lieu le mardi 3 mars 2026.";
    for answer in [
        "Die Sitzung ist am 03.03.2026.",
        "The meeting is on 3 March 2026.",
        "The meeting is on March 3rd, 2026.",
        "The meeting is on 2026-03-03.",
        "La réunion est le 3/3/26.",
        "Die Sitzung ist am 3. März.",
        "The meeting is in March 2026.",
    ] {
        agrees(source, answer);
    }
    differs(
        source,
        "Die Sitzung ist am 04.03.2026.",
        Kind::Date,
        "04.03.2026",
    );
    differs(
        source,
        "Die Sitzung ist am 3. März 2027.",
        Kind::Date,
        "3. März 2027",
    );
    agrees(
        "Ouvert du 3 au 5 mars 2026.",
        "Geöffnet vom 3. bis 5. März 2026.",
    );
    agrees(
        "Ouvert du 3 au 5 mars 2026.",
        "Open from 3 March 2026 to 5 March 2026.",
    );
    differs(
        "Réponse demain.",
        "Antwort nächste Woche.",
        Kind::Date,
        "nächste Woche",
    );
}

#[test]
fn a_deadline_is_the_same_in_words_and_keeps_its_side() {
    let source = "Vous pouvez répondre dans un délai de trente jours.";
    agrees(source, "Sie können innerhalb von 30 Tagen antworten.");
    agrees(source, "Sie können binnen dreißig Tagen antworten.");
    agrees(source, "You may reply within thirty days.");
    differs(
        source,
        "You may reply within thirteen days.",
        Kind::Duration,
        "thirteen days",
    );
    differs(
        source,
        "You may reply within 30 weeks.",
        Kind::Duration,
        "30 weeks",
    );
    differs(
        source,
        "You may reply after 30 days.",
        Kind::Duration,
        "30 days",
    );
    differs(
        "Payez avant le 5 mai 2026.",
        "Zahlen Sie ab dem 5. Mai 2026.",
        Kind::Date,
        "5. Mai 2026",
    );
    agrees("Die Frist beträgt ein Jahr.", "The period is 12 months.");
}

#[test]
fn a_legal_reference_is_the_same_across_languages() {
    agrees(
        "selon l'article L. 311-3-1 du code des relations entre le public et l'administration",
        "art. L311-3-1 CRPA",
    );
    agrees(
        "nach Art. 6 Abs. 1 Buchst. c DSGVO",
        "selon l'article 6, paragraphe 1, point c), du RGPD",
    );
    agrees(
        "nach Art. 6 Abs. 1 Buchst. c DSGVO",
        "under Article 6(1)(c) of the GDPR",
    );
    agrees("nach § 35 Abs. 1 Satz 2 VwVfG", "selon le § 35 VwVfG");
    agrees(
        "les articles L. 121-1 et L. 121-2 du CRPA",
        "die Artikel L. 121-1 und L. 121-2 CRPA",
    );
    agrees("§§ 48 und 49 VwVfG", "§ 49 VwVfG und § 48 VwVfG");
    agrees("le règlement (UE) 2016/679", "die Verordnung (EU) 2016/679");
    agrees(
        "section 184 of the Housing Act 1996",
        "s. 184 Housing Act 1996",
    );
    differs(
        "nach § 35 VwVfG",
        "nach § 53 VwVfG",
        Kind::LegalReference,
        "§ 53 VwVfG",
    );
    differs(
        "nach § 35 VwVfG",
        "nach § 35 VwGO",
        Kind::LegalReference,
        "§ 35 VwGO",
    );
    differs(
        "article L. 311-3-1 du CRPA",
        "article L. 311-3 du CRPA",
        Kind::LegalReference,
        "article L. 311-3 du CRPA",
    );
    differs(
        "article L. 311-3 du CRPA",
        "article R. 311-3 du CRPA",
        Kind::LegalReference,
        "article R. 311-3 du CRPA",
    );
    differs(
        "nach § 35 Abs. 1 VwVfG",
        "nach § 35 Abs. 2 VwVfG",
        Kind::LegalReference,
        "§ 35 Abs. 2 VwVfG",
    );
}

#[test]
fn identifiers_are_compared_digit_by_digit() {
    let source = "Compte FR76 3000 6000 0112 3456 7890 189, tél. +33 5 56 43 12 98, a.b@ville.example, dossier RF-2026-004512.";
    agrees(
        source,
        "Konto FR7630006000011234567890189, Tel. 05.56.43.12.98, A.B@Ville.example, Akte RF-2026-004512.",
    );
    differs(
        source,
        "Konto FR76 3000 6000 0112 3456 7890 198",
        Kind::Iban,
        "FR76 3000 6000 0112 3456 7890 198",
    );
    differs(source, "Tel. 05 56 43 12 89", Kind::Phone, "05 56 43 12 89");
    differs(
        source,
        "a.c@ville.example",
        Kind::Email,
        "a.c@ville.example",
    );
    differs(
        source,
        "Akte RF-2026-004521",
        Kind::FileNumber,
        "RF-2026-004521",
    );
    agrees(
        "Az.: 50 II 3 – 124/25 liegt bei.",
        "Référence : 50 II 3 – 124/25.",
    );
}

#[test]
fn people_are_known_by_their_titles() {
    let source = "Madame Claire Morvan et Monsieur Étienne Le Goff.";
    agrees(source, "Frau Morvan und Herr Étienne Le Goff.");
    agrees(source, "Ms Claire Morvan bought it.");
    differs(source, "Frau Morgan", Kind::Name, "Frau Morgan");
    differs(source, "Herr Morvan", Kind::Name, "Herr Morvan");
    differs(source, "Mme Sophie Morvan", Kind::Name, "Mme Sophie Morvan");
    differs(source, "Die Akte von Clairo Morvan", Kind::Name, "Clairo");
    differs(
        "12 rue des Lilas, 33000 Bordeaux",
        "12 rue des Lilas, 33100 Bordeaux",
        Kind::Name,
        "33100 Bordeaux",
    );
    agrees("Goethestr. 5, 10115 Berlin", "Goethestraße 5, 10115 Berlin");
}
