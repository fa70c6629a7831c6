"""What most users never need: method, device, guide point, and how words are followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget
from superqt import QCollapsible
from superqt.utils import signals_blocked

from napari_guideme.guidance import GUIDE_METHODS, METHOD_NAMES
from napari_guideme.widgets.controller import Controller

if TYPE_CHECKING:
    from napari_guideme.networks.frozen import FrozenNetwork
    from napari_guideme.networks.guide_points import GuidePoint

AUTOMATIC = "automatic"


class Advanced(QCollapsible):
    """A fold with the choices of the controller that have good defaults."""

    def __init__(self, controller: Controller) -> None:
        super().__init__("Advanced")
        self._shown: tuple[GuidePoint, ...] = ()
        self.method, self.device, self.guide_at = QComboBox(), QComboBox(), QComboBox()
        self.offer_methods(GUIDE_METHODS, controller.method)
        _add(self.device, "auto", "The fastest device of this machine")
        self.device.addItem("cpu")
        self.forget_guide_points()
        choices = QWidget()
        self._form = form = QFormLayout(choices)
        form.addRow("Method", self.method)
        form.addRow("Device", self.device)
        form.addRow("Guide at", self.guide_at)
        self.addWidget(choices)
        self.method.currentTextChanged.connect(controller.choose_method)
        self.device.currentTextChanged.connect(controller.choose_device)
        self.guide_at.activated.connect(
            lambda _: controller.choose_guide_point(self.guide_at.currentData())
        )
        controller.method_changed.connect(self.method.setCurrentText)
        controller.devices_found.connect(self._on_devices)

    def offer_methods(self, names: Sequence[str], chosen: str) -> None:
        """Offer the methods that mean something to a network."""
        with signals_blocked(self.method):
            self.method.clear()
            for name in names:
                _add(self.method, name, METHOD_NAMES[name])
            self.method.setCurrentText(chosen)

    def offer_guide_points(self, network: FrozenNetwork) -> None:
        """Offer the guide points of a network that is loaded, the chosen one stays."""
        if network.guide_points == self._shown:
            return
        self.forget_guide_points()
        self._shown = network.guide_points
        for point in network.guide_points:
            text = f"{point.name}: stride {point.stride:g}, {point.tail_share:.0%} of the work"
            _add(self.guide_at, text, f"{point.channels} channels", point.name)

    def forget_guide_points(self) -> None:
        """Offer nothing but the default, until a network is loaded."""
        self._shown = ()
        self.guide_at.clear()
        _add(self.guide_at, AUTOMATIC, "Where the network itself says, or where it works best")

    def show_guide_points(self, shown: bool) -> None:
        """Show or hide where to guide."""
        for part in (self.guide_at, self._form.labelForField(self.guide_at)):
            part.setVisible(shown)

    def choose_device(self, name: str) -> None:
        """Choose a device, also one that is only found once torch is loaded."""
        self._on_devices([name])
        self.device.setCurrentText(name)

    def _on_devices(self, names: list[str]) -> None:
        self.device.addItems([name for name in names if self.device.findText(name) < 0])


def _add(combo: QComboBox, text: str, hint: str, data: object = None) -> None:
    combo.addItem(text, data)
    combo.setItemData(combo.count() - 1, hint, Qt.ItemDataRole.ToolTipRole)
