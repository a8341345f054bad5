"""A faithful rewrite made wrong in one place, and what was done to it."""

import re

from .alterations import altered
from .facts import CLASSES, RELATIVE, Fact
from .templates import joined, rewrite, spans

VAGUE = {
    "number": ("plusieurs", "mehrere", "several"), "amount": ("une certaine somme", "einen Betrag", "a sum"),
    "date": ("ce jour-là", "einem festen Tag", "a set day"), "duration": ("un certain temps", "einige Zeit", "some time"),
    "time": ("l'heure prévue", "die vorgesehene Zeit", "the time set"), "name": ("le service", "die Stelle", "the service"),
    "reference": ("selon la loi", "nach dem Gesetz", "under the law"),
}
GIVEN = ("indiqué", "angegeben", "as given")
UNITS = {" km/h": " m/s", " km": " m", " m²": " ha", " Quadratmeter": " Hektar", " mètres carrés": " hectares",
         " square metres": " hectares", " Meter": " Zentimeter", " mètres": " centimètres", " metres": " centimetres",
         " Litern": " Millilitern", " litres": " millilitres", " Stunden": " Minuten", " heures": " minutes",
         " hours": " minutes"}
SWAPPED = ("amount", "date", "number", "duration", "person", "time")


class Mutator:
    def __init__(self, facts, alternatives, rng):
        self.facts, self.alternatives, self.rng = facts, alternatives, rng

    def mutations(self, rewritten, kind_class):
        """All operations that apply to facts of a class, as `(operation, function)` pairs."""
        places = [i for i, piece in enumerate(rewritten.pieces) if piece.fact and CLASSES[self.facts[piece.fact].kind] == kind_class]
        found = []
        for place in places:
            piece = rewritten.pieces[place]
            fact = self.facts[piece.fact]
            for operation, other in altered(fact, self.rng):
                if not self.known(other):
                    found.append((operation, lambda place=place, other=other: self.replaced(rewritten, {place: other})))
            found += self.special(rewritten, place, fact, piece)
        found += self.swaps(rewritten, places)
        return found

    def known(self, fact):
        return any(fact.kind == other.kind and fact.value[:2] == other.value[:2] for other in self.facts.values()
                   if fact.kind not in ("person", "address", "ref", "phone")) or fact in self.facts.values()

    def special(self, rewritten, place, fact, piece):
        rng, found = self.rng, []
        if piece.style in ("by", "within"):
            found.append(("sign of the deadline turned", lambda: self.replaced(rewritten, {place: fact}, style=piece.style + "!")))
        if fact.kind in ("number", "duration") or fact.kind == "amount" and fact.value[0] % 100 == 0:
            for _, other in altered(fact, rng):
                if not self.known(other) and (fact.kind != "amount" or other.value[0] < 100_000_000):
                    found.append(("altered in words", lambda other=other: self.replaced(rewritten, {place: other}, spell=True)))
        if fact.kind == "date":
            relative = Fact("reldate", (rng.choice(RELATIVE),))
            if not self.known(relative):
                found.append(("relative date instead", lambda: self.replaced(rewritten, {place: relative}, style="")))
        if fact.kind == "listed":
            for name in self.alternatives:
                if name != fact.value[0]:
                    found.append(("listed name replaced", lambda name=name: self.replaced(rewritten, {place: Fact("listed", (name,))})))
        if fact.kind == "iban":
            found.append(("group dropped", lambda: self.replaced(rewritten, {place: Fact("iban", (fact.value[0][:8] + fact.value[0][12:],))})))
        after = rewritten.pieces[place + 1].text if place + 1 < len(rewritten.pieces) else ""
        unit = next((unit for unit in UNITS if re.match(re.escape(unit) + r"\b", after) or unit in (" m²",) and after.startswith(unit)), None)
        if fact.kind == "number" and unit:
            found.append(("unit changed", lambda: self.with_unit(rewritten, place, unit)))
        if rewritten.complete:
            found.append(("dropped", lambda: self.dropped(rewritten, piece.fact)))
        return found

    def swaps(self, rewritten, places):
        found = []
        for one in places:
            for other in places:
                a, b = rewritten.pieces[one], rewritten.pieces[other]
                first, second = self.facts[a.fact], self.facts[b.fact]
                if one < other and first.kind == second.kind in SWAPPED and first.value != second.value:
                    found.append(("two values swapped", lambda one=one, other=other, first=first, second=second:
                                  self.replaced(rewritten, {one: second, other: first})))
        return found

    def replaced(self, rewritten, changes, style=None, spell=False):
        pieces = list(rewritten.pieces)
        for place, fact in changes.items():
            pieces[place] = rewrite(pieces[place], fact, rewritten.language, rewritten.loose, style, spell)
        return self.told(rewritten, pieces, sorted(changes))

    def with_unit(self, rewritten, place, unit):
        pieces = list(rewritten.pieces)
        literal = pieces[place + 1]
        changed = type(literal)(UNITS[unit] + literal.text[len(unit):])
        pieces[place] = type(literal)(pieces[place].text + UNITS[unit], "unit")
        pieces[place + 1] = type(literal)(changed.text[len(UNITS[unit]):])
        return self.told(rewritten, pieces, [place])

    def dropped(self, rewritten, name):
        pieces = list(rewritten.pieces)
        kind_class = CLASSES[self.facts[name].kind]
        places = [i for i, piece in enumerate(pieces) if piece.fact == name]
        for place in places:
            vague = VAGUE.get(kind_class, GIVEN)[("fr", "de", "en").index(rewritten.language)]
            pieces[place] = type(pieces[place])(vague)
        told = self.told(rewritten, pieces, places)
        if told:
            told["spans"] = []
            told["source_spans"] = spans(rewritten.source, [i for i, piece in enumerate(rewritten.source) if piece.fact == name])
        return told

    def told(self, rewritten, pieces, places):
        was = [rewritten.pieces[place].text for place in places]
        now = [pieces[place].text for place in places]
        # A swap of dates that lost their year, or a turn that is none, changes no word.
        if joined(pieces) == joined(rewritten.pieces):
            return None
        return {"text": joined(pieces), "spans": spans(pieces, places), "source_spans": [], "was": was, "now": now}
