from __future__ import annotations

from itertools import pairwise
from threading import Event

import pytest
import skimage.data
import torch
from captum.attr import Deconvolution, GuidedBackprop
from torch import Tensor, fx, nn
from torch.nn import functional as F

from napari_guideme.errors import InputError
from napari_guideme.guidance.gates import GatedScore, feedback
from napari_guideme.networks import cancelling
from napari_guideme.networks.classifier import FrozenClassifier, open_classifier
from napari_guideme.networks.formats.weights import filled
from napari_guideme.networks.lite0 import Lite0Classifier, imagenet_weights
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.vision import torchvision
from tests.untouched import lived_in, untouched

SMALL = Preparation(value_range="dtype", size=(12, 12))


class Capped(nn.ReLU):
    """ReLU6 as captum knows it: it finds its ReLUs by their type."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0, 6)


class Linear(nn.Module):
    """score = v · relu(W x), x a picture of two pixels in one channel."""

    def __init__(self, rectifier: nn.Module) -> None:
        super().__init__()
        self.first, self.rectifier = nn.Conv2d(1, 3, (1, 2), bias=False), rectifier
        self.last = nn.Conv2d(3, 1, 1, bias=False)
        weights = torch.tensor([[1.0, 2.0], [-1.0, 1.0], [-3.0, 0.0]])
        self.first.weight.data = weights.view(3, 1, 1, 2)
        self.last.weight.data = torch.tensor([2.0, -1.0, 5.0]).view(1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.rectifier(self.first(x)))[:, :, 0, 0]


def by_hand(rectifier: nn.Module, reading: str = "rectifiers") -> GatedScore:
    """Of x = (2, 3): a = (8, 1, -6)."""
    preparation = Preparation(channels=1, size=(1, 2))
    classifier = FrozenClassifier(Linear(rectifier), ["it"], preparation, device="cpu")
    return GatedScore(classifier, torch.tensor([[[[2.0, 3.0]]]]), 0, reading)


class Residual(nn.Module):
    """ReLUs, skip connections, means; no max-pooling."""

    def __init__(self, depth: int = 4, make: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.wide = nn.ModuleList(nn.Conv2d(8, 16, 3, padding=1) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Conv2d(16, 8, 1) for _ in range(depth))
        self.rectify = make()
        self.classify = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.rectify(self.stem(x))
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            x = x + narrow(self.rectify(wide(x)))
        return self.classify(self.rectify(x).mean((2, 3)))


def residual(seed: int, make: type[nn.Module] = nn.ReLU) -> tuple[nn.Module, GatedScore]:
    torch.manual_seed(seed)
    module = Residual(make=make)
    classifier = FrozenClassifier(module, "abc", SMALL, device="cpu")
    return module, GatedScore(classifier, torch.randn(1, 3, 12, 12), seed % 3)


@pytest.fixture(scope="module")
def cat() -> Tensor:
    return open_classifier("efficientnet-lite0", "cpu").prepared(skimage.data.cat(), -1, (96, 96))


@pytest.fixture(params=["squeezenet", "lite0"])
def known(request, cat) -> tuple[nn.Module, FrozenClassifier]:
    """A trained classifier, and the module that it is made of, as captum wants it."""
    if request.param == "lite0":
        module: nn.Module = Lite0Classifier().eval()
        module.load_state_dict(imagenet_weights())
        return _for_captum(module), open_classifier("efficientnet-lite0", "cpu")
    path = request.getfixturevalue("shared") / "models/squeezenet1_1/squeezenet1_1.safetensors"
    module = filled(torchvision("torchvision.models").squeezenet1_1(), path)
    return _for_captum(module.eval()), open_classifier(path, "cpu")


def _for_captum(module: nn.Module) -> nn.Module:
    """All rectifiers as modules of their own that are ReLUs and do not work in place."""
    traced = fx.symbolic_trace(module)
    for node in list(traced.graph.nodes):
        part = traced.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(part, nn.ReLU | nn.ReLU6) or node.target is F.relu6:
            capped = isinstance(part, nn.ReLU6) or node.target is F.relu6
            traced.add_submodule(f"own_{node.name}", Capped() if capped else nn.ReLU())
            with traced.graph.inserting_after(node):
                own = traced.graph.call_module(f"own_{node.name}", (node.args[0],))
            node.replace_all_uses_with(own)
            traced.graph.erase_node(node)
    traced.recompile()
    return traced


def after(score: GatedScore, sweeps: int) -> Tensor:
    *_, last = feedback(score, "hard", sweeps)
    assert last.step == sweeps
    return last.values


def test_a_sweep_by_hand():
    """v = (2, -1, 5): the second gate closes, and the third opens, though nothing comes through."""
    score = by_hand(nn.ReLU())
    start, first = feedback(score, "hard")
    assert start.values.tolist() == [1, 1, 1]
    assert start.energy == -(2 * 8 - 1)
    assert first.values.tolist() == [1, 0, 1]
    assert first.energy == -16
    # 2 (1, 2) - 1 (-1, 1), then without the second unit.
    assert score.image_gradient(start.values).flatten().tolist() == [3, 3]
    assert score.image_gradient(first.values).flatten().tolist() == [2, 4]


def test_the_gates_alone_let_through_what_the_rectifier_would_not():
    score = by_hand(nn.ReLU(), "gates")
    assert score.message(score.gates.initial()).flatten().tolist() == [2 - 15, 4]
    assert score.image_gradient(after(score, 1)).flatten().tolist() == [2 - 15, 4]


def test_a_relu6_that_is_full_passes_nothing_back():
    """a = (8, 1, -6) becomes (6, 1, 0): only the second unit is within the bounds."""
    score = by_hand(nn.ReLU6())
    assert float(score.energy(torch.ones(3))) == -(2 * 6 - 1)
    assert score.image_gradient(torch.ones(3)).flatten().tolist() == [1, -1]
    assert after(score, 1).tolist() == [1, 0, 1]
    assert score.image_gradient(after(score, 1)).flatten().tolist() == [0, 0]
    assert float(score.energy(after(score, 1))) == -12


def test_what_comes_through_the_gates_by_hand():
    """The contributions are 2·8, -1·1 and 5·0: only what speaks for the label counts."""
    score = by_hand(nn.ReLU())
    (name,) = score.gates.shapes
    half = torch.tensor([0.5, 1.0, 1.0])
    assert score.evidence(score.gates.initial())[name].tolist() == [[[[16.0]]]]
    assert score.evidence(half)[name].tolist() == [[[[8.0]]]]
    *_, last = feedback(score, "soft", 1)
    known, anew = score.evidence(last.values, last.gradient), score.evidence(last.values)
    torch.testing.assert_close(known[name], anew[name], rtol=0, atol=0)
    assert score.opened(half)[name].tolist() == [[[[16.0]]]]


def test_evidence_has_a_map_for_each_rectifier_from_the_image_on():
    _, score = residual(0)
    names = [rectifier.name for rectifier in score.classifier.rectifiers]
    values = score.gates.initial()
    for evidence in (score.opened(values), score.evidence(values)):
        assert list(evidence) == names
        for name, found in evidence.items():
            assert found.shape == (1, 1, *score.gates.shapes[name][2:])
            assert (found >= 0).all()
    # In the last rectifier nothing is gated above, so both are the same.
    torch.testing.assert_close(score.opened(values)[names[-1]], score.evidence(values)[names[-1]])


def test_the_soft_form_by_hand():
    score = by_hand(nn.ReLU())
    *_, last = feedback(score, "soft")
    assert last.energy == -16
    assert last.values[:2].tolist() == [1, 0]


def test_without_gates_it_is_the_gradient():
    module, score = residual(0)
    x = score.x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(module.eval()(x)[0, 0], x)
    torch.testing.assert_close(score.image_gradient(score.gates.initial()), expected)
    assert float(score.energy(score.gates.initial())) == pytest.approx(
        -float(module(x)[0, 0].detach())
    )


def test_the_gradient_of_the_energy_is_that_of_finite_differences():
    _, score = residual(1)
    values = torch.rand(score.gates.initial().shape, dtype=torch.float32).requires_grad_()
    (slope,) = torch.autograd.grad(score.energy(values), values)
    direction = torch.randn(values.shape)
    with torch.no_grad():
        ends = [float(score.energy(values + step * direction)) for step in (1e-3, -1e-3)]
    assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(float((slope * direction).sum()), rel=0.02)


@pytest.mark.parametrize("seed", range(12))
def test_no_sweep_lowers_the_score_of_a_network_of_relus(seed):
    _, score = residual(seed)
    values, energies = score.gates.initial(), []
    for _ in range(8):
        energy, values = score.sweep(values)
        energies.append(energy)
    assert all(b <= a + 1e-4 for a, b in pairwise(energies))
    assert energies[1] < energies[0]


def test_the_descent_ends_where_no_gate_changes():
    _, score = residual(0)
    *_, last = feedback(score, "hard", 100)
    assert last.step < 100
    assert torch.equal(score.sweep(last.values)[1], last.values)


@pytest.mark.parametrize("form", ["hard", "soft"])
@pytest.mark.parametrize("make", [nn.ReLU, nn.ReLU6])
def test_the_score_grows_from_step_to_step(form, make):
    _, score = residual(3, make)
    energies = [iterate.energy for iterate in feedback(score, form)]
    assert energies == sorted(energies, reverse=True)
    assert energies[-1] < energies[0]


def test_both_forms_raise_the_score_about_as_far():
    _, score = residual(5)
    hard, soft = ([i.energy for i in feedback(score, form, 100)] for form in ("hard", "soft"))
    assert soft[-1] == pytest.approx(hard[-1], rel=0.05)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize("label", [281, 700])
def test_one_sweep_is_guided_backpropagation(known, cat, label):
    module, classifier = known
    expected = GuidedBackprop(module).attribute(cat.clone().requires_grad_(), target=label)
    score = GatedScore(classifier, cat, label, "rectifiers")
    found = score.message(score.gates.initial())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize("label", [281, 700])
def test_one_sweep_through_the_gates_alone_is_the_deconvnet(known, cat, label):
    module, classifier = known
    expected = Deconvolution(module).attribute(cat.clone().requires_grad_(), target=label)
    score = GatedScore(classifier, cat, label, "gates")
    found = score.message(score.gates.initial())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_without_pooling_the_deconvnet_is_the_end_and_knows_no_image():
    """Lite0: its messages through the gates alone depend on nothing but weights and label."""
    classifier = open_classifier("efficientnet-lite0", "cpu")
    ends = []
    for x in torch.randn(2, 1, 3, 64, 64):
        score = GatedScore(classifier, x, 281, "gates")
        *_, last = feedback(score, "hard")
        assert last.step == 1
        ends.append(score.image_gradient(last.values))
    torch.testing.assert_close(*ends)


def test_more_sweeps_go_beyond_guided_backpropagation():
    _, score = residual(2)
    first, second = (score.message(after(score, sweeps)) for sweeps in (0, 1))
    assert not torch.allclose(first, second)


def test_in_the_end_the_message_is_the_gradient_of_the_gated_network():
    _, score = residual(2)
    *_, last = feedback(score, "hard", 100)
    torch.testing.assert_close(score.message(last.values), score.image_gradient(last.values))


@pytest.mark.parametrize("form", ["hard", "soft"])
def test_the_module_leaves_unchanged(form):
    module = lived_in(Residual())
    with untouched(module):
        classifier = FrozenClassifier(module, "abc", SMALL, device="cpu")
        score = GatedScore(classifier, torch.rand(1, 3, 12, 12), 1)
        *_, last = feedback(score, form, 3)
        with torch.no_grad():
            score.image_gradient(last.values)
    assert not score.x.requires_grad


def test_it_can_be_dropped_and_cancelled():
    _, score = residual(0)
    running = feedback(score, "hard")
    next(running)
    running.close()
    assert list(running) == []
    event = Event()
    running = feedback(score, "soft")
    with cancelling.cancellable(event):
        next(running)
        event.set()
        with pytest.raises(cancelling.Cancelled):
            next(running)


def test_several_inputs_have_gates_of_their_own():
    _, score = residual(0)
    classifier, x = score.classifier, torch.randn(3, 3, 12, 12)
    together = GatedScore(classifier, x, 0)
    gradients = together.image_gradient(after(together, 2))
    for one, expected in zip(x, gradients, strict=True):
        alone = GatedScore(classifier, one[None], 0)
        torch.testing.assert_close(alone.image_gradient(after(alone, 2))[0], expected)


def test_what_cannot_be_gated_is_refused():
    classifier = FrozenClassifier(Linear(nn.GELU()), ["it"], Preparation(channels=1, size=(1, 2)))
    with pytest.raises(InputError, match="no ReLU in its graph"):
        GatedScore(classifier, torch.zeros(1, 1, 1, 2), 0)
    with pytest.raises(InputError, match="no label 1"):
        GatedScore(by_hand(nn.ReLU()).classifier, torch.zeros(1, 1, 1, 2), 1)
    with pytest.raises(InputError, match="'firm' is unknown; choose one of hard, soft"):
        feedback(by_hand(nn.ReLU()), "firm")
