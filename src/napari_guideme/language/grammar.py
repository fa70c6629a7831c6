"""What a sentence says: the operations, classes and places in it.

A sentence is read from left to right into units: a class, a place, or a cue such as
"missing" or "instead of". Each has a letter; what a clause means is told by the
letters of its units. Every word has to be known, else nothing is read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import pairwise

from napari_guideme.hints import Operation
from napari_guideme.language.places import EVERYWHERE, Region, read_place, rewritten
from napari_guideme.language.vocabulary import Vocabulary


@dataclass(frozen=True)
class Unit:
    """Some words that belong together.

    Attributes
    ----------
    kind
        ``C`` for a class, ``P`` for a place, ``Z`` for a place named before, ``?``
        for words that are not known, else a letter of `cues.toml`.
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


@dataclass(frozen=True)
class Statement:
    """What is said about one class."""

    operation: Operation
    class_name: str
    region: Region = EVERYWHERE
    instead_of: str | None = None


class Unreadable(Exception):
    """The words are known, but not what they mean together."""


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
_BETWEEN = re.compile(
    r"between (?:the |these |those |two |both |touching |neighbouring |adjacent )*"
)
#: Describes what follows, and does not deny it.
_ADJECTIVE = re.compile(
    r"(?!non|un|in|mis|pseudo|dis|anti|extra|para)[a-z]{3,}(?:al|ic|ar|ous|oid|ary|ive)"
)
#: A relation to something else in the image is no place of the grid.
_RELATION = re.compile(
    r"(?:above|below|(?:to the )?(?:left|right) of|(?:north|south) of) (?:the|an?|that|this) "
)


def normalised(sentence: str) -> str:
    """Lower case, words and punctuation parted by single spaces, contractions written out."""
    text = sentence.lower().replace("’", "'")
    text = re.sub(r"\bcan'?t\b|\bcannot\b", "can not", text)
    text = re.sub(r"\bwon't\b", "will not", text)
    text = re.sub(r"n't\b", " not", text)
    text = re.sub(r"\b(isn|aren|wasn|weren|doesn|didn|don|shouldn)t\b", r"\1 not", text)
    text = re.sub(r"(?<=\w)'s?(?=\W|$)", " s", text)
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
    # At the beginning "no" only objects to what was there before.
    text = re.sub(r"^no ,(?= .*\b(?:not|no|is|are|remove)\b)", "", text).strip()
    return rewritten(text)


def units(sentence: str, vocabulary: Vocabulary) -> list[Unit]:
    """Read a sentence into units; words that are not known have the kind ``?``."""
    found: list[Unit] = []
    text = normalised(sentence)
    while text:
        unit, length = _next_unit(text, found, vocabulary)
        if unit is not None:
            found.append(unit)
        text = text[length:].lstrip()
    return found


def _next_unit(
    text: str, before: Sequence[Unit], vocabulary: Vocabulary
) -> tuple[Unit | None, int]:
    """Read one unit; none for words without a meaning."""
    if text[0] in _SEPARATORS:
        return Unit(_SEPARATORS[text[0]], text[0]), 1
    if relation := _RELATION.match(text):
        words = text[relation.end() :].split()[:1]
        if words and not re.match(r"patient|image|picture|scan|slice|frame|middle|cent", words[0]):
            return Unit("?", relation.group().strip()), relation.end()
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
        candidates.append((match.end(), None))
    if candidates:
        longest = max(length for length, _ in candidates)
        return next((unit, length) for length, unit in candidates if length == longest)
    return _guessed(text, vocabulary)


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
    listed = text.split()[: vocabulary.longest]
    if len(listed) < 2 or listed[0] not in vocabulary.first_words or read_place(listed[0]) is None:
        return None
    phrase = " ".join(listed)
    if vocabulary.meant(phrase, exact=True) or not (right := vocabulary.misspelt(phrase)):
        return None
    return Unit("C", right, vocabulary.meant(right, exact=True)), len(phrase)


