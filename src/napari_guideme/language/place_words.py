"""Places in words: "top left", "everywhere but the middle", "on the patient's left"."""

from __future__ import annotations

import re

from napari_guideme.language.places import CORNERS, EVERYWHERE, MIDDLE, Region


def _words(listed: str, axis_and_side: tuple[str, int]) -> dict[str, tuple[str, int]]:
    return dict.fromkeys(listed.split(), axis_and_side)


#: Axis and side of each word for a direction.
_DIRECTIONS = {
    **_words("top upper topmost uppermost above north northern", ("down", -1)),
    **_words("bottom lower lowest lowermost below south southern", ("down", 1)),
    **_words("left leftmost lefthand west western", ("right", -1)),
    **_words("right rightmost righthand east eastern", ("right", 1)),
    **_words("middle centre center central mid centrally", ("centre", 0)),
    **_words("superior superiorly cranial cranially", ("superior", 1)),
    **_words("inferior inferiorly caudal caudally", ("superior", -1)),
    **_words("anterior anteriorly ventral ventrally", ("anterior", 1)),
    **_words("posterior posteriorly dorsal dorsally", ("anterior", -1)),
    "patientleft": ("patient", 1),
    "patientright": ("patient", -1),
}

_PICTURE = "image|picture|photo|photograph|scan|slice|frame|field|view|scene|screen|micrograph|fov"
_OF_PICTURE = rf"(?: (?:of|in) (?:the|this|my|our) (?:whole |entire )?(?:{_PICTURE})(?: of view)?)?"

#: Phrases that are put into one word before a place is read.
_REWRITES = (
    (r"\bfields? of view\b", "field"),
    (r"\bdead (cent(?:re|er)|middle)\b", r"\1"),
    (r"\bpatients?(?: own)? (left|right)\b(?: hand)?(?: side)?", r"patient\1"),
    (r"\b(left|right)(?: hand)?(?: side)? of (?:the|this) patient\b", r"patient\1"),
    (r"\banatomical(?:ly)? (left|right)\b", r"patient\1"),
    (r"\b(left|right) hand\b", r"\1"),
    (r"\b(north|south) ?(east|west)(?:ern)?\b", r"\1 \2"),
    (
        r"\b(all|every|each|any|no|none|nothing|everything)\b([^,;.!?]*?) but "
        r"(?=(?:the|that) ones? |those )",
        r"\1\2 except ",
    ),
    (r"\b(left|right) of (?:the )?(?:cent(?:re|er)|middle)\b", r"\1"),
    (r"\b(1[0-2]|[1-9]) (?:o clock|oclock)\b", r"clock\1"),
)

_PREPOSITION = (
    r"(?:(?:somewhere|just|towards?|to|at|on|in|along|near|around|across|over|within|inside|from)"
    r" )*(?:the |its |both |all |this |a )?(?:very |far |extreme |whole |entire )?"
)
#: Alternatives of all words for a direction.
DIRECTION = "|".join(sorted(_DIRECTIONS, key=len, reverse=True))
_NOUN = (
    r"(?: (?:most )?(?P<noun>halves|half|two thirds|thirds?|row|column|corners?|edge|side|part|"
    r"area|region|quadrant|border|margin|portion|end|section|zone))?"
)
_DIRECTED = re.compile(
    rf"{_PREPOSITION}(?P<words>(?:{DIRECTION})"
    rf"(?:(?: (?:at|on|in|to|of)(?: the)?| (?:side|part|half) (?:at|of) the)? (?:{DIRECTION}))*)"
    rf"{_NOUN}{_OF_PICTURE}(?![a-z])"
)
_WHOLE = re.compile(
    rf"(?:everywhere|anywhere|throughout|overall|all over|(?:in|over|across|throughout) "
    rf"(?:the |this )?(?:whole |entire |complete |full )?(?:{_PICTURE})|(?:the )?(?:whole|entire) "
    rf"(?:{_PICTURE})){_OF_PICTURE}(?![a-z])"
)
_RIM = (
    rf"(?:(?:outer )?(?:edges?|rim|margins?|perimeter|periphery|outskirts)"
    rf"(?: of the (?:{_PICTURE}))?|(?:outer )?borders? of the (?:{_PICTURE})"
    rf"|(?:{_PICTURE}) (?:borders?|edges?|margins?)"
    r"|peripherally)(?![a-z])"
)
_FIXED = (
    (
        re.compile(
            r"(?:on |at |to |along )?(?:both|either|the two) (?:sides|edges)"
            + _OF_PICTURE
            + r"(?![a-z])"
        ),
        ~Region.of("right", 0),
    ),
    (re.compile(_PREPOSITION + r"(?:four )?corners" + _OF_PICTURE + r"(?![a-z])"), CORNERS),
    (re.compile(_PREPOSITION + _RIM), ~MIDDLE),
)
#: "But" alone goes on: "the road is missing, but on the right it is pavement".
_EXCEPT = re.compile(
    r"(?:(?:everywhere|anywhere|nowhere)(?: else)?,? but|(?:(?:everywhere|anywhere)(?: else)?,? )?"
    r"(?:but(?= not )|except(?:ing)?(?: for)?|apart from|other than|save|outside(?: of)?|"
    r"away from))(?: not)? (?:(?:the|that) one |the ones |those |that )?"
)
_NOT = re.compile(r"(?:but )?not ")
_ELSEWHERE = re.compile(r",? ?but (?:everywhere else|elsewhere)(?![a-z])")
_JOINED = re.compile(r",? ?(?:and|or|as well as|plus) (?:also )?|, ")
_CLOCK = re.compile(r"(?:at |around |near )?clock(\d{1,2})(?![a-z])")
_HALF = {"half", "halves", "two thirds"}


