from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from imageio import v3 as imageio

from napari_guideme.cli import main
from napari_guideme.errors import InputError
from napari_guideme.evaluation.finding import Way, evaluate_names, fits, open_named
from napari_guideme.localize.finding import Found
from napari_guideme.localize.proxies import StandIns


@pytest.fixture
def folder(tmp_path):
    """Two cats above each other and a toaster; alone in another picture, half a cat."""
    first = np.zeros((20, 20), np.uint8)
    first[0:8, 0:8], first[12:20, 0:8], first[5:15, 12:20] = 1, 2, 3
    second = np.zeros((20, 20), np.uint8)
    second[0:10, 0:20] = 7
    data = tmp_path / "data"
    for name in ("images", "masks", "instances"):
        (data / name).mkdir(parents=True)
    names = {"a": {1: "cat", 2: "cat", 3: "toaster"}, "b": {7: "cat"}}
    for stem, ids in (("a", first), ("b", second)):
        imageio.imwrite(data / f"images/{stem}.png", np.stack([ids * 30] * 3, -1))
        imageio.imwrite(data / f"masks/{stem}.png", ids)
        told = {str(number): {"name": name} for number, name in names[stem].items()}
        (data / f"instances/{stem}.json").write_text(json.dumps({"instances": told}))
    return data


class Finds(Way):
    """Finds what a test tells it, whatever the classifier says."""

    def find(self, item, name):
        return self.answers[item.name, name]


class Nothing:
    name = "none"


def way(answers):
    told = Finds(Nothing(), "guided")
    object.__setattr__(told, "answers", answers)
    return told


def found(rows, columns, peak):
    mask = np.zeros((20, 20), bool)
    mask[rows, columns] = True
    evidence = mask * 0.5
    evidence[peak] = 1
    return Found("it", mask, StandIns((0,), (1,)), evidence.astype(np.float32), evidence)


def test_classes_of_an_image_have_a_mask_and_boxes(folder):
    data = open_named(folder)
    first, second = data.items
    cat, toaster = data.present(first)
    assert (cat.name, toaster.name) == ("cat", "toaster")
    assert cat.boxes == ((0, 0, 8, 8), (12, 0, 20, 8))
    assert toaster.boxes == ((5, 12, 15, 20),)
    assert cat.mask.sum() == 128
    assert [one.name for one in replace(data, least_pixels=100).present(first)] == ["cat"]
    assert [one.name for one in data.present(second)] == ["cat"]


def test_where_all_is_too_small_that_is_said(folder):
    data = replace(open_named(folder), least_pixels=1000)
    with pytest.raises(InputError, match="no image shows a class of at least 1000 pixels"):
        evaluate_names(data, way({}))


@pytest.mark.parametrize(
    ("other", "fit"),
    [
        ((0, 0, 10, 10), True),
        ((0, 0, 10, 5), True),
        ((0, 0, 10, 4), False),
        ((0, 10, 10, 20), False),
        ((5, 5, 15, 15), False),
        ((20, 20, 30, 30), False),
    ],
)
def test_boxes_fit_from_one_half_on(other, fit):
    assert fits((0, 0, 10, 10), other) is fit


def test_figures_by_hand(folder):
    answers = {
        # The whole of the first cat: 64 of 128 pixels; the box of that object fits.
        ("a", "cat"): found(np.s_[0:8], np.s_[0:8], (2, 2)),
        # Peak and box beside the toaster, nothing in common: 0 of 80 + 40 pixels.
        ("a", "toaster"): found(np.s_[0:8], np.s_[0:5], (0, 0)),
        # 50 of 200 pixels, and a box that is too small; the peak is on it.
        ("b", "cat"): found(np.s_[0:10], np.s_[0:5], (0, 0)),
    }
    result = evaluate_names(open_named(folder), way(answers))
    told = result.to_json()
    assert (told["n_images"], told["n_sought"]) == (2, 3)
    assert told["pointing_error"] == pytest.approx(1 / 3)
    assert told["box_error"] == pytest.approx(2 / 3)
    cat = (64 + 50) / (128 + 200)
    assert told["miou"] == pytest.approx((cat + 0) / 2)
    assert told["by_class"]["cat"]["miou"] == pytest.approx(cat)
    several = told["several_objects"]
    assert (several["n_images"], several["n_sought"]) == (1, 2)
    assert several["pointing_error"] == several["box_error"] == 0.5
    assert several["miou"] == pytest.approx((0.5 + 0) / 2)
    assert told["without_stand_ins"] == {}
    assert "pointing error 33.3%" in str(result)


def test_classes_without_stand_ins_are_counted_apart(folder):
    right = found(np.s_[0:8], np.s_[0:8], (2, 2))
    answers = {("a", "cat"): right, ("b", "cat"): right, ("a", "toaster"): None}
    result = evaluate_names(open_named(folder), way(answers))
    assert result.without_stand_ins == {"toaster": 1}
    assert result.overall.n_sought == 2
    # The toaster is there all the same.
    assert result.several_objects.n_sought == 1
    assert "nothing stands in for toaster (1)" in str(result)
    nothing = dict.fromkeys(answers)
    with pytest.raises(InputError, match="for any class of the images"):
        evaluate_names(open_named(folder), way(nothing))


def test_what_nothing_stands_in_for_is_not_sought(folder):
    class Labelled:
        name, labels, synsets = "labelled", ("tabby", "toaster"), ()

    item = next(iter(open_named(folder).items))
    for name in ("xyzzy", "object"):
        assert Way(Labelled(), "guided").find(item, name) is None


def test_other_folders_are_refused(tmp_path, folder):
    with pytest.raises(InputError, match="a folder instances that names the objects"):
        open_named(tmp_path)
    (folder / "instances/a.json").write_text('{"instances": {"1": {"name": "cat"}}}')
    data = open_named(folder)
    with pytest.raises(InputError, match=r"a\.json does not name the object 2"):
        data.present(next(iter(data.items)))


def test_names_from_the_shell(shared, tmp_path, capsys):
    out = tmp_path / "out.json"
    words = ["evaluate", shared / "data/objects_coco128", "--protocol", "names", "--json", out]
    words += ["--limit", "2", "--method", "grad-cam", "--no-grabcut", "--least-pixels", "2000"]
    assert main([*map(str, words)]) == 0
    told = json.loads(out.read_text())
    assert (told["protocol"], told["method"]) == ("names", "grad-cam")
    assert (told["classifier"], told["outline"]) == ("efficientnet-lite0", "threshold")
    assert told["n_sought"] >= told["n_images"] >= 1
    assert 0 <= told["pointing_error"] <= 1
    assert f"box error {told['box_error']:.1%}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--method", "f-brs"], "f-brs finds nothing by its name; choose proxies, gradient"),
        (["--by", "vectors"], "--by vectors needs --vectors NPZ"),
    ],
)
def test_what_cannot_be_is_refused_first(folder, tmp_path, capsys, more, said):
    words = ["evaluate", folder, "--protocol", "names", "--json", tmp_path / "out.json", *more]
    assert main([*map(str, words)]) == 2
    assert said in capsys.readouterr().err
