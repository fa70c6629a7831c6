from __future__ import annotations

import shutil
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import torch

from napari_guideme import open_network
from napari_guideme.errors import InputError
from napari_guideme.networks import downloading, pretrained
from napari_guideme.networks.vision import torchvision

NAME = "lraspp_mobilenet_v3_large"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of weights, an empty cache, and a net that leads nowhere."""
    module = torchvision("torchvision.models").get_model(
        NAME, weights=None, weights_backbone=None, num_classes=21
    )
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def fails(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(downloading, "urlopen", fails)
    return module.eval(), tmp_path / "weights.pth"


@pytest.mark.parametrize("name", [NAME, f"torchvision:{NAME}"])
def test_weights_are_downloaded_once(weights, monkeypatch, name):
    module, file = weights
    asked = []

    def download(url, target, hash_prefix):
        asked.append((url.rpartition("/")[2], hash_prefix))
        target.parent.mkdir(parents=True)
        shutil.copy(file, target)

    monkeypatch.setattr(pretrained, "download", download)
    network = open_network(name, "cpu")
    assert open_network(name, "cpu").fingerprint == network.fingerprint
    ((stored, prefix),) = asked
    assert len(prefix) == 8
    assert stored.endswith(f"-{prefix}.pth")
    assert network.classes[:2] == ("background", "aeroplane")
    assert network.preparation.value_range == "dtype"
    assert network.preparation.mean == (0.485, 0.456, 0.406)
    x = torch.rand(1, 3, 40, 56)
    with torch.no_grad():
        torch.testing.assert_close(network.observe(x)[0], module(x)["out"], atol=1e-5, rtol=1e-4)


def test_offline(weights):
    with pytest.raises(InputError, match=r"lraspp.*cannot be downloaded .*no route.*go online"):
        open_network(NAME, "cpu")


def test_other_bytes_than_expected_are_not_kept(weights, monkeypatch, tmp_path):
    _, file = weights
    monkeypatch.setattr(downloading, "urlopen", lambda *_, **__: urlopen(file.as_uri()))
    with pytest.raises(InputError, match="was not downloaded whole"):
        open_network(NAME, "cpu")
    assert not list((tmp_path / "hub/checkpoints").iterdir())


def test_an_unknown_name_is_told_which_there_are():
    with pytest.raises(InputError, match=r"'resnet'; it has .*fcn_resnet50.*lraspp"):
        open_network("torchvision:resnet")
