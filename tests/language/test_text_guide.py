from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_guideme.errors import InputError
from napari_guideme.hints import TextHint
from napari_guideme.language import text_guide
from napari_guideme.language.queries import vocabulary
from napari_guideme.language.text_guide import Purpose, TextGuide, guided, word_vectors
from napari_guideme.networks.catalogue import catalogue
from tests import toys

FIND = TextHint("find", "cell", ((0, 0),))
REMOVE = TextHint("remove", "cell")


def guide_for(network, *, cells=(2, 2), operations=("find", "remove"), **options) -> TextGuide:
    known = vocabulary(network.classes)
    purpose = Purpose(network.fingerprint, "relu", network.classes, operations, cells)
    return TextGuide(purpose, 2, known, word_vectors(known), **{"hidden": 8, **options})


def trained(guide: TextGuide) -> TextGuide:
    """Stand in for training: every weight is something."""
    with torch.no_grad():
        for parameter in guide.parameters():
            parameter.uniform_(-0.5, 0.5)
    return guide


@pytest.fixture
def activation():
    return torch.rand(1, 2, 6, 6)


@pytest.mark.parametrize("residual_block", [False, True])
@pytest.mark.parametrize("cells", [(), (3, 3)])
def test_an_untrained_guide_changes_nothing(network, activation, cells, residual_block):
    guide = guide_for(network, cells=cells, residual_block=residual_block)
    assert torch.equal(guided(guide, activation, [FIND, REMOVE]), activation)


@pytest.mark.parametrize("residual_block", [False, True])
@pytest.mark.parametrize("cells", [(), (3, 3)])
def test_an_untrained_guide_can_learn(network, activation, cells, residual_block):
    guide = guide_for(network, cells=cells, residual_block=residual_block)
    (values,) = guide(["find the cell"])
    guide.moved(activation, values).sum().backward()
    assert guide.values.bias.grad.any()


def test_without_hints_nothing_changes(network, activation):
    assert torch.equal(guided(trained(guide_for(network)), activation, []), activation)


def test_words_move_scale_bias_rows_and_columns(network):
    guide = guide_for(network)
    values = [1.0, 0.0, 0.5, 0.0, 0.0, 1.0, 0.0, -1.0]  # Scale, bias, rows, columns.
    with torch.no_grad():
        guide.values.bias.copy_(torch.tensor(values))
    ones = torch.ones(1, 2, 2, 2)
    by_hand = [[[2.5, 1.5], [3.5, 2.5]], [[1.0, 0.0], [2.0, 1.0]]]
    assert guided(guide, ones, [FIND]).tolist() == [by_hand]
    twice = guided(guide, guided(guide, ones, [FIND]), [FIND])
    assert torch.equal(guided(guide, ones, [FIND, FIND]), twice)


def test_what_is_said_makes_a_difference(network, activation):
    guide = trained(guide_for(network))
    hints = [FIND, REMOVE, TextHint("find", "background", ((0, 0),)), replace(FIND, place=())]
    moved = [guided(guide, activation, [hint]) for hint in hints]
    different = [not torch.equal(a, b) for i, a in enumerate(moved) for b in moved[:i]]
    assert all(different)


def test_phrases_of_different_lengths_are_read_together_as_alone(network):
    guide = trained(guide_for(network))
    said = ["find the cell in the middle row", "remove the cell"]
    alone = torch.cat([guide([one]) for one in said])
    assert torch.allclose(guide(said), alone, atol=1e-6)


def test_word_vectors_are_not_trained(network):
    assert "vectors" not in dict(guide_for(network).named_parameters())
    assert "vectors" in guide_for(network).state_dict()


def test_vectors_without_a_table_are_made_of_the_letters():
    cell, nucleus, again = word_vectors(["cell", "nucleus", "cell"], dimensions=16)
    assert torch.equal(cell, again)
    assert cell.norm().item() == pytest.approx(4.0, abs=1e-5)
    assert abs(float(cell @ nucleus)) < 12
    # The same on every machine: from the SHAKE-256 of the word.
    assert cell[:3].tolist() == pytest.approx([-0.7375, 2.1632, 0.0403], abs=1e-4)


