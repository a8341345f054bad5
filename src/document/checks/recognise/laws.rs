//! Names of laws, so that the RGPD, the DSGVO and the GDPR are one.

use super::pattern;
use crate::document::checks::prepared::folded;

/// One law a line: how it is told apart, and its names in folded lower case.
const LAWS: &[(&str, &[&str])] = &[
    (
        "GDPR",
        &[
            "rgpd",
            "dsgvo",
            "ds-gvo",
            "gdpr",
            "2016/679",
            "reglement general sur la protection des donnees",
            "datenschutz-grundverordnung",
            "general data protection regulation",
        ],
    ),
    (
        "TFEU",
        &[
            "tfue",
            "aeuv",
            "tfeu",
            "traite sur le fonctionnement de l'union europeenne",
            "vertrag uber die arbeitsweise der europaischen union",
            "vertrags uber die arbeitsweise der europaischen union",
            "treaty on the functioning of the european union",
        ],
    ),
    (
        "TEU",
        &[
            "tue",
            "euv",
            "teu",
            "traite sur l'union europeenne",
            "treaty on european union",
        ],
    ),
    (
        "ECHR",
        &[
            "cedh",
            "emrk",
            "echr",
            "convention europeenne des droits de l'homme",
            "europaischen menschenrechtskonvention",
            "european convention on human rights",
        ],
    ),
    (
        "CHARTER",
        &[
            "charte des droits fondamentaux",
            "grundrechtecharta",
            "charter of fundamental rights",
        ],
    ),
    ("CSS", &["css", "code de la securite sociale"]),
    (
        "CGCT",
        &["cgct", "code general des collectivites territoriales"],
    ),
    ("CGFP", &["cgfp", "code general de la fonction publique"]),
    (
        "CGPPP",
        &[
            "cgppp",
            "code general de la propriete des personnes publiques",
        ],
    ),
    ("CGI", &["cgi", "code general des impots"]),
    ("LPF", &["lpf", "livre des procedures fiscales"]),
    (
        "CRPA",
        &[
            "crpa",
            "code des relations entre le public et l'administration",
        ],
    ),
    ("CJA", &["cja", "code de justice administrative"]),
    (
        "CESEDA",
        &[
            "ceseda",
            "code de l'entree et du sejour des etrangers et du droit d'asile",
        ],
    ),
    (
        "CASF",
        &["casf", "code de l'action sociale et des familles"],
    ),
    (
        "CCH",
        &["cch", "code de la construction et de l'habitation"],
    ),
    ("CCP", &["ccp", "code de la commande publique"]),
    ("CPCE", &["cpce", "code des procedures civiles d'execution"]),
    ("CPC", &["cpc", "code de procedure civile"]),
    ("CPP", &["cpp", "code de procedure penale"]),
    ("CSP", &["csp", "code de la sante publique"]),
    ("CSI", &["csi", "code de la securite interieure"]),
    ("CPI", &["cpi", "code de la propriete intellectuelle"]),
    ("CMF", &["cmf", "code monetaire et financier"]),
    ("code civil", &["code civil"]),
    ("code penal", &["code penal"]),
    ("code electoral", &["code electoral"]),
    ("code du travail", &["code du travail"]),
    ("code de commerce", &["code de commerce"]),
    ("code de la route", &["code de la route"]),
    ("code de l'urbanisme", &["code de l'urbanisme"]),
    ("code de l'environnement", &["code de l'environnement"]),
    ("code de l'education", &["code de l'education"]),
    ("code de la consommation", &["code de la consommation"]),
    (
        "code rural",
        &["crpm", "code rural et de la peche maritime", "code rural"],
    ),
    (
        "GG",
        &[
            "gg",
            "grundgesetz",
            "grundgesetzes",
            "loi fondamentale",
            "basic law",
        ],
    ),
    (
        "BGB",
        &[
            "bgb",
            "burgerliches gesetzbuch",
            "burgerlichen gesetzbuchs",
            "german civil code",
            "code civil allemand",
        ],
    ),
    (
        "VwVfG",
        &[
            "vwvfg",
            "verwaltungsverfahrensgesetz",
            "verwaltungsverfahrensgesetzes",
        ],
    ),
    ("VwGO", &["vwgo", "verwaltungsgerichtsordnung"]),
    ("AO", &["ao", "abgabenordnung"]),
    ("StGB", &["stgb", "strafgesetzbuch", "strafgesetzbuchs"]),
    (
        "StVO",
        &[
            "stvo",
            "strassenverkehrs-ordnung",
            "strassenverkehrsordnung",
        ],
    ),
    (
        "StVG",
        &["stvg", "strassenverkehrsgesetz", "strassenverkehrsgesetzes"],
    ),
    (
        "OWiG",
        &[
            "owig",
            "ordnungswidrigkeitengesetz",
            "ordnungswidrigkeitengesetzes",
        ],
    ),
    (
        "AufenthG",
        &["aufenthg", "aufenthaltsgesetz", "aufenthaltsgesetzes"],
    ),
    (
        "BDSG",
        &[
            "bdsg",
            "bundesdatenschutzgesetz",
            "bundesdatenschutzgesetzes",
        ],
    ),
    ("WoGG", &["wogg", "wohngeldgesetz", "wohngeldgesetzes"]),
    (
        "OR",
        &[
            "obligationenrecht",
            "obligationenrechts",
            "code des obligations",
        ],
    ),
    (
        "DBG",
        &[
            "dbg",
            "lifd",
            "bundesgesetz uber die direkte bundessteuer",
            "loi federale sur l'impot federal direct",
        ],
    ),
    ("BV", &["bv", "cst.", "bundesverfassung"]),
    (
        "VwVG",
        &["vwvg", "loi federale sur la procedure administrative"],
    ),
];

