from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from napari_guideme.guidance.methods import METHODS, method_named
from napari_guideme.networks.catalogue import open_network

FILE = Path(__file__).parents[2] / "benchmarks" / "click_ablation.py"
SPEC = importlib.util.spec_from_file_location("click_ablation", FILE)
ablation = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ablation)
VARIANTS = ablation.VARIANTS


@pytest.mark.parametrize("name", [n for n, c in VARIANTS.items() if set(c) - {"method", "side"}])
def test_a_variant_differs_from_what_ships(name):
    shipped = method_named(VARIANTS[name]["method"])
    changed = ablation.varied(VARIANTS[name]).guiding
    assert changed != shipped.guiding
    assert changed.energy is shipped.guiding.energy
    for choice in set(VARIANTS[name]) - {"method", "side", "point"}:
        assert getattr(changed, choice) == VARIANTS[name][choice]


def test_guide_points_that_are_moved_exist():
    network = open_network("click", "cpu")
    for choices in VARIANTS.values():
        if "point" in choices:
            assert network.guide_point(choices["point"]).channels > 1


def test_variants_are_counted_on_real_pictures(shared, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(METHODS, "varied", METHODS["none"])
    only, out = tmp_path / "only.csv", tmp_path / "out.json"
    only.write_text("stem\n000000000061\n", encoding="utf-8")
    words = [shared / "data/objects_coco128", "--only", only, "--objects", 1, "--json", out]
    ablation.main([*map(str, words), "--variant", "none", "none, side 256"])
    assert capsys.readouterr().out.count("| none") == 2
    found = json.loads(out.read_text(encoding="utf-8"))
    assert set(found) == {"none", "none, side 256"}
    assert found["none"]["n_objects"] == 1
