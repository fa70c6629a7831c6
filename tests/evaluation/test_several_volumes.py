"""Several volumes with truth in one folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_guideme.cli.__main__ import main
from napari_guideme.errors import InputError
from napari_guideme.evaluation.protocol import evaluate
from napari_guideme.evaluation.several_volumes import open_volumes, volume_entries

nibabel = pytest.importorskip("nibabel")


def write(path: Path, voxels: np.ndarray) -> None:
    """Write voxels (plane, row, column), 2 by 1 by 1 large."""
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels.T, np.diag([1.0, 1, 2, 1])), path)


@pytest.fixture
def folder(tmp_path, picture) -> Path:
    """Two volumes of 3 and 2 slices; the dim cell is missed on each."""
    for name, depth in (("b.of.2", 3), ("a", 2)):
        volume = np.repeat(picture[None], depth, 0).astype(np.float32)
        write(tmp_path / "images" / f"{name}.nii.gz", volume)
        write(tmp_path / "labels" / f"{name}.nii", (volume > 0).astype(np.uint8))
    (tmp_path / "classes.txt").write_text("0 background\n1 cell\n")
    return tmp_path


def test_slices_of_all_are_corrected(folder, network):
    items = open_volumes(folder, network)
    names = [f"a, slice {n}" for n in range(2)] + [f"b.of.2, slice {n}" for n in range(3)]
    assert [item.name for item in items] == names
    assert len(items) == 5
    result = evaluate(items, network, "residual", "errors", 1)
    assert result.n_images == 5
    # 16 pixels of 256 are missed on each slice, and as many seen.
    assert result.miou["0"] == pytest.approx((224 / 240 + 16 / 32) / 2)
    assert result.miou["1"] == 1


def test_a_network_that_takes_volumes_corrects_each_whole(folder, deep):
    items = open_volumes(folder, deep)
    assert [(item.name, item.image.shape) for item in items] == [
        ("a, volume", (2, 16, 16)),
        ("b.of.2, volume", (3, 16, 16)),
    ]
    (one,) = open_volumes(folder, deep, limit=1)
    assert one.spacing == pytest.approx((2, 1, 1))


def test_some_slices_by_the_seed(folder, network):
    draws = {tuple(i.name for i in open_volumes(folder, network, limit=2, seed=s)) for s in (1, 1)}
    assert len(draws) == 1
    assert [len(draw) for draw in draws] == [2]
    everything = [item.name for item in open_volumes(folder, network, limit=99)]
    assert len(everything) == 5


def test_one_without_labels_is_told(folder):
    (folder / "labels/a.nii").unlink()
    with pytest.raises(InputError, match=r"holds no volume a$"):
        volume_entries(folder)


def test_pictures_among_them_make_it_a_folder_of_images(folder):
    (folder / "images/c.png").touch()
    assert volume_entries(folder) == ()


def test_what_does_not_fit_is_left_out_and_told(folder, tmp_path, capsys):
    write(folder / "labels/a.nii", np.zeros((2, 8, 8), np.uint8))
    (folder / "images/c.nii").write_bytes(b"no volume")
    write(folder / "labels/c.nii", np.zeros((2, 8, 8), np.uint8))
    out = tmp_path / "out.json"
    words = ["evaluate", str(folder), "--hints", "1", "--instances", "--json", str(out)]
    assert main(words) == 3
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["n_images"] == 3
    assert [entry["image"] for entry in told["skipped"]] == ["a", "c"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--protocol", "carry"], "carry goes through one volume"),
        (["--axis", "3"], "no axis 3; choose 0"),
        (["--split", "test"], "--split is of no use here"),
    ],
)
def test_what_several_volumes_do_not_take(folder, tmp_path, capsys, words, said):
    out = tmp_path / "out.json"
    assert main(["evaluate", str(folder), "--instances", "--json", str(out), *words]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
