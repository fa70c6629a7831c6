"""One object after the other: clicked, kept, and the next; with a network that takes clicks."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels, Layer, Points
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_guideme.errors import InputError
from napari_guideme.hints import Hints
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.drawn_objects import DrawnObjects
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.object_carrier import ObjectCarrier
from napari_guideme.widgets.slices import Slice, shown_slice, spatial_shape

if TYPE_CHECKING:
    from napari_guideme.object_session import ObjectSession
    from napari_guideme.session_file.replaying import AnySession

RIGHT = 2


class ObjectMode(QObject):
    """Keeps objects in a layer of their own, which follows the sessions through undo and redo.

    Attributes
    ----------
    locked
        Whether pixels that are kept stay as they are.
    carrier
        Carries objects through a stack.
    """

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.locked = True
        self.carrier = ObjectCarrier(controller, self)
        self._controller = controller
        self._waiting: tuple[Slice, Callable[[Slice], None]] | None = None
        self._drawn: WeakKeyDictionary[ObjectSession, tuple[Labels, DrawnObjects]]
        self._drawn = WeakKeyDictionary()
        self._highest: WeakKeyDictionary[Layer, int] = WeakKeyDictionary()
        controller.refined.connect(self._on_refined)
        controller.travelled.connect(self._on_travelled)
        controller.tool_made.connect(self._on_tool)
        controller.job.busy.connect(self._on_busy)

    @property
    def upcoming(self) -> int:
        """Id that the present object will have, unless others are drawn by hand meanwhile."""
        layers = self._controller.layers
        kept = layers.existing("kept") if layers is not None else None
        return 1 if kept is None else self._highest.get(kept, 0) + 1

    # -- what the user does -------------------------------------------------

    def next_object(self) -> None:
        """Keep the object, as it is when it follows all clicks, and begin another one."""
        self._controller.reported(lambda: self._when_refined(self._keep))

    def improve(self, layer: Labels, number: int) -> None:
        """Begin with an object of another layer, which stays as it is."""
        self._controller.reported(
            lambda: self._when_refined(lambda part: self._start_from(part, layer, number))
        )

    def lock(self, locked: bool) -> None:
        """Say whether pixels that are kept stay as they are."""
        self.locked = locked
        if self._controller.outlines_objects and self._controller.session is not None:
            self._controller.run()

    # -- one after the other ------------------------------------------------

    def _when_refined(self, action: Callable[[Slice], None]) -> None:
        """Do something with the shown slice, but not before its labels follow its hints."""
        controller = self._controller
        if self._waiting is not None:
            return
        part = shown_slice(controller.viewer, controller.checked_image())
        refining = controller.refining_slice
        if controller.session_of(part) is not None and refining is None:
            action(part)
            return
        if refining is None or refining.key != part.key:
            controller.run()
        if controller.job.is_busy:
            self._waiting = part, action
            controller.hold_hints()

    def _on_refined(self, outcome: Outcome) -> None:
        session = _objects_of(outcome.session)
        if session is not None and session.locked != self.locked:
            session.locked = self.locked
            self._controller.run()
        if self._waiting is not None and self._waiting[0].key == outcome.part.key:
            (part, action), self._waiting = self._waiting, None
            self._controller.reported(lambda: action(part))
            self._controller.release_hints()

    def _on_busy(self, busy: bool) -> None:
        """Wait no more when what is waited for was cancelled or failed."""
        if not busy:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting = None
            self._controller.release_hints()

    def _keep(self, part: Slice) -> None:
        layers, session = self._controller.layers, self._session_of(part)
        assert layers is not None
        later = [hint for hint in layers.hints(part) if hint not in session.hints]
        outline = session.labels() > 0
        across = self.carrier.number_of(layers.existing("kept"), part, outline)
        self._controller.travel(lambda _: session.next_object(across), part)
        layers.write_hints(part, Hints().added(later))
        self._controller.choose_class(self._controller.classes[-1])

    def _start_from(self, part: Slice, layer: Labels, number: int) -> None:
        layers = self._controller.layers
        is_own = layers is not None and layer is layers.existing("kept")
        if is_own and not self.carrier.is_carried(layer, part, number):
            raise InputError(
                f"object {number} was outlined on this slice; take that back with Undo, or paint "
                f"on {layer.name}"
            )
        mask, session = _labels_of(layer, part) == number, self._session_of(part)
        self._controller.travel(lambda _: session.start_from(mask), part)

    def _session_of(self, part: Slice) -> ObjectSession:
        session = self._controller.session_of(part)
        return cast("ObjectSession", session)

    # -- from sessions to the layer -----------------------------------------

    def _on_travelled(self, part: Slice, session: AnySession) -> None:
        outlined, layers = _objects_of(session), self._controller.layers
        self._stop_waiting()
        if outlined is None or layers is None:
            return
        objects = outlined.objects()
        if not objects.any() and layers.existing("kept") is None:
            return
        layer, drawn = self._drawn.get(outlined, (None, None))
        if drawn is None or layer is not layers.kept:
            drawn = DrawnObjects(part.shape)
            self._drawn[outlined] = layers.kept, drawn
        given = self.carrier.give_way(layers.kept, part, outlined.kept)
        drawn.draw(objects, layers.kept.data, part.slices, locked=self.locked, given=given)
        layers.kept.refresh()
        self.carrier.follow(layers.kept, part, outlined.kept, drawn.ids)
        self._highest[layers.kept] = int(layers.kept.data.max())

    # -- right click --------------------------------------------------------

    def _on_tool(self, layers: GuideLayers, layer: Layer) -> None:
        if not self._controller.outlines_objects:
            return
        layer.bind_key("N", lambda _: self.next_object(), overwrite=True)
        if isinstance(layer, Points):
            layer.mouse_drag_callbacks.append(self._on_mouse)

    def _on_mouse(self, layer: Points, event: Any) -> Generator[None, None, None]:
        """Let napari's own tool place what is not the object while the right button is down."""
        layers = self._controller.layers
        if event.button != RIGHT or layer.mode != "add" or layers is None:
            return
        chosen = layers.current_class
        self._controller.choose_class(layers.classes[0])
        yield
        while event.type == "mouse_move":
            yield
        # napari's tool places its point on this very event, before or after us.
        QTimer.singleShot(0, lambda: self._controller.choose_class(chosen))


def _objects_of(session: AnySession) -> ObjectSession | None:
    # Its module takes a while to load: the labels of other sessions do not wait for it.
    interaction = session.network.interaction
    is_drawn = interaction is not None and interaction.are_drawn
    return cast("ObjectSession", session) if is_drawn else None


def _labels_of(layer: Labels, part: Slice) -> NDArray[np.integer]:
    """Labels of a slice, from a layer of the same pixels or of this one slice's."""
    shape = spatial_shape(layer)
    if shape == spatial_shape(part.layer):
        data = layer.data[0] if layer.multiscale else layer.data
        return np.asarray(data[part.slices])
    if shape == part.shape:
        return np.asarray(layer.data)
    raise InputError(
        f"{layer.name} has {' x '.join(map(str, shape))} pixels, {part.layer.name} "
        f"{' x '.join(map(str, spatial_shape(part.layer)))}; choose labels of the same image"
    )
