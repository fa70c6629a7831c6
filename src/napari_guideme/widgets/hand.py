"""The tool in the user's hand: napari's own, for clicks or for scribbles."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer

from napari_guideme.widgets.class_buttons import ClassButtons
from napari_guideme.widgets.controller import Controller


class Hand(QObject):
    """Gives the user a tool, with the class whose button is pressed."""

    def __init__(self, controller: Controller, classes: ClassButtons) -> None:
        super().__init__(controller)
        self._controller = controller
        self._classes = classes
        self._clicks_follow = False

    def use_clicks(self) -> None:
        """Let the user click from now on."""
        self._use("clicks", "add")

    def use_scribbles(self) -> None:
        """Let the user paint from now on, where napari paints in the slice that is shown."""
        part, viewer = self._controller.shown_part, self._controller.viewer
        if part is not None and part.is_askew and viewer.dims.ndisplay == 2:
            self._controller.problem.emit(
                f"{part.layer.name} lies askew to the slices that napari shows, and napari's brush "
                "paints in other ones; click instead, or say it in words."
            )
        else:
            self._use("scribbles", "paint")

    def use_clicks_soon(self) -> None:
        """Let the user click now, or as soon as the first labels are there."""
        layers = self._controller.layers
        if self._controller.is_busy and layers is not None and layers.existing("clicks") is None:
            # Making a layer would slow down what is computed: the tool follows the labels.
            self._clicks_follow = True
        else:
            self.use_clicks()

    def follow(self, busy: bool) -> None:
        """Give the user the tool that was to come, unless something is `busy` still."""
        if self._clicks_follow and not busy:
            # What was computed is drawn first.
            QTimer.singleShot(0, self._use_clicks_now)

    def _use_clicks_now(self) -> None:
        if self._clicks_follow:
            self.use_clicks()

    def choose_class(self, name: str) -> None:
        """Use the same tool with another class."""
        self._controller.choose_class(name)
        self.use_scribbles() if self._is_painting else self.use_clicks()

    @property
    def _is_painting(self) -> bool:
        layers = self._controller.layers
        active = self._controller.viewer.layers.selection.active
        return layers is not None and active is layers.existing("scribbles") and active is not None

    def _use(self, role: str, mode: str) -> None:
        self._clicks_follow = False
        self._controller.choose_class(self._classes.current)
        layers = self._controller.layers
        if layers is not None:
            layer = layers.clicks if role == "clicks" else layers.scribbles
            self._controller.viewer.layers.selection.active = layer
            layer.mode = mode
