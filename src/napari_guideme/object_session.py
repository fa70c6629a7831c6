"""A session with a click network: one object after the other is clicked, grown and committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_OBJECT_METHOD
from napari_guideme.guidance.methods import Method, method_named
from napari_guideme.guidance.refining import Step
from napari_guideme.hints import HintPixels, Hints, check_hints
from napari_guideme.history import History, Past
from napari_guideme.lens import Lens
from napari_guideme.networks.frozen import FrozenNetwork, check_network
from napari_guideme.networks.modes import own_modes, stepwise
from napari_guideme.outlines import OBJECT, Kept, Patch, cut_out
from napari_guideme.report import Report, agreeing, reported
from napari_guideme.spacing import relative
from napari_guideme.undoing import Undoable


@dataclass(frozen=True)
class _State:
    """One entry of the history: all that is needed to be there again.

    `known` is what was found before, from which the refinement goes on.
    """

    hints: Hints
    method: Method
    start: Kept | None = None
    kept: tuple[Kept, ...] = ()
    known: Patch | None = None
    found: Patch | None = None
    refined: bool = True


class ObjectSession(Undoable[_State]):
    """Outline objects by clicks, one after the other, without a screen.

    Parameters
    ----------
    image
        Spatial axes in array order and at most one channel axis. It is not copied but read
        again, so leave it as it is while the session lasts.
    network
        One that was trained to take clicks, such as the bundled ``click``.
    method
        Name of a method, see :data:`napari_guideme.guidance.METHOD_NAMES`.
    channel_axis
        The axis of `image` that holds channels, ``None`` for a grey image.
    channels
        Which channels to feed, in this order.
    spacing
        Size of a pixel along each spatial axis, in any unit; distances to clicks
        are measured in it.
    locked
        Whether pixels of committed objects stay theirs.

    Raises
    ------
    InputError
        If the image or the method cannot be used, or the network takes no clicks.

    Examples
    --------
    >>> from napari_guideme import Click, ObjectSession, open_network
    >>> from skimage.data import astronaut
    >>> session = ObjectSession(astronaut(), open_network("click", device="cpu"), channel_axis=-1)
    >>> session.add(Click((120, 220), "object"))
    >>> for step in session.refine():
    ...     pass
    >>> int(session.labels()[120, 220])
    1
    >>> session.next_object()
    1
    """

    @own_modes()
    def __init__(
        self,
        image: NDArray[Any],
        network: FrozenNetwork,
        *,
        method: str = DEFAULT_OBJECT_METHOD,
        channel_axis: int | None = None,
        channels: Sequence[int] | None = None,
        spacing: Sequence[float] | None = None,
        locked: bool = True,
    ) -> None:
        check_network(network)
        if network.interaction is None:
            raise InputError(f"{network.name} takes no clicks; correct it with GuideSession")
        super().__init__(_State(Hints(), method_named(method)))
        self.network = network
        self.locked = locked
        self._lens = Lens(
            image, network, channel_axis=channel_axis, channels=channels, spacing=spacing
        )
        self._seconds = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of the image."""
        return self._lens.shape

    def _choose(self, method: str) -> None:
        self._change(method=method_named(method), refined=not len(self.hints))

    def replace(self, hints: Hints) -> None:
        """Put other hints in the place of the present ones, as one step of the history."""
        check_hints(hints)
        if hints.texts:
            raise InputError(
                f"{self.network.name} outlines what is clicked and knows no names of things; "
                "words are for networks with classes, such as nuclei"
            )
        hints.check(self.shape, self.network.classes)
        if hints != self.hints:
            grown = set(self.hints) <= set(hints)
            found = self._state.found if grown else None
            self._change(hints=hints, found=found, refined=not len(hints))

    def start_from(self, mask: NDArray[Any]) -> None:
        """Let clicks improve a mask, such as an object of another program.

        Parameters
        ----------
        mask
            Of the shape of the image; the object is where it is not zero.

        Raises
        ------
        InputError
            If the mask is empty or of another shape.
        """
        mask = np.asarray(mask) != 0
        if mask.shape != self.shape:
            raise InputError(f"the mask has shape {mask.shape}, the image has {self.shape}")
        if not mask.any():
            raise InputError("the mask to start from is empty")
        self._change(start=cut_out(mask, 0), hints=Hints(), found=None, refined=True)

    def next_object(self, across: int = 0) -> int:
        """Commit the present object under the next free id and begin another one.

        Parameters
        ----------
        across
            What it is called in all slices of a stack that it goes through, see `Kept`.

        Returns
        -------
        The id.

        Raises
        ------
        InputError
            If there is no object yet.
        """
        mask = self.labels() == OBJECT
        if not mask.any():
            raise InputError("there is no object to keep yet: click on one")
        new = max((kept.id for kept in self._state.kept), default=0) + 1
        kept = (*self._state.kept, cut_out(mask, new, across))
        self._change(hints=Hints(), start=None, found=None, kept=kept, refined=True)
        return new

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The committed objects, the oldest first."""
        return self._state.kept

    @property
    def history(self) -> History:
        """All that was done, as :meth:`replay` takes it."""
        finders = {id(s.found): i for i, s in reversed(list(enumerate(self._history))) if s.found}
        entries = tuple(
            Past(s.hints, s.method.name, s.refined, finders.get(id(s.known)), s.start, s.kept)
            for s in self._history
        )
        return History(entries, self._cursor)

    @stepwise
    def replay(self, history: History) -> Iterator[Step]:
        """Do again what was done, in place of what this session was told so far.

        Every entry that was refined is refined again, from what was found before it
        then: the labels are the same, bit for bit, on the same machine.

        Raises
        ------
        InputError
            If a hint or a mask does not fit image or network, or a method is unknown;
            nothing changes then, nor if the generator is dropped.
        """
        methods = [method_named(past.method) for past in history.entries]
        for past in history.entries:
            past.hints.check(self.shape, self.network.classes)
            _check_fits([*past.kept, *([past.start] if past.start else [])], self.shape)
        states: list[_State] = []
        for index, (past, method) in enumerate(zip(history.entries, methods, strict=True)):
            known = None if past.warm is None else states[past.warm].found
            anew = past.refined and len(past.hints) > 0
            refined = past.refined and not anew
            state = _State(past.hints, method, past.start, past.kept, known, known, refined)
            if not anew:
                states.append(state)
            for step in self._outlined(state, states.append) if anew else ():
                yield replace(step, index=index, total=len(history.entries))
        self._restore(states, history.cursor)

    @stepwise
    def refine(self) -> Iterator[Step]:
        """Make the object follow the hints, one yielded step after the other.

        Drop the generator to cancel: the object stays as it was. The first clicks
        on an object look at it more and more closely.
        """
        state, started = self._state, time.perf_counter()
        if state.refined:
            yield Step(1, 1, 0.0)
            return

        def keep(refined: _State) -> None:
            # In place: another thread may go on with the history meanwhile.
            for index, known in enumerate(self._history):
                if known is state:
                    self._history[index] = refined
            self._seconds = time.perf_counter() - started

        yield from self._outlined(state, keep)

    def _outlined(self, state: _State, keep: Callable[[_State], None]) -> Iterator[Step]:
        """Refine a state and hand it over."""
        pixels, found = self._pixels(state), state.found
        # Nobody said yet where the object is: clicks beside it make none.
        nowhere = state.start is None and not (pixels.classes == OBJECT).any()
        if not nowhere:
            found = yield from self._lens.outlined(pixels, state.method, state.start, found)
        keep(replace(state, found=found, refined=True))
        if nowhere:
            yield Step(1, 1, 0.0)

    def labels(self) -> NDArray[np.uint8]:
        """The present object, 1, and all else, 0."""
        state = self._state
        mask = self._start_mask(state) if state.found is None else state.found.mask(self.shape)
        if self.locked:
            for kept in state.kept:
                mask[kept.box][kept.mask] = False
        return mask.view(np.uint8)

    def objects(self) -> NDArray[np.int32]:
        """Ids of the committed objects; where they overlap the newest one is on top."""
        ids = np.zeros(self.shape, dtype=np.int32)
        for kept in self._state.kept:
            ids[kept.box][kept.mask] = kept.id
        return ids

    def predict(self) -> NDArray[np.uint8]:
        """The object before any hint: the mask to start from, if there is one."""
        return self._start_mask(self._state).view(np.uint8)

    def probabilities(self) -> NDArray[np.float32]:
        """Probability of background and object, (2, *spatial); outside the window of 0."""
        object_: NDArray[np.float32] = np.zeros(self.shape, dtype=np.float32)
        found = self._state.found
        if found is None:
            object_[self._start_mask(self._state)] = 1
        else:
            object_[found.window.slices] = found.window.stretched(found.logits).sigmoid().numpy()
        return np.stack([1 - object_, object_])

    def satisfied(self) -> list[bool]:
        """Whether the object agrees with each hint."""
        return agreeing(self.labels(), self._pixels(self._state), len(self.hints))

    def changed(self) -> NDArray[np.bool_]:
        """Pixels that hints added to the object or took away from it."""
        labels = self.labels()
        if self._state.start is None:
            return labels.view(bool)
        changed: NDArray[np.bool_] = labels != self.predict()
        return changed

    def report(self) -> Report:
        """Say what became of the hints."""
        changed, pixels = self.changed(), self._pixels(self._state)
        found = self._state.found
        if found is not None and self._state.refined and self._state.start is None:
            # All that changed lies in the window: no map as large as the image.
            changed, pixels = _cut(changed, pixels, found.window.slices)
        spacing = relative(self._lens.spacing, len(self.shape))
        met = self.satisfied()
        return reported(met, changed, pixels, self._seconds, spacing, whole=self.shape)

    def _change(self, **changes: Any) -> None:
        changed = replace(self._state, **changes)
        self._push(replace(changed, known=changed.found))

    def _pixels(self, state: _State) -> HintPixels:
        return state.hints.pixels(self.shape, self.network.classes)

    def _start_mask(self, state: _State) -> NDArray[np.bool_]:
        return np.zeros(self.shape, bool) if state.start is None else state.start.drawn(self.shape)


def _cut(
    changed: NDArray[np.bool_], pixels: HintPixels, box: Sequence[slice]
) -> tuple[NDArray[np.bool_], HintPixels]:
    """Cut a map to a box and all hints; their pixels are then counted from its start."""
    start = np.minimum([side.start for side in box], pixels.positions.min(axis=0))
    stop = np.maximum([side.stop for side in box], pixels.positions.max(axis=0) + 1)
    cut = tuple(map(slice, start, stop))
    return changed[cut], replace(pixels, positions=pixels.positions - start)


def _check_fits(outlines: Sequence[Kept], shape: Sequence[int]) -> None:
    for kept in outlines:
        last = np.add(kept.corner, kept.mask.shape)
        if len(last) != len(shape) or min(kept.corner) < 0 or (last > shape).any():
            raise InputError(f"an outline lies outside the image of shape {tuple(shape)}")
