//! Sentences of letters in three languages, with a place for a value.

use super::super::Kind;

pub fn of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Iban => &[
            "Le remboursement sera viré sur le compte {} dans un délai de 30 jours",
            "IBAN : {}",
            "Merci de corriger vos coordonnées bancaires, soit {}, avant le 12 mars 2026",
            "Bitte überweisen Sie den Betrag von 1.250,00 EUR auf {} bis zum 31.03.2026",
            "Die Bankverbindung {} wurde am 3.4.2026 geändert",
            "The refund of €120.50 was paid into {} on 3 March 2026",
        ],
        Kind::Nir => &[
            "Votre numéro de sécurité sociale {} figure sur la carte",
            "NIR {}",
            "L'assurée, immatriculée sous le n° {}, a déposé sa demande le 02/02/2026",
            "Die Versicherte ist in Frankreich unter der Nummer {} erfasst",
            "Her French social security number is {}",
        ],
        Kind::VatId => &[
            "N° de TVA intracommunautaire : {}",
            "La société, identifiée {}, facture 20 % de taxe",
            "USt-IdNr. {}",
            "Der Lieferant mit der Nummer {} hat 19 % berechnet",
            "Our VAT number is {}",
        ],
        Kind::FrenchTaxNumber => &[
            "Votre numéro fiscal est le {}",
            "Numéro fiscal (SPI) : {}",
            "Le contribuable {} a déclaré 32 450 € de revenus",
            "Die französische Steuernummer lautet {}",
            "The taxpayer {} filed on 12 May 2025",
        ],
        Kind::GermanTaxId => &[
            "Ihre Steuer-Identifikationsnummer lautet {}",
            "Steuer-ID: {}",
            "Unter {} haben wir 24.500,00 Euro Einkünfte gespeichert",
            "L'identifiant fiscal allemand de Mme Weber est {}",
            "His German tax ID {} was used twice",
        ],
        Kind::GermanInsuranceNumber => &[
            "Ihre Rentenversicherungsnummer {} bleibt gültig",
            "Versicherungsnummer: {}",
            "Unter {} sind 420 Monate gespeichert",
            "Le numéro d'assurance allemand {} a été transmis à la caisse",
            "The pension insurance knows her as {}",
        ],
        Kind::GermanIdentityCard => &[
            "Personalausweis Nr. {}",
            "Sie hat sich mit {} ausgewiesen, gültig bis 01.08.2031",
            "Ausweisnummer: {}",
            "Elle a présenté la carte d'identité allemande n° {}",
            "She showed the German identity card {}",
        ],
        Kind::Siret => &[
            "SIRET : {}",
            "L'établissement {} emploie 25 personnes",
            "Le siège (SIRET {}) se trouve au 12 rue de la République, 69001 Lyon",
            "Die Niederlassung in Lyon hat die Nummer {}",
            "The branch is registered as {} in France",
        ],
        Kind::PaymentCard => &[
            "La carte bancaire {} expire en 09/27",
            "Paiement de 45,90 € par carte {}",
            "Die Gebühr wurde von der Kreditkarte {} abgebucht",
            "Der Antragsteller nannte {} als Zahlungsmittel",
            "You paid £75.00 with {} at the counter",
        ],
        Kind::Siren => &[
            "Société immatriculée au RCS de Lyon sous le numéro {}",
            "SIREN : {}",
            "SARL au capital de 10 000 €, {} RCS Paris",
            "Die Gesellschaft hat die SIREN {} und 25 Beschäftigte",
            "The company (SIREN {}) was founded in 1998",
        ],
        Kind::Email => &[
            "Écrivez à {} avant le 12 mars",
            "E-Mail: {}",
            "Answers go to {} or to the office",
        ],
        Kind::Phone => &[
            "Vous pouvez nous joindre au {} de 9 h à 12 h",
            "Tél. : {}",
            "Telefon: {}",
            "Sie erreichen uns unter {} von 8 bis 12 Uhr",
            "Phone {}",
            "Please leave a message on {} after 5 pm",
        ],
        Kind::NumberPlate => &[
            "Le véhicule immatriculé {} stationnait sur un passage piéton",
            "Das Fahrzeug mit dem Kennzeichen {} parkte im Halteverbot",
            "The car {} was towed on 3 March 2026",
        ],
        Kind::DateOfBirth => &[
            "Mme Petit, née le {} à Saint-Denis",
            "Date de naissance : {}",
            "Herr Kurz, geboren am {} in Bonn",
            "Geburtsdatum: {}",
            "The applicant was born on {} in Leeds",
        ],
        Kind::Listed => &[
            "Le dossier a été instruit par {} en 2025",
            "Frau {} hat den Antrag gestellt",
            "We spoke to {} about it",
        ],
    }
}

/// Ends of sentences after which another begins.
pub const ENDS: [&str; 4] = [". ", " ; ", ".\n", ", "];
