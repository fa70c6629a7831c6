"""What the dock widget consists of, and where each part lies."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from magicgui.widgets import create_widget
from napari import Viewer
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QPushButton,
    QScrollArea,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from napari_guideme.widgets.advanced import Advanced
from napari_guideme.widgets.apply_panel import ApplyPanel
from napari_guideme.widgets.ask_panel import AskPanel
from napari_guideme.widgets.busy_bar import BusyBar
from napari_guideme.widgets.carry_panel import CarryPanel
from napari_guideme.widgets.channel_box import ChannelBox
from napari_guideme.widgets.class_buttons import ClassButtons
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.cover import CoverLine
from napari_guideme.widgets.find_panel import FindPanel
from napari_guideme.widgets.hand import Hand
from napari_guideme.widgets.network_choice import NetworkChoice
from napari_guideme.widgets.network_panel import NetworkPanel
from napari_guideme.widgets.object_panel import ObjectPanel
from napari_guideme.widgets.opener import Opener
from napari_guideme.widgets.session_panel import SessionPanel
from napari_guideme.widgets.status_line import StatusLine
from napari_guideme.widgets.text_panel import TextPanel

#: Where the first labels come from.
TABS = {
    "By a network": "A network that was trained for it labels the image",
    "Find by name": "Things are found by their name, one of many by a sentence",
}


class GuideForm(QWidget):
    """All that the dock widget shows; nothing happens here."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.controller = Controller(viewer, self)
        self.image: Any = create_widget(
            annotation=Image, label="Image", options={"choices": self._images}
        )
        self.channels = ChannelBox()
        self.cover = CoverLine(self.controller)
        self.opener = Opener(self.controller, self)
        self.network = NetworkChoice(self.controller, self.opener, self)
        self.card = NetworkPanel(self.controller, self.opener, self)
        self.advanced = Advanced(self.controller)
        self.tabs = QTabBar(expanding=True, drawBase=False)
        self._by_network = QWidget()
        self.status = StatusLine(self.controller, lambda: self._is_finding)
        self.progress = BusyBar()
        self._class_box = ClassButtons()
        self.classes = self._class_box.group
        self.hand = Hand(self.controller, self._class_box)
        self._tools = QWidget()
        self._make_buttons()
        self._make_panels()
        self._lay_out()

    def _make_buttons(self) -> None:
        self.run = _button("Run", "Label the image, or the slice that is shown")
        self.cancel = _button("Cancel", "Stop computing; nothing changes")
        self.point = _button("Click", "Add clicks (napari's own tool)")
        self.paint = _button("Scribble", "Paint scribbles (napari's own tool)")
        self.undo = _button("Undo", "Ctrl+Z on the clicks or scribbles")
        self.redo = _button("Redo", "Ctrl+Shift+Z")
        self.clear = _button("Clear", "Take all hints of this slice back")
        self.changes = _box(
            "Show what changed", "Mark the pixels that are no longer as the network had them"
        )
        self.keep = _button(
            "Keep labels", "Add those of the image, or of the slice that is shown, to a layer apart"
        )
        self.as_objects = _box(
            "number the objects", "Each object gets a number of its own, not that of its class"
        )
        self.as_objects.setChecked(True)
        self.overwrite = _box(
            "overwrite what was kept before",
            "Where labels are kept already, the new ones take their place",
        )

    def _make_panels(self) -> None:
        self.words = TextPanel(self.controller, self)
        self.finding = FindPanel(self.controller, self.words.means, self)
        self.asking = AskPanel(self.controller, self)
        self.objects = ObjectPanel(self.controller, self)
        self.carry = CarryPanel(self.controller, self)
        self.applying = ApplyPanel(self.controller, self)
        self.sessions = SessionPanel(self.controller, self.finding.seeker, self)
        self.finding.hide()

    @property
    def _is_finding(self) -> bool:
        """Whether the user names what to find."""
        return bool(self.tabs.currentIndex() == 1)

    def _images(self, _: object) -> list[Image]:
        """Images that can be segmented: not those that show what words moved."""
        layers = self.controller.viewer.layers
        return [x for x in layers if isinstance(x, Image) and not self.controller.made(x)]

    def _lay_out(self) -> None:
        image = QFormLayout()
        image.addRow("Image", self.image.native)
        image.addRow("", self.channels)
        image.addRow(self.cover)
        by_network = QFormLayout(self._by_network)
        by_network.setContentsMargins(0, 0, 0, 0)
        by_network.addRow("Network", self.network)
        by_network.addRow(self.run)
        for name, hint in TABS.items():
            self.tabs.setTabToolTip(self.tabs.addTab(name), hint)
        content = QWidget()
        area = QScrollArea(widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(area)
        column = QVBoxLayout(content)
        column.addWidget(self.sessions.offer)
        column.addLayout(image)
        for widget in (self.tabs, self._by_network, self.finding):
            column.addWidget(widget)
        column.addWidget(self.status)
        column.addLayout(_row(self.progress, self.cancel))
        column.addWidget(self.card)
        column.addWidget(self._tools)
        column.addStretch(1)
        self._lay_out_tools()
        self.setMinimumWidth(336)

    def _lay_out_tools(self) -> None:
        tools = QVBoxLayout(self._tools)
        tools.setContentsMargins(0, 0, 0, 0)
        tools.addWidget(self._class_box)
        tools.addLayout(_row(self.point, self.paint))
        tools.addWidget(self.words)
        tools.addWidget(self.asking)
        tools.addWidget(self.objects)
        tools.addLayout(_row(self.undo, self.redo, self.clear))
        tools.addWidget(self.carry)
        for widget in (self.changes, self.keep, self.as_objects, self.overwrite):
            tools.addWidget(widget)
        tools.addWidget(self.applying)
        tools.addWidget(self.sessions)
        self.advanced.addWidget(self.words.following)
        tools.addWidget(self.advanced)

    def _order_keys(self) -> None:
        """Let the Tab key go from top to bottom; buttons of classes are made anew with them."""
        words, buttons = self.words, self.classes.buttons()
        line = self.run, *buttons, self.point, self.paint, words.line, words.tell, self.asking.ask
        for one, next_one in pairwise((*line, self.objects.next, self.undo)):
            self.setTabOrder(one, next_one)


def _button(text: str, hint: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(hint)
    return button


def _box(text: str, hint: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(hint)
    return box


def _row(*widgets: QWidget) -> QGridLayout:
    row = QGridLayout()
    for column, widget in enumerate(widgets):
        row.addWidget(widget, 0, column)
    return row
