from __future__ import annotations

import json

import pytest
import torch

from napari_guideme import open_network
from napari_guideme.errors import InputError

nets = pytest.importorskip("monai.networks.nets")

UNET = {
    "spatial_dims": 2,
    "in_channels": 1,
    "out_channels": 2,
    "channels": [4, 8],
    "strides": [2],
    "num_res_units": 1,
}


@pytest.fixture
def bundle(tmp_path):
    """Write a bundle with a network of our choice."""

    def write(network, **more):
        for folder in ("configs", "models"):
            (tmp_path / folder).mkdir(exist_ok=True)
        data = {
            "inputs": {"image": {"num_channels": 1, "spatial_shape": [96, "16*n"]}},
            "outputs": {"pred": {"channel_def": {"1": "spleen", "0": "background"}}},
        }
        metadata = {"name": "Spleen", "license": "Apache-2.0", "network_data_format": data}
        (tmp_path / "configs/metadata.json").write_text(json.dumps(metadata))
        config = {"imports": ["$import os"], "network_def": network, **more}
        (tmp_path / "configs/inference.json").write_text(json.dumps(config))
        module = nets.UNet(**UNET).eval()
        torch.save(module.state_dict(), tmp_path / "models/model.pt")
        return module

    return write


@pytest.mark.parametrize(
    "target", ["UNet", "monai.networks.nets.UNet", f"{nets.__name__}.unet.UNet"]
)
def test_a_bundle_is_opened(tmp_path, bundle, target):
    module = bundle({"_target_": target, **UNET, "out_channels": "@classes"}, classes=2)
    network = open_network(tmp_path, "cpu")
    assert network.classes == ("background", "spleen")
    assert (network.name, network.licence) == ("Spleen", "Apache-2.0")
    assert (network.preparation.channels, network.preparation.multiple) == (1, 16)
    x = torch.rand(1, 1, 32, 48)
    with torch.no_grad():
        torch.testing.assert_close(network.observe(x)[0], module(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        {"_target_": "os.mkdir", "path": "executed"},
        {"_target_": "monai.networks.nets.os.mkdir", "path": "executed"},
        {"_target_": "subprocess.run", "args": ["mkdir", "executed"]},
        {"_target_": "UNet", **UNET, "act": "$__import__('os').mkdir('executed')"},
        {"_target_": "UNet", **UNET, "act": {"_target_": "os.mkdir", "path": "executed"}},
        {"_target_": "UNet", **UNET, "channels": ["$os.mkdir('executed')", 8]},
        {"_target_": "UNet", **UNET, "act": "@evil"},
        {"_target_": "UNet", **UNET, "depth": 3},
        {"_target_": "$os.mkdir('executed')"},
    ],
    ids=str,
)
def test_a_configuration_is_not_executed(tmp_path, bundle, network, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle(network, evil="$__import__('os').mkdir('executed')")
    with pytest.raises(InputError) as caught:
        open_network(tmp_path, "cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def data_format(image, output=""):
    """Metadata that say this of input and output."""
    return (
        f'{{"network_data_format": {{"inputs": {{"image": {{{image}}}}}, '
        f'"outputs": {{"pred": {{{output}}}}}}}}}'
    )


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("configs/metadata.json", "[]"),
        ("configs/metadata.json", "{"),
        ("configs/metadata.json", '{"network_data_format": {"inputs": {"image": 3}}}'),
        ("configs/metadata.json", '{"network_data_format": [1]}'),
        ("configs/metadata.json", '{"network_data_format": {"inputs": [1]}}'),
        ("configs/metadata.json", data_format('"spatial_shape": 96')),
        ("configs/metadata.json", data_format('"num_channels": "many"')),
        ("configs/metadata.json", data_format("", '"channel_def": {"a": "spleen"}')),
        ("configs/metadata.json", data_format("", '"channel_def": {"0": "a", "1": "a"}')),
        ("configs/inference.json", "[1"),
        ("configs/inference.json", "{}"),
    ],
)
def test_a_broken_bundle(tmp_path, bundle, file, text):
    bundle({"_target_": "UNet", **UNET})
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError) as caught:
        open_network(tmp_path, "cpu")
    assert "\n" not in str(caught.value)
    assert tmp_path.name in str(caught.value) or file == "configs/inference.json"