pattern!(
    ACT,
    r"^(?:[A-Z][A-Za-z'’-]{1,24},? (?:(?:and|of|the|for|to|in) ){0,2}){1,8}(?:Act|Regulations|Order|Rules) \d{4}"
);
pattern!(
    LINK,
    r"^[,\s]{0,3}(?:(?:du|de la loi|de la|de l['’]|des|der|dem|of the|of|the|d['’]|de|in|im|nach|la|le|l['’])[ \u{a0}]?)?(?:(?:Verordnung|règlement|Regulation)\s?\((?:EU|UE|EG|CE)\)\s)?"
);
pattern!(
    SHORT,
    r"^(?:SGB[ \u{a0}](?:[IVX]{1,4}|\d{1,2})\b|\p{Lu}\p{L}{0,14}\p{Lu}\p{L}{0,8}\b)"
);
pattern!(
    CODE,
    r"^(?i:code|livre)(?:[ '’](?:d|l|de|la|le|les|du|des|et|en|général|générale|[a-zéèêàâôûîïç-]{3,20})){1,8}"
);

/// The law that is named at the beginning of a text behind an article, and where its name ends.
pub fn named(text: &str) -> Option<(String, usize)> {
    let linked = LINK.find(text).map_or(0, |link| link.end());
    let rest = &text[linked..];
    let plain = Plain::of(rest);
    let known = LAWS
        .iter()
        .flat_map(|(law, names)| names.iter().map(move |name| (*law, *name)));
    let longest = known
        .filter(|(_, name)| plain.starts_with_words(name))
        .max_by_key(|(_, name)| name.len());
    if let Some((law, name)) = longest {
        return Some((law.to_owned(), linked + plain.end(name)));
    }
    for pattern in [&*ACT, &*SHORT, &*CODE] {
        if let Some(hit) = pattern.find(rest) {
            return Some((
                folded(hit.as_str()).replace('\u{a0}', " "),
                linked + hit.end(),
            ));
        }
    }
    None
}

/// The law that an act's own number is known to be, such as 2016/679.
pub fn numbered(number: &str) -> Option<String> {
    let known = LAWS.iter().find(|(_, names)| names.contains(&number));
    known.map(|(law, _)| (*law).to_owned())
}

/// The longest name is shorter.
const LONGEST_NAME: usize = 90;

/// The beginning of a text, folded, with where each folded byte comes from.
struct Plain {
    folded: String,
    origins: Vec<usize>,
}

impl Plain {
    fn of(text: &str) -> Self {
        let mut plain = Plain {
            folded: String::new(),
            origins: Vec::new(),
        };
        for (at, character) in text.char_indices().take(LONGEST_NAME) {
            let before = plain.folded.len();
            match character {
                '\n' => break,
                '\u{a0}' | '\u{202f}' => plain.folded.push(' '),
                other => plain
                    .folded
                    .push_str(&folded(other.encode_utf8(&mut [0; 4]))),
            }
            plain
                .origins
                .resize(plain.folded.len().max(before), at + character.len_utf8());
        }
        plain
    }

    fn starts_with_words(&self, name: &str) -> bool {
        let rest = self.folded.strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    }

    fn end(&self, name: &str) -> usize {
        self.origins
            .get(name.len().saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}
