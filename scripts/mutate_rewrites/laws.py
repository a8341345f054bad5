"""Legal references as the three languages write them."""

CODES = {
    "css": ("code de la sécurité sociale", "CSS"), "cgct": ("code général des collectivités territoriales", "CGCT"),
    "croute": ("code de la route", ""), "ceduc": ("code de l'éducation", ""),
    "ceseda": ("code de l'entrée et du séjour des étrangers et du droit d'asile", "CESEDA"),
    "cja": ("code de justice administrative", "CJA"),
    "crpa": ("code des relations entre le public et l'administration", "CRPA"),
}
EUROPEAN = {"gdpr": {"fr": "RGPD", "de": "DSGVO", "en": "GDPR"}, "tfeu": {"fr": "TFUE", "de": "AEUV", "en": "TFEU"}}
REGULATION = {"fr": "règlement (UE) {}", "de": "Verordnung (EU) {}", "en": "Regulation (EU) {}"}


def written(value, language, rng):
    system, law, number = value
    if system == "eulaw":
        return REGULATION[language].format(number)
    return {"fr": french, "de": german, "eu": european, "uk": british}[system](law, number, language, rng)


def french(law, number, language, rng):
    letter, _, digits = number.partition(" ")
    name, short = CODES[law]
    number = rng.choice([f"{letter}. {digits}", f"{letter}. {digits}", f"{letter}{digits}", f"{letter} {digits}"])
    article = {"fr": ["article", "art."], "de": ["Artikel", "Art."], "en": ["Article", "article"]}[language]
    of = {"fr": "du {}", "de": "des {}", "en": "of the {}"}[language]
    laws = [of.format(name)] + ([of.format(short), short] if short else [])
    return f"{rng.choice(article)} {number} {rng.choice(laws)}"


def german(law, number, language, rng):
    law = law.replace("_", " ")
    section, part = number.split()
    if law == "DBG":
        law = "LIFD" if language == "fr" else law
        return {"fr": f"art. {section}, al. {part}, {law}", "de": f"Art. {section} Abs. {part} {law}",
                "en": f"Art. {section}({part}) {law}"}[language]
    return rng.choice({
        "de": [f"§ {section} Abs. {part} {law}", f"§ {section} Absatz {part} {law}", f"§{section} Abs. {part} {law}"],
        "fr": [f"§ {section}, alinéa {part}, {law}", f"article {section}, paragraphe {part}, de la loi {law}",
               f"§ {section} ({part}) {law}"],
        "en": [f"section {section}({part}) {law}", f"§ {section}({part}) {law}",
               f"section {section}, paragraph {part}, of the {law}"],
    }[language])


def european(law, number, language, rng):
    article, part = number.split()
    name = EUROPEAN[law][language]
    return rng.choice({
        "de": [f"Art. {article} Abs. {part} {name}", f"Artikel {article} Absatz {part} der {name}"],
        "fr": [f"article {article}, paragraphe {part}, du {name}", f"art. {article}, § {part}, {name}",
               f"article {article}.{part} du {name}"],
        "en": [f"Article {article}({part}) {name}", f"Article {article}({part}) of the {name}"],
    }[language])


def british(law, number, language, rng):
    return rng.choice({
        "en": [f"section {number} of the {law}", f"s. {number} {law}"],
        "fr": [f"article {number} du {law}", f"section {number} du {law}"],
        "de": [f"Abschnitt {number} des {law}", f"Section {number} {law}"],
    }[language])


def other_law(value, rng):
    """The same article of another law."""
    system, law, number = value
    if system == "eulaw":
        return None
    choices = {
        "fr": [code for code in CODES if code != law and CODES[code][1]], "eu": [other for other in EUROPEAN if other != law],
        "de": [other for other in ("VwVfG", "VwGO", "AO", "BGB", "StGB") if other != law],
        "uk": [other for other in ("Housing Act 1996", "Equality Act 2010") if other != law],
    }[system]
    return (system, rng.choice(choices), number)
