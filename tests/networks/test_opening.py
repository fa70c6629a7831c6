from __future__ import annotations

import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_guideme import Click, GuideSession, open_network
from napari_guideme.errors import InputError
from napari_guideme.networks.card import NetworkCard, sidecar, write_card
from napari_guideme.networks.opening import guess_card
from tests import toys
from tests.networks.files import dark_and_bright, exported_unet, onnx_model, scripted_unet

UNET = {"name": "unet", "in_channels": 1, "n_classes": 2, "widths": [4, 6, 8]}
GREY = NetworkCard(classes=toys.CLASSES, preparation={"channels": 1, "value_range": "none"})


@pytest.fixture
def onnx_file(tmp_path):
    onnx.save(dark_and_bright(), tmp_path / "toy.onnx")
    return tmp_path / "toy.onnx"


def state_dict(path, wrapper=None):
    module = toys.unet().eval()
    state = module.state_dict()
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        state = {f"module.{key}": value for key, value in state.items()} if wrapper else state
        torch.save({"epoch": 3, wrapper: state} if wrapper else state, path)
    return module


WRITERS = {
    "net.pt2": exported_unet,
    "net.ts": scripted_unet,
    "net.torchscript": scripted_unet,
    "script.pt": scripted_unet,
    "program.pt": exported_unet,
    "net.safetensors": state_dict,
    "net.pth": state_dict,
    "checkpoint.pt": lambda path: state_dict(path, "state_dict"),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("error::FutureWarning", "error::UserWarning")
def test_every_form_computes_the_same_and_can_be_cut(tmp_path, name, capfd):
    with warnings.catch_warnings(action="ignore"):
        module = WRITERS[name](tmp_path / name)
    capfd.readouterr()
    network = open_network(tmp_path / name, "cpu", NetworkCard(architecture=UNET).completed(GREY))
    assert capfd.readouterr() == ("", "")
    assert network.preparation.multiple == 4
    assert not network.is_opaque
    assert len(network.feature_points) == 3
    x = torch.rand(1, 1, 40, 24)
    with torch.no_grad():
        torch.testing.assert_close(network.observe(x)[0], module(x), atol=1e-5, rtol=1e-4)
        head = network.head(x, network.default_point)
        torch.testing.assert_close(network.tail(head), module(x), atol=1e-5, rtol=1e-4)


def test_a_network_that_says_nothing_gets_generic_names(onnx_file, caplog):
    with caplog.at_level(logging.WARNING):
        network = open_network(onnx_file, "cpu")
    assert network.classes == ("background", "class 1")
    assert (network.output, network.preparation.channels) == ("logits", 1)
    (record,) = caplog.records
    assert "background, class 1, percentiles 1 and 99.8" in record.getMessage()
    assert "toy.guideme.toml" in record.getMessage()


def test_its_card_is_complete_and_opens_it_again_in_silence(onnx_file, caplog):
    network = open_network(onnx_file, "cpu")
    write_card(sidecar(onnx_file), network.card)
    caplog.clear()
    again = open_network(onnx_file, "cpu")
    assert not caplog.records
    assert again.card == network.card
    assert again.fingerprint == network.fingerprint


def test_what_counts_more(onnx_file):
    model = dark_and_bright(doc_string="x/255")
    onnx.helper.set_model_props(model, {"classes": "one,two", "licence": "MIT"})
    onnx.save(model, onnx_file)
    assert guess_card(onnx_file).classes == ("one", "two")
    (onnx_file.parent / "classes.txt").write_text("three\nfour\n")
    assert guess_card(onnx_file).classes == ("three", "four")
    write_card(sidecar(onnx_file), NetworkCard(classes=("five", "six")))
    card = guess_card(onnx_file)
    assert (card.classes, card.licence) == (("five", "six"), "MIT")
    network = open_network(
        onnx_file, "cpu", NetworkCard(classes=("seven", "eight"), preparation={"std": (2.0,)})
    )
    assert network.classes == ("seven", "eight")
    assert network.preparation.value_range == "dtype"
    assert network.preparation.std == (2.0,)


def test_names_that_do_not_fit_are_refused(onnx_file):
    (onnx_file.parent / "classes.txt").write_text("a\nb\nc\n")
    with pytest.raises(InputError, match=r"one channel for each of the 3 classes a, b, c"):
        open_network(onnx_file, "cpu")


def test_channels_last(tmp_path):
    nodes = [
        onnx.helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        onnx.helper.make_node("Conv", ["t", "w"], ["c"]),
        onnx.helper.make_node("Transpose", ["c"], ["u"], perm=[0, 2, 3, 1]),
        onnx.helper.make_node("Softmax", ["u"], ["y"], axis=-1),
    ]
    weights = {"w": np.array([[[[-4]]], [[[4]]]], np.float32)}
    onnx.save(onnx_model(nodes, [1, 24, 32, 1], weights), tmp_path / "last.onnx")
    network = open_network(tmp_path / "last.onnx", "cpu")
    assert network.output == "probabilities"
    assert network.preparation.size == (24, 32)
    logits, _ = network.observe(torch.full((1, 1, 24, 32), 0.5))
    expected = torch.tensor([-2.0, 2.0]).log_softmax(0)
    torch.testing.assert_close(logits[0, :, 3, 5], expected)


class Opaque(nn.Module):
    """Asks for a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = toys.pixelwise([-4.0, 4.0], [2.0, -2.0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.max() > 100.0):
            x = x / 100.0
        return self.classifier(x)


@pytest.mark.parametrize("method", ["residual", "f-brs", "guide-me"])
def test_an_opaque_network_is_guided_at_its_input(tmp_path, method, monkeypatch):
    torch.jit.save(torch.jit.script(Opaque().eval()), tmp_path / "opaque.ts")

    def fails(*_: object) -> None:
        raise RuntimeError("cannot be converted")

    monkeypatch.setattr("torch._export.converter.TS2EPConverter.convert", fails)
    network = open_network(tmp_path / "opaque.ts", "cpu", GREY)
    assert network.is_opaque
    assert network.feature_points == ("input",)
    picture = np.zeros((16, 16), np.float32)
    picture[2:6, 2:6], picture[10:14, 10:14] = 1.0, 0.45
    session = GuideSession(picture, network, method=method)
    assert session.predict()[12, 12] == 0
    session.add(Click((12, 12), "cell"))
    for _ in session.refine():
        pass
    assert session.satisfied() == [True]
    assert session.labels()[8, 1] == 0


def test_the_fingerprint_tells_networks_apart(onnx_file):
    known = open_network(onnx_file, "cpu", GREY).fingerprint
    assert known == open_network(onnx_file, "cpu", GREY).fingerprint
    renamed = NetworkCard(classes=("a", "b")).completed(GREY)
    assert known != open_network(onnx_file, "cpu", renamed).fingerprint
    model = onnx.load(onnx_file)
    weight = onnx.numpy_helper.to_array(model.graph.initializer[1]) + np.float32(1e-6)
    model.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(weight, "b"))
    onnx.save(model, onnx_file)
    assert known != open_network(onnx_file, "cpu", GREY).fingerprint


def test_tracing_is_silent(capfd):
    """A failing `torch.export` prints its graph."""
    toys.frozen(toys.DataBranch())
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [("net.h5", r"networks are read from \.onnx, "), ("other.yaml", "networks are read from")],
)
def test_other_files_are_refused(tmp_path, name, message):
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=message):
        open_network(tmp_path / name)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither rdf.yaml .* nor configs/metadata.json"):
        open_network(tmp_path)


def test_weights_alone_need_an_architecture(tmp_path):
    state_dict(tmp_path / "net.pth")
    with pytest.raises(InputError, match="name their architecture"):
        open_network(tmp_path / "net.pth")
    with pytest.raises(InputError, match="unknown architecture 'resnet'; choose one of unet, "):
        open_network(tmp_path / "net.pth", card=NetworkCard(architecture={"name": "resnet"}))
    wrong = {**UNET, "widths": [4, 6]}
    with pytest.raises(InputError, match=r"net\.pth does not fit UNet"):
        open_network(tmp_path / "net.pth", card=NetworkCard(architecture=wrong))
    with pytest.raises(InputError, match="does not take"):
        open_network(tmp_path / "net.pth", card=NetworkCard(architecture={**UNET, "depth": 3}))


def test_a_torchvision_architecture_by_name(tmp_path):
    from napari_guideme.networks.formats.architectures import build

    architecture = {"name": "fcn_resnet50", "num_classes": 3}
    module = build({**architecture, "aux_loss": True}).eval()
    torch.save(module.state_dict(), tmp_path / "fcn.pth")
    card = NetworkCard(classes=("a", "b", "c"), architecture=architecture)
    network = open_network(tmp_path / "fcn.pth", "cpu", card)
    assert network.card.architecture == architecture
    x = torch.rand(1, 3, 40, 56)
    with torch.no_grad():
        torch.testing.assert_close(network.observe(x)[0], module(x)["out"], atol=1e-4, rtol=1e-4)
