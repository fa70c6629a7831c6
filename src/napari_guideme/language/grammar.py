"""What a sentence says: the operations, classes and places in it.

What a clause means is told by the letters of its units. Every word has to be known, else
nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from napari_guideme.hints import Operation
from napari_guideme.language.places import EVERYWHERE, Region
from napari_guideme.language.units import Unit


@dataclass(frozen=True)
class Statement:
    """What is said about one class."""

    operation: Operation
    class_name: str
    region: Region = EVERYWHERE
    instead_of: str | None = None


class Unreadable(Exception):
    """The words are known, but not what they mean together."""


_ASK_WHERE = "does the place count for what follows, too? Say it with each, or once at the end"
_PICTURE = "only those of the picture, such as 'at the top left'"
#: Letters of words that say which ones of a class, or how many.
_WHICH = "raq"
_LIST = "C(?:(?:,E?|E)C)*"
#: Two classes: letters of a clause, and whether the first of them is the true one.
_REPLACING = [
    (re.compile(pattern), first_is_true)
    for pattern, first_is_true in (
        (r"[FHDB]*C,?IC", True),
        (r"g[tD]*C,?IC", False),
        (r"CB*AIC", False),
        (r"[DB]*ACIC", False),
        (r"IC,?(?:gC|CB*A)", True),
        (r"I(C),?[FHDSB]*C", False),
        (r"[FHDBS]*C,?E?NB?C", True),
        (r"[DHB]*NC[,;]?[XE]?O?,?[DSBF]+C", False),
        (r"[DHB]*NC(?:,|,?[XO]|,?XO)C", False),
        (r"[DHB]*nC,?[EX]?O[DHB]*C", False),
        (r"[DL]*C[,;]DC", False),
        (r"[DHBF]*nC[,;]?X?DC", False),
        (r"CB*R[,;]?X?[DS]C", False),
        (r"R+C[,;]?X?[DS]C", False),
        (r"g[tD]*C[,;]?X?[DSc]+C", False),
        (r"[DB]*At?C[,;]?X?[DSc]+C", False),
        (r"CB*A[,;]?X?[DS]C", False),
        (r"gCzC", False),
        (r"(?:gC|Cg)[tT]?C(?:[,;]?X?DR)?", True),
        (r"C[B]*SA?[Tt]?C", False),
        (r"[LG]CC", False),
        (r"[FHD]*CWC", True),
        (r"WC,?[FHDSBM]*C", False),
        (r"CB*KC", True),
        (r"QC[TtI]C", True),
        (r"y?B*CB*A[Tt]?C(?:[,;]?X?DR)?", True),
        (r"AC[Tt]C", True),
        (r"GCB*[Tt]C", False),
        (r"uCTC", True),
        (r"FCB*tC", False),
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
    begins_with: str

    @property
    def points_back(self) -> bool:
        """Whether it says "that is border" of what was spoken of before."""
        return self.begins_with in "DS" and self.place is None


def _clauses(found: list[Unit], inherited: Operation | None) -> list[_Clause]:
    """Read units as one clause, or as several ones; none if that is not possible."""
    found = _trimmed(found)
    if not found:
        return []
    if clause := _clause(found, inherited):
        return [clause]
    for separator in (";", "X", "O", "E", ","):
        for at, unit in enumerate(found):
            if unit.kind != separator or _takes_back(found, at):
                continue
            said, rest = found[:at], _named_again(found[:at], found[at + 1 :])
            if _praises(rest):
                clauses = _clauses(said, inherited)
            elif _praises(said):
                # "The sky is fine, the car at the top as well" asks for nothing.
                asks = any(unit.kind in "MRFHDSNnWIG" for unit in rest)
                clauses = _clauses(rest, None) if asks else []
            else:
                clauses = _both(said, separator, rest, inherited)
            if clauses:
                return clauses
    return []


def _both(
    said: list[Unit], separator: str, rest: list[Unit], inherited: Operation | None
) -> list[_Clause]:
    """Read what is said before and after a separator; none if one of them cannot be read."""
    first = _clauses(said, inherited)
    if not first:
        return []
    passed_on = first[-1].statements[-1].operation
    # "No border but nucleus", "no border, only nucleus": not both are denied.
    ends = passed_on == "replace" or (separator in "XO" and passed_on == "remove")
    second = _clauses(rest, None if ends else passed_on)
    return first + second if second else []


def _named_again(said: Sequence[Unit], rest: list[Unit]) -> list[Unit]:
    """Name the class that "it" and "the ones" stand for: "remove it on the right"."""
    named = {unit.classes: unit for unit in said if unit.kind == "C"}
    kinds = {unit.kind for unit in rest}
    places = [any(unit.kind == "P" for unit in part) for part in (said, rest)]
    if len(named) == 1 and all(places) and "C" not in kinds and kinds & set("RMF"):
        return [*named.values(), *rest]
    return rest


def _praises(found: Sequence[Unit]) -> bool:
    """Whether it is said that some classes are fine as they are."""
    letters = "".join(unit.kind for unit in _trimmed(list(found)) if unit.kind != "P")
    return bool(re.fullmatch(f"{_LIST}B*Y+", letters))


def _takes_back(found: Sequence[Unit], at: int) -> bool:
    """Whether what follows is left as it is: "remove the border, not the nucleus"."""
    after = next((unit.kind for unit in found[at:] if unit.kind not in ",;EXO"), "")
    return after == "N" and any(unit.kind in "RMF" for unit in found[:at])


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
    # "But in the middle", "only there": and elsewhere? "Three cars, not two", "the border is not".
    if re.search("X,?P$|OP|[CBP,;]N$", "".join(unit.kind for unit in found)):
        return None
    region: Region | None = None
    for index in places:
        own = found[index].region
        region = own if region is None or own is None else region & own
    rest = _trimmed([unit for unit in found if unit.kind not in "PZ"])
    statements = _filled(found) or _statements(rest, inherited, region is not None)
    if not statements or (region is not None and _parted(found)):
        return None
    same_place = any(unit.kind == "Z" for unit in found)
    return _Clause(tuple(statements), region, same_place, found[0].kind)


def _filled(found: Sequence[Unit]) -> list[Statement]:
    """Read that a place is all of one class: "the upper half is sky", "make the left road"."""
    letters = "".join(unit.kind for unit in found)
    if not re.fullmatch("PB+C[,;]*|GPTC[,;]*", letters.replace("GPC", "GPTC")):
        return []
    # "Correct the left border" does not tell how.
    if letters.startswith("GPC") and found[0].words != "make":
        return []
    (named,) = (unit.classes for unit in found if unit.kind == "C")
    return [Statement("find", named[0])] if len(named) == 1 else []


def _one_place(found: Sequence[Unit], places: Sequence[int]) -> bool:
    """Whether places follow each other, so that together they say one."""
    return all(all(unit.kind == "," for unit in found[a + 1 : b]) for a, b in pairwise(places))


def _parted(found: Sequence[Unit]) -> bool:
    """Whether a place stands between classes that are listed."""
    letters = "".join(unit.kind for unit in found if unit.kind not in f"{_WHICH}n")
    return bool(re.search(r"CP,?EC|C,?EP?CP|CP,C", letters)) and not re.search(r"CP,?E?N", letters)


def _statements(
    found: Sequence[Unit], inherited: Operation | None, placed: bool
) -> list[Statement]:
    """Read units of one clause without its place."""
    which = {unit.kind for unit in found} & set(_WHICH)
    found = _told_once([unit for unit in found if unit.kind not in _WHICH])
    letters = "".join(unit.kind for unit in found)
    named = [unit for unit in found if unit.kind == "C"]
    if not named or set(letters) & set("?YJUv"):
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
                told = [Statement("replace", true, instead_of=wrong)]
                return told if _goes_with(which, "replace", letters, placed) else []
    operation = _operation(letters, inherited, placed)
    if operation is None or not _goes_with(which, operation, letters, placed):
        return []
    return [Statement(operation, name) for name in dict.fromkeys(classes)]


def _goes_with(which: set[str], operation: Operation, letters: str, placed: bool) -> bool:
    """Whether what is done to a whole class is true to words such as "small" or "half of".

    "There is a small nucleus at the top" is true of the class there. To remove the small
    ones is another thing than to remove the class.
    """
    if not which:
        return True
    if which == {"a"}:
        return placed and operation != "remove"
    return which == {"q"} and operation == "find" and letters.count("C") == 1 and "M" in letters


def _told_once(found: Sequence[Unit]) -> list[Unit]:
    """Leave out "to" before a verb, "that you found", "the child is" before "a person"."""
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
    # "The nucleus that you found", unlike "the nucleus that you called border".
    idle = {match.start() for match in re.finditer("(?<=C)g(?![tT]?C)", letters)}
    kept = [unit for at, unit in enumerate(kept) if at not in idle]
    letters = "".join(unit.kind for unit in kept)
    named = [unit.classes for unit in kept if unit.kind == "C"]
    # "The lady is not a bicyclist but a pedestrian", "the animal is a cow, not a horse".
    subject = re.match("CB+(?=N?C)", letters)
    if subject and any(set(one) <= set(named[0]) for one in named[1:]):
        return kept[subject.end() :]
    return kept


def _operation(letters: str, inherited: Operation | None, placed: bool) -> Operation | None:
    """Tell from the letters of a clause what is to be done with its classes."""
    letters = _denied_alike(letters)
    # "A mistake: there is a nucleus" may tell what is wrong, or what is right.
    unclear = re.match("[^C]*(?:R[,;]X?[DHS]|n[^C]*F)", letters)
    if unclear or not re.search(rf"^[^C]*{_LIST}[^C]*$", letters):
        return None
    negations = sum(letter in "Nn" for letter in letters)
    cues = set(re.sub(_LIST, "C", letters)) - {"C", ","}
    if not negations or letters.count("C") == 1:
        cues -= {"O"}
    if cues & set("IKQWGXOucz") or negations > 1 or (";" in cues and letters.count("C") > 1):
        return None
    if "g" in cues:
        if letters.count("C") > 1 or not cues & set("MFRNn"):
            return None
        if re.fullmatch("gn[^n]*C[^n]*", letters):
            return "find"
    if "y" in cues:
        return "find" if ("M" in cues) != bool(negations) and "R" not in cues else None
    if cues & {"A", "p"} and not cues & set("RM"):
        # "No cells were found", "not all cells were found".
        return "find" if re.fullmatch("n[^n]*C[^n]*A|[^nN]*p[^nN]*A", letters) else None
    if "p" in cues:
        return None
    if "e" in cues:
        return "find" if placed and re.fullmatch("eB+C", letters) else None
    if negations:
        return None if cues & set("RM") else "remove"
    if "R" in cues:
        return None if "M" in cues or _demands_both(letters) else "remove"
    if cues & set("MFHDS") or "V" in cues:
        return "find"
    if not cues:
        if inherited == "remove" and "O" in letters:
            return None
        return inherited or ("find" if placed else None)
    return None


def _denied_alike(letters: str) -> str:
    """Read "no nucleus and no border was found" as "no nucleus and border was found"."""
    if not re.fullmatch("[^CNn]*nC(?:(?:,E?|E)nC)+[^CNn]*", letters):
        return letters
    before, denied, after = letters.partition("n")
    return before + denied + after.replace("n", "")


def _demands_both(letters: str) -> bool:
    return bool(re.search("F.*E.*R|R.*E.*F", letters))


def _placed(clauses: list[_Clause], found: Sequence[Unit]) -> list[Statement]:
    """Give every statement its place; one that is said once counts for all that "and" joins."""
    said = [clause for clause in clauses if clause.place is not None]
    joined = not any(unit.kind in ";X" for unit in _trimmed(list(found)))
    once = len(said) == 1 and len(clauses) > 1 and joined
    shared: Region | None = None
    if once:
        at_the_end = clauses[-1] is said[0] and said[0].begins_with != "P"
        at_the_beginning = clauses[0] is said[0] and said[0].begins_with == "P"
        shared = said[0].place if at_the_end or at_the_beginning else None
    statements: list[Statement] = []
    last: Region | None = None
    for clause in clauses:
        region = clause.place
        if clause.points_back and statements:
            _not_both(statements[-1], clause.statements)
        if region is None and (clause.same_place or clause.points_back):
            region = last
        elif region is None and once and shared is None and last not in (None, EVERYWHERE):
            raise Unreadable(_ASK_WHERE)
        region = region or shared
        last = region or last
        statements += [replace(s, region=region or EVERYWHERE) for s in clause.statements]
    return statements


def _not_both(before: Statement, after: Sequence[Statement]) -> None:
    """Refuse "there is a nucleus, that is border": one of them is wrong, nobody knows which."""
    for other in after:
        both_found = before.operation == other.operation == "find"
        if both_found and before.class_name != other.class_name:
            raise Unreadable(
                f"it is not clear whether that is {before.class_name} or {other.class_name}"
            )


def _why_not(found: Sequence[Unit]) -> str:
    """Say what hinders the reading of units."""
    kinds = {unit.kind for unit in found}
    if relation := next((unit for unit in found if unit.kind == "J"), None):
        return f"{relation.words!r}: places relative to other things are not known, {_PICTURE}"
    if where := next((unit for unit in found if unit.kind == "v"), None):
        return f"{where.words!r} could be anywhere; say where, such as 'on the left'"
    named = next((name for unit in found for name in unit.classes), "")
    if named and (which := next((unit for unit in found if unit.kind in _WHICH), None)):
        return (
            f"the network has no class for {which.words!r}, only {named}; "
            "say where in the picture instead, such as 'at the top left'"
        )
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
