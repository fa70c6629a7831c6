"""A session: one image, one frozen network, hints and their history."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_guideme.errors import InputError, whole_number
from napari_guideme.guidance import DEFAULT_METHOD, DEFAULT_QUESTION
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.closer import reconsidered
from napari_guideme.guidance.labelling import Labeller, labels_of
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.questions import RECONSIDERING, Position, Question, ask
from napari_guideme.guidance.refining import Step, refine
from napari_guideme.guidance.saved import Corrected, SavedGuidance
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.guidance.support import Support
from napari_guideme.hints import Hints, TextHint, check_hints
from napari_guideme.history import History, Past
from napari_guideme.language import DEFAULT_TELLING, effects
from napari_guideme.language.places import View
from napari_guideme.language.telling import Teller
from napari_guideme.language.text_guide import TextGuide
from napari_guideme.networks.frozen import FrozenNetwork, check_network
from napari_guideme.networks.modes import own_modes, stepwise
from napari_guideme.networks.objects import objects
from napari_guideme.refinement import Refiner, State
from napari_guideme.report import Report, agreeing, reported
from napari_guideme.undoing import Undoable

if TYPE_CHECKING:
    from napari_guideme.language.vocabulary import WordVectors


class GuideSession(Undoable[State]):
    """Correct a frozen network on one image, without a screen.

    Parameters
    ----------
    image
        Spatial axes in array order and at most one channel axis. It is not copied but read
        again, so leave it as it is while the session lasts.
    network
        From :func:`~napari_guideme.networks.catalogue.open_network`, or any
        module wrapped in a `FrozenNetwork`.
    method
        Name of a method, see :data:`napari_guideme.guidance.METHOD_NAMES`.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.
    channels
        Which channels to feed, in this order.
    guide_point
        Where to guide; by default what the network's card says, else what a
        short calibration finds when a method first guides.
    telling
        How words are followed, see :data:`napari_guideme.language.TELLING_NAMES`.
    text_guide
        A guide that was trained for the network, which some of them need.
    view
        How the axes of the image are seen; by default the last two, rows from the top.
    zoom
        Refine in a window of so many pixels along each axis around the hints,
        so that a hint costs the same in any image; ``None`` for the whole image.
    spacing
        Size of a pixel along each axis, in any unit: how far a hint reaches is counted in
        that, not in pixels. All are equal by default.

    Raises
    ------
    InputError
        If the image, its spacing, the method or the guide point cannot be used, if words
        cannot be followed in that way, or the network takes clicks: that is for an
        :class:`~napari_guideme.object_session.ObjectSession`.

    Examples
    --------
    >>> from napari_guideme import Click, GuideSession, open_network
    >>> from skimage.data import cell
    >>> session = GuideSession(cell(), open_network("nuclei", device="cpu"))
    >>> before = session.predict()
    >>> session.add(Click((300, 250), "nucleus"))
    >>> for step in session.refine():
    ...     pass
    >>> int(session.labels()[300, 250])
    1
    """

    @own_modes()
    def __init__(
        self,
        image: NDArray[Any],
        network: FrozenNetwork,
        *,
        method: str = DEFAULT_METHOD,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
        guide_point: str | None = None,
        telling: str = DEFAULT_TELLING,
        text_guide: TextGuide | None = None,
        view: View | None = None,
        zoom: int | None = None,
        spacing: Sequence[float] | None = None,
    ) -> None:
        check_network(network)
        check_labels_pixels(network)
        scene = Scene(
            network,
            image,
            channel_axis=channel_axis,
            channels=channels,
            point=guide_point,
            spacing=spacing,
        )
        self._begin(scene, method, bool(guide_point), telling, text_guide, view, zoom)

    @classmethod
    def on(
        cls,
        scene: Scene,
        *,
        method: str = DEFAULT_METHOD,
        point_is_chosen: bool = False,
        telling: str = DEFAULT_TELLING,
        text_guide: TextGuide | None = None,
        view: View | None = None,
        zoom: int | None = None,
    ) -> GuideSession:
        """Open a session on a scene, such as a slice to which a correction was carried.

        Parameters
        ----------
        scene
            What hints start from.
        point_is_chosen
            Whether the user chose its guide point.
        method, telling, text_guide, view, zoom
            As of `GuideSession`.
        """
        check_labels_pixels(scene.network)
        session = cls.__new__(cls)
        session._begin(scene, method, point_is_chosen, telling, text_guide, view, zoom)
        return session

    @own_modes()
    def _begin(
        self,
        scene: Scene,
        method: str,
        point_is_chosen: bool,
        telling: str,
        text_guide: TextGuide | None,
        view: View | None,
        zoom: int | None,
    ) -> None:
        super().__init__(State(Hints(), method_named(method), refined=True))
        if zoom is not None and whole_number("zoom", zoom) < 1:
            raise InputError(f"a zoom of {zoom} pixels shows nothing; choose 1 or more")
        self.network = scene.network
        self._refiner = Refiner(
            scene,
            Teller(scene, telling, text_guide),
            point_is_chosen=point_is_chosen or bool(self.network.card.guide_point),
            zoom=zoom,
        )
        self.view = view or View.upright(len(self.shape))
        self._sentences: dict[TextHint, str] = {}
        self._shown: tuple[State, Tensor] | None = None
        self._labeller = Labeller()
        self._seconds = 0.0

    @cached_property
    def _second_thoughts(self) -> Tensor | None:
        """What the network thinks of the image on looking closer, before any hint."""
        return reconsidered(self._scene)

    @property
    def _scene(self) -> Scene:
        """What hints start from, at the point where it is guided."""
        return self._refiner.scene

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the image."""
        return self._scene.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of a pixel along each axis, in typical ones; 1 if all are equal."""
        return self._scene.spacing

    @property
    def guide_point(self) -> str:
        """Name of the place where methods that guide do so."""
        return self._scene.point

    @property
    def calibrated_point(self) -> str | None:
        """Where to guide as a calibration found it, ``None`` if there was none yet."""
        return self._refiner.calibrated

    @own_modes()
    def predict(self) -> NDArray[np.integer]:
        """Return the network's own labels, before any hint."""
        return self._labeller.labels(self._scene.own_logits)

    def tell(self, sentence: str, vectors: WordVectors | None = None) -> tuple[TextHint, ...]:
        """Add what a sentence says; :meth:`refine` makes it count.

        Parameters
        ----------
        sentence
            English, about classes of the network and places in the image, such as
            "find the nucleus on the top left".
        vectors
            Word vectors to tell classes by, besides spelling and WordNet.

        Returns
        -------
        What was understood.

        Raises
        ------
        NotUnderstood
            If it is not acted on; see `understand`.
        """
        # nltk takes a while to load, and most sessions hear no words.
        from napari_guideme.language.understanding import understand

        said = understand(sentence, self.network.classes, self.view, vectors)
        self.add(*said)
        self._sentences |= dict.fromkeys(said, sentence)
        return said

    def _choose(self, method: str) -> None:
        self._push(State(self.hints, method_named(method)))

    def replace(self, hints: Hints) -> None:
        """Put other hints in the place of the present ones, as one step of the history."""
        check_hints(hints)
        hints.check(self.shape, self.network.classes)
        if hints != self.hints:
            state = self._state
            known = state if state.refined else state.warm
            # What was found with a hint that is gone would let it go on acting.
            grown = set(state.hints) <= set(hints)
            self._push(State(hints, state.method, known if grown else None))

    @property
    def history(self) -> History:
        """All that was done, as :meth:`replay` takes it."""
        places = {id(state): index for index, state in enumerate(self._history)}
        entries = tuple(
            Past(state.hints, state.method.name, state.refined, places.get(id(state.warm)))
            for state in self._history
        )
        return History(entries, self._cursor, dict(self._sentences))

    def replay(self, history: History) -> Iterator[Step]:
        """Do again what was done, in place of what this session was told so far.

        Every entry that was refined is refined again, as warm starts make what is
        found depend on all that was found before: the labels are the same, bit for
        bit, on the same machine.

        Raises
        ------
        InputError
            If a hint does not fit image or network, or a method is unknown; nothing
            changes then, nor if the generator is dropped.
        """
        for past in history.entries:
            past.hints.check(self.shape, self.network.classes)
        states: list[State] = []
        for past in history.entries:
            warm = None if past.warm is None else states[past.warm]
            states.append(State(past.hints, method_named(past.method), warm))
        states[0].refined = history.entries[0].refined and not len(states[0].hints)
        aside = copy.copy(self)
        aside._history, aside._shown = states, None
        for index, past in enumerate(history.entries):
            aside._cursor = index
            for step in aside.refine() if past.refined and not states[index].refined else ():
                yield replace(step, index=index, total=len(states))
        self._sentences, self._shown = dict(history.sentences), aside._shown
        self._seconds = aside._seconds
        self._restore(states, history.cursor)

    @stepwise
    def refine(self) -> Iterator[Step]:
        """Make the labels follow the hints, one yielded step after the other.

        Drop the generator to cancel: the labels stay as they were. What was
        refined before is not searched again.
        """
        state, start = self._state, time.perf_counter()
        if state.refined:
            logits = self._refiner.logits(state)
            step = Step(1, 1, 0.0, state.guidance, logits)
            self._shown = state, logits
            yield step
            return
        shown = self._shown[1] if self._shown and self._shown[0] is state.warm else None
        for step in self._refiner.refine(state, shown):
            if step.logits is not None:
                self._shown = state, step.logits
                self._seconds = time.perf_counter() - start
            yield step

    def labels(self, *, instances: bool = False) -> NDArray[np.integer]:
        """Class of every pixel after the last refinement, or one id per object."""
        labels = self._labeller.labels(self._logits())
        if not instances:
            return labels
        return objects(labels, self.network.separator_index, self.spacing)

    @own_modes()
    def probabilities(self) -> NDArray[np.float32]:
        """Probability of every class after the last refinement, (K, *spatial)."""
        values: NDArray[np.float32] = self._logits().softmax(0).cpu().numpy()
        return values

    def satisfied(self) -> list[bool]:
        """Whether the labels agree with each hint; a hint overruled by a newer one does not ask."""
        labels, pixels = self.labels(), self._refiner.pixels(self._state)
        marks = agreeing(labels, pixels, len(self.hints))
        seen = labels, self.predict() if self.hints.texts else labels, self.network.classes
        return [
            effects.is_followed(hint, *seen) if isinstance(hint, TextHint) else agrees
            for hint, agrees in zip(self.hints, marks, strict=True)
        ]

    def changed(self) -> NDArray[np.bool_]:
        """Pixels whose class is no longer the network's own."""
        changed: NDArray[np.bool_] = self.labels() != self.predict()
        return changed

    @own_modes()
    def moved_by_words(self) -> NDArray[np.float32]:
        """How far words alone move what they are about, (*spatial), from 0 to 1.

        That is the largest change of the probability of a class that was named, without
        any click or scribble; 0 everywhere until what was said was refined.
        """
        state = self._state
        texts = state.hints.texts[: len(state.told)]
        if not texts:
            return np.zeros(self.shape, np.float32)
        told = self._refiner.following(state, len(texts)).logits
        return effects.moved(texts, told, self._scene.logits, self.network.classes)

    @own_modes()
    def changed_by_words(self) -> list[tuple[TextHint, NDArray[np.bool_]]]:
        """Which pixels (*spatial) each sentence changed, after those before it, without clicks."""
        state = self._state if self._state.refined else self._state.warm
        texts = state.hints.texts[: len(state.told)] if state else ()
        if state is None or not texts:
            return []
        told = (self._refiner.following(state, count) for count in range(len(texts) + 1))
        labels = [labels_of(scene.logits) for scene in told]
        changes = [before != after for before, after in itertools.pairwise(labels)]
        return list(zip(texts, changes, strict=True))

    @own_modes()
    def question(
        self,
        rule: str = DEFAULT_QUESTION,
        *,
        skip: Sequence[Position] = (),
        counts_as: Sequence[int] | None = None,
    ) -> Question | None:
        """Find the pixel whose answer would tell most; nothing changes.

        Parameters
        ----------
        rule
            Name of a rule: ``settle`` or ``margin``.
        skip
            Pixels of which the user was not sure; around them nothing is asked.
        counts_as
            As what each class counts, (K,), if some count as one.

        Returns
        -------
        The question, or ``None`` if nothing is uncertain any more.

        Raises
        ------
        InputError
            If there is no such rule.
        """
        state = self._state
        return ask(
            self._scene,
            self._logits(),
            self._refiner.pixels(state),
            state.guidance.placed_support,
            state.method.kernel,
            rule,
            skip=skip,
            counts_as=counts_as,
            second=self._second_thoughts if rule in RECONSIDERING else None,
        )

    @own_modes()
    def anchors(self, index: int = 0) -> Anchors:
        """Return what clicks and scribbles found, ready to be carried to other slices.

        That is the residual's support, whichever method refined the slice; see
        :mod:`napari_guideme.guidance.carrying`.

        Parameters
        ----------
        index
            Number of this slice.
        """
        state = self._state
        if not state.refined:
            state = state.warm or self._history[0]
        scene = self._refiner.following(state)
        support = state.guidance.support
        if state.method.completes != "all" or state.guidance.window is not None:
            *_, step = refine(scene, self._refiner.pixels(state), method_named(DEFAULT_METHOD))
            support = step.guidance.support
        empty = Support.empty(len(self.shape), self.network.device)
        anchors = Anchors.of(scene, support or empty, index)
        labels = winning(self._logits())
        return anchors.proven(scene, labels).turning(scene, labels)

    @own_modes()
    def guidance(self) -> SavedGuidance:
        """Return what was found, to be saved and applied to other images.

        Raises
        ------
        InputError
            If there is no click or scribble, or the method corrects nothing by them.
        """
        if not self.hints.marks:
            raise InputError("there is no correction to save: click on the image first")
        corrected = Corrected(0, self.anchors(), self.hints, self.values)
        return SavedGuidance.of(self._scene, self.method, [corrected])

    @property
    def values(self) -> Tensor | None:
        """Values of the variable that the method moved, if it moved one."""
        return self._state.guidance.values

    def forget(self) -> None:
        """Give back the memory of what can be computed again."""
        self.__dict__.pop("_second_thoughts", None)
        self._scene.forget()
        self._labeller.forget()
        self._shown = None

    def report(self, before: NDArray[np.integer | np.bool_] | None = None) -> Report:
        """Say what became of the hints.

        Parameters
        ----------
        before
            Labels that changes are counted from, the network's own by default.
        """
        pixels = self._refiner.pixels(self._state)
        changed = self.changed() if before is None else self.labels() != before
        texts = self.hints.texts
        return reported(self.satisfied(), changed, pixels, self._seconds, self.spacing, texts)

    @own_modes()
    def _logits(self) -> Tensor:
        """Logits of the present state, or, until it is refined, those shown last."""
        state = self._state
        if self._shown is None or (state.refined and self._shown[0] is not state):
            known = state if state.refined else self._history[0]
            self._shown = known, self._refiner.logits(known)
        return self._shown[1]


def check_labels_pixels(network: FrozenNetwork) -> None:
    """Raise `InputError` if a network does not label pixels by itself."""
    if network.interaction is not None and network.interaction.are_drawn:
        raise InputError(
            f"{network.name} outlines objects that are clicked; open it with ObjectSession"
        )
