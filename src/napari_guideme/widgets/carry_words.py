"""What became of slices, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_guideme.volumes import SliceState

FADED = "too far away"
NOTHING = "Carried to no other slice: the hints changed nothing, or slices lie too far apart."

#: State, agreement and why.
Fit = tuple[str, "float | None", str]


def told(state: SliceState, has_labels: bool) -> str:
    """Tell about one slice: its number, its state, the agreement and why."""
    number = f"Slice {state.index}"
    agreement = "" if state.agreement is None else f", agreement {state.agreement:.0%}"
    if state.state == "corrected":
        return f"{number}: corrected by you"
    if state.state == "carried":
        return f"{number}: the correction was carried here{agreement}"
    if state.state == "doubtful":
        return f"{number}: carried, but look at it{agreement}: {state.why}"
    if not has_labels:
        return f"{number}: not labelled yet"
    return f"{number}: the network's own labels{agreement}" + (f": {state.why}" * bool(state.why))


def summary(states: Sequence[SliceState]) -> str:
    """Tell how far a correction was carried, and where and why it stopped."""
    reached = [s.index for s in states if s.state in ("carried", "doubtful")]
    touched = {s.index for s in states if s.state != "own"}
    if not touched:
        return ""
    doubtful = [s.why for s in states if s.state == "doubtful"]
    doubts = f" ({len(doubtful)} of them doubtful: {doubtful[0]})" if doubtful else ""
    sides = {i + step for i in touched for step in (-1, 1)} - touched
    stops = [states[i] for i in sorted(sides) if 0 <= i < len(states)]
    if not reached and all(state.agreement is None for state in stops):
        return NOTHING
    text = f"Carried to {_slices(reached)}{doubts}" if reached else "Carried to no other slice"
    for why, those in groupby(sorted(stops, key=_why), key=_why):
        text += f"; stopped at {_spans(s.index for s in those)}: {why}"
    return f"{text}."


def fitted(name: str, results: Sequence[Fit]) -> str:
    """Tell how a correction fitted an image: (state, agreement, why) of each of its slices."""
    if len(results) == 1:
        state, agreement, why = results[0]
        share = "" if agreement is None else f" (agreement {agreement:.0%})"
        fits = {"carried": "it fits", "doubtful": "look at it", "own": "it does not fit"}[state]
        return f"{name}: {fits}{share}" + (f": {why}" if why else "")
    states = [state for state, *_ in results]
    text = f"{name}: it fits {states.count('carried')} of {len(states)} slices"
    if "doubtful" in states:
        text += f", {states.count('doubtful')} are doubtful"
    reasons = dict.fromkeys(why for state, _, why in results if state != "carried" and why)
    return f"{text}: {', '.join(reasons)}" if reasons else text


def _why(state: SliceState) -> str:
    return state.why or FADED


def _slices(numbers: Sequence[int]) -> str:
    return f"slice {numbers[0]}" if len(numbers) == 1 else f"slices {_spans(numbers)}"


def _spans(numbers: Iterable[int]) -> str:
    """Write rising numbers as spans: 4–11, 13 and 15–16."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    parts = [f"{s[0]}–{s[-1]}" if len(s) > 1 else f"{s[0]}" for s in spans]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
