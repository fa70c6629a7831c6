"""What is being corrected is kept in a file while napari runs; a proper end removes it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import finalize

from napari.layers import Image, Layer
from platformdirs import user_state_path
from qtpy.QtCore import QLockFile, QObject

from napari_guideme.errors import InputError
from napari_guideme.files import make_folder
from napari_guideme.session_file import (
    SUFFIX,
    ImageReference,
    Part,
    SessionFile,
    save_session,
    saved_part,
)
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.rearranged import origin, stored
from napari_guideme.widgets.sessions import Opened

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.networks.frozen import FrozenNetwork

_Key = tuple[Image, str, str]


def autosave_folder() -> Path:
    """Where autosaves lie."""
    return user_state_path("napari-guideme") / "sessions"


class Claim:
    """An autosave that belongs to one running napari.

    The lock beside it is a file of Qt's: it tells whether its process still runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = QLockFile(str(path.with_name(f"{path.name}.lock")))
        self._lock.setStaleLockTime(0)

    def take(self) -> bool:
        """Claim it, unless a napari that still runs has it."""
        return bool(self._lock.tryLock(0))

    def release(self) -> None:
        """Leave it to the next one who looks."""
        self._lock.unlock()

    def remove(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
        self._lock.unlock()


def abandoned(folder: Path) -> Iterator[Claim]:
    """Claim one autosave after the other whose napari runs no more, the newest first."""
    for half_written in folder.glob(f".*-*{SUFFIX}"):
        claim = Claim(folder / half_written.name.partition("-")[2])
        if claim.take():
            half_written.unlink(missing_ok=True)
            claim.release()
    files = sorted(folder.glob(f"[!.]*{SUFFIX}"), key=_written, reverse=True)
    return (claim for claim in map(Claim, files) if claim.take())


def _written(file: Path) -> float:
    """When a file was written; another napari may have removed it by now."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@dataclass(eq=False)
class Work:
    """What was done to an image with a network, slice by slice, what was done last last."""

    image: Image
    network: Known
    parts: dict[Any, tuple[Part, Opened | None]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def put(self, key: Any, part: Part, opened: Opened | None = None) -> None:
        """Replace what was done to a slice."""
        with self._lock:
            self.parts.pop(key, None)
            self.parts[key] = part, opened

    def contents(self, network: FrozenNetwork, path: Path | None = None) -> SessionFile:
        """Tell all of it; hashes are computed here, so not for the GUI thread."""
        with self._lock:
            entries = list(self.parts.items())
        parts = [self._hashed(key, *entry) for key, entry in entries]
        _, axis = origin(self.image)
        return SessionFile(
            ImageReference.of(stored(self.image), path, channel_axis=axis),
            self.network.reference(network),
            tuple(parts),
        )

    def _hashed(self, key: Any, part: Part, opened: Opened | None) -> Part:
        """Return a part with its hash; its session is not held any longer."""
        if opened is None:
            return part
        hashed = replace(part, sha256=opened.sha256)
        with self._lock:
            if self.parts[key][0] is part:
                self.parts[key] = hashed, None
        return hashed


class Autosave(QObject):
    """Writes an autosave after every refinement, in the background: one for each image.

    An image that was corrected with several networks has one for each of them.
    """

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._store = _Store()
        self._works: dict[_Key, Work] = {}
        self._unsaved: dict[Work, FrozenNetwork] = {}
        self._complained = False
        self.job = LatestJob(self)
        self.job.failed.connect(self._on_failed)
        controller.refined.connect(self._on_refined)
        controller.forgotten.connect(self._on_forgotten)
        # Python's own way: slots of `destroyed` crash when the garbage collector destroys us.
        finalize(self, self._store.end)

    def work(self, image: Image | None, network: Known) -> Work | None:
        """Return what was done to an image with a network, if anything."""
        return self._works.get(_key(image, network)) if image is not None else None

    def take_over(self, work: Work, claim: Claim | None) -> None:
        """Go on with what was begun before; `claim` is its autosave, if it has one."""
        before = self.work(work.image, work.network)
        if before is not None:
            for key, entry in before.parts.items():
                work.parts.setdefault(key, entry)
            self._store.remove(before)
        self._works[_key(work.image, work.network)] = work
        if claim is not None:
            self._store.claims[work] = claim

    def end(self) -> None:
        """Remove all autosaves: the user ends properly."""
        self._store.end()

    def _on_refined(self, outcome: Outcome) -> None:
        part, controller = outcome.part, self._controller
        opened = controller.opened(part)
        if opened is None or opened.session is not outcome.session:
            return
        known = controller.network
        work = self.work(part.layer, known)
        if work is None:
            if opened.search is None and outcome.session.history.is_blank:
                return
            work = self._works[_key(part.layer, known)] = Work(part.layer, known)
        work.network = known
        axes, index = part.place
        done = saved_part(
            outcome.session, opened.setup, "", axes, index, opened.inherited, opened.search
        )
        said = controller.guide_layers().said.sentences
        history = replace(done.history, sentences={**done.history.sentences, **said})
        work.put(part.key, replace(done, history=history), opened)
        self._unsaved[work] = outcome.session.network
        self.job.request(self._saving, "")

    def _saving(self) -> Generator[Step, None, None]:
        """Write what is not saved yet; runs in the background."""
        for work in list(self._unsaved):
            network = self._unsaved.pop(work)
            self._store.save(work, work.contents(network))
        return
        yield

    def _on_failed(self, error: Exception) -> None:
        """Say once that nothing is kept, not after every click."""
        if not isinstance(error, InputError):
            raise error
        if not self._complained:
            self._complained = True
            self._controller.problem.emit(f"What you do is not kept for a crash: {error}")

    def _on_forgotten(self, layer: Layer) -> None:
        for key in [key for key in self._works if key[0] is layer]:
            self._store.remove(self._works.pop(key))


def _key(image: Image, network: Known) -> _Key:
    """What one autosave is about; a sentence may be followed by one network after another."""
    return image, network.label, str(network.source)


class _Store:
    """The files; written in the background, removed from the GUI thread."""

    def __init__(self) -> None:
        self.claims: dict[Work, Claim] = {}
        self._removed: set[Work] = set()
        self._lock = Lock()
        self._ended = False

    def save(self, work: Work, contents: SessionFile) -> None:
        """Write an autosave, unless it was removed meanwhile."""
        with self._lock:
            if self._ended or work in self._removed:
                return
            save_session(self._claim(work).path, contents)

    def remove(self, work: Work) -> None:
        """Delete the autosave of a work, which gets no other one."""
        with self._lock:
            self._removed.add(work)
            claim = self.claims.pop(work, None)
            if claim is not None:
                claim.remove()

    def end(self) -> None:
        """Delete all of them; none is written any more."""
        with self._lock:
            self._ended = True
            for claim in self.claims.values():
                claim.remove()
            self.claims.clear()

    def _claim(self, work: Work) -> Claim:
        if work not in self.claims:
            make_folder(autosave_folder())
            claim = Claim(autosave_folder() / f"{uuid4().hex}{SUFFIX}")
            claim.take()
            self.claims[work] = claim
        return self.claims[work]
