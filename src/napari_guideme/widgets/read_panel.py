"""How a sentence was read, on demand: what was seen after each step, and which words counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QLabel, QSlider, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from napari_guideme.widgets.attention_picture import AttentionPicture
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.found_maps import OUTLINE
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.slices import Slice

if TYPE_CHECKING:
    from napari_guideme.referring.opening import Steps

IN_IMAGE = "In the image, brighter: more like what the sentence says."
IN_PICTURE = "Below, darker: the word counted more. Steps go from top to bottom."
NOT_YET = "The sentence was not followed here yet: press Find."

#: How many words are told to count most.
_MOST = 2


class ReadPanel(QWidget):
    """Follows what is shown while it is wanted."""

    def __init__(self, controller: Controller, parent: QWidget) -> None:
        super().__init__(parent)
        self._controller = controller
        self._written: list[GuideLayers] = []
        self._step: int | None = None
        self.wanted = QCheckBox("Show how it was read")
        self.wanted.setToolTip("Where the sentence was seen, step by step, and which words counted")
        self.note = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.step = QSlider(Qt.Orientation.Horizontal, minimum=1, pageStep=1)
        self.step.setToolTip("The network reads the image and the sentence again in each step")
        self.step.setAccessibleName("Step")
        self.told = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.picture = AttentionPicture()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.wanted, self.note, self.step, self.told, self.picture):
            column.addWidget(widget)
        self._connect()
        self.look()

    def look(self) -> None:
        """Show what is known about the slice that is shown."""
        wanted = self.wanted.isChecked()
        opened = self._controller.shown if wanted else None
        steps = _steps(opened.found) if opened else None
        self.note.setVisible(wanted)
        for widget in (self.step, self.told, self.picture):
            widget.setVisible(wanted and steps is not None)
        if not wanted:
            return
        self.note.setText(f"{IN_IMAGE} {IN_PICTURE}" if steps else NOT_YET)
        if opened is None or steps is None:
            return
        total = len(steps.refined)
        number = total - 1 if self._step is None else min(self._step, total - 1)
        with signals_blocked(self.step):
            self.step.setMaximum(total)
            self.step.setValue(number + 1)
        self.told.setText(_told(steps, number))
        self.picture.show_attention(steps.words, steps.attention, number)
        self._write(opened.part, steps.refined[number])

    # -- what the user does -------------------------------------------------

    def _on_wanted(self, wanted: bool) -> None:
        if not wanted:
            for layers in self._written:
                layers.remove_read()
                self._outline(layers, 0)
            self._written.clear()
        self.look()

    def _go(self, step: int) -> None:
        """Show another step from now on, of other sentences, too."""
        self._step = step
        self.look()

    # -- what is shown ------------------------------------------------------

    def _write(self, part: Slice, heat: NDArray[np.floating]) -> None:
        layers = self._controller.layers
        if layers is None or layers.existing("labels") is None:
            return
        layers.write_read(part, heat)
        if layers not in self._written:
            self._written.append(layers)
        self._outline(layers, OUTLINE)

    def _outline(self, layers: GuideLayers, width: int) -> None:
        """Let the heat be seen through the labels."""
        if layers.existing("labels") is not None:
            layers.labels.contour = width

    def _connect(self) -> None:
        viewer = self._controller.viewer
        self.wanted.toggled.connect(self._on_wanted)
        self.step.valueChanged.connect(lambda value: self._go(value - 1))
        self.picture.picked.connect(self._go)
        self._controller.refined.connect(lambda _: self.look())
        for event in (viewer.dims.events.current_step, viewer.dims.events.order):
            event.connect(lambda _: self.look())


def _steps(found: object) -> Steps | None:
    """Steps in which a sentence was followed; a name is not."""
    from napari_guideme.referring.following import Followed

    return found.steps if isinstance(found, Followed) else None


def _told(steps: Steps, number: int) -> str:
    """Say which step it is, and the words that count most in it."""
    most = np.argsort(-steps.attention[number], kind="stable")
    words = list(dict.fromkeys(f"'{steps.words[index]}'" for index in most))[:_MOST]
    return f"Step {number + 1} of {len(steps.refined)}. What counted most: {', '.join(words)}."
