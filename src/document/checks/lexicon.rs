//! Words that mean the same in the three languages, so that the neighbours of a value can be
//! compared across them. Written for administrative letters; what is not in it counts by its stem.

use super::prepared::folded;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

/// One concept a line: beginnings of words, folded.
const CONCEPTS: &[&str] = &[
    "loyer miete monatsmiete kaltmiete rent",
    "mensuel mensualite monatlich monatsrate monatsraten rate raten instalment monthly acompte",
    "rembours ruckzahl erstatt repay refund zuruckzahl",
    "revenu einkomm einkunft income ressourc",
    "enfant kind kinder child",
    "adulte erwachs adult",
    "frere soeur geschwist brother sister sibling",
    "personne person persons people membre mitglied haushaltsmitglied member",
    "amende geldbusse busse fine bussgeld strafe penalt",
    "frais kosten cost costs gebuhr fee fees redevanc mahngebuhr jahresgebuhr",
    "taxe abgabe levy charge steuer tax impot gemeindesteuer",
    "timbre marke steuermarke stamp",
    "interet zins zinsen verzugszins interest",
    "subvention zuschuss forderung grant stipendi bourse allocation wohngeld benefit bewillig accord",
    "avance vorschuss advance",
    "caution pfand consigne deposit kaution",
    "retard verspat saumnis saumniszuschlag late overdue majoration zuschlag",
    "reduction rabatt nachlass discount ermassigung",
    "credit guthaben",
    "total gesamt gesamtkosten insgesamt",
    "repas essen mittagessen lunch meal cantine demi-pension",
    "participation elternbeitrag beitrag contribution",
    "reste offen fehlen fehlt outstanding missing manque manquant fehlend nachreich restent",
    "paye bezahlt paid pay payer zahlen zahlung payment paiement versement payable zahlbar uberweis virer transfer",
    "compte konto bankkonto account",
    "vitesse geschwindigkeit hochstgeschwindigkeit speed tempo",
    "permis erlaubt zulassig autoris allowed limit hochst maxim",
    "mesur gemessen festgestellt measured establish retenue",
    "toleranz tolerance abzug deduct deduit",
    "point points punkt punkte",
    "surface wohnflache flache area",
    "hauteur hohe height high hoch haut",
    "largeur breite width wide breit large verengt narrow",
    "etage stockwerk storey floor geschoss",
    "logement wohnung appartement flat dwelling",
    "stationnement stellplatz stellplatze parking parkplatz",
    "emploi arbeitsplatz arbeitsplatze job jobs stelle",
    "machine maschine",
    "piece anlage anlagen exhibit beleg belege unterlage document annex",
    "exemplaire exemplar copie copies copy kopie kopien",
    "photo photographie foto fotos",
    "enregistrement datensatz datensatze record",
    "bac behalter tonne bin container",
    "vidage leerung geleert emptied collection vide",
    "groupe gruppe group",
    "educateur fachkraft fachkrafte teacher staff erzieher",
    "salle saal room raum",
    "distance entfern",
    "semaine woche week hebdomadaire wochentlich",
    "an annee jahr year annuel jahrlich annual jahresgeb",
    "mois monat month",
    "trimestre quartal quarter",
    "delai frist deadline period",
    "naissance ne geboren geburtsdatum birth born",
    "decision bescheid entscheid decided decide avis notice arrete anordnung order",
    "courrier schreiben brief letter lettre ecrit geschrieben wrote",
    "demande antrag gesuch application applied request beantragt anmeldung inscription registration sollicit",
    "audience verhandlung hearing verhandelt",
    "rendez-vous rendez termin appointment",
    "reunion elternabend meeting versammlung evening",
    "signe unterzeichnet unterschrieben signed signature",
    "rapport bericht report",
    "debut beginn begin start commence ab",
    "fin ende end ends endet ablauf expire expir lauft ablauft valable arrete",
    "duree dauer dauert last lasts takes dure",
    "contest widerspruch einspruch opposition oppos object appeal recours anfecht klage challenge appel anfechten widersprech angefochten",
    "reponse antwort antworten reply answer repond",
    "conserver garder aufbewahr behalten keep kept retain gardes",
    "resiliation kundigung kundigen gekundigt terminat",
    "adaptation eingewohnung settling",
    "ferme geschlossen gesperrt closed close closes cloture close schlie",
    "titre aufenthaltstitel permit titel",
    "contrat vertrag contract agreement convention vereinbarung",
    "emmenag eingezogen moved einzug",
    "infraction verstoss offence verstosse vorgeworfen accuse",
    "interdiction fahrverbot ban verbot interdit prohibit",
    "rectification berichtigung correction erreur falsch wrong",
    "changement anderung anderungen change",
    "avocat anwalt lawyer vertreten represent vertritt",
    "juge richter judge president vorsitz preside vorsitzende",
    "maire burgermeister mayor",
    "eleve schuler pupil",
    "parent eltern",
    "travaux bauarbeit arbeiten works baut bau building",
    "cout betragt",
    "heure uhr stunde hours heures stunden betreuung",
    "depense ausgabe expenditure",
    "sursis aufschub deferral stundung",
    "acceptation zusage accept accord annehmen acceptez oui yes ja",
    "rempli ausgefullt completed fait",
    "remettre abgeben abzugeben return submit vorzulegen",
    "memoire schriftsatz brief",
    "jugement urteil judgment juge entscheidet",
    "invitation einladung",
    "confirmation bestatigung",
    "taux satz",
    "prix preis price kaufpreis tarif",
    "offre angebot angebote offer bid tender gebot",
    "delais verspatung verzug delay",
    "note bewertung mark rating zensur",
    "marche auftrag procurement",
    "lot los",
    "garantie gewahr gewahrleistung guarantee warranty",
    "assurance versicher insurance",
    "medecin arzt arztin doctor physician",
    "hopital krankenhaus hospital klinik",
    "salaire gehalt lohn wage salary bruttogehalt nettogehalt",
    "retraite rente pension altersrente",
    "heritage erbe erbschaft inheritance succession nachlasswert",
    "achat kauf purchase erwerb",
    "vente verkauf sale",
    "terrain grundstuck plot property land",
    "immeuble gebaude batiment edifice",
    "voiture fahrzeug vehicule vehicle kraftfahrzeug auto",
    "ecole schule school",
    "etudiant studierende student",
    "classe klasse class",
    "employe beschaftigte mitarbeit employee agent",
    "entreprise unternehmen firma company societe",
    "association verein",
    "commune gemeinde municipality stadt town ville",
    "habitant einwohner inhabitant resident",
    "electeur wahler voter voix stimme stimmen vote votes",
    "conseil rat gemeinderat council",
    "seance sitzung session",
    "adresse anschrift address domicile",
    "plainte anzeige beschwerde complaint reclamation",
    "preuve nachweis proof justificatif nachzuweisen",
    "visite besuch visit begutachtung evaluation assessment",
    "soins pflege care pflegegeld",
    "equipe mannschaft team",
    "arbre baum baume tree trees",
    "energie strom electricite electricity gas",
    "eau wasser water",
    "dechets abfall waste mull",
    "bruit larm noise",
    "budget haushalt",
    "depot einreichung filing",
    "recu erhalten received receive bekommen recevez",
    "envoye gesendet geschickt sent send envoyer schicken",
    "prochain nachst next",
    "precedent vorherig vorjahr previous last dernier",
    "premier erste erster first",
    "second zweite deuxieme",
    "minimum mindest moins least",
    "moyenne durchschnitt average",
    "augment erhoh steigt increase rise hausse",
    "diminu senk sinkt decrease baisse fall",
    "supplementaire weitere additional further zusatz plus",
    "requete klage claim fordern fordert gefordert claims reclaim reclame ruckforder zuruckford",
    "conseillere conseiller ansprechperson adviser sachbearbeit auskunft renseignement information contact kontakt fragen ask demandez questions",
];

