"""A trained text guide: words become the values of a guiding block, in one pass.

References
----------
Rupprecht et al., *Guide Me*, CVPR 2018, section 3.3.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_sequence

from napari_guideme.errors import InputError
from napari_guideme.files.tensors import halved, write_tensors
from napari_guideme.guidance.variables import GuidingBlock
from napari_guideme.hints import Operation, TextHint
from napari_guideme.language.queries import phrase, vocabulary, words
from napari_guideme.networks.catalogue import catalogue
from napari_guideme.networks.frozen import FrozenNetwork

#: Of the file of a guide, behind the stem of the network's file.
SUFFIX = ".text-guide.safetensors"

_ABOUT = "text_guide"


@dataclass(frozen=True)
class Purpose:
    """What a text guide was trained for.

    Parameters
    ----------
    network
        Fingerprint of the network.
    point
        Where it is guided.
    classes
        Names of the network's classes.
    operations
        What the guide can be told to do.
    cells
        Number of values along rows and columns; none for scale and bias alone,
        which is FiLM.
    """

    network: str
    point: str
    classes: tuple[str, ...]
    operations: tuple[Operation, ...]
    cells: tuple[int, ...] = ()


class TextGuide(nn.Module):
    """Frozen word vectors, a GRU and one linear map to the values of a guiding block.

    An untrained guide changes nothing.

    Parameters
    ----------
    purpose
        What it is trained for.
    channels
        Channels C of the activation at the guide point.
    known
        Words that it knows.
    vectors
        Their vectors, (words, dimensions), which are not trained.
    hidden
        Size of the GRU's state.
    residual_block
        Guide the activation within the residual block of FiLM instead: behind a
        1 x 1 and a 3 x 3 convolution of its own. What the values change there is
        added to the activation.

    References
    ----------
    Perez et al., *FiLM*, AAAI 2018, figure 3, for the residual block.
    """

    vectors: Tensor

    def __init__(
        self,
        purpose: Purpose,
        channels: int,
        known: Sequence[str],
        vectors: Tensor,
        *,
        hidden: int = 256,
        residual_block: bool = False,
    ) -> None:
        super().__init__()
        self.purpose = purpose
        self.block = GuidingBlock(channels, purpose.cells)
        self._index = {word: index for index, word in enumerate(known)}
        self.register_buffer("vectors", vectors)
        self.gru = nn.GRU(vectors.shape[1], hidden)
        self.values = nn.Linear(hidden, self.block.size)
        nn.init.zeros_(self.values.weight)
        nn.init.zeros_(self.values.bias)
        self.convolutions = (
            nn.Sequential(
                nn.Conv2d(channels, channels, 1),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            if residual_block
            else None
        )

    def forward(self, phrases: Iterable[str]) -> Tensor:
        """Read phrases; return the values of a guiding block for each, (N, values)."""
        read = [self.vectors[[self._index[word] for word in words(said)]] for said in phrases]
        _, state = self.gru(pack_sequence(read, enforce_sorted=False))
        values: Tensor = self.values(state[0])
        return values

    def moved(self, activation: Tensor, values: Tensor) -> Tensor:
        """Move an activation (N, C, H, W) by the values for one phrase."""
        if self.convolutions is None:
            return self.block.apply(activation, values)
        features = self.convolutions(activation)
        return activation + (F.relu(self.block.apply(features, values)) - F.relu(features))

    def check(self, hint: TextHint) -> None:
        """Raise `InputError` if the guide was not trained for such a hint."""
        if hint.operation not in self.purpose.operations:
            known = ", ".join(self.purpose.operations)
            raise InputError(f"this text guide was trained to {known}, not to {hint.operation}")
        named = {hint.class_name, hint.instead_of} - {None}
        if unknown := named - set(self.purpose.classes):
            known = ", ".join(self.purpose.classes)
            raise InputError(f"this text guide knows no {min(map(str, unknown))!r}, but {known}")

    def save(self, path: Path) -> None:
        """Write the guide, in half precision; what it is for is told in the file."""
        about = {**asdict(self.purpose), "words": list(self._index)}
        write_tensors(path, halved(self), {_ABOUT: json.dumps(about)})


@torch.no_grad()
def guided(guide: TextGuide, activation: Tensor, hints: Sequence[TextHint]) -> Tensor:
    """Move the head's activation as some hints say, one after the other.

    Parameters
    ----------
    guide
        Trained for the network.
    activation
        At the guide point, (1, C, H, W).
    hints
        The oldest first.

    Raises
    ------
    InputError
        If the guide was not trained for such a hint.
    """
    for hint in hints:
        guide.check(hint)
    if hints:
        for values in guide(phrase(hint) for hint in hints):
            activation = guide.moved(activation, values)
    return activation


def beside(network: Path) -> Path:
    """File of the text guide of the network in a file or folder."""
    return network.with_name(f"{network.stem}{SUFFIX}")


def find(name_or_path: str | Path) -> Path | None:
    """File of the text guide of a network, bundled or in a file, if there is one."""
    entry = catalogue().get(str(name_or_path))
    path = beside(entry.path if entry else Path(name_or_path))
    return path if path.is_file() else None


def load(path: Path, network: FrozenNetwork) -> TextGuide:
    """Read a text guide for a network, on the network's device.

    Raises
    ------
    InputError
        If the file holds none, or one for another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()[_ABOUT])
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        known = [str(word) for word in told.pop("words")]
        entries: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in told.items()
        }
        purpose = Purpose(**entries)
    except FileNotFoundError:
        raise InputError(f"there is no text guide {path}") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path.name} is no text guide that can be read") from error
    if purpose.network != network.fingerprint:
        raise InputError(
            f"{path.name} was made for another network, with the classes "
            f"{', '.join(map(str, purpose.classes))}; train one for {network.name}"
        )
    try:
        return _filled(purpose, known, state, network).to(network.device).eval()
    except (KeyError, TypeError, RuntimeError, IndexError) as error:
        raise InputError(f"{path.name} is no text guide that can be read") from error


