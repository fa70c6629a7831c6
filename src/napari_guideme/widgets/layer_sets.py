"""A set of layers for each image and network; of each image only one set is seen."""

from __future__ import annotations

from collections.abc import Callable

from napari import Viewer
from napari.layers import Image, Layer

from napari_guideme.widgets.colours import MAPS
from napari_guideme.widgets.known import Known
from napari_guideme.widgets.layers import GuideLayers
from napari_guideme.widgets.sought import Sought

#: What is hidden with its network. What the user keeps stays to be seen.
ROLES = (
    *("labels", "changes", "moved by words", "how it was read", *MAPS),
    *("scribbles", "clicks", "unmet hints", "place"),
)


class LayerSets:
    """Makes sets of layers and finds them again, with their hints.

    Parameters
    ----------
    viewer
        Where the layers are.
    make
        Makes a set for an image, a list of classes and a title.
    """

    def __init__(
        self, viewer: Viewer, make: Callable[[Image, tuple[str, ...], str], GuideLayers]
    ) -> None:
        self._viewer = viewer
        self._make = make
        self._sets: dict[tuple[Image, str], GuideLayers] = {}
        self._names: list[tuple[Image, str]] = []
        self._hidden: dict[Layer, bool] = {}

    def of(self, image: Image, network: Known) -> GuideLayers:
        """Return the set of an image and a network, made anew if there is none."""
        found = self.find(image, network)
        if found is None:
            others = any(other is image for other, _ in self._sets) or isinstance(network, Sought)
            title = f"{image.name}, {network.label}" if others else image.name
            found = self._make(image, network.card.classes, title)
            if isinstance(network, Sought):
                found.keep_beside([self._sets[key] for key in self._names if key[0] is image])
                self._names.append((image, network.label))
            self._sets[image, network.label] = found
        self._reveal(found)
        return found

    def find(self, image: Image | None, network: Known) -> GuideLayers | None:
        """Return the set if there is one; its classes are called as the network's are."""
        found = self._sets.get((image, network.label)) if image is not None else None
        classes = network.card.classes
        if found is not None and len(found.classes) != len(classes):
            del self._sets[found.image, network.label]
            return None
        if found is not None and found.classes != classes:
            found.rename(classes)
        return found

    def hold(self, layer: Layer, image: Image | None = None) -> bool:
        """Whether a layer belongs to one of the sets, or to one of an image."""
        return any(
            layers.holds(layer)
            for (other, _), layers in self._sets.items()
            if image is None or other is image
        )

    def fit(self, image: Image) -> bool:
        """Whether the layers of an image, if there are any, are still as large as it is."""
        return all(layers.fit for (other, _), layers in self._sets.items() if other is image)

    def worked_in(self, layer: Layer | None) -> GuideLayers | None:
        """Return the set whose clicks or scribbles a layer holds."""
        return next((own for own in self._sets.values() if own.is_tool(layer)), None)

    def show(self, image: Image | None, network: Known) -> None:
        """Show the layers of this network on an image, and no other's."""
        for (other, label), layers in self._sets.items():
            if other is image:
                self._reveal(layers) if label == network.label else self._hide(layers)

    def leave(self, image: Image) -> None:
        """Hide all layers of an image."""
        for layers in [layers for (other, _), layers in self._sets.items() if other is image]:
            self._hide(layers)

    def leave_others(self, image: Image) -> None:
        """Hide all layers of all other images, until they are chosen."""
        for other in {other for other, _ in self._sets if other is not image}:
            self.leave(other)

    def forget(self, image: Layer) -> None:
        """Drop what was known about an image that was deleted."""
        for key in [key for key in self._sets if key[0] is image]:
            self._sets.pop(key).leave()
        self._names = [key for key in self._names if key[0] is not image]

    def _hide(self, layers: GuideLayers) -> None:
        for layer in filter(None, map(layers.existing, ROLES)):
            self._hidden.setdefault(layer, layer.visible)
            layer.visible = False
            self._viewer.layers.selection.discard(layer)

    def _reveal(self, layers: GuideLayers) -> None:
        for layer in filter(None, map(layers.existing, ROLES)):
            # napari takes the tool out of the user's hand whenever this is set.
            if layer in self._hidden:
                layer.visible = self._hidden.pop(layer)