static STEMS: LazyLock<HashMap<&'static str, u64>> = LazyLock::new(|| {
    let mut stems = HashMap::new();
    for (line, number) in CONCEPTS.iter().zip(0..) {
        for stem in line.split(' ') {
            stems.entry(stem).or_insert(number);
        }
    }
    stems
});

static STOP_WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| STOP.iter().copied().collect());

/// Words that are everywhere and mark no place.
const STOP: &[&str] = &[
    "le", "la", "les", "l", "d", "de", "du", "des", "un", "une", "et", "ou", "a", "au", "aux",
    "en", "est", "sont", "vous", "votre", "vos", "nous", "notre", "je", "j", "que", "qui", "qu",
    "ce", "cette", "ces", "il", "elle", "on", "se", "s", "ne", "n", "pas", "sur", "par", "pour",
    "avec", "dans", "y", "der", "die", "das", "den", "dem", "ein", "eine", "einen", "einem",
    "einer", "und", "oder", "ist", "sind", "sie", "ihr", "ihre", "ihren", "ihnen", "wir", "uns",
    "ich", "es", "zu", "von", "vom", "mit", "auf", "im", "in", "am", "an", "bei", "beim", "nicht",
    "wird", "werden", "hat", "haben", "the", "of", "and", "to", "is", "are", "you", "your", "we",
    "us", "our", "i", "it", "this", "that", "these", "with", "on", "at", "be", "will", "has",
    "have", "not", "or", "no", "p", "euro", "euros", "eur", "chf", "gbp", "m", "mme", "madame",
    "monsieur", "frau", "herr", "herrn", "mr", "ms", "mrs", "dr", "km", "h", "uhr", "pm", "am",
];

/// The longest and shortest beginnings that are looked up, in bytes, and the length of a stem.
const LONGEST: usize = 18;
const SHORTEST: usize = 3;
const STEM: usize = 6;
/// Stems are numbered from here, so that they are told from concepts.
const FIRST_STEM: u64 = 1 << 32;

/// What a word means, as a number that words of one meaning share. None for words that are
/// everywhere.
pub fn meaning(word: &str) -> Option<u64> {
    let word = folded(word);
    if STOP_WORDS.contains(word.as_str()) || word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some(concept) = STEMS.get(word.as_str()) {
        return Some(*concept);
    }
    for length in (SHORTEST + 1..=word.len().min(LONGEST)).rev() {
        if let Some(concept) = word.get(..length).and_then(|head| STEMS.get(head)) {
            return Some(*concept);
        }
    }
    let stem: String = word.chars().take(STEM).collect();
    let mut hasher = DefaultHasher::new();
    stem.hash(&mut hasher);
    Some(hasher.finish() | FIRST_STEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_meaning_are_one_across_languages() {
        assert_eq!(meaning("loyer"), meaning("Monatsmiete"));
        assert_eq!(meaning("rents"), meaning("Miete"));
        assert_ne!(meaning("loyer"), meaning("amende"));
        assert_eq!(meaning("der"), None);
    }
}
