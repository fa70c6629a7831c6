from __future__ import annotations

from threading import Event

import numpy as np
import pytest
import skimage.data
import torch
from safetensors.torch import save_file
from torch import nn

from napari_guideme.errors import InputError
from napari_guideme.networks import cancelling, pretrained
from napari_guideme.networks.classifier import FrozenClassifier, open_classifier
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.vision import torchvision
from tests.untouched import lived_in, untouched

PREPARATION = Preparation(value_range="dtype", size=(16, 16))


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU6())
        self.classify = nn.Linear(4, 3)

    def forward(self, x):
        return self.classify(self.features(x).mean((2, 3)))


@pytest.fixture(scope="module")
def lite0() -> FrozenClassifier:
    return open_classifier("efficientnet-lite0", "cpu")


@pytest.fixture
def squeezenet(shared) -> FrozenClassifier:
    return open_classifier(shared / "models/squeezenet1_1/squeezenet1_1.safetensors", "cpu")


def likeliest(classifier: FrozenClassifier, image, channel_axis=-1) -> str:
    return classifier.labels[int(classifier.probabilities(image, channel_axis).argmax())]


@pytest.mark.parametrize(
    ("picture", "label"),
    [("cat", "Egyptian cat"), ("coffee", "espresso"), ("camera", "tripod")],
)
def test_lite0_knows_what_is_in_a_picture(lite0, picture, label):
    image = getattr(skimage.data, picture)()
    assert likeliest(lite0, image, None if image.ndim == 2 else -1) == label


def test_the_type_of_the_pixels_does_not_matter(lite0):
    image = skimage.data.coffee()
    expected = lite0.probabilities(image, -1)
    assert expected.dtype == np.float32
    assert expected.sum() == pytest.approx(1, abs=1e-4)
    for same in (image.astype(np.uint16) * 257, image / 255, np.moveaxis(image, -1, 0)):
        axis = 0 if same.shape[0] == 3 else -1
        np.testing.assert_allclose(lite0.probabilities(same, axis), expected, atol=1e-3)


def test_lite0_has_a_relu6_behind_all_wide_convolutions(lite0):
    assert len(lite0.rectifiers) == 33
    assert {r.ceiling for r in lite0.rectifiers} == {6}


def test_squeezenet_knows_what_is_in_a_picture(squeezenet):
    assert likeliest(squeezenet, skimage.data.cat()) == "Egyptian cat"
    assert likeliest(squeezenet, skimage.data.coffee()) == "espresso"
    assert len(squeezenet.rectifiers) == 26


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2", "googlenet", "resnet18"])
def test_torchvision_classifiers_compute_the_same(name, tmp_path, monkeypatch):
    models = torchvision("torchvision.models")
    module = models.get_model(
        name, weights=None, **({"init_weights": False} if "goog" in name else {})
    )
    if name == "googlenet":
        module.transform_input = True
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    weights = (tmp_path / "weights.pth").read_bytes()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    monkeypatch.setattr(pretrained, "download", lambda _, target, *__: target.write_bytes(weights))
    classifier = open_classifier(f"torchvision:{name}", "cpu")
    assert classifier.preparation.size == (224, 224)
    assert classifier.preparation.mean == (0.485, 0.456, 0.406)
    assert classifier.rectifiers
    x = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(x), module.eval()(x), atol=1e-4, rtol=1e-4)


def test_the_module_leaves_unchanged():
    module = lived_in(Toy())
    with untouched(module):
        classifier = FrozenClassifier(module, "abc", PREPARATION, device="cpu")
        x = torch.rand(1, 3, 16, 16).requires_grad_()
        torch.autograd.grad(classifier.scores(x)[0, 1], x)
        classifier.probabilities(np.zeros((5, 9), np.uint8))


def test_something_can_take_the_place_of_rectifiers():
    module = Toy().eval()
    classifier = FrozenClassifier(module, "abc", PREPARATION, device="cpu")
    seen = []

    def linear(rectifier, a):
        seen.append((rectifier.name, rectifier.ceiling))
        return a

    x = torch.rand(1, 3, 16, 16)
    first, _, second, _ = module.features
    with torch.no_grad():
        expected = module.classify(second(first(x)).mean((2, 3)))
        torch.testing.assert_close(classifier.scores(x, linear), expected)
        torch.testing.assert_close(classifier.scores(x), module(x))
    assert seen == [(r.name, r.ceiling) for r in classifier.rectifiers]


def test_it_can_be_cancelled():
    classifier = FrozenClassifier(Toy(), "abc", PREPARATION, device="cpu")
    event = Event()
    event.set()
    with cancelling.cancellable(event), pytest.raises(cancelling.Cancelled):
        classifier.scores(torch.rand(1, 3, 16, 16))


@pytest.mark.parametrize(
    ("labels", "synsets", "message"),
    [("abcd", (), "returns 3 scores.*4 labels"), ("abc", ("n1",), "1 WordNet ids.*3 labels")],
)
def test_labels_have_to_fit(labels, synsets, message):
    with pytest.raises(InputError, match=message):
        FrozenClassifier(Toy(), labels, PREPARATION, synsets=synsets, device="cpu")


def test_a_network_that_is_no_classifier_is_refused():
    with pytest.raises(InputError, match="classifies no image of shape"):
        FrozenClassifier(nn.Linear(2, 2), "ab", PREPARATION, device="cpu")


def test_labels_that_do_not_exist():
    classifier = FrozenClassifier(Toy(), "abc", PREPARATION, device="cpu")
    assert classifier.check_label(2) == 2
    for label in (-1, 3):
        with pytest.raises(InputError, match=rf"no label {label}; its labels are 0 to 2"):
            classifier.check_label(label)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg", r"no classifier 'vgg'; choose efficientnet-lite0, torchvision:NAME, or"),
        ("missing.safetensors", "no classifier 'missing.safetensors'; choose"),
        ("torchvision:fcn_resnet50", "torchvision has no classifier.*it has alexnet"),
        ("torchvision:densenet121", "torchvision has no classifier"),
    ],
)
def test_unknown_classifiers_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        open_classifier(name, "cpu")


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"other.safetensors does not fit SqueezeNet"):
        open_classifier(path, "cpu")
