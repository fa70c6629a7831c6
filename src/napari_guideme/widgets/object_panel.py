"""The part of the dock widget that keeps one object and goes on to the next."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QGroupBox, QPushButton, QVBoxLayout, QWidget

from napari_guideme.hints import Click
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.exchange import Outcome
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.object_mode import ObjectMode
from napari_guideme.widgets.picking import Picker
from napari_guideme.widgets.stacks import Stack

BEGIN = "Click on an object. A right click takes away what is not part of it."
IMPROVE = "Click on what is missing; a right click takes away what is too much."
PICK = "Now click on the object that you want to improve."
BESIDE = "There is no object where you clicked; choose another one."


class ObjectPanel(QWidget):
    """*Next object*, and beginning with an object that another program found.

    Signals
    -------
    told
        What to do, in words.
    ready
        Clicks are wanted next.
    """

    told = Signal(str)
    ready = Signal()

    def __init__(self, controller: Controller, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mode = ObjectMode(controller, self)
        self.picker = Picker(controller.viewer, self)
        self._controller = controller
        self.next = QPushButton("Next object   (N)")
        self.next.setToolTip("Keep this object in a layer of its own and begin another one")
        self.overlap = QCheckBox("objects may overlap")
        self.overlap.setToolTip("A new object takes pixels of those that are kept already")
        self.onward = QCheckBox("carry it on to the slices before and after")
        self.onward.setToolTip(
            "Carry the object on as it moves, until it no longer looks the same; where its "
            "outline is wrong there, improve it and keep it again"
        )
        self.source = QComboBox()
        self.source.setToolTip("Labels of Cellpose, StarDist, any plugin, or drawn by hand")
        self.pick = QPushButton("Pick an object to improve", checkable=True)
        self.pick.setToolTip("Click on it to begin with its outline; its own layer stays as it is")
        self._improve = QGroupBox("Begin with labels that are there")
        self._sources: list[Labels] = []
        self._lay_out()
        self._connect()
        self.offer_sources()

    def look(self) -> None:
        """Offer to carry objects on where there are slices to carry them to."""
        shown = self._controller.shown_part
        self.onward.setVisible(shown is not None and Stack.of(shown) is not None)

    def offer_sources(self) -> None:
        """Offer the layers of labels that are not ours."""
        chosen, layers = self._source, self._controller.layers
        found = [
            layer
            for layer in self._controller.viewer.layers
            if isinstance(layer, Labels) and (layers is None or self._can_improve(layers, layer))
        ]
        self._sources = found
        self.source.clear()
        self.source.addItems([layer.name for layer in found])
        if chosen in found:
            self.source.setCurrentIndex(found.index(chosen))
        self._improve.setVisible(bool(found))

    def describe(self, outcome: Outcome) -> str:
        """Say how the present object stands."""
        hints, report = list(outcome.session.hints), outcome.report
        name = f"Object {self.mode.upcoming}"
        if not hints:
            begun = outcome.labels.any()
            return f"{name}: {IMPROVE if begun else BEGIN}"
        kind = "clicks" if all(isinstance(hint, Click) for hint in hints) else "hints"
        told = f"{name}: {report.satisfied} of {report.hints} {kind} satisfied."
        if report.unmet:
            return f"{told} Unmet {kind} are ringed in red."
        return f"{told} Click on what is missing, right-click on what is too much; N for the next."

    @property
    def _source(self) -> Labels | None:
        index = self.source.currentIndex()
        return self._sources[index] if 0 <= index < len(self._sources) else None

    def _lay_out(self) -> None:
        inside = QVBoxLayout(self._improve)
        inside.addWidget(self.source)
        inside.addWidget(self.pick)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.next, self.onward, self.overlap, self._improve):
            column.addWidget(widget)

    def _connect(self) -> None:
        self.next.clicked.connect(lambda: self.mode.next_object())
        self.onward.toggled.connect(self._on_onward)
        self.mode.carrier.told.connect(self._on_carried)
        self.overlap.toggled.connect(lambda overlap: self.mode.lock(not overlap))
        self.pick.clicked.connect(self._on_pick)
        self.picker.picked.connect(self._on_picked)
        self.picker.picking.connect(self._on_picking)

    def _can_improve(self, layers: GuideLayers, layer: Labels) -> bool:
        """Whether a layer holds outlines that clicks may improve: of others, or carried ones."""
        is_kept = layer is layers.existing("kept")
        return self.mode.carrier.has_any(layer) if is_kept else not layers.holds(layer)

    def _on_onward(self, onward: bool) -> None:
        self.mode.carrier.onward = onward

    def _on_carried(self, told: str) -> None:
        self.offer_sources()
        self.told.emit(told)

    def _on_pick(self, wanted: bool) -> None:
        if wanted and self._source is not None:
            self.picker.start(self._source)
        else:
            self.picker.stop()
            self.ready.emit()

    def _on_picking(self, picking: bool) -> None:
        self.pick.setChecked(picking)
        if picking:
            self.told.emit(PICK)

    def _on_picked(self, layer: Labels, number: int) -> None:
        if number:
            self.mode.improve(layer, number)
            self.ready.emit()
        else:
            self.told.emit(BESIDE)
