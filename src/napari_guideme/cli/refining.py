"""Labels of one image: the network's own, and corrected ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.cli.opening import begun, opened, tiles_shown, watched, write
from napari_guideme.cli.outlining import is_outlined, outline_in_volume
from napari_guideme.cli.results import Results
from napari_guideme.cli.sessions import check_session_writable, contents_of
from napari_guideme.cli.understanding import say
from napari_guideme.cli.volumes import (
    check_guidance,
    is_sliced,
    predict_volume,
    refine_volume,
)
from napari_guideme.errors import InputError
from napari_guideme.files import check_writable, read_hints, read_labels
from napari_guideme.hints import Hints
from napari_guideme.session_file import labels_of

if TYPE_CHECKING:
    from napari_guideme.guidance.saved import SavedGuidance
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.session_file.replaying import AnySession

#: Options that say more about another one, and nothing without it.
_SAYS_MORE_ABOUT = {
    "label": "mask",
    "telling": "say",
    "text_guide": "say",
    "vectors": "say",
    "patient": "say",
}


@tiles_shown()
def predict(options: argparse.Namespace) -> int:
    """Write a network's own labels."""
    picture, network = begun(options)
    if network.interaction is not None:
        raise InputError(
            f"{network.name} finds nothing without clicks: "
            "give some with napari-guideme refine --hints HINTS.json"
        )
    if is_sliced(options, picture, network):
        return predict_volume(options, picture, network)
    session = opened(options, picture, network).session
    labels = labels_of(session, instances=options.instances)
    write(options.output, labels, network, picture, instances=options.instances)
    print(_shares(session.labels(), network.classes))
    return 0


@tiles_shown()
def refine(options: argparse.Namespace) -> int:
    """Refine a network's labels by a file of hints, by words, or by both."""
    if options.json:
        check_writable(options.json, (".json",))
    if not options.hints and not options.say:
        raise InputError("there is nothing to do; give --hints FILE or --say SENTENCE")
    _check_together(options)
    if options.save_session:
        check_session_writable(options.save_session)
    if options.save_guidance:
        check_guidance(options.save_guidance, options.method)
    hints = read_hints(options.hints) if options.hints else Hints()
    picture, network = begun(options)
    if options.save_guidance:
        _check_guidance(network, hints)
    if is_outlined(picture, network):
        return outline_in_volume(options, picture, network, hints)
    if is_sliced(options, picture, network):
        return refine_volume(options, picture, network, hints)
    found = opened(options, picture, network)
    session = found.session
    if options.mask:
        _begin_with(session, options.mask, options.label)
    said = _say(session, options) if options.say else []
    session.add(*hints)
    watched(session.refine(), session.method)
    report = session.report()
    Results(
        labels_of(session, instances=options.instances),
        session.network,
        picture,
        {"method": session.method, "said": said, **report.to_json()},
        contents_of(options, found) if options.save_session else None,
        _guidance(session) if options.save_guidance else None,
    ).write(options)
    print(
        f"{report.satisfied} of {report.hints} hints satisfied, {report.changed_pixels} pixels "
        f"changed ({report.far_pixels} far from any hint), {report.seconds:.2f} s"
    )
    return 0


def _check_together(options: argparse.Namespace) -> None:
    """Refuse what would be ignored because what it is about is not there."""
    for name, other in _SAYS_MORE_ABOUT.items():
        # How the patient lies is kept for what is said in a saved session later.
        is_kept = name == "patient" and options.save_session
        if getattr(options, name) is not None and not getattr(options, other) and not is_kept:
            raise InputError(f"--{name.replace('_', '-')} is of no use without --{other}")


def _check_guidance(network: FrozenNetwork, hints: Hints) -> None:
    """Raise `InputError` before anything is written if there will be no guidance to save."""
    if network.interaction is not None:
        raise InputError(
            f"--save-guidance is for networks with classes; {network.name} takes clicks"
        )
    if not hints.marks:
        raise InputError("there is no guidance to save: give clicks or scribbles with --hints FILE")


def _guidance(session: AnySession) -> SavedGuidance:
    """Return what was found, for napari-guideme apply."""
    from napari_guideme.session import GuideSession

    assert isinstance(session, GuideSession), "of other networks nothing can be saved"
    return session.guidance()


def _say(session: AnySession, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Tell a session some sentences; return what was understood."""
    from napari_guideme.session import GuideSession

    if not isinstance(session, GuideSession):
        raise InputError(
            f"--say is for networks with classes; {session.network.name} takes clicks on objects"
        )
    return say(options, session.tell, session.view)


def _begin_with(session: AnySession, path: Path, label: int | None) -> None:
    """Let the hints improve an object of a file of labels."""
    from napari_guideme.session import GuideSession

    if isinstance(session, GuideSession):
        name = session.network.name
        raise InputError(f"--mask is for networks that take clicks; {name} does not")
    labels = read_labels(path)
    found = np.unique(labels[labels != 0])
    if label is None and len(found) > 1:
        raise InputError(f"{path.name} has {len(found)} labels; choose one with --label")
    if label is not None and label not in found:
        raise InputError(f"{path.name} has no label {label}")
    session.start_from(labels != 0 if label is None else labels == label)


def _shares(labels: NDArray[np.integer], classes: Sequence[str]) -> str:
    counts = np.bincount(labels.ravel(), minlength=len(classes)) / labels.size
    return ", ".join(f"{name} {share:.1%}" for name, share in zip(classes, counts, strict=True))
