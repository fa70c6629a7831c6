r"""Feedback: gates behind the rectifiers of a classifier, opened for the class that is named.

Every unit of every rectifier gets a gate h, and its output y = relu(a) becomes h y. With all
gates open (h = 1) nothing changes. The energy is minus the score of the class, and it is
minimised over the gates: *hard*, each 0 or 1, or *soft*, each in [0, 1]. What then flows back to
the image shows where the class is.

**What a sweep of the hard form does.** From the top layer down, a gate is best open exactly where
the score grows with its output: h = [g > 0] with g = ∂score/∂(h y), given the gates above that
were just set. g comes down as a message, in one pass: on its way from the output of a rectifier
to its input it is multiplied by h, and, in the *reading* ``"rectifiers"``, by relu'(a), too. Of
the two readings these statements hold (`tests/guidance/test_gates.py` shows them):

- ``"gates"`` (gates alone, which take the place of the rectifiers on the way back): what the first
  sweep sends to the image is the result of the deconvnet, since max(g, 0) = [g > 0] g. In this
  sense "a deconvnet is one iteration of the hard form". Without max-pooling the message depends
  neither on the image nor on the gates below, so the first sweep is the last one.
- ``"rectifiers"`` (the derivative of the gated network): what the first sweep sends to the image is
  the result of guided back-propagation, [a > 0] [g > 0] g. Further sweeps go beyond it, as the
  layers above see what was let through below. Where nothing changes any more, the message is
  the derivative of the gated network, :meth:`GatedScore.image_gradient`.
- In a network of linear maps and ReLUs, with skip connections or not, no sweep in the reading
  ``"rectifiers"`` lowers the score. Each ReLU is at least its tangent, max(a', 0) ≥ [a > 0] a',
  and an open gate feeds a positive derivative, so the score is at least that of the tangent
  network, of which the sweep takes the best. ReLU6 lies below its tangent beyond its bound, and
  max-pooling may switch to a unit that is unwanted: there a sweep can lose, and the descent
  ends before it.

References
----------
*Deep Feedback Neural Networks for Weakly Supervised Object Localization*, sections 3.2 and 3.3;
Cao et al., *Look and Think Twice*, ICCV 2015. Zeiler and Fergus, ECCV 2014 (deconvnet);
Springenberg et al., ICLR workshop 2015 (guided back-propagation).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.guidance.minimisers import Iterate, coordinate_descent, projected_gradient
from napari_guideme.networks.classifier import FrozenClassifier, Rectify
from napari_guideme.networks.rectifiers import Rectifier

Form = Literal["hard", "soft"]
Reading = Literal["rectifiers", "gates"]


#: By rectifier, from the image on: how much its units bring to the score at each place,
#: (N, 1, h, w). Rectifiers behind which there is no image any more bring none.
Evidence = Mapping[str, Tensor]

#: Axes of an activation that has an image.
_IMAGE = 4


@dataclass(frozen=True)
class Gates:
    """One gate for each unit of each rectifier: the variable.

    The values are one flat vector, rectifier after rectifier, from the input on. At
    one they change nothing, at zero they close.

    Parameters
    ----------
    shapes
        Shape (N, C, ...) of what each rectifier returns, by its name.
    """

    shapes: Mapping[str, torch.Size]

    def initial(self, device: torch.device | None = None) -> Tensor:
        """Return the values that change nothing."""
        count = sum(shape.numel() for shape in self.shapes.values())
        return torch.ones(count, dtype=torch.float32, device=device)

    def split(self, values: Tensor) -> dict[str, Tensor]:
        """Return the gates of each rectifier, in its shape."""
        parts = values.split([shape.numel() for shape in self.shapes.values()])
        pairs = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view(shape) for (name, shape), part in pairs}


class GatedScore:
    """The score of one label for given inputs, as a function of the gates.

    Parameters
    ----------
    classifier
        With at least one rectifier.
    x
        Prepared inputs (N, C, h, w); the scores of all of them are added up.
    label
        Index of the label.
    reading
        What a message passes on its way back (see the head of this module).

    Raises
    ------
    InputError
        If there is no such label, or no rectifier to gate.
    """

    def __init__(
        self,
        classifier: FrozenClassifier,
        x: Tensor,
        label: int,
        reading: Reading = "rectifiers",
    ) -> None:
        if not classifier.rectifiers:
            raise InputError(
                f"{classifier.name} has no ReLU in its graph, so there is nothing to gate; "
                "the plain gradient works for any classifier"
            )
        self.classifier = classifier
        self.x = x.detach()
        self.label = classifier.check_label(label)
        self.reading = reading
        shapes: dict[str, torch.Size] = {}

        def measure(rectifier: Rectifier, a: Tensor) -> Tensor:
            shapes[rectifier.name] = a.shape
            return rectifier(a)

        with torch.no_grad():
            classifier.scores(self.x, measure)
        self.gates = Gates(shapes)

    def energy(self, values: Tensor) -> Tensor:
        """Minus the score; gradients flow to the gates."""
        with torch.enable_grad():  # Whoever asks may be running without.
            gates = self.gates.split(values)
            return self._energy(self.x, lambda rectifier, a: gates[rectifier.name] * rectifier(a))

    def sweep(self, values: Tensor) -> tuple[float, Tensor]:
        """Return the energy, and the gates that one sweep from the top down sets."""
        swept = self._swept(values)
        return swept.energy, swept.chosen

    def message(self, values: Tensor) -> Tensor:
        """What a sweep that starts from these gates sends down to the image, (N, C, h, w)."""
        return self._swept(values).message

    def opened(self, values: Tensor) -> Evidence:
        """What the units bring whose gates a sweep opens, starting from these gates."""
        return self._swept(values).opened

    def evidence(self, values: Tensor, slope: Tensor | None = None) -> Evidence:
        """What comes through the given gates: h ∂score/∂h, where it raises the score.

        The gradient of the energy there may be given, if it is known.
        """
        if slope is None:
            variable = values.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.energy(variable), variable)
        brought = self.gates.split(-slope * values.detach())
        return {name: _summed(b) for name, b in brought.items() if b.ndim == _IMAGE}

    def _swept(self, values: Tensor) -> _Swept:
        gates, chosen = self.gates.split(values), torch.zeros_like(values)
        parts = self.gates.split(chosen)
        opened: dict[str, Tensor] = {}

        def choose(rectifier: Rectifier, a: Tensor) -> Tensor:
            y = self._read(rectifier, a, gates[rectifier.name], 1.0)

            def open_or_close(message: Tensor) -> Tensor:
                # The message is the derivative of the energy: below zero, the score grows with y.
                passed = message * parts[rectifier.name].copy_(message < 0)
                if a.ndim == _IMAGE:
                    opened[rectifier.name] = _summed(-passed * rectifier(a.detach()))
                return passed

            y.register_hook(open_or_close)
            return y

        x = self.x.clone().requires_grad_()
        energy = self._energy(x, choose)
        (arrived,) = torch.autograd.grad(energy, x)
        # Messages come from the top down, evidence is told from the image on.
        in_order = {name: opened[name] for name in self.gates.shapes if name in opened}
        return _Swept(float(energy.detach()), chosen, -arrived, in_order)

    def image_gradient(self, values: Tensor) -> Tensor:
        """Derivative of the score in the input, (N, C, h, w), read through the given gates."""
        gates = self.gates.split(values)

        def read(rectifier: Rectifier, a: Tensor) -> Tensor:
            gate = gates[rectifier.name]
            return self._read(rectifier, a, gate, gate)

        x = self.x.clone().requires_grad_()
        return -torch.autograd.grad(self._energy(x, read), x)[0]

    def _read(self, rectifier: Rectifier, a: Tensor, gate: Tensor, slope: Tensor | float) -> Tensor:
        """Gate what is rectified; a message is multiplied by `slope` and, if read, by relu'."""
        if self.reading == "rectifiers":
            slope = slope * rectifier.passes(a)
        with torch.no_grad():
            y = gate * rectifier(a)
        passed: Tensor = _Passing.apply(a, y, slope)  # type: ignore[no-untyped-call]
        return passed

    def _energy(self, x: Tensor, rectify: Rectify) -> Tensor:
        with torch.enable_grad():
            return -self.classifier.scores(x, rectify)[:, self.label].sum()


