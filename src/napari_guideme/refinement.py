"""Refining a scene by hints of every kind: where to guide, then words, then marks."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from napari_guideme.guidance.calibration import choose
from napari_guideme.guidance.methods import Method
from napari_guideme.guidance.refining import Guidance, Step, apply, refine, refine_near
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import HintPixels, Hints, TextHint
from napari_guideme.language.telling import Teller, Told


@dataclass
class State:
    """Hints, and what was found for them; with that alone their logits can be had again.

    Attributes
    ----------
    hints, method
        What counts, and how it is followed.
    warm
        The state whose result the refinement goes on from.
    guidance, told
        What was found for clicks and scribbles, and for words.
    refined
        Whether that was found.
    """

    hints: Hints
    method: Method
    warm: State | None = None
    guidance: Guidance = field(default_factory=Guidance)
    told: tuple[Told, ...] = ()
    refined: bool = False


class Refiner:
    """Finds what makes a scene follow hints.

    Parameters
    ----------
    scene
        What hints start from.
    teller
        Follows words on it.
    point_is_chosen
        Whether its guide point may not be another one.
    zoom
        Side of the window around the hints that is refined, ``None`` for the whole image.

    Attributes
    ----------
    scene
        At the point where it is guided.
    calibrated
        Where to guide as a calibration found it, ``None`` if there was none yet.
    """

    def __init__(
        self, scene: Scene, teller: Teller, *, point_is_chosen: bool, zoom: int | None
    ) -> None:
        self.scene = scene
        self.calibrated: str | None = None
        self._teller = teller
        # Values of a guiding block mean nothing elsewhere: it stays where it was once.
        self._point_is_chosen = point_is_chosen
        self._zoom = zoom

    def refine(self, state: State, shown: Tensor | None = None) -> Iterator[Step]:
        """Find what a state lacks, one yielded step after the other.

        Parameters
        ----------
        state
            It is refined when the last step, which holds the logits, is yielded.
        shown
            The logits of the state that it goes on from, (K, *spatial), if they are at hand.
        """
        yield from self._calibrate(state.method)
        told, scene = yield from self._told(state)
        warm = state.warm
        # On other logits the values that were found before mean nothing.
        if warm is not None and warm.hints.texts != state.hints.texts:
            warm = shown = None
        given = scene, self.pixels(state), state.method
        known = warm.guidance if warm else None, shown
        zoom = self._zoom
        for step in refine_near(*given, zoom, *known) if zoom else refine(*given, *known):
            if step.logits is not None:
                state.guidance, state.told, state.refined = step.guidance, told, True
            yield step

    def logits(self, state: State) -> Tensor:
        """Logits (K, *spatial) of a state that was refined."""
        return apply(self.following(state), state.method, state.guidance)

    def following(self, state: State, count: int | None = None) -> Scene:
        """Return the scene that follows what was found for words, or for the first of them."""
        return self._shifted(state.hints.texts[:count], state.told[:count])

    def pixels(self, state: State) -> HintPixels:
        """Draw the clicks and scribbles of a state."""
        return state.hints.pixels(self.scene.shape, self.scene.network.classes)

    def _calibrate(self, method: Method) -> Iterator[Step]:
        """Choose the guide point for a method that guides, if nobody chose it."""
        if not method.needs_place or self._point_is_chosen:
            return
        self.calibrated = (yield from choose(self.scene)) or self.scene.point
        self.scene = self.scene.at(self.calibrated)
        self._point_is_chosen = True

    def _told(self, state: State) -> Generator[Step, None, tuple[tuple[Told, ...], Scene]]:
        """Follow what was said in words; return what was found, and the scene that follows."""
        texts = state.hints.texts
        if not texts:
            return (), self.scene
        warm = state.warm
        said = warm.hints.texts if warm else ()
        known = warm.told if warm and texts[: len(said)] == said else ()
        if len(known) == len(texts):
            return known, self._shifted(texts, known)
        logits = None
        for step in self._teller.tell(texts, known):
            if step.logits is None:
                yield step
            logits = step.logits
        assert logits is not None
        return self._teller.told, self.scene.shifted(logits - self.scene.logits)

    def _shifted(self, texts: Sequence[TextHint], told: Sequence[Told]) -> Scene:
        """Return the scene that follows what was said in words."""
        if not texts:
            return self.scene
        logits = self._teller.apply(texts, told)
        return self.scene.shifted(logits - self.scene.logits)
