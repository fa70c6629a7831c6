from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_guideme.errors import InputError
from napari_guideme.guidance import DEFAULT_METHOD, METHOD_NAMES, refining
from napari_guideme.guidance.energies import cross_entropy
from napari_guideme.guidance.hinted import HintTensors
from napari_guideme.guidance.kernel import Kernel
from napari_guideme.guidance.methods import METHODS as SHIPPED
from napari_guideme.guidance.methods import Guiding, Method, guiding_block, method_named
from napari_guideme.guidance.minimisers import Iterate
from napari_guideme.guidance.refining import Guidance, apply, refine
from napari_guideme.guidance.residual import extended
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import Click, HintPixels, Hints, Scribble
from napari_guideme.networks.interaction import InteractionMaps
from tests import toys
from tests.conftest import DIM
from tests.toys import CLASSES

#: The methods as shipped, of a reach and a lead that are known here.
KERNEL = Kernel(0.7, nearest=0.1, growth=0, curvature=0, lead=2, lead_growth=0, typical=0.03)
METHODS = {
    name: replace(method, kernel=KERNEL)
    for name, method in SHIPPED.items()
    if method.completes == "all" and name != "saliency-brs"
}


@pytest.fixture
def scene(network, picture) -> Scene:
    return Scene(network, picture)


def drawn(*hints) -> HintPixels:
    return Hints(hints).pixels((16, 16), CLASSES)


@pytest.fixture
def on_the_dim_cell() -> HintPixels:
    return drawn(Click((11, 11), "cell"))


def last(steps):
    *_, step = steps
    return step


def test_the_logits_of_the_best_step_are_not_computed_again(network, scene, on_the_dim_cell):
    method, passes = METHODS["guide-me"], []
    tail = network.tail
    network.tail = lambda *given: passes.append(given) or tail(*given)
    steps = list(refine(scene, on_the_dim_cell, method))
    del network.tail
    # The start is a step, too; the last one only completes.
    assert len(passes) == len(steps) - 1 > 1
    torch.testing.assert_close(
        apply(scene, method, steps[-1].guidance), steps[-1].logits, rtol=0, atol=0
    )


def test_the_names_are_those_of_the_methods():
    assert set(METHOD_NAMES) == set(SHIPPED)
    assert DEFAULT_METHOD in SHIPPED
    assert all(method_named(name).name == name for name in METHOD_NAMES)


def test_an_unknown_method_is_told_which_there_are():
    with pytest.raises(InputError, match=r"'magic'.*residual.*f-brs.*guide-me"):
        method_named("magic")


@pytest.mark.parametrize("name", METHODS)
def test_a_hint_is_met_and_the_rest_stays(scene, on_the_dim_cell, name):
    before = scene.logits.argmax(0).numpy()
    after = last(refine(scene, on_the_dim_cell, METHODS[name])).logits.argmax(0).numpy()
    assert not before[DIM].any()
    assert after[DIM].all()
    after[DIM] = 0
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", METHODS)
def test_hints_that_contradict_the_look_are_met(scene, name):
    hints = drawn(Click((11, 11), "cell"), Click((12, 12), "background"), Click((0, 15), "cell"))
    after = last(refine(scene, hints, METHODS[name])).logits.argmax(0)
    assert after[11, 11] == 1
    assert after[12, 12] == 0
    assert after[0, 15] == 1


@pytest.mark.parametrize("name", METHODS)
def test_far_and_unlike_pixels_hardly_move(scene, on_the_dim_cell, name):
    logits = last(refine(scene, on_the_dim_cell, METHODS[name])).logits
    moved = (logits.softmax(0) - scene.logits.softmax(0)).abs().amax(0)
    assert moved[11, 11] > 0.03
    assert moved[:, 0].max() < 0.03


@pytest.mark.parametrize("name", METHODS)
def test_steps_tell_how_far_they_are(scene, on_the_dim_cell, name):
    steps = list(refine(scene, on_the_dim_cell, METHODS[name]))
    assert all(step.logits is None for step in steps[:-1])
    assert steps[-1].logits.shape == (2, 16, 16)
    assert steps[-1].index == steps[-1].total
    indices = [step.index for step in steps]
    assert indices == sorted(indices)
    assert {step.total for step in steps} == {steps[-1].total}


@pytest.mark.parametrize("name", METHODS)
def test_no_hints_change_nothing(scene, name):
    (step,) = refine(scene, drawn(), METHODS[name])
    assert step.guidance == Guidance(values=None, support=None)
    assert torch.equal(apply(scene, METHODS[name], step.guidance), scene.logits)
    assert torch.equal(step.logits, scene.logits)


