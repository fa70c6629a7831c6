"""The units of a sentence: words that belong together, read from left to right.

A unit is a class, a place, or a cue such as "missing" or "instead of". Each has a letter.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from napari_guideme.language.place_words import DIRECTION, read_place, rewritten
from napari_guideme.language.places import Region
from napari_guideme.language.vocabulary import Vocabulary
from napari_guideme.language.word_forms import plural, side_first


@dataclass(frozen=True)
class Unit:
    """Some words that belong together.

    Attributes
    ----------
    kind
        ``C`` for a class, ``P`` for a place, ``Z`` for a place named before, ``J``
        for a relation to another thing, ``a`` for words that describe a thing, ``?``
        for words that are not known, ``_`` for words without a meaning, else a letter
        of `cues.toml`.
    words
        As they were said.
    classes
        What a class can mean.
    region
        Of a place.
    """

    kind: str
    words: str
    classes: tuple[str, ...] = ()
    region: Region | None = None


_SEPARATORS = {",": ",", ":": ",", "-": ",", ";": ";", ".": ";", "!": ";", "?": ";"}


def _compiled(phrases: Sequence[str], parts: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    """Alternatives of whole words, the longest first where one begins another."""
    pattern = "|".join(sorted(phrases, key=len, reverse=True))
    for _ in range(3):
        for name, words in parts.items():
            pattern = pattern.replace(f"<{name}>", "|".join(sorted(words, key=len, reverse=True)))
    return re.compile(f"(?:{pattern})(?![a-z0-9])")


_TABLE = tomllib.loads((files(__package__) / "cues.toml").read_text(encoding="utf-8"))
_CUES = {letter: _compiled(said, _TABLE["parts"]) for letter, said in _TABLE["cues"].items()}
_FILLERS = _compiled(_TABLE["filler"]["words"], _TABLE["parts"])
#: Cues and directions of one word, of which slips of the hand are read.
_PLAIN_WORDS = (
    *(cue for letter in "FRM" for cue in _TABLE["cues"][letter] if cue.isalpha()),
    *(word for word in DIRECTION.split("|") if not word.startswith("patient")),
    *("corner", "half", "third", "please", "instead", "there", "should"),
)
_BETWEEN = re.compile(
    r"between (?:the |these |those |two |both |touching |neighbouring |adjacent )*"
)
#: Describes what follows, and does not deny it.
_ADJECTIVE = re.compile(
    r"(?!non|un|in|mis|pseudo|dis|anti|extra|para)[a-z]{3,}(?:al|ic|ar|ous|oid|ary|ive)"
)
#: After an adjective they only make it a noun: the gastric wall is stomach, the stomach wall may
#: be something else.
_PART = re.compile(r"(?:walls?|process(?:es)?|lesions?|tumou?rs?)(?![a-z0-9])")
#: A relation to something else in the image is no place of the grid.
_RELATION = re.compile(
    r"(?:above|below|(?:to the )?(?:left|right) of|(?:north|south) of) (?:the|an?|that|this) "
)
#: "The patient's left kidney" is the left kidney.
_PATIENT = re.compile(r"(?:the )?patient(?=(?:left|right) )")
_CORRECTING = ("actually", "really", "in fact", "in reality")
_DEGREES = ("very", "quite", "rather", "fairly", "pretty", "really")
_BEGINNING = r"(?:^|(?<=[,;.!?] ))"
_AUXILIARY = "is|are|was|were|do|does|did|have|has|can|could|will|would|should"
_PRONOUN = "you|we|it|they|i|this|that|these|those"
#: "No," and "that's wrong," object to what was there before, and tell nothing of what follows.
_OBJECTION = re.compile(
    r"^no ,(?= .*\b(?:not|no|is|are|remove|delete|find|add|missing)\b)"
    rf"|{_BEGINNING}(?:(?:that|this|it|you|the network) (?:is|s|was|are|re|were) )?"
    r"(?:(?:all|just|completely|totally|simply|clearly) )?(?:wrong|incorrect|false|nonsense|"
    r"rubbish|not (?:right|true|correct)|an? (?:mistake|error)) "
    r"(?:[,.!](?= [^,;.!?:]*\b(?:not|no|is|are|s|was|were|should|remove|delete|find|add|missing)\b)"
    r"|:(?= (?:this|that|it|these|those|they) ))"
)
#: "I want the border gone", "make it disappear".
_WISHED_AWAY = re.compile(
    r"\b(?:want|need|like|prefer|make)(?: to (?:see|have))? "
    r"((?:the|all|any|every|this|that|these|those|both|it|them)\b[^,;.!?]*?)"
    r"(?<!\bis)(?<!\bare)(?<!\bhas)(?<!\bhave)(?: to)? "
    r"(?:gone|disappear|vanish|go away|go(?= *(?:$|[,;.!?])))\b"
)
#: "Remove the nucleus, no, the border".
_TAKEN_BACK = re.compile(
    r", (?:no(?: wait)?(?= ,)|(?:nope|wait|oops|correction)\b|sorry(?: ,)? (?=the|an?|that|this)\b)"
)
#: "On the left of" something, unlike "the left half of" it.
_DIRECTION = re.compile(r".*\b(?:left|right|top|bottom|middle|centre|center)")


def normalised(sentence: str) -> str:
    """Lower case, words and punctuation parted by single spaces, contractions written out."""
    text = re.sub(r"\s*(?:[-=]+>|→)\s*", " should be ", sentence.lower().replace("’", "'"))
    text = re.sub(r"\bcan'?t\b|\bcannot\b", "can not", text)
    text = re.sub(r"\bwon't\b", "will not", text)
    text = re.sub(r"n't\b", " not", text)
    text = re.sub(r"\b(isn|aren|wasn|weren|doesn|didn|don|shouldn)t\b", r"\1 not", text)
    text = re.sub(r"(?<=\w)'s?(?=\W|$)", " s", re.sub(r"\btheres\b", "there's", text))
    text = re.sub(r"(?<=[a-z0-9])[-/](?=[a-z0-9])", " ", text)
    text = re.sub(r"['\"()]", " ", text)
    text = re.sub(r"([,:;.!?]|\s-+\s|–|—)", lambda m: f" {m.group().strip()[0]} ", text)
    text = text.replace("–", "-").replace("—", "-")
    text = re.sub(r"\bdon not\b", "do not", " ".join(text.split()))
    text = re.sub(r"\b(is|are|was|were|does|did|should) n not\b", r"\1 not", text)
    text = re.sub(
        r"\b(isn|aren|wasn|weren|doesn|didn|shouldn) not\b",
        lambda m: f"{m.group(1)[:-1]} not",
        text,
    )
    text = re.sub(r"\bpatient s\b", "patient", text)
    text = re.sub(r"\b(?:nobody|no one)\b", "no person", text)
    text = re.sub(r"\b(over|under) (segmented|called|estimated)\b", r"\1\2", text)
    text = _expecting(text)
    if "neither" in text.split():
        text = re.sub(r"(?: ,)? nor (?=(?:at|on|in)\b)", " and ", text.replace("neither", "no"))
        text = re.sub(r"(?: ,)? nor\b", " and no", text)
    return rewritten(_WISHED_AWAY.sub(r"remove \1", _OBJECTION.sub("", text).strip()))


def _expecting(text: str) -> str:
    """Leave out the negation of a question that expects a yes: "can't you see it?".

    Others are doubts: "shouldn't the border be at the top?".
    """
    text = re.sub(rf"{_BEGINNING}({_AUXILIARY}) not there\b", r"there \1", text)
    doubted = r"(?:the|all|any|every) |an? [^.;!]*\?"
    text = re.sub(rf"{_BEGINNING}(?:{_AUXILIARY}) not (?={doubted})", "doubtful , ", text)
    return re.sub(
        rf"{_BEGINNING}({_AUXILIARY}) not (?=(?:{_PRONOUN})\b[^.;!]*\?|you see\b)", r"\1 ", text
    )


def units(sentence: str, vocabulary: Vocabulary) -> list[Unit]:
    """Read a sentence into units; words that are not known have the kind ``?``."""
    found: list[Unit] = []
    text = normalised(sentence)
    while text:
        unit, length = _next_unit(text, [u for u in found if u.kind != "_"], vocabulary)
        found.append(unit or Unit("_", text[:length]))
        text = text[length:].lstrip()
    return [one for unit in _with_a_meaning(found) for one in _each(unit)]


def _each(unit: Unit) -> list[Unit]:
    """Take "kidneys" for the left and the right one."""
    pair = [re.sub(r"\b(?:left|right) ", "", side_first(name)) for name in unit.classes]
    if len(pair) != 2 or pair[0] != pair[1] or unit.words != plural(pair[0]):
        return [unit]
    first, second = (replace(unit, classes=(name,)) for name in unit.classes)
    return [first, Unit("E", "and"), second]


def _with_a_meaning(found: Sequence[Unit]) -> list[Unit]:
    """Leave out fillers, and prepositions that relate no class to another one."""
    told = [replace(unit, kind=_kind_among(found, at)) for at, unit in enumerate(found)]
    return [
        unit
        for at, unit in enumerate(told)
        if unit.kind != "_"
        and not (unit.kind == "J" and _FILLERS.fullmatch(unit.words) and not _relates(found, at))
    ]


def _kind_among(found: Sequence[Unit], at: int) -> str:
    """Tell the kind of a unit by those around it, too."""
    words = found[at].words
    before = found[at - 1].kind if at else ""
    after = "".join(unit.kind for unit in found[at + 1 :] if unit.kind != "_")
    # "No border, just nucleus" is "only"; "predicted nucleus, actually border" corrects.
    if words == "just" and before in (",", "E", "X") and after.startswith("C"):
        return "O"
    if words in _CORRECTING and before in (",", ";", "X") and re.match("C(?:[P,;]|$)", after):
        return "c"
    # "I see border instead of nucleus": in the image, or in the labels?
    if re.fullmatch("(?:i|we|one|you) .*(?:see|find)", words) and re.match("C[P,]*I", after):
        return "U"
    if words in ("left", "right") and _is_no_place(found, at):
        return "v"
    return "a" if _describes(found, at) else found[at].kind


def _is_no_place(found: Sequence[Unit], at: int) -> bool:
    """Whether "left" may be what remains, "no nucleus left", and "right" what is not "wrong"."""
    said = [unit.words for unit in found]
    if said[at] == "right":
        return said[at + 1 : at + 2] == [":"] and "wrong" in said[:at]
    before = [unit.kind for unit in found[:at] if unit.kind != "_"]
    return before[-1:] == ["C"] and "n" in before and "right" not in said


def _describes(found: Sequence[Unit], at: int) -> bool:
    """Whether "small" tells how a new thing looks, "a small nucleus", and not which ones."""
    before = [unit for unit in found[:at] if unit.kind != "r" and unit.words not in _DEGREES]
    return found[at].kind == "r" and bool(before) and before[-1].words in ("a", "an", "another")


def _relates(found: Sequence[Unit], at: int) -> bool:
    """Whether a preposition relates a class to another one, as "no car on the road" does."""
    after = "".join(unit.kind for unit in found[at + 1 :] if unit.kind not in "_J")
    clause: list[Unit] = []
    for unit in found[:at]:
        clause = [] if unit.kind in ",;EX" else [*clause, unit]
    if not after.startswith("C"):
        return False
    if any(unit.kind == "C" for unit in clause):
        return True
    # "In the liver there is no lesion", "on the left of the liver there is no lesion".
    begins = all(unit.kind == "P" and _DIRECTION.fullmatch(unit.words) for unit in clause)
    return begins and bool(re.match(r"C(?:(?:,E?|E)C)*(?!(?:,E?|E)C)[^;C]+C", after))


def _next_unit(
    text: str, before: Sequence[Unit], vocabulary: Vocabulary
) -> tuple[Unit | None, int]:
    """Read one unit; none for words without a meaning."""
    if before and (back := _TAKEN_BACK.match(text)):
        return Unit("U", back.group()[2:]), back.end()
    if text[0] in _SEPARATORS:
        return Unit(_SEPARATORS[text[0]], text[0]), 1
    if relation := _RELATION.match(text):
        words = text[relation.end() :].split()[:1]
        if words and not re.match(r"patient|image|picture|scan|slice|frame|middle|cent", words[0]):
            return Unit("J", relation.group().strip()), relation.end()
    if (own := _PATIENT.match(text)) and (named := _class_at(text[own.end() :], vocabulary)):
        return named[0], own.end() + named[1]
    if between := _BETWEEN.match(text):
        inner = _class_at(text[between.end() :], vocabulary)
        if inner and before and before[-1].kind == "C":
            return None, between.end() + inner[1]
    if slip := _slip_at(text, vocabulary):
        return slip
    candidates: list[tuple[int, Unit | None]] = []
    named = _class_at(text, vocabulary)
    if named and not _is_order(text, named[1]):
        candidates.append((named[1], named[0]))
    if (place := read_place(text)) and not _in_name(text, place[1], vocabulary):
        candidates.append((place[1], Unit("P", text[: place[1]], region=place[0])))
    for kind, pattern in _CUES.items():
        match = pattern.match(text)
        # "The oedema label" is oedema.
        if match and not (match.group() == "label" and before and before[-1].kind == "C"):
            candidates.append((match.end(), Unit(kind, match.group())))
    if match := re.match(
        r"there(?! (?:is|are|was|s)\b)(?![a-z])|in the same place|same place", text
    ):
        candidates.append((match.end(), Unit("Z", match.group())))
    if match := _FILLERS.match(text):
        meant = vocabulary.named_after(match.group())
        candidates.append((match.end(), Unit("C", match.group(), meant) if meant else None))
    if (match := _PART.match(text)) and before and _is_adjective(before[-1]):
        candidates.append((match.end(), None))
    if candidates:
        longest = max(length for length, _ in candidates)
        return next((unit, length) for length, unit in candidates if length == longest)
    return _guessed(text, before, vocabulary)


def _is_adjective(unit: Unit) -> bool:
    """Whether a class was named by an adjective, as the stomach is by "gastric"."""
    return unit.kind == "C" and bool(_ADJECTIVE.fullmatch(unit.words))


def _class_at(text: str, vocabulary: Vocabulary) -> tuple[Unit, int] | None:
    """Read a class by its name or a common synonym, the longest there is."""
    words = re.match(r"[a-z0-9]+(?: [a-z0-9]+)*", text)
    listed = words.group().split() if words else []
    for count in range(min(vocabulary.longest, len(listed)), 0, -1):
        phrase = " ".join(listed[:count])
        if meant := vocabulary.meant(phrase, exact=True):
            return Unit("C", phrase, meant), len(phrase)
    return None


def _is_order(text: str, end: int) -> bool:
    """Whether the word is a verb, as in "outline the nuclei"."""
    return bool(
        _CUES["F"].fullmatch(text[:end]) and re.match(r" (?:the|an?|all|th\w+) ", text[end:])
    )


def _in_name(text: str, end: int, vocabulary: Vocabulary) -> bool:
    """Whether the last words of a place are the first ones of a class, as in "left kidney"."""
    starts = [match.start() for match in re.finditer(r"[a-z0-9]+", text[:end])]
    return any(
        (named := _class_at(text[start:], vocabulary)) and start + named[1] > end
        for start in starts
    )


def _slip_at(text: str, vocabulary: Vocabulary) -> tuple[Unit, int] | None:
    """Read a name of several words that begins like a place and has a slip in it."""
    begun = len("the ") if text.startswith("the ") else 0
    listed = text[begun:].split()[: vocabulary.longest]
    if len(listed) < 2 or listed[0] not in vocabulary.first_words or read_place(listed[0]) is None:
        return None
    phrase = " ".join(listed)
    if vocabulary.meant(phrase, exact=True) or not (right := vocabulary.misspelt(phrase)):
        return None
    return Unit("C", right, vocabulary.meant(right, exact=True)), begun + len(phrase)


def _guessed(text: str, before: Sequence[Unit], vocabulary: Vocabulary) -> tuple[Unit | None, int]:
    """Read words that are no name: other words for a class, or slips of the hand."""
    words = re.match(r"[a-z0-9]+(?: [a-z0-9]+)*", text)
    listed = words.group().split() if words else [text.split()[0]]
    # "Tree trunk" is tree, as WordNet knows; "trunk" alone is not.
    if before and before[-1].kind == "C":
        own = before[-1]
        if vocabulary.by_wordnet(f"{own.words} {listed[0]}") == own.classes:
            return None, len(listed[0])
    for count in range(min(3, len(listed)), 0, -1):
        phrase = " ".join(listed[:count])
        if vocabulary.is_action(phrase):
            return Unit("?", phrase), len(phrase)
        known_alone = count > 1 and any(_is_known(word) for word in listed[:count])
        if not known_alone and (meant := vocabulary.meant(phrase)):
            return Unit("C", phrase, meant), len(phrase)
        if right := vocabulary.misspelt(phrase):
            return Unit("C", right, vocabulary.meant(right, exact=True)), len(phrase)
    if right := vocabulary.slip_of(listed[0], _PLAIN_WORDS):
        unit, length = _next_unit(right + text[len(listed[0]) :], before, vocabulary)
        return unit, length + len(listed[0]) - len(right)
    describes = len(listed) > 1 and _ADJECTIVE.fullmatch(listed[0])
    if describes and _class_at(text[len(listed[0]) + 1 :], vocabulary):
        return Unit("a", listed[0]), len(listed[0])
    return Unit("?", listed[0]), len(listed[0])


def _is_known(word: str) -> bool:
    """Whether a word is a cue, a place or without a meaning."""
    return bool(
        _FILLERS.fullmatch(word)
        or any(pattern.fullmatch(word) for pattern in _CUES.values())
        or read_place(word)
    )


def unknown(found: Sequence[Unit]) -> Iterator[str]:
    """Words that are not known."""
    return (unit.words for unit in found if unit.kind == "?")
