"""How well things are found by their names, class by class and image by image.

Three figures, as in the localisation by classifiers: does the highest value of the map lie on
the class (the pointing game), does the box around what was found fit one of its objects (as in
ILSVRC: intersection over union of one half or more), and how much of the class was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError
from napari_guideme.evaluation.datasets import Dataset, Item, open_objects
from napari_guideme.evaluation.finding_results import NamesResult, Sought
from napari_guideme.evaluation.scores import confusion
from napari_guideme.evaluation.truth import read_objects
from napari_guideme.grabcut import bounding_box
from napari_guideme.language.vocabulary import WordVectors
from napari_guideme.localize import usual_outline, usual_views
from napari_guideme.localize.finding import Found, chosen_stand_ins, find
from napari_guideme.localize.proxies import By, UnknownName, candidates
from napari_guideme.networks.classifier import FrozenClassifier
from napari_guideme.networks.frozen import FrozenNetwork

Box = tuple[int, int, int, int]

#: A box fits another one from this intersection over union on.
FITS = 0.5


@dataclass(frozen=True)
class Present:
    """A class that an image shows.

    Attributes
    ----------
    name
        Of the class.
    mask
        Where its objects are, (rows, columns).
    boxes
        Of each of its objects, of what can be seen of it.
    """

    name: str
    mask: NDArray[np.bool_]
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class NamedDataset:
    """Images with ids of objects as truth, and the class of each object."""

    items: Dataset
    folder: Path
    least_pixels: int = 1

    def present(self, item: Item) -> list[Present]:
        """Classes in an image, of so many pixels at least, by their names."""
        names = read_objects(self.folder / "instances" / f"{item.name}.json")
        found: dict[str, list[int]] = {}
        for number in np.unique(item.truth[item.truth > 0]).tolist():
            if number not in names:
                raise InputError(f"{item.name}.json does not name the object {number}")
            found.setdefault(names[number], []).append(number)
        told = (_present(name, found[name], item.truth) for name in sorted(found))
        return [one for one in told if one.mask.sum() >= self.least_pixels]


def open_named(folder: Path | str, *, least_pixels: int = 1, **choice: Any) -> NamedDataset:
    """Open a folder with ``images``, ``masks`` of ids and ``instances/STEM.json``.

    Parameters
    ----------
    folder
        See :mod:`napari_guideme.evaluation.datasets`.
    least_pixels
        Classes with fewer pixels in an image are left out there.
    **choice
        As for :func:`~napari_guideme.evaluation.datasets.open_objects`.

    Raises
    ------
    InputError
        If the folder has another layout.
    """
    folder = Path(folder)
    if not (folder / "instances").is_dir():
        raise InputError(
            f"{folder} must have a folder instances that names the objects, STEM.json: "
            '{"instances": {"1": {"name": "person"}}}'
        )
    return NamedDataset(open_objects(folder, **choice), folder, least_pixels)


@dataclass(frozen=True)
class Way:
    """How things are found, see :func:`napari_guideme.localize.finding.find`.

    Attributes
    ----------
    classifier, network, method, views, outline
        As there; the network is only for ``"proxies"``.
    by, vectors
        What tells which labels stand in for a name.
    """

    classifier: FrozenClassifier
    method: str
    network: FrozenNetwork | None = None
    views: int | None = None
    outline: str | None = None
    by: By = "wordnet"
    vectors: WordVectors | None = None

    def find(self, item: Item, name: str) -> Found | None:
        """Find by the labels that stand in on this image; ``None`` if there are none."""
        try:
            if not candidates(name, self.classifier, self.by, self.vectors):
                return None
        except UnknownName:
            return None
        labels = chosen_stand_ins(
            name,
            self.classifier,
            item.image,
            item.channel_axis,
            by=self.by,
            vectors=self.vectors,
        )
        return find(
            name,
            item.image,
            self.classifier,
            labels,
            network=self.network,
            method=self.method,
            channel_axis=item.channel_axis,
            views=self.views,
            outline=self.outline,
        )


def evaluate_names(
    data: NamedDataset,
    way: Way,
    watched: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> NamesResult:
    """Seek every class that an image shows, by its name.

    Parameters
    ----------
    data
        From :func:`open_named`.
    way
        How to find it.
    watched
        Wraps the images, such as ``tqdm``.

    Raises
    ------
    InputError
        If there is nothing to seek, or an image cannot be used.
    """
    sought: list[Sought] = []
    without: Counter[str] = Counter()
    for item in watched(data.items):
        present = data.present(item)
        for one in present:
            try:
                found = way.find(item, one.name)
            except InputError as error:
                raise InputError(f"{item.name}: {error}") from error
            if found is None:
                without[one.name] += 1
            else:
                sought.append(compared(item.name, one, found, len(present) > 1))
    if not sought and not without:
        raise InputError(f"no image shows a class of at least {data.least_pixels} pixels")
    if not sought:
        raise InputError("no label of the classifier stands in for any class of the images")
    return NamesResult.of(
        sought,
        classifier=way.classifier.name,
        method=way.method,
        outline=usual_outline(way.method) if way.outline is None else way.outline,
        views=usual_views(way.method) if way.views is None else way.views,
        by=way.by,
        least_pixels=data.least_pixels,
        without_stand_ins=dict(sorted(without.items())),
    )


def _present(name: str, numbers: Sequence[int], ids: NDArray[np.intp]) -> Present:
    boxes = (bounding_box(ids == number) for number in numbers)
    return Present(name, np.isin(ids, numbers), tuple(box for box in boxes if box))


def compared(image: str, one: Present, found: Found, several: bool) -> Sought:
    """Compare what was found of a class in an image with what there is."""
    peak = np.unravel_index(int(found.evidence.argmax()), found.evidence.shape)
    counts = confusion(one.mask.astype(np.int8), found.mask.astype(np.int8), 2)
    return Sought(
        image,
        one.name,
        several,
        pointed=bool(one.mask[peak]),
        boxed=found.box is not None and any(fits(found.box, box) for box in one.boxes),
        common=int(counts[1, 1]),
        either=int(counts.sum() - counts[0, 0]),
    )


def fits(one: Box, other: Box) -> bool:
    """Whether two boxes, half open, have one half of what both cover in common."""
    rows, columns = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    common = max(rows, 0) * max(columns, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return common >= FITS * (sum(areas) - common)