@pytest.mark.parametrize("name", METHODS)
def test_what_was_found_gives_the_same_logits_again(scene, on_the_dim_cell, name):
    step = last(refine(scene, on_the_dim_cell, METHODS[name]))
    assert torch.equal(apply(scene, METHODS[name], step.guidance), step.logits)
    assert (step.guidance.values is None) == (METHODS[name].guiding is None)


def test_a_support_goes_on_where_it_was(scene, monkeypatch):
    clicks = Click((11, 11), "cell"), Click((3, 3), "background"), Click((0, 15), "cell")
    method, calls = METHODS["residual"], []
    monkeypatch.setattr(
        refining, "extended", lambda *given: calls.append(given) or extended(*given)
    )
    found = last(refine(scene, drawn(*clicks[:2]), method)).guidance
    assert len(calls) == 2
    onward = last(refine(scene, drawn(*clicks), method, found))
    assert len(calls) == 3
    again = last(refine(scene, drawn(*clicks), method))
    assert torch.equal(onward.logits, again.logits)
    assert (onward.guidance.support.weights[:2] >= found.support.weights).all()


@pytest.mark.parametrize("clicks", [[(3, 3)], [(3, 3), (11, 11)], [(3, 3), (0, 15)]])
def test_a_support_of_other_hints_is_dropped(scene, on_the_dim_cell, clicks):
    method = METHODS["residual"]
    found = last(refine(scene, on_the_dim_cell, method)).guidance
    other = drawn(*(Click(click, "background") for click in clicks))
    fresh, warm = (last(refine(scene, other, method, start)) for start in (None, found))
    assert torch.equal(fresh.logits, warm.logits)


@pytest.mark.parametrize("name", METHODS)
def test_a_refinement_can_be_dropped(scene, on_the_dim_cell, name):
    before = scene.logits.clone()
    steps = refine(scene, on_the_dim_cell, METHODS[name])
    next(steps)
    steps.close()
    assert list(steps) == []
    assert torch.equal(scene.logits, before)


#: Scales and biases of the two features. RAISED makes the dim cell a cell with margin.
NOTHING, LITTLE, RAISED, MUCH = (torch.tensor([0.0, 0, 0, b]) for b in (0, 0.01, 2, 9))


def guided_by(*iterates: tuple[torch.Tensor, float], starts: list | None = None) -> Method:
    """A method whose minimiser visits the given values at the given energies."""

    def minimiser(objective, start, steps) -> Iterator[Iterate]:
        if starts is not None:
            starts.append(start)
        for step, (values, energy) in enumerate(iterates, start=1):
            objective(values)
            yield Iterate(step, values, energy)

    guiding = Guiding(guiding_block(0), cross_entropy, minimiser, len(iterates), inertia=0)
    return Method("toy", guiding, kernel=KERNEL)


@pytest.mark.parametrize(
    ("energies", "best"),
    [((3, 1, 2), 1), ((1, 2, 3), 0), ((3, 2, 1), 2), ((2, float("nan"), 3), 0)],
)
def test_the_best_step_counts_and_not_the_last(scene, on_the_dim_cell, energies, best):
    values = [LITTLE, 2 * LITTLE, 3 * LITTLE]
    method = guided_by(*zip(values, energies, strict=True))
    step = last(refine(scene, on_the_dim_cell, method))
    assert torch.equal(step.guidance.values, values[best])
    assert step.energy == energies[best]


def test_it_stops_once_all_hints_are_met_with_margin(scene, on_the_dim_cell):
    method = guided_by((LITTLE, 3.0), (RAISED, 2.0), (MUCH, 1.0))
    step = last(refine(scene, on_the_dim_cell, method))
    assert torch.equal(step.guidance.values, RAISED)


def test_it_goes_on_while_a_hint_is_unmet(scene):
    hints = drawn(Click((11, 11), "cell"), Click((0, 0), "background"))
    method = guided_by((RAISED, 2.0), (NOTHING, 1.0))
    assert torch.equal(last(refine(scene, hints, method)).guidance.values, NOTHING)


def test_a_warm_start_is_where_it_starts(scene, on_the_dim_cell):
    starts = []
    method = guided_by((LITTLE, 1.0), starts=starts)
    list(refine(scene, on_the_dim_cell, method))
    list(refine(scene, on_the_dim_cell, method, warm=Guidance(MUCH)))
    assert torch.equal(starts[0], NOTHING)
    assert torch.equal(starts[1], MUCH)


