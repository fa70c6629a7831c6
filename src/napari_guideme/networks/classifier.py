"""An image classifier that is used but never changed, and how to open one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from napari_guideme.errors import InputError
from napari_guideme.networks import cancelling
from napari_guideme.networks.catalogue import DEFAULT_CLASSIFIER
from napari_guideme.networks.devices import choose_device
from napari_guideme.networks.fingerprints import fingerprint
from napari_guideme.networks.formats import weights
from napari_guideme.networks.guest import guest_of
from napari_guideme.networks.lite0 import Lite0Classifier, imagenet_weights
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.pretrained import PREFIX, downloaded
from napari_guideme.networks.rectifiers import Rectifier, find_rectifiers
from napari_guideme.networks.tracing import Runner, main_output, noise, trace
from napari_guideme.networks.vision import torchvision

#: Instead of a rectifier: its input (N, C, ...) to what goes on from there.
Rectify = Callable[[Rectifier, Tensor], Tensor]


class FrozenClassifier:
    """A trained classifier together with how to feed it and what its scores mean.

    The module is neither modified nor kept: its structure is copied, the copy
    shares the weights (on the same device) and never asks for their gradients.

    Parameters
    ----------
    module
        Maps (N, C, H, W) to logits (N, K).
    labels
        Names of the K classes.
    preparation
        What the module expects of its input; it has a `size`.
    synsets
        WordNet ids of the classes such as ``n02123045``, or none.
    name, licence
        What is shown to the user.
    device
        ``"auto"`` (CUDA, else MPS, else CPU) or a name such as ``"cuda:1"``.

    Raises
    ------
    InputError
        If the device does not exist or the module does not fit the labels.
    """

    def __init__(
        self,
        module: nn.Module,
        labels: Sequence[str],
        preparation: Preparation,
        *,
        synsets: Sequence[str] = (),
        name: str = "classifier",
        device: str = "auto",
        licence: str = "",
    ) -> None:
        self.labels = tuple(labels)
        self.synsets = tuple(synsets)
        self.preparation = preparation
        self.name = name
        self.licence = licence
        self.device = choose_device(device)
        guest = _ScoresAsMaps(guest_of(module).to(self.device))
        size: tuple[int, ...] = preparation.example_sizes[0]
        example = noise(1, preparation.channels, *size).to(self.device)
        try:
            self._graph_module = trace(guest, example)
        except Exception as error:
            # Foreign code can fail in any manner.
            raise InputError(f"{name} classifies no image of shape {size}: {error}") from error
        self._taken = {size: True}
        returned: Tensor = self._graph_module.meta.pop("returned")
        if returned.shape[1] != len(self.labels):
            raise InputError(
                f"{name} returns {returned.shape[1]} scores; "
                f"expected is one for each of the {len(self.labels)} labels"
            )
        if self.synsets and len(self.synsets) != len(self.labels):
            raise InputError(
                f"{len(self.synsets)} WordNet ids do not fit {len(self.labels)} labels"
            )

    def __repr__(self) -> str:
        return f"FrozenClassifier({self.name!r}, {len(self.labels)} labels, {str(self.device)!r})"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of weights, graph, labels and preparation: the same in every run."""
        return fingerprint(self._graph_module, self.labels, self.preparation)

    @cached_property
    def rectifiers(self) -> tuple[Rectifier, ...]:
        """All ReLUs and ReLU6s, from the input on; none if the module cannot be traced."""
        return find_rectifiers(self._graph_module)

    def prepared(
        self,
        image: NDArray[Any],
        channel_axis: int | None = None,
        size: tuple[int, int] | None = None,
    ) -> Tensor:
        """Turn an image of any type and size into an input (1, C, h, w).

        Parameters
        ----------
        image
            Two spatial axes and at most one channel axis.
        channel_axis
            The axis that holds channels, ``None`` for a grey image.
        size
            To which the whole image is resized; the preparation's own by default.

        Raises
        ------
        InputError
            If the image is empty, not finite, or has channels or axes that the
            classifier cannot take.
        """
        preparation = replace(self.preparation, size=size) if size else self.preparation
        return preparation.prepare(image, channel_axis=channel_axis)[0].to(self.device)

    def scores(self, x: Tensor, rectify: Rectify | None = None) -> Tensor:
        """Logits (N, K) of inputs (N, C, h, w); gradients flow to the inputs.

        Parameters
        ----------
        x
            Prepared inputs.
        rectify
            What takes the place of every rectifier; they rectify by default.

        Raises
        ------
        InputError
            If it cannot take them, because of their size for instance.
        """
        scored: Tensor = _Rectifying(self, self._graph_module, rectify).run(x)
        return scored.flatten(1)

    def takes(self, size: tuple[int, int]) -> bool:
        """Whether it classifies inputs of this size, too; vision transformers have but one."""
        if size not in self._taken:
            try:
                with torch.no_grad():
                    self.scores(noise(1, self.preparation.channels, *size).to(self.device))
            except InputError:
                self._taken[size] = False
            else:
                self._taken[size] = True
        return self._taken[size]

    @torch.no_grad()
    def probabilities(
        self, image: NDArray[Any], channel_axis: int | None = None
    ) -> NDArray[np.float32]:
        """Probability of each of the K labels for the whole image."""
        found: NDArray[np.float32]
        found = self.scores(self.prepared(image, channel_axis))[0].softmax(0).cpu().numpy()
        return found

    def check_label(self, label: int) -> int:
        """Return the index of a label; the error tells which there are."""
        if not 0 <= label < len(self.labels):
            raise InputError(
                f"{self.name} has no label {label}; its labels are 0 to {len(self.labels) - 1}"
            )
        return int(label)


