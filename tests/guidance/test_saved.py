from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from skimage.data import immunohistochemistry

from napari_guideme.errors import InputError
from napari_guideme.guidance.applying import applied
from napari_guideme.guidance.saved import SavedGuidance
from napari_guideme.guidance.scene import Scene
from napari_guideme.hints import Click, Scribble
from napari_guideme.networks.catalogue import open_network
from napari_guideme.session import GuideSession
from tests import toys

NAME = "cells.guidance.safetensors"


def refined(image, network, *hints, **options) -> GuideSession:
    session = GuideSession(image, network, **options)
    session.add(*hints)
    for _ in session.refine():
        pass
    return session


@pytest.fixture
def guidance(network, picture) -> SavedGuidance:
    stroke = Scribble((((0.0, 0.0), (0.0, 5.0)),), "background", 1.0)
    return refined(picture, network, Click((11, 11), "cell"), stroke).guidance()


@pytest.fixture
def file(guidance, tmp_path) -> Path:
    path = tmp_path / NAME
    guidance.save(path)
    return path


def metadata(path: Path) -> dict:
    with safe_open(path, "pt") as opened:
        (told,) = opened.metadata().values()
    return json.loads(told)


def tampered(path: Path, told=None, **tensors) -> Path:
    """Write the file anew with some entries changed; no tensor where it is None."""
    whole = {k: v for k, v in {**load_file(path), **tensors}.items() if v is not None}
    text = told if isinstance(told, str) else json.dumps({**metadata(path), **(told or {})})
    save_file({k: v.contiguous() for k, v in whole.items()}, path, {"guidance": text})
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        SavedGuidance.read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_read_is_what_was_saved(guidance, file):
    read = SavedGuidance.read(file)
    for name in ("network", "fingerprint", "classes", "guide_point", "feature_points", "method"):
        assert getattr(read, name) == getattr(guidance, name)
    assert (read.shape, read.thickness) == (guidance.shape, guidance.thickness) == ((16, 16), 0)
    assert all(map(torch.equal, read.spreads, guidance.spreads))
    (before,), (after,) = guidance.corrected, read.corrected
    assert after.hints == before.hints
    assert all(map(torch.equal, after.anchors.levels, before.anchors.levels))
    for name, value in before.anchors.support.parts().items():
        expected = torch.zeros_like(value) if name == "pins" else value
        assert torch.equal(getattr(after.anchors.support, name), expected)
    for name in ("origins", "usual", "changed"):
        assert torch.equal(getattr(after.anchors, name), getattr(before.anchors, name))


@pytest.mark.parametrize("index", [None, 0])
def test_it_acts_as_it_did_before_it_was_saved(guidance, file, network, picture, index):
    scene = Scene(network, picture)
    before = applied(guidance, scene, index)
    after = applied(SavedGuidance.read(file), scene, index)
    assert (after.state, after.agreement) == (before.state, before.agreement)
    assert torch.equal(after.logits, before.logits)
    assert not torch.equal(after.logits, scene.logits)


def test_it_reaches_as_far_as_its_pixels_were_large(network, picture, tmp_path):
    session = refined(picture, network, Click((11, 11), "cell"), spacing=(6, 1))
    session.guidance().save(f"{tmp_path}/{NAME}")
    read = SavedGuidance.read(f"{tmp_path}/{NAME}")
    assert read.spacing == session.spacing
    # What the slice is applied to need not know.
    logits = applied(read, Scene(network, picture), 0).logits
    assert torch.equal(logits, applied(read, Scene(network, picture, spacing=(6, 1)), 0).logits)
    np.testing.assert_allclose(logits.softmax(0), session.probabilities(), atol=1e-6)


def test_to_files_of_earlier_versions_pixels_were_square(guidance, file, network, picture):
    before = {name: value for name, value in metadata(file).items() if name != "spacing"}
    read = SavedGuidance.read(tampered(file, json.dumps(before)))
    assert read.spacing == (1.0, 1.0)
    scene = Scene(network, picture)
    assert torch.equal(applied(read, scene, 0).logits, applied(guidance, scene, 0).logits)