def test_a_support_completes_only_the_logits_it_was_found_for(scene, on_the_dim_cell):
    found = last(refine(scene, on_the_dim_cell, METHODS["residual"])).guidance
    method = guided_by((MUCH, 1.0))
    support = last(refine(scene, on_the_dim_cell, method, found)).guidance.support
    assert found.support.weights.all()
    assert not support.weights.any()


def test_every_hint_weighs_the_same():
    stroke = Scribble((((0, 0), (0, 3)),), "background")
    hints = HintTensors.sampled(drawn(Click((5, 5), "cell"), stroke), torch.device("cpu"))
    weights = {
        tuple(position): weight
        for position, weight in zip(hints.positions.tolist(), hints.weights.tolist(), strict=True)
    }
    assert weights == {(5, 5): 0.5, **{(0, column): 0.125 for column in range(4)}}
    assert hints.classes[hints.positions[:, 0] == 0].tolist() == [0, 0, 0, 0]


def test_long_scribbles_are_thinned_evenly():
    painted = Scribble.from_mask(np.ones((16, 16), bool), "cell")
    hints = HintTensors.sampled(drawn(painted), torch.device("cpu"))
    assert len(hints.positions) < 100
    assert hints.positions[0].tolist() == [0, 0]
    assert hints.positions[-1].tolist() == [15, 15]
    assert float(hints.weights.sum()) == pytest.approx(1)
    assert len({tuple(position) for position in hints.positions.tolist()}) == len(hints.positions)


def test_saliency_brs_is_for_networks_that_take_maps_of_saliency(scene, on_the_dim_cell):
    with pytest.raises(InputError, match="toy takes no maps of saliency"):
        list(refine(scene, on_the_dim_cell, SHIPPED["saliency-brs"]))


def test_the_energy_of_brs_and_its_gradient_are_those_of_the_paper():
    """One dark pixel clicked as object: logit -15 - 20 + 24 - 12 z⁺, all by hand."""
    network = toys.frozen(toys.Clicked(30.0), interaction=InteractionMaps(reach=1))
    place = torch.tensor([[0, 0]])
    scene = Scene(network, np.zeros((1, 2), np.float32)).clicked(place, torch.tensor([1]))
    seen = []

    def minimiser(objective, start, steps) -> Iterator[Iterate]:
        values = start.clone()
        values[0, 0, 0, 0] = -0.9  # The object's map at the clicked pixel; it was 0.
        values[0, 1, 0, 1] = 0.5  # The background's at the other one, which was not clicked.
        values.requires_grad_()
        energy = objective(values)
        (gradient,) = torch.autograd.grad(energy, values)
        seen.append((float(energy.detach()), gradient))
        yield Iterate(0, start, float(energy.detach()))

    brs = SHIPPED["brs"]
    told = replace(brs, guiding=replace(brs.guiding, minimiser=minimiser))
    hints = HintPixels(np.array([[0, 0]]), np.array([1]), np.array([0]))
    for _ in refine(scene, hints, told):
        pass
    ((energy, gradient),) = seen
    logit = -15 - 20 + 24 + 12 * 0.9
    p = 1 / (1 + math.exp(-logit))
    assert energy == pytest.approx((1 - p) ** 2 + 1e-3 * (0.9**2 + 0.5**2), rel=1e-4)
    corrective = -2 * (1 - p) * p * (1 - p)
    assert float(gradient[0, 0, 0, 0]) == pytest.approx(-12 * corrective - 2e-3 * 0.9, rel=1e-4)
    assert float(gradient[0, 1, 0, 0]) == pytest.approx(24 * corrective, rel=1e-4)
    assert float(gradient[0, 0, 0, 1]) == 0
    assert float(gradient[0, 1, 0, 1]) == pytest.approx(2e-3 * 0.5, rel=1e-4)


def test_nothing_is_minimised_when_every_click_is_met(monkeypatch):
    network = toys.frozen(toys.Clicked(12.0), interaction=InteractionMaps(reach=1))
    image = np.ones((4, 4), np.float32)
    scene = Scene(network, image).clicked(torch.tensor([[1, 1]]), torch.tensor([1]))
    monkeypatch.setattr(network, "tail", lambda *_: pytest.fail("the tail was run"))
    hints = HintPixels(np.array([[1, 1]]), np.array([1]), np.array([0]))
    step = last(refine(scene, hints, SHIPPED["f-brs-c"]))
    assert step.guidance.values is None or not step.guidance.values.any()
    assert step.logits.argmax(0)[1, 1] == 1
