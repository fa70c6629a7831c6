"""Find things by their names, or one of several by a sentence."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_guideme.cli.finding import by_proxies, is_known_name
from napari_guideme.cli.following import by_network
from napari_guideme.cli.opening import open_picture
from napari_guideme.cli.sessions import check_session_writable, contents_of_found
from napari_guideme.errors import InputError
from napari_guideme.files import (
    check_writable,
    make_folder,
    read_hints,
    write_json,
    write_labels,
    write_picture,
)
from napari_guideme.localize import DEFAULT_FINDING
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.referring import ANSWERING, PROXIES, REFERRING
from napari_guideme.session_file import BySentence, save_session, source_of

if TYPE_CHECKING:
    from napari_guideme.cli.segmented import Segmented
    from napari_guideme.files import Picture

#: Options that only one of both can follow, and their defaults.
_ONLY_FOR: dict[str, dict[str, Any]] = {
    PROXIES: {
        "stand_ins": None,
        "distractors": None,
        "method": DEFAULT_FINDING,
        "classifier": DEFAULT_CLASSIFIER,
        "views": None,
        "by": "wordnet",
        "vectors": None,
    },
    REFERRING: {"network": None},
}
#: Characters of a file's name that say what was asked.
_LONGEST = 100


def segment(options: argparse.Namespace) -> int:
    """Find something by its name, or one of several things by a sentence."""
    _check(options)
    hints = read_hints(options.hints) if options.hints else None
    picture = _picture(options)
    answering = _answering(options)
    answered_by = REFERRING if answering else PROXIES
    _check_options_of(answered_by, options)
    if answering is None:
        options.names = _names(options.names)
        found = by_proxies(options, picture, hints)
    else:
        found = by_network(options, picture, hints, answering)
    _write(options, picture, found, answered_by)
    for notice in found.notices:
        print(f"napari-guideme: {notice}", file=sys.stderr)
    print(*found.lines, sep="\n")
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse what can be refused before anything is loaded."""
    if options.json:
        check_writable(options.json, (".json",))
    if len(set(options.names)) < len(options.names):
        raise InputError("a name is told twice")
    if options.save_session:
        check_session_writable(options.save_session)
    told = ("hints", "save_session", "stand_ins", "distractors")
    if len(options.names) > 1 and (given := [o for o in told if getattr(options, o)]):
        raise InputError(f"--{given[0].replace('_', '-')} is for a single name")
    if options.answer != "auto":
        _check_options_of(options.answer, options)
    if options.distractors and options.method != DEFAULT_FINDING:
        raise InputError(f"--distractors is for {DEFAULT_FINDING}; {options.method} has none")
    if options.vectors and options.by != "vectors":
        raise InputError("--vectors is of no use without --by vectors")
    if options.show_maps:
        make_folder(options.show_maps)


def _names(told: list[str]) -> list[str]:
    """Return names as the widget takes them, without articles."""
    from napari_guideme.referring.naming import without_articles

    names = [without_articles(name) or name for name in told]
    if "background" in names:
        raise InputError("background is what no name is found in; name a thing")
    if len(set(names)) < len(names):
        raise InputError("a name is told twice")
    return names


def _check_options_of(answering: str, options: argparse.Namespace) -> None:
    """Refuse options that whoever answers cannot follow."""
    (other,) = {*ANSWERING} - {answering}
    for name, default in _ONLY_FOR[other].items():
        if getattr(options, name) != default:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{flag} is for {other}, but {answering} answers {options.names[0]!r}; "
                f"--answer {other} lets {other} answer"
            )


def _picture(options: argparse.Namespace) -> Picture:
    """Open a picture; which of its channels are looked at is told elsewhere."""
    picture = open_picture(options.image, options.output, channel_axis=options.channel_axis)
    if len(picture.label_shape) != 2:
        raise InputError(
            f"things are found by name in pictures of two axes; this image has "
            f"{len(picture.label_shape)}"
        )
    return replace(picture, pixels=np.asarray(picture.pixels))


def _answering(options: argparse.Namespace) -> BySentence | None:
    """See-through-Text if it answers, else the proxies do."""
    if len(options.names) > 1 and options.answer == "auto" and not options.stand_ins:
        _check_names(options)
        return None
    if options.answer == PROXIES or options.stand_ins:
        return None
    opened = cache(
        lambda: BySentence.open(source_of(options.network or REFERRING, REFERRING), options.device)
    )
    if options.answer == REFERRING:
        return opened()
    from napari_guideme.referring.following import which_answers

    answers = which_answers(
        options.names[0],
        lambda phrase: is_known_name(options, phrase),
        lambda phrase: opened().network.reader.knows_any(phrase),
    )
    return opened() if answers == REFERRING else None


def _check_names(options: argparse.Namespace) -> None:
    """Refuse a sentence among several names."""
    from napari_guideme.referring.naming import class_of, without_articles

    for name in options.names:
        if class_of(name) != without_articles(name) and not is_known_name(options, name):
            raise InputError(f"{name!r} says more than a name; ask for it alone")


def _write(
    options: argparse.Namespace, picture: Picture, found: Segmented, answered_by: str
) -> None:
    contents = contents_of_found(options, picture, found) if options.save_session else None
    for (asked, kind), values in found.maps.items() if options.show_maps else ():
        write_picture(options.show_maps / f"{_file_name(asked)}-{kind}.tif", values)
    write_labels(options.output, found.labels, picture, ("background", *options.names))
    if contents:
        save_session(options.save_session, contents)
    if options.json:
        write_json(options.json, {"answered_by": answered_by, "found": found.told})


def _file_name(name: str) -> str:
    """Return a name that leads into no other folder and is not too long for one."""
    return re.sub(r"[^\w -]", "_", name[:_LONGEST])
