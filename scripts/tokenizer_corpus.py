#!/usr/bin/env python3
"""Prints texts that are hard on tokenizers, all different, one JSON string a line.

The same seed gives the same lines on every machine and Python 3.9 or later:

    python3 scripts/tokenizer_corpus.py [NUMBER_OF_LINES] > corpus.jsonl
"""

import json
import random
import sys

FRENCH = """L'administration vous répond dans un délai de deux mois à compter de la réception.
Votre demande d'aide au logement n'a pas pu être traitée : il manque l'avis d'imposition 2023.
Où, quand et comment déposer un recours ? Écrivez à M. Lefèvre, cœur de la mairie d'Œuilly-sur-Loire.
Ça ne s'est pas passé comme prévu ; l'été dernier, j'ai reçu « une lettre » sans numéro de dossier.
Les pièces justificatives (CNI, RIB, acte de naissance) doivent être fournies en français.
Aujourd'hui, qu'est-ce qu'il y a lieu de payer ? 1 234,56 € — ni plus, ni moins.""".split("\n")

GERMAN = """Sehr geehrte Damen und Herren, Ihr Antrag auf Wohngeld vom 3. März 2024 ist eingegangen.
Die Straßenverkehrsbehörde übersendet Ihnen den Bescheid über Gebühren in Höhe von 87,50 €.
Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz heißt es, größer geht's kaum.
Bitte füllen Sie das Formular vollständig aus; fehlende Angaben verzögern die Bearbeitung.
„Ist das Öl äußerst süß?“, fragte Jürgen. ‚Weiß ich nicht‘, sagte Grete.
Gemäß § 42 Abs. 1 Satz 2 VwGO kann die Anfechtungsklage erhoben werden.""".split("\n")

ENGLISH = """You're entitled to appeal; we'll confirm receipt within 10 working days, won't we?
The council's decision (ref. HB/2024-00317) doesn't affect your pension credit.
I'd've thought they'd said it'S DONE, but THEY'RE NOT; it's "complicated".
Please quote your National Insurance number, e.g. QQ 12 34 56 C, in all letters.
A 3.14159-mile walk at 06:45 costs $12,345.67 or 1e-9 bitcoin, give or take 50%.
State-of-the-art e-mail: first.last+tag@example.org, see https://example.org/a?b=c&d=%20#e""".split("\n")

CODE = [
    "def f(x: int) -> list[str]:\n    return [f\"{i:03d}\" for i in range(x) if i % 2 == 0]\n",
    "fn main() {\n\tlet v: Vec<u8> = vec![0; 1_000];\n\tprintln!(\"{v:?}\");\n}\r\n",
    "SELECT COUNT(*) AS n FROM dossiers WHERE état = 'reçu' AND montant >= 1000.00;",
    "<div class=\"a-b\">&nbsp;&eacute;</div><!-- commentaire -->",
    "{\"clé\": [1, 2.50, null, true], \"größe\": \"\\u00fc\\n\"}",
    "for (int i=0;i<10;++i){a[i]^=~b[i]<<3;}//!=",
    "$ curl -sS -X POST http://127.0.0.1:8080/v1/chat/completions -d @- <<'EOF'",
    "| a | b |\n|---|--:|\n| 1 | 22 |\n\n```rust\nlet x = 0xDEAD_BEEF;\n```",
    "#include <stdio.h>\n\n\nint main(void)\n{\n        return 0;\n}\n",
]

EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇫🇷", "🇩🇪🇨🇭", "❤️", "🏳️‍🌈", "☃", "✅", "1️⃣", "🤷🏾‍♂️", "🫠", "©®™", "→⇒↔"]

SPACES = [
    " ", "  ", "   ", "        ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", " \n ", "\u00a0", "\u202f", "\u2009",
    "\u3000", "\u2028", "\u2029", "\u0085", "\u200b", "\ufeff", "\v", "\f", " \t \u00a0 ", "\n\t\n  ", "\u1680",
]

OTHER = [
    "Ελληνικά και ελληνικός", "Русский текст, ёлка", "日本語のテスト、東京都", "中文字符測試", "한국어 문장", "עברית שלום",
    "العربية مرحبا ١٢٣", "हिन्दी १२३४", "ไทยภาษา", "e\u0301te\u0301 a\u0308o\u0308u\u0308", "n\u0303 \u0301 lone mark",
    "ﬁnance ﬀ ligature", "½ ¾ ² ³ ₄ Ⅻ ④ ٣ ៣", "I\u0307stanbul İ ı", "ẞ ß ſ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚", "\u0000\u0001\u007f", "a\u0300\u0301\u0302\u0303",
    "\ufffd \ufffe", "'s 't 're 've 'm 'll 'd 'S 'T", "’s ’t l’été", "...!!!???", "----====____", "«»“”„‚‘’–—…•·",
]

RESERVED = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "<|im_end", "|im_end|>", "<|IM_END|>"]

WORDS = "le der the naïve Übung façade coöperate 42 007 1234567890 x_y camelCase SHOUT e-mail l'an d'où it's".split()


def number(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return str(rng.randrange(10 ** rng.randrange(1, 16)))
    if kind == 1:
        return f"{rng.randrange(10**6) / 100:,.2f}"
    if kind == 2:
        return f"{rng.randrange(1, 29):02d}.{rng.randrange(1, 13):02d}.{rng.randrange(1900, 2100)}"
    if kind == 3:
        return "FR76 " + " ".join(f"{rng.randrange(10000):04d}" for _ in range(5))
    return hex(rng.randrange(2**32))


def scramble(rng):
    """Characters from anywhere but the surrogates."""
    out = []
    for _ in range(rng.randrange(1, 30)):
        top = rng.choice([0x80, 0x250, 0x2100, 0xD800, 0x30000])
        point = rng.randrange(top)
        out.append(chr(point) if not 0xD800 <= point < 0xE000 else "?")
    return "".join(out)


def line(rng):
    kind = rng.randrange(10)
    if kind == 0:
        return rng.choice(CODE) + rng.choice(SPACES) + rng.choice([number(rng), rng.choice(CODE)])
    if kind == 1:
        return scramble(rng)
    sources = [FRENCH, GERMAN, ENGLISH, OTHER, EMOJI, WORDS, CODE]
    weights = [5, 5, 5, 3, 3, 4, 1]
    parts = []
    for _ in range(rng.randrange(1, 6)):
        if rng.random() < 0.15:
            parts.append(number(rng))
        elif rng.random() < 0.03:
            parts.append(rng.choice(RESERVED))
        else:
            part = rng.choice(rng.choices(sources, weights)[0])
            if rng.random() < 0.3:
                start = rng.randrange(len(part))
                part = part[start : start + rng.randrange(1, 40)]
            parts.append(part)
        parts.append(rng.choice(SPACES) if rng.random() < 0.5 else " ")
    if rng.random() < 0.2:
        parts.insert(0, rng.choice(SPACES))
    if rng.random() < 0.6:
        parts.pop()
    return "".join(parts)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rng = random.Random(20240601)
    seen = set()
    while len(seen) < count:
        text = line(rng)
        if text not in seen:
            seen.add(text)
            print(json.dumps(text))


if __name__ == "__main__":
    main()
