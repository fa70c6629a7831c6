"""Where the user says that an image has channels, not slices, and along which axis."""

from __future__ import annotations

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox

from napari_guideme.widgets.channels import ALONG, can_have_channels
from napari_guideme.widgets.rearranged import origin, stored


class ChannelBox(QComboBox):
    """No axis, or one of them; hidden where an image has no axis to spare.

    Signals
    -------
    declared
        The number of the axis, or ``None``, when the user chooses it.
    """

    declared = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip(
            "Channels are seen together, as one picture, not one after the other as slices"
        )
        self.activated.connect(lambda index: self.declared.emit(self.itemData(index)))

    @property
    def axis(self) -> int | None:
        """The axis of channels."""
        found: int | None = self.currentData()
        return found

    def choose(self, axis: int | None) -> None:
        """Choose as the user does."""
        self.setCurrentIndex(self.findData(axis))
        self.activated.emit(self.currentIndex())

    def look(self, image: Image | None) -> None:
        """Show what is known of an image."""
        self.clear()
        self.setVisible(can_have_channels(image))
        if image is None or not can_have_channels(image):
            return
        opened, chosen = origin(image)
        shape = stored(image).shape
        self.addItem("No channels", None)
        for axis, (label, length) in enumerate(zip(opened.axis_labels, shape, strict=True)):
            called = "" if label.startswith("-") else f"{label}, "
            self.addItem(f"{ALONG} {axis} ({called}{length})", axis)
        self.setCurrentIndex(self.findData(chosen))
