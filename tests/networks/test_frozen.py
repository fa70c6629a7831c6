from __future__ import annotations

import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_guideme import Click, GuideSession
from napari_guideme.errors import InputError
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.networks.preparation import Preparation
from tests import toys
from tests.untouched import lived_in, untouched

FLAT = Preparation(channels=1, value_range="none", multiple=4)
DEEP = Preparation(ndim=3, channels=1, value_range="none", multiple=2)

#: A module, how to feed it, the shape of an input, and how many guide points there are at least.
NETWORKS = {
    "U-Net": (toys.unet, FLAT, (20, 12), 10),
    "residual": (toys.Residual, FLAT, (20, 12), 5),
    "volume": (toys.Volume, DEEP, (4, 6, 8), 2),
    "exported": (toys.ShapeBranch, FLAT, (20, 12), 3),
    "opaque": (toys.DataBranch, FLAT, (20, 12), 1),
    "writes to its input": (toys.WritesToItsInput, FLAT, (20, 12), 3),
}


@pytest.fixture(params=NETWORKS)
def case(request) -> tuple[nn.Module, FrozenNetwork, Tensor, Tensor]:
    """A module in training, the same frozen, an input and the logits in evaluation."""
    build, preparation, shape, _ = NETWORKS[request.param]
    module, x = toys.with_statistics(build()).eval(), torch.rand(1, 1, *shape)
    with torch.no_grad():
        logits = module(x.clone())
    lived_in(module)
    return module, toys.frozen(module, preparation=preparation), x, logits


def test_head_and_tail_are_the_network_at_every_guide_point(case):
    _, network, x, logits = case
    given = x.clone()
    for point in network.guide_points:
        head = network.head(x, point.name)
        assert head.activation.shape[1] == point.channels
        for _ in range(2):
            assert torch.equal(network.tail(head), logits), point
            assert torch.equal(network.tail(head, head.activation), logits), point
    assert torch.equal(x, given)


def test_observing_is_running_the_network(case):
    _, network, x, logits = case
    names = [point.name for point in network.guide_points]
    observed, activations = network.observe(x, names)
    assert torch.equal(observed, logits)
    assert list(activations) == names
    for name, activation in activations.items():
        assert torch.equal(activation, network.head(x, name).activation), name


@pytest.mark.parametrize(
    ("squash", "channels", "output"),
    [
        (torch.sigmoid, 1, "probabilities"),
        (lambda y: y.softmax(1), 2, "probabilities"),
        (lambda y: y, 1, "logits"),
        (lambda y: y, 2, "logits"),
    ],
)
def test_what_a_module_returns_is_tried_out(squash, channels, output):
    class Squashed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = toys.pixelwise([20.0] * channels, [-10.0, 10.0][:channels])

        def forward(self, x: Tensor) -> Tensor:
            return squash(self.inner(x))

    preparation = Preparation(channels=1, value_range="none")
    network = FrozenNetwork(Squashed(), toys.CLASSES, preparation, device="cpu")
    assert (network.output, network.card.output) == (output, output)
    assert toys.frozen(Squashed(), output="logits").output == "logits"
    if channels == 1:
        dark, bright = network.observe(torch.tensor([[[[0.0, 1.0]]]]))[0].argmax(1).flatten()
        assert (dark, bright) == (0, 1)


