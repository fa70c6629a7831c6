"""A small world: animals, vehicles, and what they are called."""

from __future__ import annotations

from napari_guideme.localize.kinds import Kind, Kinds
from napari_guideme.localize.known_labels import KnownLabels

#: id, names, above, members, extent
_WORLD = [
    Kind("thing", ("thing",), (), (), 20_000),
    Kind("animal", ("animal",), ("thing",), (), 4000),
    Kind("feline", ("feline",), ("animal",), (), 20),
    Kind("cat", ("cat", "true cat"), ("feline",), (), 2),
    Kind("tabby", ("tabby", "tabby cat"), ("cat",)),
    Kind("kitten", ("kitten",), ("tabby",)),
    Kind("persian", ("Persian cat",), ("cat",)),
    Kind("cheetah", ("cheetah",), ("feline",)),
    Kind("bird", ("bird",), ("animal",), (), 800),
    Kind("crane bird", ("crane",), ("bird",)),
    Kind("crane machine", ("crane",), ("machine",)),
    Kind("machine", ("machine",), ("thing",), (), 250),
    Kind("locomotive", ("locomotive", "engine"), ("machine",)),
    Kind("train", ("train",), ("thing",), ("locomotive",)),
    Kind("purse", ("purse",), ("thing",)),
    Kind("handbag", ("handbag", "purse"), ("thing",)),
    Kind("toilet", ("toilet",), ("thing",)),
    Kind("seat", ("toilet seat",), ("thing",)),
    Kind("carrier", ("cat carrier",), ("thing",)),
    Kind("phone", ("phone", "cell"), ("thing",)),
    *(Kind(f"cell {n}", ("cell",), ("thing",)) for n in range(3)),
]
_SENSES = {
    "crane": ("crane machine", "crane bird"),
    "purse": ("purse", "handbag"),
    "cell": ("cell 0", "cell 1", "cell 2", "phone"),
}
LABELS = (
    "tabby",
    "persian",
    "cheetah",
    "crane bird",
    "crane machine",
    "locomotive",
    "purse",
    "seat",
    "carrier",
    "phone",
)


def kinds() -> Kinds:
    named: dict[str, tuple[str, ...]] = {}
    for kind in _WORLD:
        for name in kind.names:
            key = name.lower().replace(" ", "")
            named[key] = (*named.get(key, ()), kind.id)
    return Kinds({kind.id: kind for kind in _WORLD}, {**named, **_SENSES})


def labels() -> KnownLabels:
    world = kinds()
    return KnownLabels(tuple(world[id].names for id in LABELS), LABELS, world)
