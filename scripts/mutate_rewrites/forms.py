"""How a fact is written: in a language, in a style that the template asks for, in a form by chance."""

from . import laws
from .facts import DIALLING
from .words import spelled

MONTHS = {
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "en": "January February March April May June July August September October November December".split(),
}
WEEKDAYS = {
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche".split(),
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split(),
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
}
UNITS = {  # singular, plural, and in German the genitive and the plural after "von"
    "fr": {"days": ("jour", "jours"), "weeks": ("semaine", "semaines"), "months": ("mois", "mois"), "years": ("an", "ans")},
    "de": {"days": ("Tag", "Tage", "eines Tages", "Tagen"), "weeks": ("Woche", "Wochen", "einer Woche", "Wochen"),
           "months": ("Monat", "Monate", "eines Monats", "Monaten"), "years": ("Jahr", "Jahre", "eines Jahres", "Jahren")},
    "en": {"days": ("day", "days"), "weeks": ("week", "weeks"), "months": ("month", "months"), "years": ("year", "years")},
}
RELATIVE = {
    "fr": {"today": "aujourd'hui", "tomorrow": "demain", "day_after": "après-demain", "this_week": "cette semaine",
           "next_week": "la semaine prochaine", "next_month": "le mois prochain", "month_end": "d'ici la fin du mois",
           "year_end": "d'ici la fin de l'année"},
    "de": {"today": "heute", "tomorrow": "morgen", "day_after": "übermorgen", "this_week": "diese Woche",
           "next_week": "nächste Woche", "next_month": "nächsten Monat", "month_end": "bis Ende des Monats",
           "year_end": "bis Ende des Jahres"},
    "en": {"today": "today", "tomorrow": "tomorrow", "day_after": "the day after tomorrow", "this_week": "this week",
           "next_week": "next week", "next_month": "next month", "month_end": "by the end of the month",
           "year_end": "by the end of the year"},
}
BOUNDS = {  # (latest, earliest), as the sign of a deadline is turned
    ("by", "fr"): (["avant le {}", "au plus tard le {}", "jusqu'au {}"], ["à partir du {}", "après le {}"]),
    ("by", "de"): (["bis zum {}", "spätestens am {}", "spätestens bis zum {}"], ["ab dem {}", "nach dem {}", "frühestens am {}"]),
    ("by", "en"): (["by {}", "no later than {}", "on or before {}"], ["from {}", "after {}", "no earlier than {}"]),
    ("within", "fr"): (["dans un délai de {}", "sous {}"], ["après un délai de {}", "au bout de {}"]),
    ("within", "de"): (["innerhalb von {}", "binnen {}"], ["nach {}", "nach Ablauf von {}"]),
    ("within", "en"): (["within {}", "within a period of {}"], ["after {}", "no earlier than {}"]),
}
SYMBOLS = {"EUR": ("€", ["euros", "Euro", "euros"]), "GBP": ("£", ["livres sterling", "Pfund", "pounds"]),
           "CHF": ("CHF", ["francs suisses", "Franken", "Swiss francs"])}
LANGUAGES = ["fr", "de", "en"]


def write(fact, language, style, rng, loose=False, spell=False):
    """`loose`: number words, dates without a year and names without a title may be chosen.
    `spell`: words are chosen wherever there are any."""
    turned = style.endswith("!")
    style = style.rstrip("!")
    if style in ("by", "within"):
        phrase = rng.choice(BOUNDS[style, language][1 if turned else 0])
        inner = "dative" if style == "within" and language == "de" else ""
        return phrase.format(write(fact, language, inner, rng, loose, spell))
    if fact.kind in ("iban", "email", "phone", "fileno", "listed", "address", "percent", "time", "reldate"):
        return WRITERS[fact.kind](fact.value, language, rng)
    if fact.kind == "ref":
        return laws.written(fact.value, language, rng)
    if fact.kind == "person":
        return person(fact.value, language, style, rng, loose)
    return {"amount": amount, "date": day, "number": number, "duration": duration}[fact.kind](
        fact.value, language, style, rng, loose, spell)


def number(value, language, style, rng, loose, spell):
    words = rng.random() < 0.3 and loose and 1 < value[0] < 13
    return spelled(value[0], language) if words or spell else str(value[0])


def grouped(whole, separator):
    return f"{whole:,}".replace(",", separator)


def amount(value, language, style, rng, loose, spell):
    cents, currency = value
    symbol, names = SYMBOLS[currency]
    name = names[LANGUAGES.index(language)]
    chance = rng.random()
    if cents % 100 == 0 and (spell or loose and chance < 0.2):
        return f"{spelled(cents // 100, language)} {name}"
    swiss = language == "de" and currency == "CHF"
    separators = {"fr": ["\u00a0", "\u202f", " ", ""], "de": ["."] * 3 + [""], "en": [","] * 3 + [""]}
    separator = rng.choice(["'", "’"]) if swiss else rng.choice(separators[language])
    text = grouped(cents // 100, separator)
    if cents % 100 or rng.random() < 0.4:
        text += ("." if language == "en" or swiss else ",") + f"{cents % 100:02}"
    elif language == "de" and rng.random() < 0.15:
        text += ",-"
    before = {"fr": [], "de": [f"{currency} "], "en": [symbol if symbol != "CHF" else "CHF ", f"{currency} "]}[language]
    after = {"fr": ["\u00a0" + symbol, " " + symbol, " " + name, " " + currency],
             "de": [" " + symbol, "\u00a0" + symbol, " " + currency, " " + name], "en": [" " + name]}[language]
    choice = rng.choice([(b, "") for b in before] * (2 if language == "en" else 1) + [("", a) for a in after])
    return choice[0] + text + choice[1]


def day(value, language, style, rng, loose, spell):
    date = value[0]
    month = MONTHS[language][date.month - 1]
    yearless = rng.random() < 0.1 and loose
    year = "" if yearless else f" {date.year}"
    first = {"fr": "1er" if date.day == 1 else str(date.day), "de": f"{date.day}.", "en": str(date.day)}[language]
    long = f"{first} {month}{year}"
    slashed = f"{date.day:02}/{date.month:02}/{date.year}"
    dotted = f"{date.day:02}.{date.month:02}.{date.year}"
    weekday = WEEKDAYS[language][date.weekday()]
    ordinal = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}.get(date.day, "th")
    forms = {
        "fr": [long, long, slashed, dotted, f"{weekday} {long}"],
        "de": [long, long, dotted, f"{date.day}.{date.month}.{date.year}", f"{weekday}, {long}"],
        "en": [long, long, f"{month} {date.day}" + ("," + year if year else ""), slashed, date.isoformat(),
               f"{date.day}{ordinal} {month}{year}", f"{weekday}, {long}"],
    }[language]
    return forms[0] if yearless else rng.choice(forms)


