from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from napari_guideme.errors import InputError
from napari_guideme.networks.catalogue import CatalogueEntry, catalogue, open_network
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.unet import UNet

TABLE = """
description = "Nothing in particular."
licence = "CC0-1.0"
classes = ["background", "cell", "border"]
separator = "border"
guide_point = "encoder_1_5"
[architecture]
name = "unet"
in_channels = 1
n_classes = 3
widths = [2, 3]
[preparation]
channels = 1
multiple = 2
value_range = "none"
"""


@pytest.fixture
def module() -> UNet:
    return UNet(1, 3, (2, 3)).eval()


@pytest.fixture
def entry(tmp_path, module) -> CatalogueEntry:
    weights = {key: value.half() for key, value in module.state_dict().items()}
    save_file(weights, tmp_path / "toy.safetensors")
    (tmp_path / "toy.guideme.toml").write_text(TABLE)
    (tmp_path / "toy.md").write_text("# Toy\n")
    return CatalogueEntry("toy", tmp_path)


def test_an_entry_is_described_without_being_loaded(tmp_path, entry):
    (tmp_path / "toy.safetensors").unlink()
    assert entry.classes == ("background", "cell", "border")
    assert entry.licence == "CC0-1.0"
    assert entry.description == "Nothing in particular."
    assert entry.model_card == "# Toy\n"


def test_an_entry_is_loaded_as_its_table_says(entry):
    network = entry.load("cpu")
    assert network.name == "toy"
    assert network.classes == entry.classes
    assert network.separator == "border"
    assert network.licence == "CC0-1.0"
    assert network.description == "Nothing in particular."
    assert network.default_point == "encoder_1_5"
    assert network.preparation == Preparation(channels=1, multiple=2, value_range="none")


def test_half_weights_compute_in_full_precision(entry, module):
    x = torch.rand(1, 1, 8, 6)
    logits, _ = entry.load("cpu").observe(x)
    assert logits.dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(logits, module(x), atol=5e-3, rtol=0)


def test_nuclei_are_bundled():
    entry = catalogue()["nuclei"]
    assert entry.classes == ("background", "nucleus", "border")
    assert entry.licence == "CC0-1.0"
    network = open_network("nuclei", device="cpu")
    assert network.separator == "border"
    assert network.default_point == entry.card.guide_point


def test_a_click_network_is_bundled():
    entry = catalogue()["click"]
    assert entry.classes == ("background", "object")
    network = open_network("click", device="cpu")
    assert network.interaction == InteractionMaps(side=320)
    assert network.default_point == entry.card.guide_point
    assert not network.is_opaque


@pytest.mark.parametrize(("name", "megabytes"), [("nuclei", 4), ("click", 12)])
def test_bundled_weights_are_small(name, megabytes):
    assert catalogue()[name].path.stat().st_size < megabytes * 1e6


def test_what_is_bundled_has_a_model_card():
    for name, entry in catalogue().items():
        assert entry.model_card.startswith(f"# {name}\n")
        assert "Held out" in entry.model_card


def test_an_unknown_network_is_told_which_there_are():
    with pytest.raises(InputError, match=r"'cells'.*nuclei"):
        open_network("cells")
