"""Things that were found by name or by a sentence, saved by one command and replayed by another."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import skimage.data
import tifffile

from napari_guideme.cli import main
from napari_guideme.referring.opening import save
from tests.referring.untrained import untrained
from tests.test_cli import hints_file, shell

SENTENCE = "the cat on the left"


@pytest.fixture
def photograph(tmp_path) -> Path:
    path = tmp_path / "chelsea.png"
    imageio.imwrite(path, skimage.data.chelsea()[::2, ::2])
    return path


def run(*words) -> int:
    return main(list(map(str, words)))


def labels(path: Path) -> np.ndarray:
    return tifffile.imread(path)


def hints_against(folder: Path, found: np.ndarray, name: str) -> Path:
    """A click on what was found, which says that it is not there, and one for what is missed."""
    on, off = (np.argwhere(found == value) for value in (1, 0))
    clicks = [
        {"at": on[len(on) // 2].tolist(), "class": "background"},
        {"at": off[len(off) // 3].tolist(), "class": name},
    ]
    return hints_file(folder, clicks=clicks)


@pytest.fixture
def session(photograph, tmp_path) -> Path:
    """A cat that was found by name and corrected; its labels are in a.tif."""
    path, plain = tmp_path / "cat.guideme.json", tmp_path / "plain.tif"
    assert run("segment", photograph, "cat", "-o", plain) == 0
    hints = hints_against(tmp_path, labels(plain), "cat")
    words = ["--hints", hints, "--save-session", path, "-o", tmp_path / "a.tif"]
    assert run("segment", photograph, "cat", *words) == 0
    assert (labels(tmp_path / "a.tif") != labels(plain)).any()
    return path


def test_a_real_process_finds_and_corrects_again_what_another_one_did(session, tmp_path):
    done = shell("replay", session, "-o", tmp_path / "b.tif")
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(labels(tmp_path / "a.tif"), labels(tmp_path / "b.tif"))
    told = json.loads(session.read_text())
    assert told["version"] == 3
    assert told["network"]["name"] == "attention"
    (part,) = told["parts"]
    assert part["search"]["name"] == "cat"
    assert part["search"]["classifier"]["name"] == "efficientnet-lite0"
    assert len(part["search"]["positive"]) == len(part["search"]["negative"]) == 5


def test_all_options_of_a_search_are_replayed(tmp_path):
    image, before = tmp_path / "deep.tif", tmp_path / "a.tif"
    grey = skimage.data.chelsea()[::3, ::3].mean(2)
    tifffile.imwrite(image, np.stack([grey * 30, grey[::-1]]).astype(np.uint16))
    path, after = tmp_path / "a.guideme.json", tmp_path / "b.tif"
    words = ["--channel-axis", 0, "--channels", 0, "--views", 2, "--no-grabcut"]
    words += ["--stand-ins", "tabby,lynx", "--method", "grad-cam"]
    assert run("segment", image, "moggy", *words, "-o", before, "--save-session", path) == 0
    assert 0 < labels(before).mean() < 1
    assert run("replay", path, "-o", after) == 0
    np.testing.assert_array_equal(labels(before), labels(after))
    search = json.loads(path.read_text())["parts"][0]["search"]
    assert (search["views"], search["outline"], search["method"]) == (2, "threshold", "grad-cam")
    assert search["limits"][1] > 255


def test_a_sentence_is_followed_again_by_a_network_of_the_users_own(photograph, tmp_path):
    own = tmp_path / "nets" / "own.safetensors"
    own.parent.mkdir()
    save(untrained(), own)
    path, before, after = (tmp_path / n for n in ("a.guideme.json", "a.tif", "b.tif"))
    words = [
        "--network",
        own,
        "--hints",
        hints_file(tmp_path, clicks=[{"at": (9, 9), "class": "cat"}]),
    ]
    words += ["--correct", "f-brs", "-o", before, "--save-session", path]
    assert run("segment", photograph, SENTENCE, *words) == 0
    assert labels(before)[9, 9] == 1
    assert json.loads(path.read_text())["network"]["path"] == "nets/own.safetensors"
    assert run("replay", path, "-o", after) == 0
    np.testing.assert_array_equal(labels(before), labels(after))
    # It may lie elsewhere, but has to be the same.
    moved = own.rename(tmp_path / "moved.safetensors")
    assert run("replay", path, "--network", moved, "-o", after) == 0
    np.testing.assert_array_equal(labels(before), labels(after))


def test_another_network_for_sentences_is_refused(photograph, tmp_path, capsys):
    path, own = tmp_path / "a.guideme.json", tmp_path / "own.safetensors"
    words = ["-o", tmp_path / "a.tif", "--save-session", path]
    assert run("segment", photograph, SENTENCE, *words) == 0
    save(untrained(), own)
    assert run("replay", path, "--network", own, "-o", tmp_path / "b.tif") == 2
    told = capsys.readouterr().err
    assert "own.safetensors" in told
    assert "is another one" in told
    assert told.count("\n") == 1
    assert not (tmp_path / "b.tif").exists()


def altered(path: Path, **search) -> Path:
    told = json.loads(path.read_text())
    told["parts"][0]["search"].update(search)
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ({"positive": [281, 5000]}, "has no label 5000"),
        ({"positive": []}, "no label stands in"),
        ({"name": "dog"}, "is another one"),
        ({"method": "magic"}, "unknown method"),
        ({"views": 10**6}, "views is 1000000"),
        ({"limits": [0, 1e300]}, "black and what is white"),
        ({"limits": [1]}, "black and what is white"),
        ({"classifier": {"name": "torchvision:none", "fingerprint": "a"}}, "has no classifier"),
        ({"classifier": {"name": "efficientnet-lite0", "fingerprint": "a"}}, "not the classifier"),
        ({"classifier": {"path": "/etc/passwd", "fingerprint": "a"}}, "no classifier"),
        ({"classifier": []}, '"classifier"'),
        ({"outline": 1}, '"outline"'),
        ({"outline": "magic"}, "unknown outline"),
        ({"sentence": 5}, '"sentence"'),
    ],
)
def test_a_search_that_was_tampered_with_is_one_line(session, tmp_path, capsys, search, says):
    altered(session, **search)
    assert run("replay", session, "-o", tmp_path / "b.tif") == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not (tmp_path / "b.tif").exists()


def test_a_changed_image_is_refused(session, photograph, tmp_path, capsys):
    imageio.imwrite(photograph, imageio.imread(photograph)[::-1])
    assert run("replay", session, "-o", tmp_path / "b.tif") == 2
    assert "is not the image of this session" in capsys.readouterr().err


def test_nothing_of_a_patient_is_written(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image, path = tmp_path / "Mrs Smith.nii", tmp_path / "a.guideme.json"
    pixels = skimage.data.chelsea()[::3, ::3].mean(2).T.astype(np.int16)
    scan = nibabel.Nifti1Image(pixels, np.eye(4))
    scan.header["descrip"] = b"Smith, Jane"
    nibabel.save(scan, image)
    before, after = tmp_path / "a.tif", tmp_path / "b.tif"
    assert run("segment", image, "cat", "-o", before, "--save-session", path) == 0
    assert "Smith" not in path.read_text()
    assert run("replay", path, "-o", after) == 2
    assert run("replay", path, "--image", image, "-o", after) == 0
    np.testing.assert_array_equal(labels(before), labels(after))
    assert labels(before).any()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["cat", "dog", "--save-session", "s.guideme.json"], "--save-session is for a single"),
        (["cat", "--save-session", "s.json"], "must end in .guideme.json"),
        (["cat", "--save-session", "none/s.guideme.json"], "none"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_any_work(
    photograph, tmp_path, monkeypatch, capsys, words, says
):
    monkeypatch.chdir(tmp_path)
    assert run("segment", photograph, *words, "-o", "out.tif") == 2
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chelsea.png"]
