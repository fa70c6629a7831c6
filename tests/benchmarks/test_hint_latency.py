"""How long a click takes, without being told by which methods."""

from __future__ import annotations

import importlib
from pathlib import Path

from skimage.data import immunohistochemistry

from napari_guideme.guidance import GUIDE_METHODS
from tests import toys

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_every_method_that_works_on_the_network_is_timed(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    hint_latency = importlib.import_module("hint_latency")
    small = immunohistochemistry()[:64, :64]
    monkeypatch.setattr(hint_latency, "immunohistochemistry", lambda: small)
    hint_latency.main(["--clicks", "1", "--device", "cpu"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": a click takes")[0] for line in lines] == list(GUIDE_METHODS)


def test_a_network_of_other_classes_is_timed(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    hint_latency = importlib.import_module("hint_latency")
    network = toys.frozen(toys.pixelwise([1.0] * 3, [0.0] * 3), ("sky", "sea", "land"))
    monkeypatch.setattr(hint_latency, "open_network", lambda *_: network)
    small = immunohistochemistry()[:64, :64, :1]
    monkeypatch.setattr(hint_latency, "immunohistochemistry", lambda: small)
    hint_latency.main(["--clicks", "2", "--method", "residual"])
    assert capsys.readouterr().out.startswith("residual: a click takes")