def test_vectors_from_a_table(tmp_path):
    table = tmp_path / "table.npz"
    vectors = np.array([[3, 4], [0, 2]], np.float16)
    np.savez(table, words=np.array(["cell", "the"]), vectors=vectors)
    found = word_vectors(["the", "cell", "unheard"], table)
    root = 2**0.5
    assert found[:2].tolist() == [
        pytest.approx([0, root], abs=1e-6),
        pytest.approx([0.6 * root, 0.8 * root], abs=1e-6),
    ]
    assert torch.equal(found[2], word_vectors(["unheard"], dimensions=2)[0])


@pytest.mark.parametrize("residual_block", [False, True])
@pytest.mark.parametrize("cells", [(), (3, 3)])
def test_a_guide_is_read_as_it_was_written(network, activation, tmp_path, cells, residual_block):
    guide = trained(guide_for(network, cells=cells, residual_block=residual_block))
    path = tmp_path / "toy.text-guide.safetensors"
    guide.save(path)
    read = text_guide.load(path, network)
    assert read.purpose == guide.purpose
    expected = guided(guide, activation, [FIND])
    assert torch.allclose(guided(read, activation, [FIND]), expected, atol=0.02)
    assert not torch.allclose(expected, activation, atol=0.1)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_guide_of_another_network_is_refused(network, tmp_path):
    guide_for(network).save(tmp_path / "toy.text-guide.safetensors")
    other = toys.frozen(toys.DarkAndBright(), ("nothing", "cell"), guide_point="relu")
    with pytest.raises(InputError, match="another network, with the classes background, cell"):
        text_guide.load(tmp_path / "toy.text-guide.safetensors", other)


def test_a_file_that_is_not_there_is_told(network, tmp_path):
    with pytest.raises(InputError, match="there is no text guide"):
        text_guide.load(tmp_path / "toy.text-guide.safetensors", network)


def rewritten(path, **changes):
    """Write a guide's file with other entries in what it tells about itself."""
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["text_guide"])
    state = changes.pop("state", load_file(path))
    save_file(state, path, {"text_guide": json.dumps(told | changes)})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(b""),
        lambda path: save_file({"a": torch.ones(1)}, path),
        lambda path: save_file({"a": torch.ones(1)}, path, {"text_guide": "[]"}),
        lambda path: save_file({"a": torch.ones(1)}, path, {"text_guide": "not JSON"}),
        lambda path: rewritten(path, words=["find"]),
        lambda path: rewritten(path, words=None),
        lambda path: rewritten(path, cells=[5]),
        lambda path: rewritten(path, cells=["many"]),
        lambda path: rewritten(path, colour="red"),
        lambda path: rewritten(path, state={"vectors": torch.ones(2, 2)}),
    ],
)
def test_a_broken_file_is_refused_in_one_line(network, tmp_path, damage):
    path = tmp_path / "toy.text-guide.safetensors"
    guide_for(network).save(path)
    damage(path)
    with pytest.raises(InputError, match=r"toy.text-guide.safetensors is no text guide"):
        text_guide.load(path, network)


def test_what_a_guide_was_not_trained_for_is_refused(network, activation):
    guide = guide_for(network, operations=("find",))
    with pytest.raises(InputError, match="trained to find, not to remove"):
        guided(guide, activation, [FIND, REMOVE])
    with pytest.raises(InputError, match="no 'nucleus', but background, cell"):
        guided(guide, activation, [TextHint("find", "nucleus")])


def test_a_guide_lies_beside_its_network(tmp_path):
    network = tmp_path / "cells.onnx"
    assert text_guide.find(network) is None
    guide = tmp_path / "cells.text-guide.safetensors"
    guide.touch()
    assert text_guide.find(network) == guide
    bundled = catalogue()["nuclei"].path
    assert text_guide.beside(bundled) == bundled.parent / "nuclei.text-guide.safetensors"
    assert text_guide.find("nuclei") == text_guide.find(bundled)
