"""Facts made wrong: each operation names what it does and gives another fact of the same kind."""

from datetime import timedelta

from . import laws
from .facts import GIVEN, RELATIVE, SURNAMES, TOWNS, Fact


def altered(fact, rng):
    """`(operation, fact)` pairs to choose from. An operation that does not apply is left out."""
    pairs = ALTERATIONS[fact.kind](fact.value, rng)
    return [(operation, Fact(fact.kind, value)) for operation, value in pairs if value and value != fact.value]


def another_digit(text, rng, first=0):
    places = [i for i, c in enumerate(text) if c.isdigit() and i >= first]
    at = rng.choice(places)
    leading = at == 0 or not text[at - 1].isdigit()
    return text[:at] + rng.choice([d for d in "123456789" + ("" if leading else "0") if d != text[at]]) + text[at + 1:]


def transposed(text, rng, first=0):
    places = [i for i in range(first, len(text) - 1)
              if text[i].isdigit() and text[i + 1].isdigit() and text[i] != text[i + 1] and text[i + 1] != "0"]
    if not places:
        return None
    at = rng.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2:]


def numbers(value, rng):
    text = str(value[0])
    swapped = transposed(text, rng)
    return [("digit altered", (int(another_digit(text, rng)),)), ("one off", (value[0] + rng.choice([-1, 1]),)),
            ("digits transposed", swapped and (int(swapped),))]


def percents(value, rng):
    return [("digit altered", (int(another_digit(str(value[0]), rng)),)), ("tenfold", (value[0] * 10,)),
            ("one off", (value[0] + 10,))]


def amounts(value, rng):
    cents, currency = value
    euros, rest = divmod(cents, 100)
    swapped = transposed(str(euros), rng)
    other = {"EUR": "CHF", "CHF": "EUR", "GBP": "EUR"}[currency]
    return [("digit altered", (int(another_digit(str(euros), rng)) * 100 + rest, currency)), ("tenfold", (cents * 10, currency)),
            ("digits transposed", swapped and (int(swapped) * 100 + rest, currency)), ("currency changed", (cents, other)),
            ("cents altered", rest and (euros * 100 + (rest + 35) % 100, currency))]


def dates(value, rng):
    date = value[0]
    exchanged = date.replace(day=date.month, month=date.day) if date.day <= 12 else None
    month = date.month % 12 + 1
    return [("day altered", (date.replace(day=(date.day + rng.randint(1, 26)) % 28 + 1),)),
            ("month altered", (date.replace(day=min(date.day, 28), month=month),)),
            ("year altered", (date.replace(day=min(date.day, 28), year=date.year + rng.choice([-1, 1])),)),
            ("one day off", (date + timedelta(days=rng.choice([-1, 1])),)),
            ("day and month exchanged", exchanged and (exchanged,))]


def durations(value, rng):
    count, unit = value
    units = [other for other in ("days", "weeks", "months", "years") if other != unit]
    return [("number altered", (count + rng.choice([1, 2, 5]), unit)), ("unit changed", (count, rng.choice(units))),
            ("digit altered", (int(another_digit(str(count), rng)), unit))]


def times(value, rng):
    return [("hour altered", ((value[0] + 60 * rng.randint(1, 3)) % 1200,)),
            ("minutes altered", (value[0] - value[0] % 60 + (value[0] + rng.choice([15, 30])) % 60,))]


def references(value, rng):
    system, law, number = value
    letter, _, rest = number.partition(" ")
    if system == "uk":
        return [("digit altered", (system, law, another_digit(number, rng))), ("law changed", laws.other_law(value, rng))]
    if system == "eulaw":
        return [("digit altered", (system, law, another_digit(number, rng))),
                ("digits transposed", (system, law, transposed(number, rng) or another_digit(number, rng)))]
    pairs = [("article altered", (system, law, another_digit(letter, rng) + " " + rest)) if system != "fr" else
             ("article altered", (system, law, letter + " " + another_digit(rest, rng))),
             ("law changed", laws.other_law(value, rng))]
    if system == "fr":
        return pairs + [("letter changed", (system, law, ("R" if letter == "L" else "L") + " " + rest)),
                        ("suffix dropped", (system, law, letter + " " + rest.split("-")[0])),
                        ("suffix lengthened", (system, law, f"{number}-{rng.randint(1, 4)}"))]
    return pairs + [("paragraph altered", (system, law, f"{letter} {another_digit(rest, rng)}"))]


def texts(value, rng):
    swapped = transposed(value[0], rng, 4)
    return [("digit altered", (another_digit(value[0], rng, 2),)), ("digits transposed", swapped and (swapped,))]


def emails(value, rng):
    name, _, domain = value[0].partition("@")
    at = rng.randrange(len(name) - 1)
    letter = rng.choice([c for c in "aeinrst" if c != name[at]])
    return [("letter altered", (f"{name[:at]}{letter}{name[at + 1:]}@{domain}",)),
            ("domain changed", (f"{name}@{rng.choice(['mairie.example', 'rathaus.example', domain + '.example'])}",))]


def phones(value, rng):
    country, area, rest = value
    swapped = transposed(rest, rng)
    return [("digit altered", (country, area, another_digit(rest, rng))), ("digits transposed", swapped and (country, area, swapped))]


def misspelt(word, rng):
    at = rng.randrange(1, len(word))
    return word[:at] + rng.choice([c for c in "aeionrstlm" if c != word[at].lower()]) + word[at + 1:]


def people(value, rng):
    gender, given, surname, doctor = value
    others = [name for names in SURNAMES.values() for name in names.split() if name != surname]
    pairs = [("surname misspelt", (gender, given, misspelt(surname, rng), doctor)),
             ("surname replaced", (gender, given, rng.choice(others), doctor)),
             ("given name replaced", (gender, rng.choice([n for n in GIVEN["de"][0].split() if n != given]), surname, doctor))]
    return pairs if doctor else pairs + [("title changed", ("m" if gender == "f" else "f", given, surname, doctor))]


def addresses(value, rng):
    country, street, house, post, city = value
    towns = [town.rsplit(" ", 1)[1] for towns in TOWNS.values() for town in towns.split("|")]
    return [("house number altered", (country, street, int(another_digit(str(house), rng)), post, city)),
            ("postcode altered", (country, street, house, another_digit(post, rng), city)),
            ("town replaced", (country, street, house, post, rng.choice([town for town in towns if town != city])))]


def listed(value, rng):
    words = value[0].split()
    at = rng.choice([i for i, word in enumerate(words) if len(word) > 3 and word[0].isupper()])
    return [("word misspelt", (" ".join([*words[:at], misspelt(words[at], rng), *words[at + 1:]]),))]


ALTERATIONS = {
    "number": numbers, "percent": percents, "amount": amounts, "date": dates, "duration": durations, "time": times,
    "ref": references, "iban": texts, "fileno": texts, "email": emails, "phone": phones, "person": people,
    "address": addresses, "listed": listed,
    "reldate": lambda value, rng: [("relative date altered", (rng.choice([r for r in RELATIVE if r != value[0]]),))],
}