def rewritten(text: str) -> str:
    """Put phrases that only places have into single words."""
    for pattern, replacement in _REWRITES:
        text = re.sub(pattern, replacement, text)
    return text


def read_place(text: str) -> tuple[Region, int] | None:
    """Read the place that a text begins with.

    Parameters
    ----------
    text
        Lower case, words parted by single spaces, see :func:`rewritten`.

    Returns
    -------
    The place and how many characters say it, or ``None`` if the text begins otherwise.
    """
    if (found := _EXCEPT.match(text)) and (rest := _read_union(text[found.end() :])):
        return ~rest[0], found.end() + rest[1]
    if (found := _NOT.match(text)) and (rest := _read_union(text[found.end() :])):
        end = found.end() + rest[1]
        if other := _ELSEWHERE.match(text[end:]):
            return ~rest[0], end + other.end()
        if found.group().startswith("but"):
            return ~rest[0], end
    return _read_union(text)


def _read_union(text: str) -> tuple[Region, int] | None:
    """Read places that are joined by "and"."""
    first = _read_one(text)
    if first is None:
        return None
    region, end = first
    while joined := _JOINED.match(text[end:]):
        after = _read_one(text[end + joined.end() :])
        # A comma may begin another hint: only "and" surely goes on with the place.
        if after is None or "," in joined.group().strip():
            break
        region, end = region | after[0], end + joined.end() + after[1]
    if excluded := re.match(r",? (?=but not |except )", text[end:]):
        start = end + excluded.end()
        cue = _EXCEPT.match(text[start:]) or _NOT.match(text[start:])
        if cue and (rest := _read_union(text[start + cue.end() :])):
            return region & ~rest[0], start + cue.end() + rest[1]
    return region, end


def _read_one(text: str) -> tuple[Region, int] | None:
    for pattern, region in _FIXED:
        if found := pattern.match(text):
            return region, found.end()
    if found := _CLOCK.match(text):
        return _at_clock(int(found.group(1))), found.end()
    if found := _WHOLE.match(text):
        return EVERYWHERE, found.end()
    if found := _DIRECTED.match(text):
        directed = _directed(found.group("words"), found.group("noun") or "", text[: found.end()])
        return None if directed is None else (directed, found.end())
    return None


def _directed(words: str, noun: str, said: str) -> Region | None:
    """Read what directions have in common; none if they contradict each other."""
    directions = [_DIRECTIONS[word] for word in words.split() if word in _DIRECTIONS]
    bounded = [axis for axis, _ in directions if axis != "centre"]
    if len(set(bounded)) < len(bounded) or len(directions) > 2:
        return None
    if not bounded:
        if noun in ("row", "column"):
            return Region.of("down" if noun == "row" else "right", 0)
        return Region.of("down", 0) if said.startswith("across") else MIDDLE
    region = EVERYWHERE
    for axis, side in directions:
        if axis == "centre":
            axis = "right" if bounded[0] == "down" else "down"
            if bounded[0] not in ("down", "right"):
                return None
        sides = (side, 0) if noun in _HALF and side else (side,)
        region = region & Region.of(axis, *sides)
    return region & CORNERS if noun.startswith("corner") else region


def _at_clock(hour: int) -> Region:
    """Read the direction of a clock's hand."""
    angle = hour % 12 * 30
    down = -1 if angle in (0, 30, 60, 300, 330) else 1 if 120 <= angle <= 240 else 0
    right = 1 if 30 <= angle <= 150 else -1 if angle >= 210 else 0
    return Region.of("down", down) & Region.of("right", right)