def test_what_acts_is_the_residual_whichever_method_corrected_the_image(network, picture, tmp_path):
    click = Click((11, 11), "cell")
    refined(picture, network, click, method="guide-me").guidance().save(tmp_path / NAME)
    read, scene = SavedGuidance.read(tmp_path / NAME), Scene(network, picture)
    assert read.method == "guide-me"
    expected = refined(picture, network, click).probabilities()
    np.testing.assert_allclose(applied(read, scene, 0).logits.softmax(0), expected, atol=1e-6)


def test_values_of_the_variable_are_kept(network, picture, tmp_path):
    found = refined(picture, network, Click((11, 11), "cell"), method="guide-me").guidance()
    found.save(tmp_path / NAME)
    values = SavedGuidance.read(tmp_path / NAME).corrected[0].values
    assert values is not None
    assert torch.equal(values, found.corrected[0].values)


def test_what_corrects_nothing_is_not_saved(network, picture):
    session = refined(picture, network, Click((11, 11), "cell"), method="none")
    with pytest.raises(InputError, match="method none corrects nothing"):
        session.guidance()


def test_a_file_can_be_read_by_whom_the_umask_allows(guidance, tmp_path):
    before = os.umask(0o027)
    try:
        guidance.save(tmp_path / NAME)
    finally:
        os.umask(before)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o640


def test_a_file_of_the_bundled_network_is_a_few_kilobytes(tmp_path):
    network = open_network("nuclei", device="cpu")
    image = immunohistochemistry()[:128, :128]
    clicks = [Click((20.0 * n + 5, 60.0), "nucleus") for n in range(5)]
    refined(image, network, *clicks, channel_axis=2).guidance().save(tmp_path / NAME)
    assert (tmp_path / NAME).stat().st_size < 32_000


def test_another_network_is_refused_by_name(guidance, picture):
    other = toys.frozen(toys.Chain(), name="other")
    with pytest.raises(InputError, match=r"made for toy \(\w{8}\), not for other \(\w{8}\)"):
        guidance.check(other)
    with pytest.raises(InputError, match="made for toy"):
        applied(guidance, Scene(other, picture))


def test_features_of_another_network_are_refused(file, network):
    """A file that was tampered with may claim to be of this one."""
    fewer = SavedGuidance.read(tampered(file, {"feature_points": []}))
    with pytest.raises(InputError, match="features of the guidance are not those of toy"):
        fewer.check(network)