def _guessed(text: str, vocabulary: Vocabulary) -> tuple[Unit | None, int]:
    """Read words that are no name: other words for a class, or slips of the hand."""
    words = re.match(r"[a-z0-9]+(?: [a-z0-9]+)*", text)
    listed = words.group().split() if words else [text.split()[0]]
    for count in range(min(3, len(listed)), 0, -1):
        phrase = " ".join(listed[:count])
        if vocabulary.is_action(phrase):
            return Unit("?", phrase), len(phrase)
        known_alone = count > 1 and any(_is_known(word) for word in listed[:count])
        if not known_alone and (meant := vocabulary.meant(phrase)):
            return Unit("C", phrase, meant), len(phrase)
        if right := vocabulary.misspelt(phrase):
            return Unit("C", right, vocabulary.meant(right, exact=True)), len(phrase)
    describes = len(listed) > 1 and _ADJECTIVE.fullmatch(listed[0])
    if describes and _class_at(text[len(listed[0]) + 1 :], vocabulary):
        return None, len(listed[0])
    return Unit("?", listed[0]), len(listed[0])


def _is_known(word: str) -> bool:
    """Whether a word is a cue, a place or without a meaning."""
    return bool(
        _FILLERS.fullmatch(word)
        or any(pattern.fullmatch(word) for pattern in _CUES.values())
        or read_place(word)
    )


_LIST = "C(?:,?E?C)*"
#: Two classes: letters of a clause, and whether the first of them is the true one.
_REPLACING = [
    (re.compile(pattern), first_is_true)
    for pattern, first_is_true in (
        (r"[FHDB]*C,?IC", True),
        (r"I(C),?[FHDSB]*C", False),
        (r"[FHDBS]*C,?E?NB?C", True),
        (r"[DHB]*NC[,;]?[XE]?,?[DSBF]+C", False),
        (r"[DB]*NC,?X?C", False),
        (r"[DL]*C[,;]DC", False),
        (r"C[B]*SA?T?C", False),
        (r"[LGF]CC", False),
        (r"[FHD]*CWC", True),
        (r"WC,?[FHDSBM]*C", False),
        (r"CB*KC", True),
        (r"QC[TI]C", True),
        (r"B*CB*AT?C", True),
        (r"ACTC", True),
        (r"[GF]CB*TC", False),
        (r"F?C[BS]+C", False),
    )
]


def read(found: Sequence[Unit]) -> list[Statement]:
    """Read what units say.

    Raises
    ------
    Unreadable
        If they say nothing, or contradict each other.
    """
    clauses = _clauses(list(found), None)
    if not clauses:
        raise Unreadable(_why_not(found))
    return _placed(clauses, found)


@dataclass(frozen=True)
class _Clause:
    statements: tuple[Statement, ...]
    place: Region | None
    same_place: bool
    begins_with_place: bool


def _clauses(found: list[Unit], inherited: Operation | None) -> list[_Clause]:
    """Read units as one clause, or as several ones; none if that is not possible."""
    found = _trimmed(found)
    if not found:
        return []
    if clause := _clause(found, inherited):
        return [clause]
    for separator in (";", "X", "E", ","):
        for at, unit in enumerate(found):
            if unit.kind != separator:
                continue
            first = _clauses(found[:at], inherited)
            if not first:
                continue
            passed_on = first[-1].statements[-1].operation
            rest = _clauses(found[at + 1 :], None if passed_on == "replace" else passed_on)
            if rest:
                return first + rest
    return []


def _trimmed(found: list[Unit]) -> list[Unit]:
    """Leave out separators at the ends, and doubled ones."""
    while found and found[0].kind in ",;EX":
        found = found[1:]
    while found and found[-1].kind in ",;EX":
        found = found[:-1]
    return found


def _clause(found: list[Unit], inherited: Operation | None) -> _Clause | None:
    """Read units that name one place at most."""
    places = [index for index, unit in enumerate(found) if unit.kind == "P"]
    if len(places) > 1 and not _one_place(found, places):
        return None
    region: Region | None = None
    for index in places:
        own = found[index].region
        region = own if region is None or own is None else region & own
    rest = _trimmed([unit for unit in found if unit.kind not in "PZ"])
    statements = _statements(rest, inherited, region is not None)
    if not statements or (region is not None and _parted(found)):
        return None
    same_place = any(unit.kind == "Z" for unit in found)
    return _Clause(tuple(statements), region, same_place, found[0].kind == "P")


def _one_place(found: Sequence[Unit], places: Sequence[int]) -> bool:
    """Whether places follow each other, so that together they say one."""
    return all(all(unit.kind == "," for unit in found[a + 1 : b]) for a, b in pairwise(places))


def _parted(found: Sequence[Unit]) -> bool:
    """Whether a place stands between classes that are listed."""
    letters = "".join(unit.kind for unit in found)
    return bool(re.search(r"CP,?EC|C,?EP?CP|CP,C", letters)) and not re.search(r"CP,?E?N", letters)