def duration(value, language, style, rng, loose, spell):
    count, unit = value
    forms = UNITS[language][unit]
    words = spell or rng.random() < 0.3
    if count == 1 and language == "de":
        dative = "einer" if unit == "weeks" else "einem"
        nominative = "eine" if unit == "weeks" else "ein"
        ending = "e" if unit == "days" else ""
        return f"{dative} {forms[0]}{ending if style else ''}" if style else f"{nominative}{'en' if unit != 'weeks' and unit != 'years' else ''} {forms[0]}"
    if count == 1:
        one = {"fr": "une" if unit == "weeks" else "un", "en": "one"}[language]
        return f"{one if words else 1} {forms[0]}"
    plural = forms[3] if language == "de" and style == "dative" else forms[1]
    return f"{spelled(count, language) if words else count} {plural}"


def person(value, language, style, rng, loose):
    gender, given, surname, doctor = value
    female = gender == "f"
    title = {"fr": ["Madame", "Mme"] if female else ["Monsieur", "M."],
             "de": ["Frau"] if female else ["Herrn" if style == "obj" else "Herr"],
             "en": ["Ms", "Mrs"] if female else ["Mr"]}[language]
    title = rng.choice(title)
    if doctor:
        title = {"fr": "Dr", "de": title + " Dr.", "en": "Dr"}[language]
    if style == "short":
        return f"{title} {surname}"
    if loose and rng.random() < 0.1:
        return f"{given} {surname}"
    return f"{title} {given} {surname}"


def address(value, language, rng):
    country, street, house, post, city = value
    if country in ("de", "ch"):
        return f"{street} {house}, {post} {city}"
    if country == "fr":
        return f"{house} {street}, {post} {city}"
    return f"{house} {street}, {city} {post}"


def phone(value, language, rng):
    country, area, rest = value
    code = DIALLING[country][0]
    pairs = lambda text: " ".join(text[i:i + 2] for i in range(0, len(text), 2))
    if country == "FR":
        national = area + rest
        spaced = "0" + national[0] + " " + pairs(rest)
        return rng.choice([spaced, spaced.replace(" ", "."), f"+{code} {national[0]} {pairs(rest)}",
                           f"+{code} (0){national[0]} {pairs(rest)}", "0" + national])
    if country == "DE":
        return rng.choice([f"0{area} {rest}", f"+{code} {area} {rest}", f"0{area}/{rest}", f"(0{area}) {pairs(rest)}",
                           f"0{area} {rest[:4]}-{rest[4:]}"])
    grouped = f"{rest[:3]} {rest[3:]}" if country == "GB" else f"{rest[:3]} {rest[3:5]} {rest[5:]}"
    return rng.choice([f"0{area} {grouped}", f"+{code} {area} {grouped}"])


def iban(value, language, rng):
    text = value[0]
    return text if rng.random() < 0.25 else " ".join(text[i:i + 4] for i in range(0, len(text), 4))


def percent(value, language, rng):
    whole, tenth = divmod(value[0], 10)
    text = f"{whole}" + (("." if language == "en" else ",") + str(tenth) if tenth else "")
    return text + rng.choice({"fr": [" %", "\u00a0%", " pour cent"], "de": [" %", "\u00a0%", " Prozent"],
                              "en": ["%", " per cent", " percent"]}[language])


def clock(value, language, rng):
    hour, minute = divmod(value[0], 60)
    if language == "fr":
        return rng.choice([f"{hour} h {minute:02}", f"{hour}h{minute:02}"]) if minute else rng.choice([f"{hour} h", f"{hour} heures"])
    if language == "de":
        return rng.choice([f"{hour:02}:{minute:02} Uhr", f"{hour}.{minute:02} Uhr"]) if minute else f"{hour} Uhr"
    half = "am" if hour < 12 else "pm"
    short = (hour - 1) % 12 + 1
    return rng.choice([f"{hour:02}:{minute:02}", f"{short}.{minute:02} {half}", f"{short}:{minute:02} {half[0]}.m."]) if minute else f"{short} {half}"


WRITERS = {
    "iban": iban, "phone": phone, "percent": percent, "time": clock, "address": address,
    "email": lambda value, language, rng: value[0].title() if rng.random() < 0.15 else value[0],
    "fileno": lambda value, language, rng: value[0], "listed": lambda value, language, rng: value[0],
    "reldate": lambda value, language, rng: RELATIVE[language][value[0]],
}
