"""Where the user says that an image has channels, not slices."""

from __future__ import annotations

from napari.layers import Image
from qtpy.QtWidgets import QCheckBox

from napari_guideme.widgets.channels import FIRST, are_first, can_be_first


class ChannelBox(QCheckBox):
    """A box to tick, hidden where an image has no axis to spare."""

    def __init__(self) -> None:
        super().__init__(FIRST)
        self.setToolTip("They are seen together, as one picture, not one after the other as slices")

    def look(self, image: Image | None) -> None:
        """Show what is known of an image."""
        self.setVisible(can_be_first(image))
        self.setChecked(are_first(image))
