from __future__ import annotations

import pytest
import torch

from napari_guideme.networks.unet import UNet


@pytest.mark.parametrize("widths", [(2,), (2, 3), (2, 3, 4, 5)])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24)])
def test_logits_have_the_size_of_the_image(widths, height, width):
    logits = UNet(3, 4, widths).eval()(torch.zeros(2, 3, height, width))
    assert logits.shape == (2, 4, height, width)


def test_skips_carry_what_the_coarse_levels_lose():
    module = UNet(1, 2, (2, 3)).eval()
    checkerboard = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    even, odd = checkerboard.float()[None, None], 1 - checkerboard.float()[None, None]
    assert not torch.allclose(module(even), module(odd), atol=1e-4)