class _ScoresAsMaps(nn.Module):
    """A classifier seen as a network that returns maps of one pixel, to be traced."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = main_output(self.module(x))
        return scores[:, :, None, None]


class _Rectifying(Runner):
    """Runs a graph with something in the place of its rectifiers."""

    def __init__(
        self,
        classifier: FrozenClassifier,
        graph_module: fx.GraphModule,
        rectify: Rectify | None,
    ) -> None:
        super().__init__(graph_module)
        self._name = classifier.name
        self._rectify = rectify
        self._rectifiers = {r.node: r for r in classifier.rectifiers} if rectify else {}

    def run(self, *args: Any, **options: Any) -> Any:
        self._size = tuple(args[0].shape[2:])
        return super().run(*args, **options)

    def run_node(self, n: fx.Node) -> Any:
        cancelling.check()
        rectifier = self._rectifiers.get(n)
        if rectifier is None or self._rectify is None:
            return self._computed(n)
        return self._rectify(rectifier, self.env[n.all_input_nodes[0]])

    def _computed(self, n: fx.Node) -> Any:
        try:
            return super().run_node(n)
        except (cancelling.Cancelled, InputError):
            raise
        except Exception as error:  # Foreign code can fail in any manner.
            why = str(error).strip().partition("\n")[0]
            raise InputError(
                f"{self._name} classifies no image of shape {self._size}: {why}"
            ) from error


#: Values of Caffe's classifiers: blue, green, red from 0 to 255 less their means.
_CAFFE = Preparation(
    bgr=True, value_range="dtype", scale=255, mean=(103.939, 116.779, 123.68), size=(227, 227)
)
_LITE0 = Preparation(value_range="dtype", scale=255, mean=(127,), std=(128,), size=(224, 224))

#: What some of torchvision's classifiers are built with when they get their weights.
_BUILT_WITH: dict[str, dict[str, Any]] = {
    name: {"transform_input": True, "aux_logits": True, "init_weights": False}
    for name in ("googlenet", "inception_v3")
}


def open_classifier(
    name_or_path: str | Path = DEFAULT_CLASSIFIER, device: str = "auto"
) -> FrozenClassifier:
    """Open a classifier of ImageNet's 1000 classes.

    Parameters
    ----------
    name_or_path
        ``"efficientnet-lite0"`` (installed with this package), ``"torchvision:NAME"``
        (downloaded once), or a safetensors file with the weights of SqueezeNet 1.1
        under torchvision's names, for inputs as Caffe prepares them.
    device
        ``"auto"`` or a name such as ``"cuda:1"``.

    Raises
    ------
    InputError
        If there is no such classifier (the message says what is allowed).
    """
    name = str(name_or_path)
    if name == DEFAULT_CLASSIFIER:
        module: nn.Module = Lite0Classifier()
        module.load_state_dict(imagenet_weights())
        return _of_imagenet(module, _LITE0, name, device, "Apache-2.0")
    if name.startswith(PREFIX):
        return _torchvision_classifier(name.removeprefix(PREFIX), device)
    path = Path(name_or_path)
    if path.suffix.lower() != ".safetensors" or not path.is_file():
        raise InputError(
            f"there is no classifier {name!r}; choose {DEFAULT_CLASSIFIER}, {PREFIX}NAME, or a "
            ".safetensors file with the weights of SqueezeNet 1.1"
        )
    module = weights.filled(torchvision("torchvision.models").squeezenet1_1(), path)
    return _of_imagenet(module, _CAFFE, path.stem, device)


def _torchvision_classifier(name: str, device: str) -> FrozenClassifier:
    models = torchvision("torchvision.models")
    # The weights of DenseNets are stored under names that they no longer have.
    known = [n for n in models.list_models(module=models) if not n.startswith("densenet")]
    if name not in known:
        raise InputError(f"torchvision has no classifier {name!r}; it has {', '.join(known)}")
    chosen = models.get_model_weights(name).DEFAULT
    module = models.get_model(name, weights=None, **_BUILT_WITH.get(name, {}))
    prepare = chosen.transforms()
    preparation = Preparation(
        value_range="dtype",
        mean=tuple(prepare.mean),
        std=tuple(prepare.std),
        size=tuple(prepare.crop_size) * 2,
    )
    module = weights.filled(module, downloaded(chosen.url))
    return _of_imagenet(module, preparation, name, device, "BSD-3-Clause")


def _of_imagenet(
    module: nn.Module, preparation: Preparation, name: str, device: str, licence: str = ""
) -> FrozenClassifier:
    labels = torchvision("torchvision.models._meta")._IMAGENET_CATEGORIES
    return FrozenClassifier(module, labels, preparation, name=name, device=device, licence=licence)
