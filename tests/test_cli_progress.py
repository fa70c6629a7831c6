"""How far a command is, on a terminal and elsewhere."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import numpy as np
import pytest
import tifffile
import torch

from napari_guideme.cli import main
from napari_guideme.cli.opening import tiles_shown
from napari_guideme.networks.tiles import observe_tiled
from tests import toys
from tests.test_cli import hints_file


class Stream(io.StringIO):
    """What is shown on a terminal, or written to a file."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def errors(request) -> Stream:
    return Stream(request.param)


def check_shown(errors: Stream, *parts: str) -> None:
    """See that each part is in the bars of a terminal, and that a file stays empty."""
    for part in parts if errors.isatty() else ():
        assert part in errors.getvalue()
    if not errors.isatty():
        assert errors.getvalue() == ""


def test_slices_are_counted_while_they_are_labelled(errors, tmp_path):
    volume, session = tmp_path / "volume.tif", tmp_path / "work.guideme.json"
    pixels = np.random.default_rng(0).integers(0, 255, (3, 48, 48)).astype(np.uint8)
    tifffile.imwrite(volume, pixels, metadata={"axes": "ZYX"}, photometric="minisblack")
    hints = hints_file(tmp_path, clicks=[{"at": (1, 20, 20), "class": "border"}])
    out = ["-o", str(tmp_path / "out.tif")]
    for words in (
        ["predict", str(volume)],
        ["refine", str(volume), "--hints", str(hints), "--save-session", str(session)],
        ["replay", str(session)],
    ):
        errors.seek(0)
        errors.truncate()
        with redirect_stderr(errors):
            assert main([*words, *out]) == 0
        check_shown(errors, "labelled", "3/3")


def test_tiles_are_counted_where_one_pass_is_not_enough(errors):
    network = toys.frozen(toys.pixelwise([0, 1], [0, 0]))
    with redirect_stderr(errors), tiles_shown():
        observe_tiled(network, torch.rand(1, 1, 64, 64), (), largest=40**2)
        observe_tiled(network, torch.rand(1, 1, 32, 64), (), largest=40**2)
    check_shown(errors, "network", "4/4", "2/2")


def test_the_demo_shows_how_far_it_is(errors, tmp_path):
    with redirect_stderr(errors):
        assert main(["demo", "--out", str(tmp_path)]) == 0
    check_shown(errors, "residual")
