"""What happens between the viewer's layers and sessions; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari import Viewer
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Hint, Hints, TextHint
from napari_guideme.session_file import Part
from napari_guideme.widgets.channels import declare_first
from napari_guideme.widgets.exchange import Outcome, is_inside, tell
from napari_guideme.widgets.flight import move_slider
from napari_guideme.widgets.jobs import LatestJob
from napari_guideme.widgets.keeping import Keeper
from napari_guideme.widgets.known import Choice, Known, Networks
from napari_guideme.widgets.layer_sets import LayerSets
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.rearranged import origin, with_channels_first
from napari_guideme.widgets.sessions import Opened, Sessions
from napari_guideme.widgets.slices import Slice, shown_slice, touched_slices
from napari_guideme.widgets.steps import Steps

if TYPE_CHECKING:
    from napari_guideme.guidance.refining import Step
    from napari_guideme.session_file.replaying import AnySession


class Controller(QObject):
    """Turns clicks into refinements and refinements into layers.

    Signals
    -------
    refined
        The `Outcome` of a refinement, after its layers were written.
    travelled
        Slice and session, after its history changed otherwise than by hints.
    tool_made
        Layers and the one of them, of clicks, scribbles or labels, that was just made.
    problem
        A message for the user.
    busy
        Whether something is being computed.
    class_changed
        The class that new clicks get.
    method_changed
        The method that an undo or a redo brought back.
    devices_found
        Names of the devices, once torch is loaded.
    forgotten
        A layer that was deleted, that has other pixels, or whose axes mean something else now.
    other_pixels
        The chosen image, after it was given other pixels.
    elsewhere
        The image on which hints changed while another one was chosen.
    """

    refined = Signal(object)
    travelled = Signal(object, object)
    tool_made = Signal(object, object)
    problem = Signal(str)
    busy = Signal(bool)
    class_changed = Signal(str)
    method_changed = Signal(str)
    devices_found = Signal(object)
    forgotten = Signal(object)
    other_pixels = Signal(object)
    elsewhere = Signal(object)

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.image: Image | None = None
        self.networks = Networks()
        self.choice = Choice(next(iter(self.networks)))
        self.method = self.network.usual_method
        self.show_changes = False
        self.layers: GuideLayers | None = None
        self.outcome: Outcome | None = None
        self._class = ""
        self._refining: Slice | None = None
        self._waiting: dict[Any, Slice] = {}
        self._seen_in_3d: Slice | None = None
        self._held: bool | None = None
        self._sets = LayerSets(viewer, self._make_layers)
        self.sessions = Sessions(self.networks)
        self.steps = Steps(self)
        self.job = LatestJob(self)
        self.job.done.connect(self._on_done)
        self.job.failed.connect(self._on_failed)
        self.job.busy.connect(self.busy)
        self.keeper = Keeper(self)
        self.keeper.job.failed.connect(self._on_failed)
        self._loading = LatestJob(self)
        self._loading.done.connect(self.devices_found)
        self._loading.failed.connect(self._on_failed)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.dims.events.ndisplay.connect(self._on_view)

    @property
    def is_busy(self) -> bool:
        """Whether anything is being computed or loaded."""
        return any(job.is_busy for job in (self.job, self.keeper.job, self._loading))

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the chosen network."""
        return self.network.card.classes

    @property
    def network(self) -> Known:
        """The chosen network."""
        return self.choice.network

    @property
    def outlines_objects(self) -> bool:
        """Whether the chosen network outlines what is clicked, one object after the other."""
        return self.network.outlines_objects

    @property
    def carries(self) -> bool:
        """Whether corrections are carried through a stack; of what is looked for they are not."""
        return self.network.carries

    @property
    def refining_slice(self) -> Slice | None:
        """The slice that is being refined."""
        return self._refining if self.job.is_busy else None

    def is_pending(self, part: Slice) -> bool:
        """Whether the labels of a slice do not follow its hints yet."""
        refining = self.refining_slice
        return refining is not None and part.key in (refining.key, *self._waiting)

    @property
    def session(self) -> AnySession | None:
        """The session of the slice that is shown, if it was opened."""
        shown = self.shown
        return shown.session if shown else None

    @property
    def shown(self) -> Opened | None:
        """What was opened for the slice that is shown, if anything was."""
        part = self.shown_part
        return self.opened(part) if part is not None else None

    @property
    def shown_part(self) -> Slice | None:
        """The slice of the chosen image that is shown, if there is one."""
        if self.image is None or self.image not in self.viewer.layers:
            return None
        try:
            return shown_slice(self.viewer, self.image)
        except InputError:
            return None

    def session_of(self, part: Slice) -> AnySession | None:
        """Return the session of a slice, if it was opened."""
        return self.sessions.find(self.choice, part)

    def opened(self, part: Slice) -> Opened | None:
        """Return the session of a slice with what it was opened with, if it was."""
        return self.sessions.opened(self.choice, part)

    # -- what the user asks for ---------------------------------------------

    def warm_up(self) -> None:
        """Load torch in the background, so that the first click does not wait for it."""

        def work() -> Generator[Step, None, list[str]]:
            from napari_guideme.networks.devices import available_devices

            return available_devices()
            yield

        self._loading.request(work, "Loading torch")

    def choose_class(self, name: str) -> None:
        """Click and paint with this class from now on."""
        self.reported(lambda: self.guide_layers().choose_class(name))

    def run(self) -> None:
        """Label the slice that is shown; hints that are there already count."""
        self.reported(lambda: self._refine_shown(at_once=True))

    def show_hints(self, hints: Hints) -> None:
        """Place hints in the slice that is shown, and refine by them."""
        image = self.checked_image()
        self.guide_layers().write_hints(shown_slice(self.viewer, image), hints)
        self.run()

    def add_click(self, part: Slice, click: Click) -> None:
        """Place a click in a slice, as the user would, and refine by it."""
        self.reported(lambda: self.guide_layers().add_click(part, click))

    def say(self, part: Slice, hints: Sequence[TextHint]) -> None:
        """Let words count in a slice, as the newest ones, and refine by them."""
        self.guide_layers().said.say(part, hints)
        self.reported(lambda: self._refine(part))

    def take_back(self, part: Slice, hint: TextHint) -> None:
        """Let words count no more in a slice; this can be undone."""
        self.guide_layers().said.take_back(part, hint)
        self.reported(lambda: self._refine(part))

    def choose_telling(self, name: str) -> None:
        """Follow words in another way from now on; what was said is followed anew."""
        if name != self.choice.telling:
            had_session = self.session is not None
            self.choice = replace(self.choice, telling=name)
            if had_session:
                self.run()

    def choose_method(self, name: str) -> None:
        """Refine by another method from now on."""
        self.method = name
        if self.session is not None:
            self.run()

    def choose_image(self, image: Image | None) -> None:
        """Work on this image; what was clicked on it before is in the user's hand again."""
        self.image = image
        if image is not None:
            image.events.data.connect(self._on_pixels)
        self.layers = self._sets.find(image, self.network)
        if self.layers is not None:
            self._sets.show(image, self.network)
            self._class = self.layers.current_class
            self.class_changed.emit(self._class)
        selection = self.viewer.layers.selection
        worked_in = self._sets.worked_in(selection.active)
        if worked_in is not None and worked_in.image is not image:
            selection.active = (self.layers and self.layers.existing("clicks")) or image

    def choose_network(self, known: Known) -> None:
        """Use this network, or the same one with another card; layers and classes follow."""
        self._waiting.clear()
        self.job.cancel()
        usual = self.network.usual_method
        self.choice = Choice(known, self.choice.device)
        if known.usual_method != usual:
            self.method = known.usual_method
            self.method_changed.emit(self.method)
        self.layers = self._sets.find(self.image, known)
        self._class = self.layers.current_class if self.layers else ""
        self._sets.show(self.image, known)
        self.set_show_changes(self.show_changes)

    def choose_guide_point(self, name: str | None) -> None:
        """Guide there from now on, ``None`` where the network itself would."""
        if name != self.choice.guide_point:
            had_session = self.session is not None
            self.choice = replace(self.choice, guide_point=name)
            if had_session:
                self.run()

    def forget_network(self, known: Known) -> None:
        """Drop a network that is not chosen any more, with its sessions."""
        self.networks.forget(known)
        self.sessions.forget_network(known)

    def choose_device(self, name: str) -> None:
        """Compute there from now on; hints stay, the history of undo starts anew."""
        if name != self.choice.device:
            self.choice = replace(self.choice, device=name)
            self.networks.unload()
            self.sessions.clear()

    def declare_channels(self, image: Image, axis: int | None) -> Image:
        """Take an axis of an image for channels, or none; what was done to it is past.

        Parameters
        ----------
        axis
            Of the layer as it was opened.

        Returns
        -------
        The image to go on with. Unless its channels are first, another layer takes its place.

        Raises
        ------
        InputError
            If there is no such layer; nothing changes then.
        """
        opened, _ = origin(image)
        shown = with_channels_first(opened, axis) if axis else opened
        self.cancel()
        self._sets.leave(image)
        self._forget(image)
        if shown is opened:
            declare_first(opened, axis == 0)
        if shown is not image:
            self._replace(image, shown)
        self.layers = self.image = None
        return shown

    def _replace(self, image: Image, other: Image) -> None:
        """Show another image in the place of one; the sliders would count a hidden one."""
        index = self.viewer.layers.index(image)
        self.viewer.layers.remove(image)
        self.viewer.layers.insert(index, other)
        self.viewer.reset_view()

    def undo(self) -> None:
        """Take the last change back, of hints or of how a thing is looked for."""
        self.reported(self.steps.undo)

    def redo(self) -> None:
        """Make the last undone change again."""
        self.reported(self.steps.redo)

    def clear(self) -> None:
        """Take all hints of the slice back."""
        self.reported(lambda: self.travel(lambda session: session.clear()))

    def cancel(self) -> None:
        """Stop computing; the labels stay as they are, and libraries go on being loaded."""
        self._waiting.clear()
        for job in (self.job, self.keeper.job):
            job.cancel()

    def set_show_changes(self, shown: bool) -> None:
        """Show or hide the pixels that are no longer as the network had them."""
        self.show_changes = shown
        if self.layers is None:
            return
        if shown:
            self.layers.show_changes()
        layer = self.layers.existing("changes")
        if layer is not None:
            layer.visible = shown

    def leave_others(self) -> None:
        """Hide what we made for other images than the chosen one, until they are chosen."""
        self._sets.leave_others(self.checked_image())

    # -- from layers to sessions --------------------------------------------

    def belongs(self, layer: Layer, image: Image) -> bool:
        """Whether a layer is one of those that we made for an image."""
        return self._sets.hold(layer, image)

    def made(self, layer: Layer) -> bool:
        """Whether a layer is one of ours."""
        return self._sets.hold(layer)

    def guide_layers(self) -> GuideLayers:
        """Return the layers of the chosen image and network.

        Raises
        ------
        InputError
            If there is no image.
        """
        self.layers = self._sets.of(self.checked_image(), self.network)
        return self.layers

    def _make_layers(self, image: Image, classes: tuple[str, ...], title: str) -> GuideLayers:
        layers = GuideLayers(
            self.viewer,
            image,
            classes,
            on_hints=self._on_hints,
            on_class=self._on_class,
            on_tool=self._on_tool,
            title=title,
            kept_as="objects" if self.outlines_objects else "kept labels",
        )
        if self._class in classes:  # Its button is pressed.
            layers.current_class = self._class
        return layers

    def _on_tool(self, layers: GuideLayers, layer: Layer) -> None:
        """Own undo and the class switch on our layers; napari's keys stay elsewhere."""
        actions = {"Control-Z": self.undo, "Control-Shift-Z": self.redo, "T": self.next_class}
        for key, action in actions.items():
            # napari tells which layer it is about, which is known.
            layer.bind_key(key, lambda _, action=action: self._in(layers, action), overwrite=True)
        self.tool_made.emit(layers, layer)

    def _on_class(self, layers: GuideLayers, name: str) -> None:
        """Tell the class of new clicks, unless they are those of another image or network."""
        if layers is self.layers:
            self._class = name
            self.class_changed.emit(name)

    def next_class(self) -> None:
        """Click with the class after the present one."""
        layers = self.guide_layers()
        index = self.classes.index(layers.current_class) + 1
        self.choose_class(self.classes[index % len(self.classes)])

    def checked_image(self) -> Image:
        """Return the chosen image.

        Raises
        ------
        InputError
            If there is none.
        """
        image = self.image
        if image is None or image not in self.viewer.layers:
            raise InputError("there is no image: open one, or choose File > Open Sample > Guide Me")
        if isinstance(image, Labels) or not isinstance(image, Image):
            raise InputError(f"{image.name} is not an image layer; choose an image")
        return image

    def _on_hints(self, layers: GuideLayers, places: NDArray[np.floating]) -> None:
        if self._held is None:
            self._in(layers, lambda: self._refine_touched(places))
        else:
            self._held = True

    def _in(self, layers: GuideLayers, action: Callable[[], object]) -> None:
        """Do something about the image of layers, which is chosen first if it can be."""
        is_of_network = self._sets.find(layers.image, self.network) is layers
        # What is looked for is looked for anew in another image.
        if is_of_network and layers is not self.layers and self.network in self.networks:
            self.elsewhere.emit(layers.image)
        if layers is self.layers:
            self.reported(action)
        else:
            self.problem.emit(
                f"This is about {layers.title}. Choose that as image and network, or find that "
                "name again, and it counts."
            )

    def _refine_touched(self, places: NDArray[np.floating]) -> None:
        """Refine the slices in which hints changed, in 3-D too: there the slider follows."""
        image = self.checked_image()
        parts, outside = touched_slices(self.viewer, image, places)
        if outside:
            self.problem.emit(f"{outside} click(s) or pixels outside the image do not count.")
        if not parts:
            self._refine_shown()
            return
        if self.viewer.dims.ndisplay == 3:
            self._seen_in_3d = parts[0]
            move_slider(self.viewer, parts[0])
        self._waiting |= {part.key: part for part in parts}
        self._refine(parts[0])

    def _on_view(self, _: Any) -> None:
        """Show in 2-D what was corrected last in 3-D; napari moves the sliders back itself."""
        part, self._seen_in_3d = self._seen_in_3d, None
        if part is not None and part.layer in self.viewer.layers:
            QTimer.singleShot(0, partial(move_slider, self.viewer, part))

    def _refine_shown(self, *, at_once: bool = False) -> None:
        self._refine(shown_slice(self.viewer, self.checked_image()), at_once=at_once)

    def _refine(self, part: Slice, *, at_once: bool = False) -> None:
        hints = self.guide_layers().hints(part)
        inside = [h for h in hints if not isinstance(h, Click) or is_inside(h, part)]
        if len(inside) < len(hints):
            self.problem.emit(
                f"{len(hints) - len(inside)} click(s) outside the image do not count; "
                f"the image has {part.shape[0]} rows and {part.shape[1]} columns."
            )
            # They would be told of again at every click.
            self.guide_layers().write_hints(part, Hints().added(inside))
        session = self.session_of(part)
        if session is not None:
            tell(session, inside, self.method)
        self._request(part, inside, at_once=at_once)

    def travel(self, change: Callable[[AnySession], object], part: Slice | None = None) -> None:
        """Change the session of a slice, by default the shown one; its layers follow.

        Raises
        ------
        InputError
            If there is no session, or it refuses the change.
        """
        part = part or shown_slice(self.viewer, self.checked_image())
        session = self.session_of(part)
        if session is None or self.layers is None:
            raise InputError("there is nothing to undo yet")
        change(session)
        self.layers.write_hints(part, session.hints)
        self.method = session.method
        self.method_changed.emit(self.method)
        self.travelled.emit(part, session)
        self._request(part, list(session.hints))

    def hold_hints(self) -> None:
        """Leave it at the hints so far, until :meth:`release_hints`."""
        self._held = False

    def release_hints(self) -> None:
        """Let hints count again, those too that came meanwhile."""
        held, self._held = self._held, None
        if held:
            self.run()

    def replayed(self, part: Slice, saved: Part) -> Generator[Step, None, Outcome]:
        """Do again what was done to a slice, in the background."""
        return self.sessions.replayed(self.choice, part, saved)

    def adopt(self, outcome: Outcome) -> None:
        """Show what was replayed; hints of the slice that were there already count, too."""
        layers, part, session = self.guide_layers(), outcome.part, outcome.session
        newer = [hint for hint in layers.hints(part) if hint not in session.hints]
        layers.said.sentences |= session.history.sentences
        layers.write_hints(part, session.hints.added(newer))
        self.method = session.method
        self.method_changed.emit(self.method)
        self._on_done(outcome)
        self.travelled.emit(part, session)
        if newer and self._held is not None:
            self._held = True

    def _request(self, part: Slice, hints: list[Hint], *, at_once: bool = False) -> None:
        self._refining = part
        refined = partial(self.sessions.refined, self.choice, part, hints, self.method)
        self.job.request(refined, f"Refining {part.layer.name}", at_once=at_once)

    # -- from sessions to layers --------------------------------------------

    def _on_done(self, outcome: Outcome) -> None:
        image = outcome.part.layer
        layers = self._sets.find(image, self.network)
        if layers is None or image not in self.viewer.layers:
            self._waiting.clear()
            return
        layers.write_labels(outcome.part, outcome.labels)
        layers.write_unmet(outcome.part, outcome.unmet)
        layers.write_changes(outcome.part, outcome.changed, shown=self.show_changes)
        if layers is not self.layers:
            self._waiting.clear()
            return
        self.outcome = outcome
        self.refined.emit(outcome)
        self._waiting.pop(outcome.part.key, None)
        if self._waiting:
            self.reported(lambda: self._refine(next(iter(self._waiting.values()))))

    def _on_removed(self, event: Any) -> None:
        self._forget(event.value)

    def _on_pixels(self, event: Any) -> None:
        """Begin anew with an image that was given other pixels; its hints stay if they fit."""
        image = event.source
        if image is self.image:
            self.cancel()
        if self._sets.fit(image):
            self._forget_labels(image)
        else:
            self._sets.leave(image)
            self._forget(image)
        if image is self.image:
            self.layers = self._sets.find(image, self.network)
            self.other_pixels.emit(image)

    def _forget(self, layer: Layer) -> None:
        """Drop all that was done to an image."""
        self._sets.forget(layer)
        self._forget_labels(layer)

    def _forget_labels(self, layer: Layer) -> None:
        """Drop how the labels of an image came about."""
        self._waiting.clear()
        self.sessions.forget(layer)
        self.forgotten.emit(layer)

    def _on_failed(self, error: Exception) -> None:
        self._waiting.clear()
        if not isinstance(error, InputError):
            raise error
        self.problem.emit(str(error))

    def reported(self, action: Callable[[], object]) -> None:
        """Do something, and tell the user if it cannot be done."""
        try:
            action()
        except InputError as error:
            self.problem.emit(str(error))
