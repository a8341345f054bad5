"""Whole numbers below a million in French, German and English words."""

FR = ("zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize").split()
FR_TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante", 80: "quatre-vingt"}
DE = ("null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn "
      "sechzehn siebzehn achtzehn neunzehn").split()
DE_TENS = dict(zip(range(20, 100, 10), "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()))
EN = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
      "sixteen seventeen eighteen nineteen").split()
EN_TENS = dict(zip(range(20, 100, 10), "twenty thirty forty fifty sixty seventy eighty ninety".split()))


def french(n):
    if n < 17:
        return FR[n]
    if n < 20:
        return "dix-" + FR[n - 10]
    if n < 100:
        tens = n // 10 * 10
        if tens in (70, 90):
            tens -= 10
        rest = n - tens
        if rest == 0:
            return FR_TENS[tens] + ("s" if tens == 80 else "")
        joint = " et " if rest in (1, 11) and tens != 80 else "-"
        return FR_TENS[tens] + joint + french(rest)
    if n < 1000:
        head = "cent" if n < 200 else FR[n // 100] + " cent"
        if n % 100 == 0:
            return head + ("s" if n >= 200 else "")
        return head + " " + french(n % 100)
    head = "mille" if n < 2000 else french(n // 1000).removesuffix("s") + " mille"
    if n // 1000 % 100 in (3, 6, 10):
        head = french(n // 1000) + " mille"
    return head if n % 1000 == 0 else head + " " + french(n % 1000)


def german(n, final=True):
    if n == 1 and not final:
        return "ein"
    if n < 20:
        return DE[n]
    if n < 100:
        rest = n % 10
        return (german(rest, False) + "und" if rest else "") + DE_TENS[n - rest]
    if n < 1000:
        head = german(n // 100, False) + "hundert"
        return head + (german(n % 100) if n % 100 else "")
    head = german(n // 1000, False) + "tausend"
    return head + (german(n % 1000) if n % 1000 else "")


def english(n):
    if n < 20:
        return EN[n]
    if n < 100:
        return EN_TENS[n // 10 * 10] + ("-" + EN[n % 10] if n % 10 else "")
    if n < 1000:
        return EN[n // 100] + " hundred" + (" and " + english(n % 100) if n % 100 else "")
    head = english(n // 1000) + " thousand"
    rest = n % 1000
    if rest == 0:
        return head
    return head + (" and " if rest < 100 else " ") + english(rest)


def spelled(n, language):
    return {"fr": french, "de": german, "en": english}[language](n)
