"""Telling a scene: text hints become a field on its logits, on which clicks then build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.guidance.refining import Step
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.hints import TextHint
from napari_guideme.language import TELLING_NAMES
from napari_guideme.language.queries import phrase
from napari_guideme.language.text_guide import TextGuide
from napari_guideme.language.words import STEPS, Wish, follow, softened
from napari_guideme.networks import cancelling


@dataclass(frozen=True)
class Told:
    """What was found for one text hint.

    Attributes
    ----------
    guided
        Values that the trained guide predicted, ``None`` without it.
    evidence
        How far the class's logit moves, ``None`` if it does not.
    """

    guided: Tensor | None = None
    evidence: Tensor | None = None


@dataclass(frozen=True)
class _State:
    """How far things went: the activation that a guide moves, and the logits."""

    activation: Tensor | None
    logits: Tensor


class Teller:
    """Makes a scene follow text hints, one after the other.

    Parameters
    ----------
    scene
        Of the image, before anybody said anything.
    way
        Name of a way, see :data:`napari_guideme.language.TELLING_NAMES`.
    guide
        A trained guide for the network, which two of the ways need.

    Raises
    ------
    InputError
        If the way is unknown, or needs a guide and there is none.
    """

    def __init__(self, scene: Scene, way: str, guide: TextGuide | None = None) -> None:
        if way not in TELLING_NAMES:
            raise InputError(f"unknown way {way!r}; choose {', '.join(TELLING_NAMES)}")
        if way != "words" and guide is None:
            raise InputError(
                f"there is no text guide for {scene.network.name}; choose words, or train one "
                "with training/text_guide.py"
            )
        self._way = way
        self._guide = guide if way != "words" else None
        self._scene = scene.at(self._guide.purpose.point) if self._guide else scene
        self.told: tuple[Told, ...] = ()

    def tell(self, hints: Sequence[TextHint], known: Sequence[Told] = ()) -> Iterator[Step]:
        """Find the values of some hints, yielding steps; the last one holds the logits.

        Afterwards `told` is what was found.

        Parameters
        ----------
        hints
            The oldest first.
        known
            What was found for the first of them.
        """
        told = list(known)
        state = self._after(hints[: len(told)], told)
        total = len(hints) * (STEPS + 1)
        seen = self._scene.network.classes, self._scene.spacing
        for index, hint in enumerate(hints[len(told) :], len(told)):
            cancelling.check()
            guided, evidence = self._predicted(hint), None
            guided_state = self._moved(state, hint, Told(guided))
            if self._way != "text-guide":
                for iterate in follow(hint, guided_state.logits, *seen, hints[:index]):
                    evidence = iterate.values
                    yield Step(index * (STEPS + 1) + iterate.step, total, iterate.energy)
            told.append(Told(guided, evidence))
            state = self._moved(guided_state, hint, Told(None, evidence))
        self.told = tuple(told)
        yield Step(total, total, 0.0, logits=state.logits)

    def apply(self, hints: Sequence[TextHint], told: Sequence[Told]) -> Tensor:
        """Return the logits (K, *spatial) of what was found before."""
        return self._after(hints, told).logits

    def _after(self, hints: Sequence[TextHint], told: Sequence[Told]) -> _State:
        activation = self._scene.head.activation if self._guide else None
        state = _State(activation, self._scene.logits)
        for hint, found in zip(hints, told, strict=True):
            state = self._moved(state, hint, found)
        return state

    @torch.no_grad()
    def _moved(self, state: _State, hint: TextHint, told: Told) -> _State:
        """Go on as one hint says."""
        activation, logits = state.activation, state.logits
        if self._guide and activation is not None and told.guided is not None:
            activation = self._guide.moved(activation, told.guided)
            seen = self._scene.network.classes, 0.0, self._scene.spacing
            logits = gated(self._scene.guided(activation), logits, hint, *seen)
        if told.evidence is not None:
            wish = Wish.of(hint, logits, self._scene.network.classes, self._scene.spacing)
            logits = wish.shifted(logits, told.evidence)
        return _State(activation, logits)

    @torch.no_grad()
    def _predicted(self, hint: TextHint) -> Tensor | None:
        if self._guide is None:
            return None
        self._guide.check(hint)
        values: Tensor = self._guide([phrase(hint)])[0]
        return values


def following(
    scene: Scene, hints: Sequence[TextHint], way: str, guide: TextGuide | None = None
) -> Scene:
    """Return a scene that follows text hints, found anew.

    Parameters
    ----------
    scene
        Before anybody said anything.
    hints
        The oldest first.
    way, guide
        As of :class:`Teller`.
    """
    if not hints:
        return scene
    *_, step = Teller(scene, way, guide).tell(hints)
    assert step.logits is not None, "the last step holds the logits"
    return scene.shifted(step.logits - scene.logits)


def gated(
    logits: Tensor,
    before: Tensor,
    hint: TextHint,
    classes: Sequence[str],
    leak: float = 0.0,
    spacing: Sequence[float] | None = None,
) -> Tensor:
    """Let through what a hint speaks of: its class, its direction, its place.

    Parameters
    ----------
    logits
        As they were guided, (K, *spatial).
    before
        As they were before the hint.
    hint, classes
        What was said, and the names of the network's classes.
    leak
        Share of what goes into the other direction that is let through, which a
        guide needs to learn from its mistakes.
    spacing
        Size of a pixel along each axis, in typical ones; all are equal by default.
    """
    index = list(classes).index(hint.class_name)
    change = lead(logits, index) - lead(before, index)
    sign = -1 if hint.operation == "remove" else 1
    change = sign * F.leaky_relu(sign * change, leak)
    if hint.instead_of is not None:
        change = change * (winning(before) == list(classes).index(hint.instead_of))
    place = torch.from_numpy(softened(hint.mask(logits.shape[1:]), spacing)).to(logits)
    evidence = torch.zeros_like(before)
    evidence[index] = 1
    return before + evidence * (change * place)


def lead(logits: Tensor, index: int) -> Tensor:
    """How far a class is ahead of the best other one, (*spatial)."""
    others = torch.cat([logits[:index], logits[index + 1 :]]).amax(0)
    return logits[index] - others
