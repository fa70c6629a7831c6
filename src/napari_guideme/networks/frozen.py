"""A segmentation network that is used but never changed, cut into head and tail."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from napari_guideme.errors import InputError, check_kind
from napari_guideme.files import first_line
from napari_guideme.networks import cancelling
from napari_guideme.networks.card import NetworkCard, Output
from napari_guideme.networks.depths import Depth, at_depth, levels, usual
from napari_guideme.networks.devices import choose_device
from napari_guideme.networks.fingerprints import fingerprint
from napari_guideme.networks.guest import ChannelsFirst, guest_of
from napari_guideme.networks.guide_points import (
    Entry,
    GuidePoint,
    find_entry,
    find_guide_points,
)
from napari_guideme.networks.halo import measured_halo
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.margins import centred, measured_margin, mirrored, widen, widening
from napari_guideme.networks.modes import own_modes, precise
from napari_guideme.networks.parts import Head, Parts
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.tracing import noise, trace


class FrozenNetwork:
    """A trained network together with how to feed it and what its output means.

    The module is neither modified nor kept: its structure is copied, the copy
    shares the weights (on the same device) and never asks for their gradients.

    Parameters
    ----------
    module
        Any module with 2-D or 3-D convolutions that maps (N, C, *spatial) to
        (N, K, *spatial'), or to (N, 1, *spatial') for two classes.
    classes
        Names of the K classes; the first one is the background. Without names
        they are called background, class 1, class 2, ...
    preparation
        What the module expects of its input.
    output
        Whether the module returns logits or probabilities. By default it is tried
        out on noise: probabilities lie between 0 and 1, and add up to 1 if there
        are several channels.
    channels_last
        Whether the module takes and returns (N, *spatial, C).
    device
        ``"auto"`` (CUDA, else MPS, else CPU) or a name such as ``"cuda:1"``.
    separator
        The class that parts touching objects, if there is one.
    guide_point
        Where to guide; by default the last guide point with a stride of at
        least 4, or of the largest there is.
    name, licence, description
        What is shown to the user.
    interaction
        The maps that the module takes behind the channels of the image, if it
        was trained to take clicks.

    Raises
    ------
    InputError
        If the device does not exist or the module does not fit the classes.
    """

    @own_modes()
    def __init__(
        self,
        module: nn.Module,
        classes: Sequence[str],
        preparation: Preparation,
        *,
        output: Output | None = None,
        channels_last: bool = False,
        device: str = "auto",
        separator: str | None = None,
        guide_point: str | None = None,
        name: str = "network",
        licence: str = "",
        description: str = "",
        interaction: InteractionMaps | None = None,
    ) -> None:
        self.preparation = preparation
        self.interaction = interaction
        self.separator = separator
        self.name = name
        self.licence = licence
        self.description = description
        self.device = choose_device(device)
        returned = self._trace(guest_of(module).to(self.device), channels_last)
        self.output = output or _kind(returned)
        self.classes = tuple(classes) or _generic_names(max(returned.shape[1], 2))
        self._check_classes(returned.shape)
        self.default_point = self.guide_point(guide_point or usual(self.guide_points).name).name
        self.card = NetworkCard(
            name=name,
            description=description,
            licence=licence,
            classes=self.classes,
            separator=separator,
            output=self.output,
            guide_point=guide_point,
            channels_last=channels_last,
            preparation=self.preparation.to_dict(),
            interaction=asdict(interaction) if interaction else {},
        )
        #: Entries of the card that nobody told.
        self.assumed: tuple[str, ...] = ()

    def _trace(self, guest: nn.Module, channels_last: bool) -> Tensor:
        """Cut the module into nodes; return what it makes of an example."""
        preparation, interaction = self.preparation, self.interaction
        channels = preparation.channels + (interaction.count if interaction else 0)
        module = ChannelsFirst(guest) if channels_last else guest
        if not preparation.margin:
            margin = measured_margin(module, preparation, channels, self.device)
            self.preparation = preparation = replace(preparation, margin=margin)
        shapes = [(1, channels, *size) for size in preparation.example_sizes]
        with self._refusing(shapes[0], _advice(guest)):
            examples = [noise(*shape).to(self.device) for shape in shapes]
            first, *others = (mirrored(example, widening(preparation)) for example in examples)
            traced = trace(module, first, others)
        self._example = examples[0]
        returned: Tensor = traced.meta.pop("returned")
        if preparation.margin:
            widen(traced, preparation)
        self._graph_module, self._parts = traced, Parts(traced)
        if preparation.margin:
            self._check_margin(examples)
        return returned

    def _check_margin(self, examples: Sequence[Tensor]) -> None:
        """Raise `InputError` if an output is not as large as what the network shall label."""
        for example in examples:
            found = None
            with suppress(Exception), torch.no_grad():  # It need not take all sizes.
                found = self._parts.whole(example, (), None)[0].shape[2:]
            if found not in (None, example.shape[2:]):
                raise InputError(
                    f"{self.name} returns {tuple(found)} for sides of {tuple(example.shape[2:])} "
                    f"and a margin of {self.preparation.margin}: tell multiple and offset of "
                    "its sides in its preparation, or another margin"
                )

    def __repr__(self) -> str:
        return f"FrozenNetwork({self.name!r}, classes={self.classes}, device={str(self.device)!r})"

    def calling(self, *names: str) -> FrozenNetwork:
        """The same network with other names for the classes besides the background."""
        other = copy.copy(self)
        other.classes = (self.classes[0], *names)
        other.card = replace(self.card, classes=other.classes)
        other.__dict__.pop("fingerprint", None)
        return other

    @property
    def separator_index(self) -> int | None:
        """Number of the class that parts touching objects, if there is one."""
        return None if self.separator is None else self.classes.index(self.separator)

    @property
    def is_opaque(self) -> bool:
        """Whether only the input can be moved."""
        return len(self.guide_points) == 1

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of weights, graph, classes and preparation: the same in every run."""
        told = (self.classes, self.output, self.preparation)
        known = (*told, self.interaction) if self.interaction else told
        if not self.preparation.clip:
            known = (*known, "not clipped")
        return fingerprint(self._graph_module, *known)

    @cached_property
    def guide_points(self) -> tuple[GuidePoint, ...]:
        """All places where activations may be moved, from the input on."""
        more = widening(self.preparation)
        return tuple(find_guide_points(self._graph_module, self._example, more))

    def guide_point(self, name: str) -> GuidePoint:
        """Look up a guide point; the error lists those there are."""
        for point in self.guide_points:
            if point.name == name:
                return point
        names = ", ".join(point.name for point in self.guide_points)
        raise InputError(f"unknown guide point {name!r}; {self.name} has {names}")

    @property
    def feature_points(self) -> tuple[str, ...]:
        """The last guide point before every change of stride: one per level, down and up.

        Levels as fine as the input itself only count if there are no others.
        """
        return tuple(point.name for point in levels(self.guide_points))

    @cached_property
    def entry(self) -> Entry:
        """Return the first convolution, where interaction maps can enter.

        Raises
        ------
        InputError
            If there is none in the graph, or what it returns are the logits: an opaque
            network has only its input.
        """
        found = find_entry(self._graph_module, self._example, widening(self.preparation))
        if found is None:
            raise InputError(
                f"interaction maps cannot enter {self.name}: it could not be traced, or has no "
                "first convolution before its last; rgb-brs moves its input"
            )
        return found

    @cached_property
    def halo(self) -> int:
        """How many pixels around a pixel its logits depend on, as measured once on noise.

        A network that sees all of its input, as some normalisations do, gets half of what
        was measured on, and so does one that noise leaves silent.
        """
        return measured_halo(self)

    def depth_point(self, depth: Depth) -> GuidePoint:
        """Guide point at one of the three depths of f-BRS.

        ``a`` is the end of the encoder, ``c`` the last activation that is worth
        guiding, ``b`` the network's own guide point. In a network without a
        decoder a quarter of the computation lies behind ``a``, a twentieth behind ``b``.
        """
        return at_depth(self.guide_points, self.guide_point(self.default_point), depth)

    @own_modes()
    @torch.no_grad()
    def head(self, x: Tensor, point: str) -> Head:
        """Run what does not depend on the guide point, and the guide point itself.

        Parameters
        ----------
        x
            Prepared input, (N, C, *spatial).
        point
            Name of a guide point.
        """
        with self._refusing(x.shape):
            return self._parts.head(x.to(self.device), self._known(point))

    @precise()
    def tail(self, head: Head, activation: Tensor | None = None) -> Tensor:
        """Run what depends on the guide point, from an activation of one's own.

        Parameters
        ----------
        head
            What :meth:`head` returned.
        activation
            Of the shape of ``head.activation``, which is used by default.
            Gradients flow to it.

        Returns
        -------
        Logits, (N, K, *spatial').
        """
        if activation is None:
            activation = head.activation
        return self._logits(self._parts.tail(head, activation.to(head.activation.dtype)))

    @own_modes()
    @torch.no_grad()
    def observe(self, x: Tensor, points: Sequence[str] = ()) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the whole network once and keep the activations at some guide points."""
        logits, kept, _ = self.observe_cut(x, points)
        return logits, kept

    @own_modes()
    @torch.no_grad()
    def observe_cut(
        self, x: Tensor, points: Sequence[str] = (), cut: str | None = None
    ) -> tuple[Tensor, dict[str, Tensor], Head | None]:
        """Run the whole network once as :meth:`observe` does, and keep a head, too."""
        known = [self._known(point) for point in points]
        cut = None if cut is None else self._known(cut)
        with self._refusing(x.shape):
            output, activations, head = self._parts.whole(x.to(self.device), known, cut)
        activations = {point: values.float() for point, values in activations.items()}
        if self.preparation.margin:
            strides = {point.name: point.stride for point in self.guide_points}
            activations = {
                point: centred(values, strides.get(point, 1.0), x.shape[2:])
                for point, values in activations.items()
            }
        return self._logits(output), activations, head

    def _known(self, point: str) -> str:
        """Name of a node; the error lists the guide points there are."""
        return point if point in self._parts else self.guide_point(point).name

    def _logits(self, output: Tensor) -> Tensor:
        output = output.float()
        if output.shape[1] == 1 and len(self.classes) == 2:
            if self.output == "logits":
                return torch.cat([torch.zeros_like(output), output], dim=1)
            output = torch.cat([1 - output, output], dim=1)
        return output.clamp_min(1e-6).log() if self.output == "probabilities" else output

    @contextmanager
    def _refusing(self, shape: Sequence[int], advice: str = "") -> Iterator[None]:
        """Foreign code can fail in any manner; say which network and which input."""
        try:
            yield
        except (InputError, cancelling.Cancelled):
            raise
        except Exception as error:
            raise InputError(
                f"{self.name} does not run on an input of shape {tuple(shape)}: "
                f"{_said(error)}{advice}"
            ) from error

    def _check_classes(self, shape: Sequence[int]) -> None:
        if shape[1] != len(self.classes) and (shape[1], len(self.classes)) != (1, 2):
            raise InputError(
                f"{self.name} returns shape {tuple(shape)} for an input of shape "
                f"{tuple(self._example.shape)}; expected is one channel for each of the "
                f"{len(self.classes)} classes {', '.join(self.classes)}"
            )


def check_network(network: object) -> None:
    """Raise `InputError` if something is no frozen network."""
    wanted = (
        "a FrozenNetwork, as open_network(name_or_path) returns it, or around a module "
        "FrozenNetwork(module, classes, Preparation(...))"
    )
    check_kind("network", network, FrozenNetwork, wanted)


def _said(error: Exception) -> str:
    """What an error says in one line; TorchScript shows the program first."""
    found = re.findall(r"^[\w.]*Error: (.+)$", str(error), re.MULTILINE)
    is_script = "TorchScript" in first_line(error)
    return str(found[-1]) if is_script and found else first_line(error)


def _advice(module: nn.Module) -> str:
    """What to do about weights that are not of the type of the input."""
    types = {weight.dtype for weight in module.parameters() if weight.is_floating_point()}
    if not types or torch.float32 in types:
        return ""
    return f"; its weights are {types.pop()}: convert it by .float()"


def _kind(returned: Tensor) -> Output:
    """Probabilities lie between 0 and 1, and those of several classes add up to 1."""
    within = bool((returned >= 0).all() and (returned <= 1).all())
    total, exact = returned.float().sum(1), max(1e-3, torch.finfo(returned.dtype).eps)
    adds_up = returned.shape[1] == 1 or torch.allclose(total, torch.ones_like(total), atol=exact)
    return "probabilities" if within and adds_up else "logits"


def _generic_names(count: int) -> tuple[str, ...]:
    return ("background", *(f"class {index}" for index in range(1, count)))
