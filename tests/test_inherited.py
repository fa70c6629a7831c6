from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from napari_guideme.errors import InputError
from napari_guideme.guidance.carrying import Anchors
from napari_guideme.guidance.scene import Scene
from napari_guideme.guidance.support import Support
from napari_guideme.volumes.inherited import Inherited

DIM_PIXEL = (11, 11)


def deaf(scene: Scene, hints) -> Scene:
    """Nothing was said."""
    assert not hints
    return scene


@pytest.fixture
def scene(network, picture) -> Scene:
    return Scene(network, picture)


@pytest.fixture
def inherited(scene) -> Inherited:
    """What a click on the dim cell of slice 4 brought to slice 6."""
    ones = torch.ones(1)
    support = Support(
        torch.tensor([DIM_PIXEL]), torch.tensor([1]), 4 * ones, 2 * ones, 0 * ones, ones
    )
    return Inherited(Anchors.of(scene, support, 4), 6, 1.5)


@pytest.mark.parametrize("anywhere", [False, True])
def test_what_is_read_acts_as_what_was_written(inherited, scene, anywhere):
    inherited = replace(inherited, anywhere=anywhere)
    told = json.loads(json.dumps(inherited.to_json()))
    again = Inherited.from_json(told, scene)
    assert torch.equal(again.logits(scene, deaf), inherited.logits(scene, deaf))
    assert torch.equal(again.shifted(scene, deaf).logits, inherited.shifted(scene, deaf).logits)
    assert not torch.equal(again.shifted(scene, deaf).logits, scene.logits)
    assert torch.equal(again.shifted(scene, deaf).own_logits, scene.own_logits)


def test_places_count_only_in_its_own_volume(inherited, scene):
    moved, everywhere = (
        (replace(inherited, anywhere=anywhere).logits(scene, deaf) - scene.logits)
        for anywhere in (False, True)
    )
    # Two slices of 1.5 pixels away, reach 4; what is carried weighs 1.55 times as much.
    expected = 2 * 1.55 * torch.exp(torch.tensor(-(3**2) / 32))
    torch.testing.assert_close(moved[1][DIM_PIXEL], expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(everywhere[1][DIM_PIXEL], torch.tensor(2.0), rtol=1e-4, atol=0)
    assert moved[:, 0, 0].abs().max() < 1e-3


@pytest.mark.parametrize(
    "change",
    [
        {"anchors": "no base64"},
        {"anchors": ""},
        {"anchors": "AAAA"},
        {"anchors": 5},
        {"index": "six"},
        {"index": None},
        {"thickness": []},
    ],
)
def test_what_is_broken_is_refused(inherited, scene, change):
    with pytest.raises(InputError, match="what a slice began from is broken") as error:
        Inherited.from_json({**inherited.to_json(), **change}, scene)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="is broken"):
        Inherited.from_json({}, scene)


def test_that_of_a_larger_slice_is_refused(inherited, network, picture):
    small = Scene(network, picture[:8, :8])
    with pytest.raises(InputError, match="places, classes or weights are impossible"):
        Inherited.from_json(inherited.to_json(), small)
