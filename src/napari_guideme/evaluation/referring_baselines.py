"""What a network that follows sentences is compared with.

- ``largest``: always the largest object of the named class. Its outlines are the true ones, so
  it errs only where it picks the wrong object.
- ``text hint``: a segmentation network that knows the class is told to find it, in the place
  that is understood of the sentence if any is; of what it then finds there, the largest object.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_guideme.evaluation.named_objects import NamedItem
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import TextHint
from napari_guideme.language.understanding import NotUnderstood, understand
from napari_guideme.language.word_forms import plain
from napari_guideme.networks.catalogue import catalogue
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.objects import objects
from napari_guideme.referring.expressions import Expression
from napari_guideme.session import GuideSession

LARGEST, TEXT_HINT = "largest", "text hint"

Mask = NDArray[np.bool_]


def largest(item: NamedItem, expression: Expression) -> Mask:
    """Take the largest object of the class that is named."""
    name = item.name_of(expression.object_id)
    sizes = np.bincount(item.ids.ravel())
    alike = [i for i in np.flatnonzero(sizes).tolist() if i and item.name_of(i) == name]
    found: Mask = item.ids == max(alike, key=lambda i: int(sizes[i]))
    return found


@dataclass
class TextHints:
    """Tells segmentation networks in words what to find, image by image."""

    device: str = "auto"
    _networks: dict[str, FrozenNetwork | None] = field(default_factory=dict)
    _image: str = ""
    _scene: Scene | None = None
    _told: dict[TextHint, NDArray[np.integer]] = field(default_factory=dict)

    def find(self, item: NamedItem, expression: Expression) -> Mask | None:
        """Find what is said; ``None`` where no bundled network knows the class."""
        name = item.name_of(expression.object_id)
        network = self._network(plain(name))
        if network is None:
            return None
        hint = _hint(expression.sentence, name, network)
        ids = self._following(hint, item, network)
        sizes = np.bincount(ids[hint.mask(ids.shape)], minlength=1)
        sizes[0] = 0
        found: Mask = (ids == sizes.argmax()) & (ids > 0)
        return found

    def _network(self, name: str) -> FrozenNetwork | None:
        if name not in self._networks:
            knowing = [
                entry
                for entry in catalogue().values()
                if name in map(plain, entry.classes[1:]) and not entry.card.interaction
            ]
            self._networks[name] = knowing[0].load(self.device) if knowing else None
        return self._networks[name]

    def _following(
        self, hint: TextHint, item: NamedItem, network: FrozenNetwork
    ) -> NDArray[np.integer]:
        """Objects of the class after a hint; an image is looked at once for all hints."""
        if self._scene is None or self._image != item.name or self._scene.network is not network:
            self._scene = Scene(network, item.image, channel_axis=item.channel_axis)
            self._image = item.name
            self._told.clear()
        if hint not in self._told:
            session = GuideSession.on(self._scene)
            session.add(hint)
            for _ in session.refine():
                pass
            index = network.classes.index(hint.class_name)
            self._told[hint] = _objects(session.labels(), index, network)
        return self._told[hint]


def _objects(
    labels: NDArray[np.integer], index: int, network: FrozenNetwork
) -> NDArray[np.integer]:
    """Objects of one class."""
    parting = network.separator_index
    kept = [index] if parting is None else [index, parting]
    return objects(np.where(np.isin(labels, kept), labels, 0), parting)


def _index(name: str, network: FrozenNetwork) -> int:
    return [plain(own) for own in network.classes].index(plain(name))


def _hint(sentence: str, name: str, network: FrozenNetwork) -> TextHint:
    """Understand a sentence as far as a network can be told, else that the class is sought."""
    own = network.classes[_index(name, network)]
    try:
        hints = understand(f"find {sentence}", network.classes)
    except NotUnderstood:
        return TextHint("find", own)
    return next((hint for hint in hints if hint.class_name == own), TextHint("find", own))