def test_nothing_of_the_image_is_in_it(file):
    """All it holds: names of the network and places, classes and features of hinted pixels."""
    told = metadata(file)
    assert set(told) == {
        *("format", "network", "fingerprint", "classes", "guide_point", "feature_points"),
        *("preparation", "method", "shape", "thickness", "spacing", "corrected"),
    }
    (entry,) = told["corrected"]
    assert set(entry) == {"index", "hints"}
    assert set(entry["hints"]) <= {"clicks", "scribbles", "texts"}
    n = len(load_file(file)["0.weights"])
    parts = {name: tuple(value.shape) for name, value in load_file(file).items()}
    assert parts == {
        **{f"0.{name}": (n,) for name in ("classes", "reaches", "further", "weights")},
        **{f"0.{name}": (n,) for name in ("origins", "usual", "changed")},
        "0.positions": (n, 2),
        "0.level.0": (n, 2),
        "spread.0": (2, 2),
    }
    assert 0 < n <= 7


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"format": "napari-guideme guidance 2"}, "guidance 2 is not napari-guideme guidance 1"),
        ({"format": None}, "None is not"),
        ({"corrected": [{"index": 0}]}, "no saved guidance"),
        ({"corrected": 5}, "no saved guidance"),
        ({"corrected": [{"index": 0, "hints": {"clicks": [{"at": 1}]}}]}, "click"),
        ({"feature_points": ["classifier", "more"]}, "no saved guidance"),
        ({"shape": [16, 16, 16], "spacing": [1, 1, 1]}, "differ in length"),
        ({"spacing": [1, 1, 1]}, "is not 2 positive numbers"),
        ({"spacing": [1, -1]}, "is not 2 positive numbers"),
        ({"spacing": "wide"}, "no saved guidance"),
        ({"shape": [4, 4]}, "impossible"),
        ({"shape": ["a"]}, "no saved guidance"),
        ({"shape": None}, "no saved guidance"),
        ({"shape": {}}, "no slice has shape"),
        ({"shape": [16, 0]}, "no slice has shape"),
        ({"thickness": -5}, "thickness -5"),
        ({"thickness": float("nan")}, "thickness nan"),
        ({"corrected": []}, "one slice after the other"),
        ("{}", "it lacks 'format'"),
        ({"classes": ["background"]}, "impossible"),
        ({"thickness": "thick"}, "no saved guidance"),
        ({"preparation": 3}, "no saved guidance"),
        ("[]", "no saved guidance"),
        ("{", "no saved guidance"),
        ("[" * 200_000, "no saved guidance"),
    ],
    ids=lambda told: str(told)[:40],
)
def test_what_is_told_wrongly_is_refused(file, told, says):
    assert says in refused(tampered(file, told))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("0.weights", lambda t: t * torch.nan),
        ("0.weights", lambda t: -t),
        ("0.weights", lambda t: t[1:]),
        ("0.reaches", torch.zeros_like),
        ("0.further", lambda t: -t),
        ("0.classes", lambda t: t + 7),
        ("0.classes", lambda t: t.float()),
        ("0.positions", lambda t: t - 100),
        ("0.positions", lambda t: t[:, :1]),
        ("0.level.0", lambda t: t[:, 0]),
        ("0.level.0", lambda t: torch.cat([t, t], 1)),
        ("0.level.0", lambda t: None),
        ("0.usual", torch.zeros_like),
        ("spread.0", lambda t: None),
        ("spread.0", lambda t: t[0]),
    ],
)
def test_parts_that_were_tampered_with_are_refused(file, name, change):
    changed = change(load_file(file)[name])
    assert refused(tampered(file, **{name: changed})).startswith(f"{NAME} is no saved guidance")


def test_broken_and_foreign_files_are_refused(file, tmp_path):
    whole = file.read_bytes()
    for content in (b"", b"hello", whole[:40], whole[:-5], whole + b"x"):
        file.write_bytes(content)
        assert "is no saved guidance" in refused(file)
    save_file({"weight": torch.ones(2)}, file)
    assert "is no saved guidance" in refused(file)
    assert "there is no guidance" in refused(tmp_path / "missing.guidance.safetensors")
    assert "there is no guidance" in refused(tmp_path)


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def test_nothing_is_ever_unpickled(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file.write_bytes(pickle.dumps(Malicious()))
    refused(file)
    torch.save({"a": Malicious()}, file)
    refused(file)
    assert not Path("executed").exists()


@pytest.mark.parametrize("name", ["a.safetensors", "a.guidance.json", ".guidance.safetensors"])
def test_the_name_says_what_it_is(guidance, tmp_path, name):
    with pytest.raises(InputError, match=r"must end in \.guidance\.safetensors"):
        guidance.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(guidance, file, monkeypatch):
    before = file.read_bytes()

    def failing(path, content):
        with path.open("wb") as half:
            half.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", failing)
    with pytest.raises(InputError, match="No space left"):
        guidance.save(file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [NAME]


def test_what_the_user_saw_changed_is_told(network, picture):
    """The check compares with it, see `found_anywhere`."""
    session = refined(picture, network, Click((11, 11), "cell"))
    changed = session.changed().mean()
    assert 0 < changed < 0.2
    assert session.anchors().changed.tolist() == [pytest.approx(changed)] * len(session.anchors())
    bright = np.where(picture > 0, 0, 0.45).astype(np.float32)
    result = applied(session.guidance(), Scene(network, bright))
    assert result.state == "own"
    assert "change more here" in result.why
