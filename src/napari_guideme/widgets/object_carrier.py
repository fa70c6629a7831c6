"""Objects that go through a stack: carried from where they were outlined to the other slices."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels, Layer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_guideme.errors import InputError
from napari_guideme.widgets.channels import has_channels
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.slices import Slice
from napari_guideme.widgets.stacks import Stack

if TYPE_CHECKING:
    from napari_guideme.outlines import Kept
    from napari_guideme.volumes import CarriedOutline
    from napari_guideme.widgets.controller import Controller

Mask = NDArray[np.bool_]

#: An outline is that of an object which was carried there if they overlap by so much.
SAME = 0.5


class Spot:
    """What of an object is drawn on one slice that it was carried to: only where nothing else is.

    Parameters
    ----------
    mask
        Of the object, (rows, columns).
    part
        The slice.
    """

    def __init__(self, mask: Mask, part: Slice) -> None:
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        self._box = tuple(slice(along[0], along[-1] + 1) for along in (rows, columns))
        self._mask = mask[self._box].copy()
        self._drawn = np.zeros_like(self._mask)
        sides = iter(self._box)
        self._here = tuple(next(sides) if isinstance(at, slice) else at for at in part.slices)

    def draw(self, layer: Labels, label: int) -> None:
        """Draw it under a label."""
        here = layer.data[self._here]
        self._drawn = self._mask & (here == 0)
        layer.data[self._here] = np.where(self._drawn, label, here)

    def erase(self, layer: Labels, label: int) -> None:
        """Leave what was painted over it; that, and what was erased by hand, is not drawn again."""
        here = layer.data[self._here]
        own = self._drawn & (here == label)
        self._mask &= own | ~self._drawn
        layer.data[self._here] = np.where(own, 0, here)
        self._drawn = np.zeros_like(own)

    def overlap(self, mask: Mask) -> float:
        """How much of it and of another outline both have, as a share of what either has."""
        both = int((mask[self._box] & self._mask).sum())
        either = int(mask.sum()) + int(self._mask.sum()) - both
        # All of it may have been erased by hand.
        return both / either if either else 0.0


@dataclass(eq=False)
class Thing:
    """An object in a stack.

    Attributes
    ----------
    layer, label
        Where it is drawn, and as what.
    stack
        One of its slices, with the axis they lie along.
    outlines
        By the slices it was outlined on.
    spots
        By the slices it was carried to.
    """

    layer: Labels
    label: int
    stack: Stack
    outlines: dict[int, Mask] = field(default_factory=dict)
    spots: dict[int, Spot] = field(default_factory=dict)

    def index_of(self, part: Slice) -> int | None:
        """Number of a slice, if it is one of the stack."""
        stack = replace(self.stack, part=part)
        return stack.index if self.stack.slice(stack.index).key == part.key else None

    def erase(self) -> None:
        """Draw it on no slice any more that it was carried to."""
        while self.spots:
            self.spots.popitem()[1].erase(self.layer, self.label)

    def __str__(self) -> str:
        reached = [*self.outlines, *self.spots]
        return f"Object {self.label} was carried through slices {min(reached)} to {max(reached)}."


@dataclass(frozen=True)
class Arrived:
    """A thing was carried to one slice more; so far has it come."""

    index: int
    total: int
    outline: CarriedOutline


class ObjectCarrier(QObject):
    """Carries objects on as often as one of their outlines changes, one after the other.

    Signals
    -------
    told
        How far an object was carried, in words.
    busy
        Whether something is being carried, or about to be.

    Attributes
    ----------
    onward
        Whether new objects are carried.
    """

    told = Signal(str)
    busy = Signal(bool)

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.onward = False
        self._viewer = controller.viewer
        self._things: WeakKeyDictionary[Labels, dict[int, Thing]] = WeakKeyDictionary()
        self._waiting: list[Thing] = []
        self._running: Thing | None = None
        self.job = LatestJob(self)
        self.job.stepped.connect(self._on_arrived)
        self.job.done.connect(self._on_done)
        self.job.failed.connect(self._on_failed)
        self.job.busy.connect(self._on_busy)
        self._problem = controller.problem
        controller.forgotten.connect(self._forget)

    @property
    def is_busy(self) -> bool:
        """Whether something is being carried, or about to be."""
        return self.job.is_busy or bool(self._waiting)

    def has_any(self, layer: Labels | None) -> bool:
        """Whether a layer holds objects that were carried."""
        return layer is not None and bool(self._things.get(layer))

    def is_carried(self, layer: Labels, part: Slice, label: int) -> bool:
        """Whether an object is on a slice because it was carried there."""
        return any(thing.label == label for _, thing, _ in self._carried_to(layer, part))

    def number_of(self, layer: Labels | None, part: Slice, mask: Mask) -> int:
        """What an object shall be called through its stack, by its outline on a slice.

        As the object that was carried there, if it is that; 0 if it is not to be carried.
        """
        carried = self._carried_to(layer, part) if layer is not None else ()
        for number, _, spot in carried:
            if spot.overlap(mask) >= SAME:
                return number
        return secrets.randbits(31) | 1 if self.onward and Stack.of(part) is not None else 0

    def give_way(self, layer: Labels, part: Slice, kept: tuple[Kept, ...]) -> dict[int, int]:
        """Leave a slice to what is outlined there, until :meth:`follow`.

        Returns
        -------
        Labels of the objects that the layer holds already, by their ids on the slice.
        """
        for _, thing, spot in self._carried_to(layer, part):
            spot.erase(layer, thing.label)
        things = self._things.get(layer, {})
        known = {one.id: things[one.across] for one in kept if one.across in things}
        for thing in known.values():
            index = thing.index_of(part)
            if index in thing.spots:
                del thing.spots[index]
        return {number: thing.label for number, thing in known.items()}

    def follow(
        self, layer: Labels, part: Slice, kept: tuple[Kept, ...], labels: Mapping[int, int]
    ) -> None:
        """Carry what was outlined on a slice, and no longer what is outlined there no more.

        Parameters
        ----------
        layer, part
            Where they are drawn.
        kept, labels
            All objects of the slice, and as what they are drawn.
        """
        stack = Stack.of(part)
        if stack is None:
            return
        for _, thing, spot in self._carried_to(layer, part):
            spot.draw(layer, thing.label)
        things = self._things.setdefault(layer, {})
        outlined = {one.across: one for one in kept if one.across}
        for number, one in outlined.items():
            thing = things.setdefault(number, Thing(layer, labels[one.id], stack))
            thing.label = labels[one.id]
            self._outline(thing, stack.index, one.drawn(part.shape))
        for number, thing in list(things.items()):
            index = thing.index_of(part)
            if index in thing.outlines and number not in outlined:
                self._outline(thing, index, None)
            if not thing.outlines:
                del things[number]

    def cancel(self) -> None:
        """Stop: what was being carried is where it was outlined, and nowhere else."""
        thing, self._running = self._running, None
        self._waiting.clear()
        self.job.cancel()
        if thing is not None:
            thing.erase()
            thing.layer.refresh()

    # -- one after the other ------------------------------------------------

    def _carried_to(self, layer: Labels, part: Slice) -> list[tuple[int, Thing, Spot]]:
        """Return the things that were carried to a slice, by their numbers."""
        found = [
            (n, thing, thing.index_of(part)) for n, thing in self._things.get(layer, {}).items()
        ]
        return [(n, thing, thing.spots[i]) for n, thing, i in found if i in thing.spots]

    def _outline(self, thing: Thing, index: int, mask: Mask | None) -> None:
        """Let an object have this outline on a slice, or none; carry it anew if it had another."""
        before = thing.outlines.pop(index, None)
        if mask is not None:
            thing.outlines[index] = mask
            if before is not None and np.array_equal(before, mask):
                return
        thing.erase()
        if thing is self._running:
            self._running = None
            self.job.cancel()
        if thing in self._waiting:
            self._waiting.remove(thing)
        if thing.outlines:
            self._waiting.append(thing)
        self._start()

    def _start(self) -> None:
        if self._waiting and not self.job.is_busy:
            self._running = thing = self._waiting.pop(0)
            self.job.request(lambda: _steps(thing), f"Carrying object {thing.label}")

    def _on_arrived(self, arrived: Arrived) -> None:
        thing, outline = self._running, arrived.outline
        if thing is None or thing.layer not in self._viewer.layers:
            return
        part = thing.stack.slice(outline.index)
        thing.spots[outline.index] = spot = Spot(outline.mask, part)
        spot.draw(thing.layer, thing.label)

    def _on_done(self, _: object) -> None:
        thing, self._running = self._running, None
        if thing is not None:
            thing.layer.refresh()
            self.told.emit(str(thing))

    def _on_busy(self, busy: bool) -> None:
        if not busy:
            self._start()
        self.busy.emit(self.is_busy)

    def _on_failed(self, error: Exception) -> None:
        self.cancel()
        if not isinstance(error, InputError):
            raise error
        self._problem.emit(str(error))

    def _forget(self, layer: Layer) -> None:
        """Leave what was drawn on an image, or in a layer that was deleted, as it is."""
        for things in self._things.values():
            gone = [n for n, t in things.items() if layer in (t.layer, t.stack.layer)]
            for number in gone:
                thing = things.pop(number)
                if thing in self._waiting:
                    self._waiting.remove(thing)
                if thing is self._running:
                    self._running = None
                    self.job.cancel()


def _steps(thing: Thing) -> Generator[Arrived, None, Any]:
    """Carry an object on."""
    from napari_guideme.volumes import carry_outlines

    stack = thing.stack
    channels = len(stack.volume.shape) - 1 if has_channels(stack.layer) else None
    axis = stack.axes.index(stack.axis)
    for step in carry_outlines(stack.volume, thing.outlines, axis=axis, channel_axis=channels):
        yield Arrived(step.done, step.total, step)
    return thing
