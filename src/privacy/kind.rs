use serde::{Deserialize, Serialize};

/// What becomes of the values in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Surrogates for the model, the values again for the reader of the answer.
    Pseudonymize,
    /// Labels without a number. Which value stood there is kept nowhere.
    Mask,
    /// A request that holds a value is refused.
    Block,
}

/// What a value is.
///
/// The order is that of the overlap rule: where two recognisers take the same bytes, the kind
/// that stands first here tells more about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Iban,
    /// The French number of registration, which social security uses.
    Nir,
    VatId,
    /// The French `numéro fiscal`.
    FrenchTaxNumber,
    /// The German `Steuer-Identifikationsnummer`.
    GermanTaxId,
    /// The German `Rentenversicherungsnummer`.
    GermanInsuranceNumber,
    /// The number of a German `Personalausweis`.
    GermanIdentityCard,
    /// A French establishment.
    Siret,
    PaymentCard,
    /// A French company.
    Siren,
    Email,
    DateOfBirth,
    NumberPlate,
    Phone,
    /// A word of the agency's list.
    Listed,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::Iban,
        Self::Nir,
        Self::VatId,
        Self::FrenchTaxNumber,
        Self::GermanTaxId,
        Self::GermanInsuranceNumber,
        Self::GermanIdentityCard,
        Self::Siret,
        Self::PaymentCard,
        Self::Siren,
        Self::Email,
        Self::DateOfBirth,
        Self::NumberPlate,
        Self::Phone,
        Self::Listed,
    ];

    /// The word that a model reads in place of a value: capitals that say what stood there.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Iban => "IBAN",
            Self::Nir => "NIR",
            Self::VatId => "VAT",
            Self::FrenchTaxNumber => "FISCAL",
            Self::GermanTaxId => "STEUERID",
            Self::GermanInsuranceNumber => "RVNR",
            Self::GermanIdentityCard => "AUSWEIS",
            Self::Siret => "SIRET",
            Self::PaymentCard => "CARD",
            Self::Siren => "SIREN",
            Self::Email => "EMAIL",
            Self::DateOfBirth => "BIRTH",
            Self::NumberPlate => "PLATE",
            Self::Phone => "PHONE",
            Self::Listed => "NAME",
        }
    }

    /// The name that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iban => "iban",
            Self::Nir => "nir",
            Self::VatId => "vat_id",
            Self::FrenchTaxNumber => "french_tax_number",
            Self::GermanTaxId => "german_tax_id",
            Self::GermanInsuranceNumber => "german_insurance_number",
            Self::GermanIdentityCard => "german_identity_card",
            Self::Siret => "siret",
            Self::PaymentCard => "payment_card",
            Self::Siren => "siren",
            Self::Email => "email",
            Self::DateOfBirth => "date_of_birth",
            Self::NumberPlate => "number_plate",
            Self::Phone => "phone",
            Self::Listed => "listed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_label_and_a_name_of_its_own() {
        let labels: std::collections::BTreeSet<&str> = Kind::ALL.map(Kind::label).into();
        assert_eq!(labels.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let name = serde_json::to_value(kind).unwrap();
            assert_eq!(name, kind.name());
        }
    }
}