def feedback(score: GatedScore, form: Form = "hard", steps: int | None = None) -> Iterator[Iterate]:
    """Close gates until the score grows no more; the values of an iterate are the gates.

    Parameters
    ----------
    score
        Of the label that is named.
    form
        ``"hard"``: gates are 0 or 1, by coordinate descent; ``"soft"``: from 0 to 1, by
        projected gradient.
    steps
        Sweeps or steps at most.

    Yields
    ------
    The open gates first, then the gates after each step. It can be dropped anywhere.
    """
    if form not in get_args(Form):
        raise InputError(f"form {form!r} is unknown; choose one of {', '.join(get_args(Form))}")
    start = score.gates.initial(score.x.device)
    if form == "hard":
        return coordinate_descent(score.sweep, start, STEPS[form] if steps is None else steps)
    return projected_gradient(score.energy, start, STEPS[form] if steps is None else steps)


#: Sweeps and steps at most; by then the score hardly grows.
STEPS: Mapping[Form, int] = {"hard": 10, "soft": 20}


@dataclass(frozen=True)
class _Swept:
    """What comes of a sweep."""

    energy: float
    chosen: Tensor
    message: Tensor
    opened: Evidence


def _summed(brought: Tensor) -> Tensor:
    """What speaks for the label, of all channels."""
    return brought.clamp_min(0).sum(1, keepdim=True)


class _Passing(torch.autograd.Function):
    """Passes `y` on, and back to `a` the message times a given slope."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, y: Tensor, slope: Tensor | float) -> Tensor:
        ctx.slope = slope
        return y.clone()

    @staticmethod
    def backward(ctx: Any, message: Tensor) -> tuple[Tensor, None, None]:
        return message * ctx.slope, None, None