class Cast(nn.Module):
    """Computes in another precision than it is fed in."""

    def __init__(self, dtype: torch.dtype, *, is_sure: bool = False) -> None:
        super().__init__()
        self.inner = nn.Sequential(toys.DarkAndBright(), nn.Conv2d(2, 2, 1)).to(dtype)
        self.dtype, self.is_sure = dtype, is_sure

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x.to(self.dtype))
        return y.softmax(1) if self.is_sure else y


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("method", ["residual", "f-brs", "guide-me", "brs", "rgb-brs"])
def test_a_network_that_casts_by_itself_is_guided(dtype, method):
    torch.manual_seed(0)
    network = toys.frozen(Cast(dtype))
    logits, kept = network.observe(torch.rand(1, 1, 8, 8), network.feature_points)
    assert {logits.dtype, *(values.dtype for values in kept.values())} == {torch.float32}
    session = GuideSession(np.random.default_rng(0).random((24, 24)), network, method=method)
    session.add(Click((12, 12), network.classes[1 - session.predict()[12, 12]]))
    list(session.refine())
    assert session.satisfied() == [True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_probabilities_of_another_precision_are_seen(dtype):
    assert toys.frozen(Cast(dtype, is_sure=True), output=None).output == "probabilities"


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_a_network_of_another_precision_is_told_how_to_convert_it(dtype):
    with pytest.raises(InputError, match=rf"weights are {dtype}: convert it by \.float\(\)"):
        toys.frozen(toys.DarkAndBright().to(dtype))


@pytest.mark.parametrize("decide", [lambda y: y.argmax(1, keepdim=True), lambda y: y > 0])
def test_labels_are_no_logits(decide):
    class Decided(toys.DarkAndBright):
        def forward(self, x: Tensor) -> Tensor:
            return decide(super().forward(x))

    with pytest.raises(InputError, match="expected are the logits or probabilities before"):
        toys.frozen(Decided())


class Particular(nn.Module):
    """Takes sides that are multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = toys.pixelwise([-1.0, 1.0], [1.0, 0.0])

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % 16 != 0:
            raise ValueError("sides are multiples of 16")
        return self.inner(x)


def test_torchscript_fails_in_one_line():
    odd = Preparation(channels=1, value_range="none", multiple=9)
    with pytest.raises(InputError, match=r"\(1, 1, 72, 72\): sides are multiples of 16$") as caught:
        toys.frozen(torch.jit.script(Particular()), preparation=odd)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_torchscript_is_frozen_without_a_word():
    module = torch.jit.script(toys.DarkAndBright())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        toys.frozen(module)
    assert not told
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_gradients_reach_the_activation_and_nothing_else(case):
    module, network, x, _ = case
    with untouched(module):
        for point in network.guide_points:
            head = network.head(x, point.name)
            assert not head.activation.requires_grad
            activation = head.activation.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(network.tail(head, activation).sum(), activation)
            assert gradient.abs().sum() > 0, point


@pytest.mark.parametrize("name", NETWORKS)
def test_guide_points_are_found(name):
    build, preparation, _, at_least = NETWORKS[name]
    network = toys.frozen(build(), preparation=preparation)
    points = network.guide_points
    assert len(points) >= at_least
    assert network.is_opaque == (at_least == 1)
    assert points[0].name == "input"
    assert (points[0].channels, points[0].stride, points[0].tail_share) == (1, 1, 1)


def test_by_default_the_last_coarse_point_guides():
    network = toys.frozen(toys.unet(), preparation=FLAT)
    assert network.default_point == "encoder_2_5"
    assert network.feature_points == ("encoder_1_5", "encoder_2_5", "decoder_0_5")
    assert toys.frozen(toys.Chain()).default_point == "relu_1"
    assert toys.frozen(toys.Chain(), guide_point="relu").default_point == "relu"


def test_the_tail_computes_from_a_moved_activation(network):
    head = network.head(torch.tensor([[[[0.25]]]]), "relu")
    assert head.activation.ravel().tolist() == [0.75, 0.25]
    assert network.tail(head, 2 * head.activation).ravel().tolist() == [1.5, 0.5]
    assert network.tail(head).ravel().tolist() == [0.75, 0.25]


def test_skips_cross_the_cut():
    network = toys.frozen(toys.unet(), preparation=FLAT)
    head = network.head(torch.rand(1, 1, 8, 8), "encoder_2_5")
    skips = [value for value in head.crossing.values() if isinstance(value, Tensor)]
    assert {tuple(skip.shape[1:]) for skip in skips} >= {(4, 8, 8), (6, 4, 4)}


class Returning(nn.Module):
    """Returns its logits in some wrapping."""

    def __init__(self, wrap) -> None:
        super().__init__()
        self.logits = toys.pixelwise([1.0, -1.0], [0.0, 0.5])
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(self.logits(x))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: {"out": y},
        lambda y: {"aux": y + 1, "out": y},
        lambda y: OrderedDict(logits=y),
        lambda y: (y, y + 1),
        lambda y: [y],
        lambda y: [(y,)],
    ],
)
def test_logits_may_come_wrapped(wrap):
    network = toys.frozen(Returning(wrap))
    logits, _ = network.observe(torch.tensor([[[[2.0]]]]))
    assert logits.ravel().tolist() == [2.0, -1.5]
    assert torch.equal(network.tail(network.head(torch.tensor([[[[2.0]]]]), "input")), logits)


def test_one_channel_stands_for_two_classes():
    logits, _ = toys.frozen(toys.pixelwise([2.0], [1.0])).observe(torch.tensor([[[[3.0]]]]))
    assert logits.ravel().tolist() == [0.0, 7.0]


def test_one_channel_of_probabilities():
    module = nn.Sequential(toys.pixelwise([2.0], [1.0]), nn.Sigmoid())
    network = toys.frozen(module, output="probabilities")
    x = torch.tensor([[[[-0.5, 3.0]]]])
    probabilities = network.observe(x)[0].softmax(1)[0, 1]
    np.testing.assert_allclose(probabilities, [[0.5, 1 / (1 + np.exp(-7))]], rtol=1e-4)


def test_probabilities_become_logits():
    module = nn.Sequential(toys.pixelwise([0.0, 0.0], [0.0, np.log(3.0)]), nn.Softmax(1))
    network = toys.frozen(module, output="probabilities")
    logits, _ = network.observe(torch.zeros(1, 1, 2, 2))
    np.testing.assert_allclose(logits[0, :, 0, 0], np.log([0.25, 0.75]), rtol=1e-5)


def test_certain_probabilities_stay_finite():
    module = nn.Sequential(toys.pixelwise([0.0, 0.0], [-1e4, 1e4]), nn.Softmax(1))
    logits, _ = toys.frozen(module, output="probabilities").observe(torch.zeros(1, 1, 2, 2))
    assert torch.isfinite(logits).all()


def test_weights_are_shared_and_not_copied(case):
    module, network, x, _ = case
    pointers = {parameter.data_ptr() for parameter in module.parameters()}
    assert {p.data_ptr() for p in network._graph_module.parameters()} == pointers
    assert not any(p.requires_grad for p in network._graph_module.parameters())
    for parameter in module.parameters():
        parameter.data.zero_()
    assert not network.observe(x)[0].any()


def test_training_goes_on_beside_a_frozen_network():
    module = lived_in(toys.with_statistics(toys.Residual()))
    network = toys.frozen(module)
    x = torch.rand(1, 1, 8, 8)
    before = network.observe(x)[0]
    with torch.no_grad():
        module(x)
    assert module.norm.num_batches_tracked == 1
    assert torch.equal(network.observe(x)[0], before)


def test_a_module_is_handed_back_unchanged(case):
    module, network, x, _ = case
    with untouched(module):
        toys.frozen(module, preparation=network.preparation)
        with pytest.raises(InputError):
            toys.frozen(module, ("a", "b", "c"), preparation=network.preparation)
        for point in network.guide_points:
            network.tail(network.head(x, point.name))
        network.observe(x)
        with pytest.raises(InputError, match=r"does not run on an input of shape \(1, 5"):
            network.observe(torch.zeros(1, 5, *x.shape[2:]))


def test_an_error_in_the_middle_leaves_the_module_unchanged():
    module, armed = lived_in(toys.Chain()), []

    def trap(*_: object) -> None:
        if armed:
            raise RuntimeError("boom")

    module.coarse.register_forward_hook(trap)
    network, x = toys.frozen(module), torch.rand(1, 1, 8, 8)
    head = network.head(x, "relu")
    armed.append(True)
    with untouched(module):
        with pytest.raises(InputError, match=r"network does not run .*\(1, 1, 8, 8\): boom"):
            network.observe(x)
        with pytest.raises(InputError, match="boom"):
            network.head(x, "relu_1")
        with pytest.raises(RuntimeError, match="boom"):
            network.tail(head)
    armed.clear()
    assert torch.equal(network.tail(head), network.observe(x)[0])


def test_a_size_beyond_what_the_graph_knows_is_refused():
    network = toys.frozen(toys.WideBranch())
    network.observe(torch.zeros(1, 1, 4, 500))
    with pytest.raises(InputError, match=r"does not run on an input of shape \(1, 1, 4, 501\)"):
        network.observe(torch.zeros(1, 1, 4, 501))


def weight_norm() -> nn.Module:
    module = toys.Chain()
    module.coarse = nn.utils.weight_norm(module.coarse)
    return module


def parametrised() -> nn.Module:
    module = toys.Chain()
    module.coarse = nn.utils.parametrizations.weight_norm(module.coarse)
    return module


def used() -> nn.Module:
    class Remembers(toys.Chain):
        def forward(self, x):
            self.last = F.relu(self.fine(x))
            return self.classifier(F.relu(self.coarse(self.last)))

    module = Remembers()
    module(torch.rand(1, 1, 8, 8))
    return module


def tied() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1))
    module[1].weight = module[0].weight
    return nn.Sequential(module, nn.Conv2d(1, 2, 1))


def scripted() -> nn.Module:
    return torch.jit.trace(toys.Chain().eval(), torch.rand(1, 1, 8, 8))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("build", [weight_norm, parametrised, used, tied, scripted])
def test_unusual_modules_are_frozen_too(build):
    module, x = build().eval(), torch.rand(1, 1, 8, 8)
    network = toys.frozen(module)
    with torch.no_grad():
        logits = module(x)
    for point in network.guide_points:
        assert torch.equal(network.tail(network.head(x, point.name)), logits)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv2d(1, 3, 1), "one channel for each of the 2 classes background, cell"),
        (nn.Conv2d(2, 2, 1), r"does not run on an input of shape \(1, 1, 64, 64\)"),
        (nn.Conv2d(1, 2, 1).half(), "does not run"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64 * 64, 2)), "one map per class"),
        (nn.Bilinear(2, 2, 2), "does not run .* missing"),
    ],
)
def test_a_module_that_does_not_fit_is_refused(module, message):
    with pytest.raises(InputError, match=message):
        toys.frozen(module)


def test_an_unknown_guide_point_is_told_which_there_are():
    network, x = toys.frozen(toys.Chain()), torch.zeros(1, 1, 8, 8)
    for use in (
        network.guide_point,
        lambda name: network.head(x, name),
        lambda name: network.observe(x, [name]),
        lambda name: toys.frozen(toys.Chain(), guide_point=name),
    ):
        with pytest.raises(InputError, match=r"'encoder'.* input, relu, relu_1"):
            use("encoder")


@pytest.mark.parametrize("name", ["cuda:7", "gpu", "", "CPU"])
def test_an_unknown_device_is_told_which_there_are(name):
    with pytest.raises(InputError, match=r"choose auto, .*cpu"):
        toys.frozen(toys.Chain(), device=name)


def test_a_network_says_what_it_is(network):
    assert repr(network) == "FrozenNetwork('toy', classes=('background', 'cell'), device='cpu')"


@pytest.mark.gpu
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_on_a_gpu(name, cuda):
    build, preparation, shape, _ = NETWORKS[name]
    module, x = toys.with_statistics(build()).eval(), torch.rand(1, 1, *shape)
    with torch.no_grad():
        logits = module(x.clone())
    with untouched(module):
        network = toys.frozen(module, preparation=preparation, device=cuda)
        for point in network.guide_points:
            tail = network.tail(network.head(x, point.name))
            assert tail.device.type == "cuda"
            torch.testing.assert_close(tail.cpu(), logits, atol=1e-2, rtol=1e-2)
