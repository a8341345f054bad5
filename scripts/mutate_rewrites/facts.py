"""The facts of a document: what a template declares, drawn at random."""

from dataclasses import dataclass
from datetime import date, timedelta

CLASSES = {
    "number": "number", "percent": "number", "date": "date", "reldate": "date", "amount": "amount",
    "duration": "duration", "time": "time", "iban": "iban", "ref": "reference", "fileno": "file_number",
    "email": "email", "phone": "phone", "person": "name", "address": "name", "listed": "name",
}
RELATIVE = "today tomorrow day_after this_week next_week next_month month_end year_end".split()

GIVEN = {
    "fr": ("Claire Amélie Nadia Sophie Hélène Inès Margaux", "Julien Mathieu Karim Étienne Benoît Thierry Loïc"),
    "de": ("Katrin Sabine Anja Heike Leonie Gülay Ursula", "Jürgen Stefan Tobias Mehmet Holger Uwe Björn"),
    "en": ("Alice Priya Fiona Gemma Harriet Niamh Olivia", "Oliver Graham Nigel Rashid Duncan Callum Edward"),
}
SURNAMES = {
    "fr": "Morvan Delacroix Benali Lefèvre Guérin Chevallier Rousseau Pélissier Garnier Marchand Fournier Lemaître "
          "Bourgeois Aubry Thévenot Masson Carpentier Dumoulin Vasseur Prigent",
    "de": "Müller Schröder Hoffmann Yılmaz Köhler Neumann Vogel Brandt Schäfer Lindner Krämer Ziegler Bergmann "
          "Engelhardt Winkler Petersen Kowalski Hartwig Seidel Böttcher",
    "en": "Whitfield Patel Macdonald O'Brien Harding Thornton Ashworth Fletcher Okafor Pemberton Sinclair Barrett "
          "Holloway Marsden Chaudhry Kendall Rowbotham Dunmore Lockwood Tuckwell",
}
STREETS = {
    "fr": ["rue des Lilas", "avenue Victor-Hugo", "rue du Moulin", "boulevard Carnot", "place de la République",
           "allée des Tilleuls", "chemin du Vieux-Port", "rue Jean-Jaurès"],
    "de": ["Lindenstraße", "Goethestr.", "Am Mühlbach", "Bahnhofstraße", "Marktplatz", "Schillerweg", "Karl-Marx-Allee"],
    "ch": ["Seestrasse", "Bahnhofstrasse", "Lindenweg", "Dorfgasse", "Marktgasse"],
    "en": ["Station Road", "Church Lane", "Victoria Street", "Mill Close", "Park Avenue", "Queen's Road"],
}
TOWNS = {
    "fr": "33000 Bordeaux|67100 Strasbourg|29200 Brest|86000 Poitiers|63000 Clermont-Ferrand|44300 Nantes|38100 Grenoble",
    "de": "13187 Berlin|04109 Leipzig|50667 Köln|72070 Tübingen|34117 Kassel|90762 Fürth|22765 Hamburg",
    "ch": "8400 Winterthur|6003 Luzern|3600 Thun|8004 Zürich",
    "en": "BS1 4ND Bristol|LS2 8JT Leeds|OX4 1EX Oxford|YO1 7HH York|NR2 1TF Norwich",
}
DIALLING = {"FR": ("33", ["1", "2", "3", "4", "5"], 8), "DE": ("49", ["30", "351", "7071", "911", "221"], 0),
            "GB": ("44", ["117", "113", "1904"], 0), "CH": ("41", ["52", "41", "33"], 7)}
DOMAINS = ["ville.example", "amt.example", "service.example", "stadt-amt.example", "council.example"]


@dataclass(frozen=True)
class Fact:
    kind: str
    value: tuple


def draw(declarations, rng):
    """One fact for each declaration `(name, kind, arguments)`, no two people or numbers alike."""
    facts = {}
    for name, kind, args in declarations:
        for _ in range(200):
            fact = Fact(kind, DRAWS[kind](args, facts, rng))
            if not any(alike(fact, other) for other in facts.values()):
                break
        facts[name] = fact
    return facts


