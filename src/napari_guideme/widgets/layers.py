"""The layers of one image: clicks, scribbles, labels, and what is shown on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from napari import Viewer
from napari.layers import Image, Labels, Layer, Points, Vectors
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Hint, Hints, Scribble, TextHint
from napari_guideme.widgets.colours import MAPS, class_colormap, class_colours
from napari_guideme.widgets.exchange import strokes
from napari_guideme.widgets.geometry import PLACING, geometry
from napari_guideme.widgets.mark_layers import (
    CLASS,
    choose_click_class,
    click_layer,
    label_layer,
    painted,
    read_clicks,
    rename_clicks,
    ring_layer,
    write_clicks,
    write_scribbles,
)
from napari_guideme.widgets.said import Said
from napari_guideme.widgets.slices import Slice, shown_slice, spatial_shape
from napari_guideme.widgets.word_layers import (
    draw_places,
    heat_layer,
    map_layer,
    place_layer,
    reading_layer,
)

#: Layers that the user works in, and what shows where.
TOOLS = ("scribbles", "clicks", "unmet hints", "place")

#: Layers that the user paints in, and the label that is the first class there.
PAINTED = {"scribbles": 1, "labels": 0}

L = TypeVar("L", bound=Layer)


class GuideLayers:
    """The layers that belong to one image and one list of classes.

    Layers are known by identity, so they may be renamed and reordered. One that
    the user deletes is made anew when it is needed again.

    Parameters
    ----------
    viewer
        Where the layers are.
    image
        The image that is segmented.
    classes
        Names of the classes, the background first.
    on_hints
        Called after the user changed clicks or scribbles, with these layers and the places
        of those that came, went or were moved, (n, ndim).
    on_class
        Called with these layers and the name of the class that new clicks get.
    on_tool
        Called with the layers of clicks, scribbles and labels when they are made.
    title
        What the names of the layers tell apart; the image's name by default.
    kept_as
        How the layer of what is kept is called.
    """

    def __init__(
        self,
        viewer: Viewer,
        image: Image,
        classes: Sequence[str],
        on_hints: Callable[[GuideLayers, NDArray[np.floating]], None],
        on_class: Callable[[GuideLayers, str], None],
        on_tool: Callable[[GuideLayers, Layer], None],
        title: str = "",
        kept_as: str = "kept labels",
    ) -> None:
        self.viewer = viewer
        self.image = image
        self.classes = tuple(classes)
        self.colours = class_colours(len(classes))
        self.current_class = self.classes[min(1, len(self.classes) - 1)]
        self._on_hints = on_hints
        self._on_class_changed = on_class
        self._on_tool = on_tool
        self._kept_as = kept_as
        self.title = title or image.name
        self._silent = self._exact = False
        self.number = 1
        self._layers: dict[str, Layer] = {}
        self._kept: dict[str, Layer] = self._layers
        self._known_clicks: set[tuple[float, ...]] = set()
        self._changes: dict[Any, tuple[Slice, NDArray[np.uint8]]] = {}
        self.said = Said()
        self._shape = spatial_shape(image)
        for change in PLACING:
            getattr(image.events, change).connect(self._follow)

    # -- the layers ---------------------------------------------------------

    @property
    def clicks(self) -> Points:
        """Points, one per click; their class is the feature ``class``."""
        return self._layer("clicks", self._make_clicks)

    @property
    def scribbles(self) -> Labels:
        """Painted pixels: 0 is nothing, k + 1 is class k."""
        return self._layer("scribbles", lambda: self._make_painted("scribbles"))

    @property
    def labels(self) -> Labels:
        """The refined class of every pixel; what the user paints there is a scribble."""
        return self._layer("labels", lambda: self._make_painted("labels"))

    @property
    def kept(self) -> Labels:
        """The labels that the user decided to keep."""
        return self._layer("kept", lambda: self._make_labels(self._kept_as, None, np.int32))

    @property
    def changes(self) -> Labels:
        """Pixels whose class is no longer the network's own."""
        colormap = DirectLabelColormap(color_dict={None: "transparent", 1: "#ff00ff"})
        return self._layer("changes", lambda: self._make_labels("changes", colormap))

    @property
    def unmet(self) -> Points:
        """Rings around hints that the labels do not follow yet."""
        return self._layer("unmet hints", lambda: ring_layer(self.image, self._name("unmet hints")))

    @property
    def place(self) -> Vectors:
        """Where words would count that are not said yet."""
        return self._layer("place", lambda: place_layer(self.image, self._name("place")))

    @property
    def moved(self) -> Image:
        """How far words alone moved what they are about."""
        name = self._name("moved by words")
        return self._layer("moved by words", lambda: heat_layer(self.image, name))

    @property
    def read(self) -> Image:
        """How much of a sentence was seen where after a step."""
        role = "how it was read"
        return self._layer(role, lambda: reading_layer(self.image, self._name(role)))

    def found_by(self, role: str) -> Image:
        """One of the `MAPS` that a name was found by."""
        name = self._name(role)
        return self._layer(role, lambda: map_layer(self.image, name, MAPS[role]))

    def existing(self, role: str) -> Layer | None:
        """Return a layer if the user has not deleted it."""
        layer = self._held(role).get(role)
        return layer if layer is not None and layer in self.viewer.layers else None

    def holds(self, layer: Layer) -> bool:
        """Whether a layer is one of these."""
        return layer in self._layers.values() or layer in self._kept.values()

    def is_tool(self, layer: Layer | None) -> bool:
        """Whether a layer is the one that the user clicks or paints in."""
        return layer is not None and layer in map(self._layers.get, ("clicks", "scribbles"))

    def keep_beside(self, others: Sequence[GuideLayers]) -> None:
        """Keep labels in the layer in which these keep theirs, with the next `number`."""
        self.number = len(others) + 1
        self._kept = others[0]._kept if others else {}

    @property
    def fit(self) -> bool:
        """Whether the image is still as large as when these were made."""
        return self._shape == spatial_shape(self.image)

    def leave(self) -> None:
        """Follow the image no more."""
        for change in PLACING:
            getattr(self.image.events, change).disconnect(self._follow)

    def _follow(self, event: Any) -> None:
        """Lie where the image lies, which was moved, turned or measured anew."""
        value = geometry(self.image)[event.type]
        for layer in (*self._layers.values(), *self._kept.values()):
            setattr(layer, event.type, value)

    def _held(self, role: str) -> dict[str, Layer]:
        return self._kept if role == "kept" else self._layers

    def rename(self, classes: Sequence[str]) -> None:
        """Call the classes otherwise; hints keep the place of their class in the list."""
        names = dict(zip(self.classes, classes, strict=True))
        self.classes, self.current_class = tuple(classes), names[self.current_class]
        self.said.rename(names)
        clicks = self.existing("clicks")
        if isinstance(clicks, Points):
            rename_clicks(clicks, names, self.current_class)

    # -- hints --------------------------------------------------------------

    def choose_class(self, name: str) -> None:
        """Click and paint with this class from now on."""
        self.current_class = name
        self._choose_label()
        choose_click_class(self.clicks, name, self.colours[self.classes.index(name)])

    def hints(self, part: Slice) -> list[Hint]:
        """Read the hints that count in a slice: words, clicks, scribbles."""
        found: list[Hint] = [*self.said.counting(part)]
        clicks = self.existing("clicks")
        if isinstance(clicks, Points):
            found += read_clicks(clicks, part, self.classes)
        scribbles = self.existing("scribbles")
        if scribbles is not None:
            found += strokes(np.asarray(scribbles.data[part.slices]), self.classes)
        return found

    def add_click(self, part: Slice, click: Click) -> None:
        """Add a click as napari's own tool does; the class that was chosen stays."""
        chosen = self.current_class
        self.choose_class(click.class_name)
        with self._exactly():
            self.clicks.add(part.embed(click.at))
        self.choose_class(chosen)

    def write_hints(self, part: Slice, hints: Hints) -> None:
        """Show these hints in a slice, in place of those that are there."""
        self.said.write(part, hints.texts)
        with self._silence():
            clicks = [hint for hint in hints if isinstance(hint, Click)]
            colours = dict(zip(self.classes, self.colours, strict=True))
            write_clicks(self.clicks, part, clicks, colours, self.current_class)
            painted = [hint for hint in hints if isinstance(hint, Scribble)]
            if painted or self.existing("scribbles") is not None:
                write_scribbles(self.scribbles, part, painted, self.classes)

    # -- results ------------------------------------------------------------

    def write_labels(self, part: Slice, labels: NDArray[np.integer]) -> None:
        """Show the refined labels of a slice."""
        _write(self.labels, part, labels)

    def shown_labels(self, part: Slice) -> NDArray[np.integer] | None:
        """Read the labels of a slice, if there are any labels."""
        layer = self.existing("labels")
        return None if layer is None else np.asarray(layer.data[part.slices])

    def write_changes(self, part: Slice, changed: NDArray[np.bool_], *, shown: bool) -> None:
        """Know which pixels of a slice changed, one bit each, and show them or not."""
        self._changes.pop(part.key, None)
        self._changes[part.key] = part, np.packbits(changed)
        if shown:
            _write(self.changes, part, changed)

    def show_changes(self) -> None:
        """Show which pixels changed, in all slices that were refined."""
        for part, bits in self._changes.values():
            changed = np.unpackbits(bits, count=math.prod(part.shape))
            self.changes.data[part.slices] = changed.reshape(part.shape)
        if self._changes:
            self.changes.refresh()

    def write_unmet(self, part: Slice, positions: Sequence[tuple[float, ...]]) -> None:
        """Ring hints of a slice; without any there is no layer to see."""
        if not positions and self.existing("unmet hints") is None:
            return
        layer = self.unmet
        others = [p for p in layer.data if not part.holds(p)]
        layer.data = np.array([*others, *map(part.embed, positions)]).reshape(-1, layer.ndim)

    def write_place(self, part: Slice, hints: Sequence[TextHint]) -> None:
        """Outline where words would count; without any there is no layer to see."""
        colours = [self.colours[self.classes.index(hint.class_name)] for hint in hints]
        if hints:
            draw_places(self.place, part, hints, colours)
        elif (layer := self.existing("place")) is not None:
            self.viewer.layers.remove(layer)

    def write_moved(self, part: Slice, moved: NDArray[np.floating]) -> None:
        """Show how far words moved the pixels of a slice."""
        _write(self.moved, part, moved)

    def write_maps(self, part: Slice, maps: Sequence[NDArray[np.floating]], *, shown: bool) -> None:
        """Show the maps that something was found by in a slice; new layers are `shown` or not."""
        for role, values in zip(MAPS, maps, strict=True):
            is_new = self.existing(role) is None
            layer = self.found_by(role)
            if is_new:
                layer.visible = shown
            _write(layer, part, values)

    def write_read(self, part: Slice, heat: NDArray[np.floating]) -> None:
        """Show a heat map of a slice."""
        _write(self.read, part, heat)

    def remove_read(self) -> None:
        """Show no heat maps any more."""
        layer = self.existing("how it was read")
        if layer is not None:
            self.viewer.layers.remove(layer)

    def write_kept(self, part: Slice, labels: NDArray[np.integer]) -> None:
        """Show the labels of a slice that the user keeps."""
        _write(self.kept, part, labels)

    # -- making -------------------------------------------------------------

    def _layer(self, role: str, make: Callable[[], L]) -> L:
        layer = self.existing(role)
        if layer is None:
            with self._active_kept():
                layer = self._held(role)[role] = make()
                self.viewer.layers.insert(self._place(role), layer)
        found: L = layer
        return found

    def _place(self, role: str) -> int:
        """Clicks and scribbles are seen above all labels, outlines of labels above heat."""
        layers, labels = self.viewer.layers, self.existing("labels")
        if role == "how it was read" and labels is not None:
            return int(layers.index(labels))
        tools = [layers.index(tool) for tool in map(self.existing, TOOLS) if tool is not None]
        return len(layers) if role in TOOLS else min(tools, default=len(layers))

    @contextmanager
    def _active_kept(self) -> Iterator[None]:
        """Adding our layers must not take the tool out of the user's hand."""
        active = self.viewer.layers.selection.active
        yield
        if active is not None:
            self.viewer.layers.selection.active = active

    def _name(self, role: str) -> str:
        is_shared = role == self._kept_as and self._kept is not self._layers
        return f"{role} ({self.image.name if is_shared else self.title})"

    def _make_clicks(self) -> Points:
        self._known_clicks = set()
        colour = self.colours[self.classes.index(self.current_class)]
        layer = click_layer(self.image, self._name("clicks"), self.current_class, colour)
        layer.events.data.connect(self._on_clicks)
        layer.events.feature_defaults.connect(self._on_class)
        self._on_tool(self, layer)
        return layer

    def _on_class(self, _: Any) -> None:
        """Follow napari's own tools: selecting a point takes over its class."""
        name = str(self.clicks.feature_defaults[CLASS].iloc[0])
        if name in self.classes:
            self.current_class = name
            self._choose_label()
            self._on_class_changed(self, name)

    def _on_clicks(self, event: Any) -> None:
        action = str(getattr(event.action, "value", event.action))
        if action == "added" and not self._exact and (part := self._askew) is not None:
            new = list(event.data_indices)
            self.clicks.data[new] = part.meant(self.clicks.data[new])
        if action in ("added", "removed", "changed"):
            before, self._known_clicks = self._known_clicks, set(map(tuple, self.clicks.data))
            self._changed(np.array(list(before ^ self._known_clicks)))

    def _on_paint(self, event: Any) -> None:
        places, labels = painted(event.value)
        if event.source is self.existing("labels"):
            # They are there to be drawn anew, perhaps before the stroke ends.
            self.scribbles.data[tuple(places.T)] = labels + PAINTED["scribbles"]
            self.scribbles.refresh()
        # napari announces the paint before it is in the data.
        QTimer.singleShot(0, lambda: self._changed(places.astype(float)))

    @property
    def _askew(self) -> Slice | None:
        """The slice that is shown, if napari draws in others than that."""
        if self.viewer.dims.ndisplay != 2:
            return None
        try:
            part = shown_slice(self.viewer, self.image)
        except InputError:
            return None
        return part if part.is_askew else None

    def _choose_label(self) -> None:
        """Paint with the present class from now on."""
        for role, first in PAINTED.items():
            layer = self.existing(role)
            if isinstance(layer, Labels):
                layer.selected_label = first + self.classes.index(self.current_class)

    def _on_label(self, event: Any) -> None:
        """Follow napari's own choice of a label, unless it is none of the classes."""
        role = "labels" if event.source is self.existing("labels") else "scribbles"
        index = event.source.selected_label - PAINTED[role]
        if index >= len(self.classes):
            self._choose_label()
        elif index >= 0 and self.classes[index] != self.current_class:
            self.choose_class(self.classes[index])

    def _make_painted(self, role: str) -> Labels:
        layer = self._make_labels(role, class_colormap(self.colours, PAINTED[role]))
        layer.selected_label = PAINTED[role] + self.classes.index(self.current_class)
        layer.brush_size = 5
        layer.events.paint.connect(self._on_paint)
        layer.events.selected_label.connect(self._on_label)
        self._on_tool(self, layer)
        return layer

    def _make_labels(
        self, role: str, colormap: DirectLabelColormap | None, dtype: Any = np.uint8
    ) -> Labels:
        return label_layer(self.image, self._name(role), colormap, dtype)

    # -- helpers ------------------------------------------------------------

    def _changed(self, places: NDArray[np.floating]) -> None:
        if not self._silent:
            self._on_hints(self, places)

    @contextmanager
    def _exactly(self) -> Iterator[None]:
        """Let clicks lie where they are put, by no pointer."""
        self._exact = True
        try:
            yield
        finally:
            self._exact = False

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._silent = True
        try:
            yield
        finally:
            self._silent = False


def _write(layer: Image | Labels, part: Slice, values: NDArray[Any]) -> None:
    """Show values in a slice of a layer."""
    layer.data[part.slices] = values
    layer.refresh()