def _filled(
    purpose: Purpose, known: list[str], state: dict[str, Any], network: FrozenNetwork
) -> TextGuide:
    if len(state["vectors"]) != len(known) or not set(
        vocabulary(network.classes, plain=True)
    ) <= set(known):
        raise KeyError("words")
    guide = TextGuide(
        purpose,
        network.guide_point(purpose.point).channels,
        known,
        state["vectors"],
        hidden=state["gru.weight_hh_l0"].shape[1],
        residual_block=any(name.startswith("convolutions.") for name in state),
    )
    guide.load_state_dict(state)
    return guide


def word_vectors(known: Iterable[str], table: Path | None = None, dimensions: int = 50) -> Tensor:
    """Vectors of words, (words, dimensions), each as long as the root of its dimensions.

    Parameters
    ----------
    known
        Words in lower case.
    table
        An ``.npz`` file with ``words`` and ``vectors``, such as GloVe.
    dimensions
        Without a table. A word that the table lacks, or any without one, gets a
        vector that is made of its letters by a hash: the same everywhere.
    """
    found: dict[str, Any] = {}
    if table is not None:
        with np.load(table, allow_pickle=False) as told:
            dimensions = told["vectors"].shape[1]
            found = dict(zip(told["words"].tolist(), told["vectors"], strict=True))
    rows = [found.get(word, _hashed(word, dimensions)) for word in known]
    vectors = torch.from_numpy(np.array(rows, dtype=np.float32))
    lengths = vectors.norm(dim=1, keepdim=True)
    scaled: Tensor = vectors / lengths * math.sqrt(dimensions)
    return scaled


def _hashed(word: str, dimensions: int) -> Any:
    digest = hashlib.shake_256(word.encode()).digest(2 * dimensions)
    return np.frombuffer(digest, dtype="<u2").astype(np.float32) - (2**16 - 1) / 2
