"""Forms of words: plurals, singulars, spellings."""

from __future__ import annotations

import re

#: Endings of plurals, and of what they are the plural of.
_LATIN = (("i", "us"), ("a", "um"), ("a", "on"), ("ae", "a"), ("es", "is"), ("ices", "ex"))

#: Endings of words, and of their plurals.
_ENDINGS = (
    *(("us", "i"), ("um", "a"), ("drion", "dria"), ("glion", "glia"), ("man", "men")),
    *(("ife", "ives"), ("sis", "ses")),
)
_IRREGULAR = {
    "bus": "buses",
    "virus": "viruses",
    "human": "humans",
    "person": "people",
    "child": "children",
    "mouse": "mice",
    "goose": "geese",
    "leaf": "leaves",
    "loaf": "loaves",
    **{word: word for word in ("sheep", "fish", "skis", "scissors", "broccoli")},
}

#: American spellings, and British ones.
_SPELLINGS = (
    (r"tumor", "tumour"),
    (r"\bedema", "oedema"),
    (r"gray", "grey"),
    (r"center", "centre"),
    (r"\bairplane", "aeroplane"),
    (r"color", "colour"),
    (r"fiber", "fibre"),
    (r"hemo", "haemo"),
    (r"esophag", "oesophag"),
)


def plain(name: str) -> str:
    """Return a name as it is said: lower case, words parted by single spaces."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))


def side_first(name: str) -> str:
    """Return a name as it is said, "left kidney" for "kidney_left"."""
    return re.sub(r"^(.+) (left|right)$", r"\2 \1", plain(name))


def singulars(phrase: str) -> list[str]:
    """Return a phrase and what it may be the plural of, by its last word."""
    before, space, last = phrase.rpartition(" ")
    forms = [last, *(one for one, many in _IRREGULAR.items() if many == last != one)]
    if last.endswith("ies"):
        forms.append(last[:-3] + "y")
    if last.endswith("ves"):
        forms += [last[:-3] + "f", last[:-3] + "fe"]
    if last.endswith("es"):
        forms.append(last[:-2])
    if last.endswith("s") and not last.endswith("ss"):
        forms.append(last[:-1])
    if last.endswith("men"):
        forms.append(last[:-2] + "an")
    forms += [last[: -len(p)] + s for p, s in _LATIN if last.endswith(p) and len(last) > 4]
    # A class may itself be named by its plural.
    forms += [last[: -len(s)] + p for p, s in _LATIN if last.endswith(s) and len(last) > 4]
    return [
        before + space + british(form) if n else before + space + form
        for form in forms
        for n in (0, 1)
    ]


def plural(phrase: str) -> str:
    """Return how several of a thing are called, by the last word of its name."""
    before, space, word = phrase.rpartition(" ")
    return before + space + _plural_of_word(word)


def _plural_of_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    for singular, several in _ENDINGS:
        if word.endswith(singular) and len(word) > len(singular) + 1:
            return word[: -len(singular)] + several
    if word.endswith("y") and word[-2:-1] not in ("a", "e", "o", "u"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")


def british(phrase: str) -> str:
    """Return a phrase as it is spelt in Britain."""
    for american, british in _SPELLINGS:
        phrase = re.sub(american, british, phrase)
    return phrase