def _statements(
    found: Sequence[Unit], inherited: Operation | None, placed: bool
) -> list[Statement]:
    """Read units of one clause without its place."""
    found = _told_once(found)
    letters = "".join(unit.kind for unit in found)
    named = [unit for unit in found if unit.kind == "C"]
    if not named or "?" in letters or "Y" in letters:
        return []
    if any(len(unit.classes) != 1 for unit in named):
        return []
    classes = [unit.classes[0] for unit in named]
    if len(classes) == 2:
        for pattern, first_is_true in _REPLACING:
            if pattern.fullmatch(letters):
                true, wrong = classes if first_is_true else reversed(classes)
                if true == wrong:
                    return []
                return [Statement("replace", true, instead_of=wrong)]
    operation = _operation(letters, inherited, placed)
    if operation is None:
        return []
    return [Statement(operation, name) for name in dict.fromkeys(classes)]


def _told_once(found: Sequence[Unit]) -> list[Unit]:
    """Leave out "to" before a verb, and "the child is" before "a person"."""
    kept = [
        unit
        for unit, after in zip(found, [*found[1:], None], strict=False)
        if not (unit.words == "to" and after is not None and after.kind in "FRH")
    ]
    kept = [
        unit
        for before, unit in zip([None, *kept], kept, strict=False)
        if not (before and before.kind == unit.kind == "C" and before.classes == unit.classes)
    ]
    letters = "".join(unit.kind for unit in kept)
    named = [unit.classes for unit in kept if unit.kind == "C"]
    # "The lady is not a bicyclist but a pedestrian", "this child is a person, not background".
    subject = re.match("CB+(?=N?C)", letters)
    if subject and len(named) > 1 and named[0] in named[1:]:
        return kept[subject.end() :]
    return kept


def _operation(letters: str, inherited: Operation | None, placed: bool) -> Operation | None:
    """Tell from the letters of a clause what is to be done with its classes."""
    if not re.search(rf"^[^C]*{_LIST}[^C]*$", letters):
        return None
    cues = set(re.sub(_LIST, "C", letters)) - {"C", ","}
    negations = sum(letter in "Nn" for letter in letters)
    if cues & set("IKQWGX") or negations > 1 or (";" in cues and letters.count("C") > 1):
        return None
    if "A" in cues and not cues & set("RM"):
        return None
    if negations:
        return None if cues & set("RM") else "remove"
    if "R" in cues:
        return None if "M" in cues or _demands_both(letters) else "remove"
    if cues & set("MFHDS") or "V" in cues:
        return "find"
    if cues <= {"B"} and not cues:
        return inherited or ("find" if placed else None)
    return None


def _demands_both(letters: str) -> bool:
    return bool(re.search("F.*E.*R|R.*E.*F", letters))


def _placed(clauses: list[_Clause], found: Sequence[Unit]) -> list[Statement]:
    """Give every statement its place; one that is said once counts for all that "and" joins."""
    said = [clause for clause in clauses if clause.place is not None]
    joined = not any(unit.kind in ";X" for unit in _trimmed(list(found)))
    shared: Region | None = None
    if len(said) == 1 and len(clauses) > 1 and joined:
        at_the_end = clauses[-1] is said[0] and not said[0].begins_with_place
        at_the_beginning = clauses[0] is said[0] and said[0].begins_with_place
        shared = said[0].place if at_the_end or at_the_beginning else None
    statements, last = [], None
    for clause in clauses:
        region = clause.place
        if region is None:
            region = last if clause.same_place and last is not None else shared
        last = region or last
        statements += [replace(s, region=region or EVERYWHERE) for s in clause.statements]
    return statements


def _why_not(found: Sequence[Unit]) -> str:
    """Say what hinders the reading of units."""
    kinds = {unit.kind for unit in found}
    ambiguous = [unit for unit in found if unit.kind == "C" and len(unit.classes) > 1]
    if ambiguous:
        unit = ambiguous[0]
        return f"{unit.words!r} can be {' or '.join(unit.classes)}"
    if "C" not in kinds:
        return "no class is named"
    if kinds & set("NnY") and kinds & set("MRY"):
        return "that asks for nothing"
    if "R" in kinds and kinds & set("FM"):
        return "that asks to find and to remove at the same time"
    return "it is not clear what to do"


def unknown(found: Sequence[Unit]) -> Iterator[str]:
    """Words that are not known."""
    return (unit.words for unit in found if unit.kind == "?")
