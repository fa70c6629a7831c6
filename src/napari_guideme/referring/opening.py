"""A trained See-through-Text as a file, as a frozen network for one sentence, and its steps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme.errors import InputError, check_kind
from napari_guideme.files.tensors import halved, write_tensors
from napari_guideme.networks import cancelling
from napari_guideme.networks.devices import choose_device
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.lite0 import Encoder, imagenet_weights
from napari_guideme.networks.preparation import Preparation
from napari_guideme.referring import ABOUT, LICENCE
from napari_guideme.referring import REFERRING as REFERRING
from napari_guideme.referring.design import Design
from napari_guideme.referring.equations import upsampled
from napari_guideme.referring.reader import Read, words_of
from napari_guideme.referring.see_through_text import Grouping, SeeThroughText, pooled

_ABOUT = "see_through_text"

#: The probability is so far from 0 and 1 at least, as logits are finite.
_LEAST = 1e-6


class Referring(nn.Module):
    """Encoder and steps for one sentence, whose words are constants: from images to logits."""

    hidden: Tensor
    last: Tensor
    is_word: Tensor

    def __init__(self, encoder: Encoder, grouping: Grouping, read: Read) -> None:
        super().__init__()
        self.encoder, self.grouping = encoder, grouping
        for name, value in vars(read).items():
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits of what is referred to, (N, 1, H, W)."""
        levels = pooled(self.encoder(x), self.grouping.design)
        heat = self.grouping(levels, Read(self.hidden, self.last, self.is_word))
        return torch.logit(upsampled(heat, x.shape[2:]), _LEAST)


@dataclass(frozen=True)
class Steps:
    """What happened in each of T steps, as in figure 4 of the paper.

    Attributes
    ----------
    words
        That were read.
    heats, refined
        Q and P, (T, rows, columns) from 0 to 1.
    attention
        Cosine of the sentence as it was represented and of each word, (T, words).
    """

    words: tuple[str, ...]
    heats: NDArray[np.float32]
    refined: NDArray[np.float32]
    attention: NDArray[np.float32]


def preparation(design: Design) -> Preparation:
    """What the network expects of its input."""
    # Of micrographs, many of which are dark, the encoder sees more by percentiles.
    return Preparation(scale=255, mean=(127,), std=(128,), size=(design.side,) * 2)


def imagenet_encoder() -> Encoder:
    """Return the encoder of EfficientNet-Lite0, frozen, from the package that brings it."""
    encoder = Encoder().float().eval().requires_grad_(False)
    own = "encoder."
    weights = imagenet_weights().items()
    encoder.load_state_dict({k.removeprefix(own): v for k, v in weights if k.startswith(own)})
    return encoder


@torch.no_grad()
def frozen(
    network: SeeThroughText, sentence: str, name: str = "object", device: str = "auto"
) -> FrozenNetwork:
    """Fix a sentence: what is left maps images to what it refers to, and clicks correct it.

    Parameters
    ----------
    network
        From :func:`load`.
    sentence
        Of which the first 20 words count.
    name
        Of the class that is not the background.
    device
        ``"auto"`` or a name such as ``"cuda:1"``.

    Raises
    ------
    InputError
        If the sentence has no word, or the device does not exist.
    """
    network = network.eval()
    module = Referring(imagenet_encoder(), network.grouping, network.reader([sentence]))
    return FrozenNetwork(
        module,
        ("background", name),
        preparation(network.design),
        output="logits",
        device=device,
        name="see-through-text",
        licence=LICENCE,
        description=ABOUT,
    )


@torch.no_grad()
def steps_of(
    network: SeeThroughText,
    sentence: str,
    image: NDArray[Any],
    channel_axis: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Steps:
    """Look at every step: both heat maps, and which words count.

    Parameters
    ----------
    network
        From :func:`load`.
    sentence
        Of which the first 20 words count.
    image, channel_axis
        See :meth:`~napari_guideme.networks.preparation.Preparation.prepare`.
    progress
        Called with steps done and steps in all.

    Raises
    ------
    InputError
        If the sentence has no word, or the image cannot be used.
    """
    network, design = network.eval(), network.design
    x, placement = preparation(design).prepare(image, channel_axis=channel_axis)
    read = network.reader([sentence])
    encoder = imagenet_encoder().to(network.device)
    taken, levels = [], pooled(encoder(x.to(network.device)), design)
    for step in network.grouping.steps(levels, read):
        cancelling.check()
        taken.append(step)
        progress(len(taken), design.steps)

    def on_image(heats: Sequence[Tensor]) -> NDArray[np.float32]:
        whole = preparation(design).restore(torch.cat(list(heats), 1), placement)[0]
        drawn: NDArray[np.float32] = whole.cpu().numpy()
        return drawn

    said = torch.cat([step.sentence for step in taken])
    return Steps(
        tuple(words_of(sentence)),
        on_image([step.heat for step in taken]),
        on_image([step.refined for step in taken]),
        F.cosine_similarity(said[:, None], read.hidden, dim=2).cpu().numpy(),
    )


def save(network: SeeThroughText, path: Path) -> None:
    """Write what was learned, in half precision; design and words are told in the file."""
    about = {"design": asdict(network.design), "words": network.reader.known}
    write_tensors(path, halved(network), {_ABOUT: json.dumps(about)})


def bundled() -> Path:
    """Where the bundled network lies."""
    return Path(str(files(__package__) / "bundled" / f"{REFERRING}.safetensors"))


def weights_of(source: str | Path) -> Path:
    """Where the weights of a network lie that :func:`open_referring` takes."""
    check_kind("source", source, (str, os.PathLike), "the name of a network or the path of a file")
    return bundled() if str(source) == REFERRING else Path(source)


def open_referring(source: str | Path = REFERRING, device: str = "auto") -> SeeThroughText:
    """Open a trained network by its name or from a file.

    Parameters
    ----------
    source
        ``"see-through-text"``, which is bundled, or a file that
        ``training/see_through_text.py`` wrote.
    device
        ``"auto"`` or a name such as ``"cuda:1"``.

    Raises
    ------
    InputError
        If there is no such network or device, or the file holds something else.
    """
    path = weights_of(source)
    if not path.is_file():
        raise InputError(
            f"there is no network {str(source)!r} that follows sentences; bundled is "
            f"{REFERRING}, else give a file of training/see_through_text.py"
        )
    return load(path).to(choose_device(device))


def with_folds(network: SeeThroughText, folds: int) -> SeeThroughText:
    """The same network, which goes through the levels so many times.

    Raises
    ------
    InputError
        If it cannot: where a 1 x 1 convolution stands in for the GRU, which has the same
        weights at all times, the number of folds is what was learned.
    """
    if folds == network.design.folds:
        return network
    if network.design.refining != "conv-gru":
        raise InputError(
            f"this network has {network.design.folds} folds and cannot have {folds}: it refines "
            f"by a {network.design.refining} convolution; choose one with the convolutional GRU"
        )
    design = replace(network.design, folds=folds)
    other = SeeThroughText(network.reader.known, network.reader.vectors, design)
    other = other.float().to(network.device)
    other.load_state_dict(network.state_dict())
    return other.eval()


def load(path: Path) -> SeeThroughText:
    """Read what :func:`save` wrote.

    Raises
    ------
    InputError
        If the file holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()[_ABOUT])
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        words = [str(word) for word in about["words"]]
        design = Design(**about["design"])
        network = SeeThroughText(words, torch.zeros(len(words), design.dimensions), design).float()
        network.load_state_dict(state)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path.name} holds no See-through-Text that can be read") from error
    return network.eval()
