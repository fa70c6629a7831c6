"""After a crash: finding what was being corrected, by the content of the image."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.session_file import SessionFile, read_session
from napari_guideme.widgets.autosave import Claim, abandoned, autosave_folder
from napari_guideme.widgets.channels import MovedAxis
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.rearranged import full_resolution, stored
from napari_guideme.widgets.resuming import slice_of, undeclared_channels

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step

Found = tuple[Image, Claim, SessionFile]


class Recovery(QObject):
    """Looks whether an image was being corrected when a napari stopped.

    Signals
    -------
    found
        Image, claim and contents of an autosave, or ``None`` if there is none (any more).
    """

    found = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._offer: Found | None = None
        self._looked_at: Image | None = None
        self._claims: list[Claim] = []
        self.job = LatestJob(self)
        self.job.done.connect(self._on_done)

    def look(self, image: Image | None) -> None:
        """Look for an autosave of this image, in the background."""
        if image is self._looked_at:
            return
        self.forget()
        self._looked_at = image
        if image is None or not autosave_folder().is_dir():
            return
        claims = list(abandoned(autosave_folder()))
        self._claims += claims

        def work() -> Generator[Step, None, tuple[Image, Claim | None, SessionFile | None]]:
            for claim in claims:
                contents = _read(claim)
                if contents is not None and matches(contents, image):
                    return image, claim, contents
            return image, None, None
            yield

        if claims:
            self.job.request(work, "")

    def take(self) -> Found | None:
        """Return what was offered last; the claim is the caller's now."""
        offer, self._offer = self._offer, None
        if offer is not None:
            self._claims.remove(offer[1])
        return offer

    def forget(self) -> None:
        """Offer nothing; what was found can be found again."""
        self.job.cancel()
        self._looked_at = self._offer = None
        _release(self._claims)
        self.found.emit(None)

    def _on_done(self, found: tuple[Image, Claim | None, SessionFile | None]) -> None:
        image, claim, contents = found
        others = [other for other in self._claims if other is not claim]
        for other in others:
            self._claims.remove(other)
            other.release()
        if claim is not None and contents is not None:
            self._offer = image, claim, contents
            self.found.emit(self._offer)


def matches(contents: SessionFile, image: Image) -> bool:
    """Whether a session is of this image; only the slices that were corrected are read."""
    array = stored(image)
    if not contents.image.fits(array):
        return False
    try:
        axis = undeclared_channels(contents, image)
        if axis is not None:
            seen: Any = MovedAxis(array, axis, -1)
        else:
            seen = full_resolution(image)
            for part in contents.parts:
                slice_of(image, part)
        return all(part.matches(seen) for part in contents.parts)
    except InputError:
        return False


def _read(claim: Claim) -> SessionFile | None:
    try:
        return read_session(claim.path)
    except InputError:
        return None


def _release(claims: list[Claim]) -> None:
    for claim in claims:
        claim.release()
    claims.clear()
