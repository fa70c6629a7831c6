"""A session on a volume: hints on slices, what is carried between them, and the history."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_METHOD
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.labelling import kind_of, labels_of
from napari_guideme.guidance.methods import method_named
from napari_guideme.guidance.refining import Step
from napari_guideme.guidance.saved import Corrected, SavedGuidance
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import Hint, Hints, Mark, TextHint, by_slice
from napari_guideme.language import DEFAULT_TELLING
from napari_guideme.language.places import View
from napari_guideme.language.telling import following
from napari_guideme.language.text_guide import TextGuide
from napari_guideme.networks.frozen import FrozenNetwork, check_network
from napari_guideme.networks.modes import own_modes, stepwise
from napari_guideme.planes import Planes
from napari_guideme.session import GuideSession
from napari_guideme.volumes.inherited import Inherited
from napari_guideme.volumes.moments import Moment, Moments
from napari_guideme.volumes.onward import EXTENTS, along, ways
from napari_guideme.volumes.sayings import Saying
from napari_guideme.volumes.sources import anchors_of, sayings_of
from napari_guideme.volumes.states import Carried, CarriedStep, SliceState, same

if TYPE_CHECKING:
    from napari_guideme.language.vocabulary import WordVectors

#: Sessions of slices whose activations are kept.
KEPT = 4


class VolumeSession:
    """Correct a frozen network on a volume, slice by slice.

    Parameters
    ----------
    volume, network, axis, channel_axis, channels, spacing
        See `Planes`. Slices are read again whenever they are needed: leave the volume as it is.
    method, guide_point, telling, text_guide, zoom
        Of the sessions of its slices, see `GuideSession`.
    view
        How the two axes of a slice are seen.

    Raises
    ------
    InputError
        As `Planes` and `GuideSession` do.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_guideme import Click, VolumeSession, open_network
    >>> from skimage.data import cell
    >>> volume = np.stack([np.roll(cell(), 4 * index, axis=1) for index in range(3)])
    >>> session = VolumeSession(volume, open_network("nuclei", device="cpu"))
    >>> session.add(Click((0, 300, 250), "nucleus"))
    >>> for step in session.refine(0):
    ...     pass
    >>> for step in session.carry("onward"):
    ...     pass
    >>> session.states[1].state
    'carried'
    """

    def __init__(
        self,
        volume: Any,
        network: FrozenNetwork,
        *,
        axis: int = 0,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
        spacing: Sequence[float] | None = None,
        method: str = DEFAULT_METHOD,
        guide_point: str | None = None,
        telling: str = DEFAULT_TELLING,
        text_guide: TextGuide | None = None,
        view: View | None = None,
        zoom: int | None = None,
    ) -> None:
        check_network(network)
        self.network = network
        self.planes = Planes(
            volume,
            network,
            axis=axis,
            channel_axis=channel_axis,
            channels=channels,
            spacing=spacing,
            point=guide_point,
        )
        if zoom is not None and network.preparation.ndim == 3:
            raise InputError("a zoom is for networks of two axes; leave it out")
        self._told: dict[str, Any] = {
            "method": method_named(method).name,
            "point_is_chosen": guide_point is not None,
            "telling": telling,
            "text_guide": text_guide,
            "view": view,
            "zoom": zoom,
        }
        self._sessions: OrderedDict[int, GuideSession] = OrderedDict()
        self._inherited: dict[int, Carried] = {}
        self._carried: dict[int, Carried] = {}
        self._moments = Moments()

    def __len__(self) -> int:
        return len(self.planes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the volume."""
        return self.planes.volume_shape

    @property
    def method(self) -> str:
        """Name of the method that slices are refined by."""
        return str(self._told["method"])

    @property
    def states(self) -> list[SliceState]:
        """What became of every slice."""
        corrected = set(self.corrected)
        return [
            SliceState(index, "corrected")
            if index in corrected
            else self._carried[index].state
            if index in self._carried
            else SliceState(index)
            for index in range(len(self))
        ]

    @property
    def corrected(self) -> list[int]:
        """Numbers of the slices with hints, rising."""
        return sorted(index for index, session in list(self._sessions.items()) if session.hints)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._moments.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._moments.can_redo

    # -- one slice ----------------------------------------------------------

    def opened(self, index: int) -> GuideSession | None:
        """Return the session of a slice, if it has one that begins from what is carried there now.

        One with hints is never overtaken by what is carried.
        """
        session = self._sessions.get(index)
        if session is None or session.hints:
            return session
        before, now = self._inherited.get(index), self._carried.get(index)
        return session if same(before, now) else None

    @own_modes()
    def session(self, index: int) -> GuideSession:
        """Return the session of a slice; a new one starts from what was carried to it.

        What is done in it directly is not in the history of the volume.
        """
        session = self.opened(index)
        if session is None:
            scene = self.planes.scene(index)
            known = self._carried.get(index)
            self._inherited.pop(index, None)
            if known is not None and known.acts:
                scene = known.inherited(self.planes.thickness).shifted(scene, self._follow)
                self._inherited[index] = known
            session = GuideSession.on(scene, **self._told)
            self._sessions[index] = session
        self._sessions.move_to_end(index)
        self._spare()
        return session

    def inherited(self, index: int) -> Inherited | None:
        """What the session of a slice began from, if anything was carried to it before."""
        known = self._inherited.get(index)
        return known.inherited(self.planes.thickness) if known is not None else None

    @own_modes()
    def inherit(self, index: int, told: Mapping[str, Any] | None) -> None:
        """Take for carried to a slice what was when a saved session on it began, and no more.

        Parameters
        ----------
        index
            Number of the slice.
        told
            As :meth:`Inherited.to_json` writes it; ``None`` if nothing was.

        Raises
        ------
        InputError
            If it is broken, or about another slice or network.
        """
        carried = {other: known for other, known in self._carried.items() if other != index}
        if told is not None:
            scene = self.planes.scene(index)
            began = Inherited.from_json(told, scene)
            labels = labels_of(began.logits(scene, self._follow))
            state = SliceState(index, "carried")
            carried[index] = Carried(state, labels, began.anchors, began.anywhere, began.sayings)
        self._carried = carried

    def adopt(self, index: int, session: GuideSession) -> None:
        """Let what was done to a slice in a session of its own count here.

        It began from what is carried to the slice now, see :meth:`inherit`.
        """
        self._inherited.pop(index, None)
        if index in self._carried:
            self._inherited[index] = self._carried[index]
        self._sessions[index] = session
        self._spare()

    def _spare(self) -> None:
        """Keep the activations of the last few slices, and of others what cannot be found again."""
        for index, session in list(self._sessions.items())[:-KEPT]:
            session.forget()
            if not (session.can_undo or session.can_redo):
                del self._sessions[index]
                self._inherited.pop(index, None)

    def add(self, *marks: Mark) -> None:
        """Add clicks and scribbles, in array axes of the volume; :meth:`refine` makes them count.

        Raises
        ------
        InputError
            If one is outside the volume or of an unknown class; none is added then.
        """
        given = Hints(marks)
        if given.texts:
            raise InputError("words are about a slice: give its number, tell(index, sentence)")
        given.check(self.shape, self.network.classes)
        for index, hints in by_slice(marks, self.shape, self.planes.axis).items():
            self.add_to(index, *hints)

    def add_to(self, index: int, *hints: Hint) -> None:
        """Add hints to a slice, in rows and columns."""
        session = self.session(index)
        before = session.hints
        session.add(*hints)
        if session.hints != before:
            self._moments.push(Moment(index, self._carried, self._carried))

    def tell(
        self, index: int, sentence: str, vectors: WordVectors | None = None
    ) -> tuple[TextHint, ...]:
        """Add to a slice what a sentence says, see `GuideSession.tell`.

        Words are about a slice; :meth:`carry` tells them to others that look like it.
        """
        session = self.session(index)
        before = session.hints
        said = session.tell(sentence, vectors)
        if session.hints != before:
            self._moments.push(Moment(index, self._carried, self._carried))
        return said

    def refine(self, index: int) -> Iterator[Step]:
        """Make the labels of a slice follow its hints, see `GuideSession.refine`."""
        yield from self.session(index).refine()

    def carried_labels(self, index: int) -> NDArray[np.integer] | None:
        """Return what was carried to a slice, (rows, columns), if anything was."""
        known = self._carried.get(index)
        return known.labels if known is not None else None

    @own_modes()
    def slice_labels(self, index: int) -> NDArray[np.integer]:
        """Return the labels of one slice, (rows, columns)."""
        if self.opened(index) is not None:
            return self.session(index).labels()
        if index in self._carried:
            return self._carried[index].labels
        return labels_of(self.planes.scene(index).logits)

    def labels(
        self, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> NDArray[np.integer]:
        """Return the labels of the whole volume; the network runs on what is not labelled yet.

        Parameters
        ----------
        progress
            Called after every slice.
        """
        labels = np.zeros(self.shape, kind_of(len(self.network.classes)))
        along = np.moveaxis(labels, self.planes.axis, 0)
        for index in range(len(self)):
            along[index] = self.slice_labels(index)
            progress(index + 1, len(self))
        return labels

    # -- carrying on --------------------------------------------------------

    @stepwise
    def carry(
        self, extent: str = "onward", *, check: bool = True, at_once: bool = False
    ) -> Iterator[CarriedStep]:
        """Carry all corrections on, one yielded slice after the other.

        Drop the generator to cancel: nothing was carried then. What was carried before
        is replaced.

        Parameters
        ----------
        extent
            ``"slice"``: nothing is carried. ``"onward"``: to both sides until it no longer
            fits; between two corrected slices both count, the nearer one more.
            ``"volume"``: to all slices; where it does not fit by its place, to what looks
            very much the same.
        check
            Whether it is only carried while it fits; without, it fades with the distance
            alone.
        at_once
            Whether a slice counts as soon as it is reached, for who shows it then. That is no
            entry of the history; what was carried before is brought back by :meth:`restore`.

        Raises
        ------
        InputError
            If there is no such extent, or something is to be carried and no slice was corrected.
        """
        if extent not in EXTENTS:
            raise InputError(f"unknown extent {extent!r}; choose {', '.join(EXTENTS)}")
        sources = self.corrected
        if not sources and extent != "slice":
            raise InputError("nothing to carry on: click on a slice first")
        # What a corrected slice began from is there again as soon as its hints are gone.
        found = {i: self._inherited[i] for i in sources if i in self._inherited}
        before = self._carried
        stretches = ways(sources, len(self)) if extent != "slice" else []
        total, everywhere = sum(map(len, stretches)), extent == "volume"
        reached = self._reached(sources, stretches, everywhere=everywhere, check=check)
        for done, carried in enumerate(reached, start=1):
            found[carried.state.index] = carried
            if at_once:
                self._carried = {**before, **found}
            yield CarriedStep(done, total, carried.state, carried.labels)
        if not at_once:
            self._moments.push(Moment(None, before, found))
        self._carried = found

    def _reached(
        self,
        sources: Sequence[int],
        stretches: Sequence[range],
        *,
        everywhere: bool,
        check: bool,
    ) -> Iterator[Carried]:
        """Carry along stretches of slices, away from the corrected ones."""
        if not stretches:
            return
        anchors = [self._anchors(index) for index in sources]
        sayings = [self._sayings(index) for index in sources]
        given = self.planes, sources, anchors, sayings, self._follow
        for way in stretches:
            yield from along(way, *given, everywhere=everywhere, check=check)

    @property
    def carried(self) -> Mapping[int, Any]:
        """What was carried to which slices, as :meth:`restore` takes it."""
        return self._carried

    def restore(self, carried: Mapping[int, Any]) -> None:
        """Bring back what was carried at another time."""
        self._carried = dict(carried)

    @own_modes()
    def guidance(self) -> SavedGuidance:
        """Return what was found, to be saved and applied to other images.

        Raises
        ------
        InputError
            If no slice was corrected, or the method corrects nothing by clicks.
        """
        sources = self.corrected
        if not sources:
            raise InputError("there is no correction to save: click on a slice first")
        sessions = [self.session(index) for index in sources]
        scene = self.planes.scene(sources[0])
        return SavedGuidance.of(
            scene,
            self.method,
            [
                Corrected(index, self._anchors(index), session.hints, session.values)
                for index, session in zip(sources, sessions, strict=True)
            ],
            self.planes.thickness,
        )

    def undo(self) -> None:
        """Go back by one change of hints, or of what was carried."""
        if self.can_undo:
            moment = self._moments.back()
            self._carried = moment.before
            if moment.index is not None:
                self._sessions[moment.index].undo()

    def redo(self) -> None:
        """Go forward again by one change."""
        if self.can_redo:
            moment = self._moments.forward()
            self._carried = moment.after
            if moment.index is not None:
                self._sessions[moment.index].redo()

    def _anchors(self, index: int) -> Anchors:
        return anchors_of(index, self.session(index), self.planes, self._inherited.get(index))

    def _sayings(self, index: int) -> tuple[Saying, ...]:
        return sayings_of(index, self.session(index), self.planes, self._inherited.get(index))

    def _follow(self, scene: Scene, hints: Sequence[TextHint]) -> Scene:
        """Let a slice follow words as its own session would."""
        return following(scene, hints, self._told["telling"], self._told["text_guide"])