def alike(one, other):
    if one.kind != other.kind:
        return False
    if one.kind == "person":
        return one.value[2] == other.value[2]
    return one.value == other.value


def date_drawn(args, facts, rng):
    if args[0] in ("after", "before"):
        days = rng.randint(int(args[2]), int(args[3]))
        return (facts[args[1]].value[0] + timedelta(days=days if args[0] == "after" else -days),)
    first, last = (date.fromisoformat(arg) for arg in args)
    return (first + timedelta(days=rng.randint(0, (last - first).days)),)


def amount_drawn(args, _, rng):
    currency = next((arg for arg in args if arg in ("GBP", "CHF")), "EUR")
    euros = rng.randint(int(args[0]), int(args[1]))
    whole = "whole" in args or rng.random() < 0.15
    cents = 0 if whole else rng.randint(1, 99)
    if currency == "CHF" and not whole:
        cents = rng.randrange(5, 100, 5)
    return (euros * 100 + cents, currency)


def person_drawn(args, _, rng):
    country = rng.choice(sorted(GIVEN)) if args[0] == "any" else args[0]
    gender = rng.randrange(2)
    given = rng.choice(GIVEN[country][gender].split())
    return ("fm"[gender], given, rng.choice(SURNAMES[country].split()), rng.random() < 0.1)


def address_drawn(args, _, rng):
    town = rng.choice(TOWNS[args[0]].split("|"))
    post, city = town.rsplit(" ", 1)
    return (args[0], rng.choice(STREETS[args[0]]), rng.randint(2, 189), post, city)


def ref_drawn(args, _, rng):
    options = " ".join(args[1:]).split("|")
    if args[0] == "eulaw":
        return ("eulaw", "", rng.choice(options))
    law, _, first = (options[0], "", "") if args[0] == "uk" else options[0].partition(" ")
    return (args[0], law, rng.choice(options[1:] if args[0] == "uk" else [first, *options[1:]]))


def digits(pattern, rng):
    return "".join(str(rng.randint(1, 9)) if c == "9" else c for c in pattern)


def iban_drawn(args, _, rng):
    body = {"FR": digits("9" * 23, rng), "DE": digits("9" * 18, rng), "CH": digits("9" * 17, rng),
            "GB": rng.choice(["BARC", "NWBK"]) + digits("9" * 14, rng)}[args[0]]
    return (with_check_digits(args[0], body),)


def with_check_digits(country, body):
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    return f"{country}{98 - number % 97:02}{body}"


def phone_drawn(args, _, rng):
    _, areas, length = DIALLING[args[0]]
    return (args[0], rng.choice(areas), digits("9" * (length or 7), rng))


def email_drawn(_, facts, rng):
    people = [fact.value for fact in facts.values() if fact.kind == "person"]
    plain = people[-1][2].lower().translate(str.maketrans("éèüöäîıç'", "eeuoaiic."))
    return (f"{rng.choice(['', 'contact.', 'service-', plain[0] + '.'])}{plain}@{rng.choice(DOMAINS)}",)


DRAWS = {
    "date": date_drawn, "amount": amount_drawn, "person": person_drawn, "address": address_drawn, "ref": ref_drawn,
    "iban": iban_drawn, "phone": phone_drawn, "email": email_drawn,
    "reldate": lambda args, facts, rng: (rng.choice(RELATIVE),),
    "number": lambda args, facts, rng: (rng.randint(int(args[0]), int(args[1])),),
    "percent": lambda args, facts, rng: (rng.choice([rng.randint(15, 350), rng.randint(2, 35) * 10]),),
    "duration": lambda args, facts, rng: (int(rng.choice(args[0].split("|"))), args[1]),
    "time": lambda args, facts, rng: (rng.randrange(7 * 60, 20 * 60, 15),),
    "fileno": lambda args, facts, rng: (digits(" ".join(args), rng),),
    "listed": lambda args, facts, rng: (rng.choice(" ".join(args).split("|")),),
}
