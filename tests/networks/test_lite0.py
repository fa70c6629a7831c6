from __future__ import annotations

import pytest
import torch

from napari_guideme.networks.click_net import ClickNet
from napari_guideme.networks.lite0 import Lite0Classifier, imagenet_weights


def test_the_weights_of_the_package_fit():
    classifier = Lite0Classifier()
    classifier.load_state_dict(imagenet_weights())
    assert sum(p.numel() for p in classifier.parameters()) == 4_652_008


@pytest.mark.parametrize("shape", [(224, 224), (320, 200), (33, 65)])
def test_images_of_any_size_are_classified(shape):
    classifier = Lite0Classifier(classes=7).eval()
    with torch.no_grad():
        assert classifier(torch.rand(2, 3, *shape)).shape == (2, 7)


def test_the_click_network_has_the_same_encoder():
    """Its keys are those of files that were trained before; the maps' weights come on top."""
    theirs = ClickNet().encoder.state_dict()
    ours = Lite0Classifier().encoder.state_dict()
    assert set(theirs) - set(ours) == {"maps_stem.weight"}
    assert list(ours) == [key for key in theirs if key != "maps_stem.weight"]
    assert {"encoder.image_stem.weight", "encoder.stages.0.0.layers.0.weight"} <= set(
        imagenet_weights()
    )
