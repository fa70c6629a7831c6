"""Finding things by their names from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import skimage.data
import tifffile

from napari_guideme.cli import main
from napari_guideme.errors import InputError
from napari_guideme.referring.following import follow
from napari_guideme.referring.opening import load, save
from napari_guideme.referring.reader import Reader
from tests.files.series import NAME, write_series
from tests.referring.untrained import untrained
from tests.test_cli import hints_file, shell

CAT = (120, 210)


@pytest.fixture(scope="module")
def photograph(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photographs") / "chelsea.png"
    imageio.imwrite(path, skimage.data.chelsea())
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """A file of a network that follows sentences; it has learnt nothing."""
    path = tmp_path_factory.mktemp("networks") / "own.safetensors"
    save(untrained(), path)
    return path


def test_a_cat_is_found_in_a_real_process(photograph, tmp_path):
    out, maps, report = (tmp_path / name for name in ("labels.tif", "maps", "report.json"))
    done = shell("segment", photograph, "cat", "-o", out, "--show-maps", maps, "--json", report)
    assert done.returncode == 0, done.stderr
    assert "by proxies: " in done.stdout
    assert "tabby" in done.stdout
    labels = tifffile.imread(out)
    assert labels.shape == skimage.data.chelsea().shape[:2]
    assert labels[CAT] == 1
    assert set(np.unique(labels)) == {0, 1}
    shown = {path.name: tifffile.imread(path) for path in maps.iterdir()}
    assert set(shown) == {"cat-positive.tif", "cat-negative.tif", "cat-likelihood.tif"}
    assert all(0 <= m.min() < m.max() <= 1 and m.shape == labels.shape for m in shown.values())
    written = json.loads(report.read_text())
    assert written["answered_by"] == "proxies"
    (told,) = written["found"]
    assert told["pixels"] == (labels == 1).sum()
    assert "tabby" in told["stand_ins"]


def test_what_a_map_alone_tells_is_outlined_in_three_ways(photograph, tmp_path, capsys):
    found = {}
    for outline in (None, "clicks", "grabcut", "threshold"):
        out, report = tmp_path / f"{outline}.tif", tmp_path / f"{outline}.json"
        told = ["--outline", outline] if outline else []
        run = ["segment", photograph, "cat", "--method", "grad-cam", "--views", 1, "-o", out]
        assert main([*map(str, [*run, "--json", report]), *told]) == 0
        found[outline] = tifffile.imread(out)
        (entry,) = json.loads(report.read_text())["found"]
        assert entry["distractors"] == []
        assert "distracting" not in capsys.readouterr().out
    np.testing.assert_array_equal(found[None], found["clicks"])
    assert len({labels.tobytes() for labels in found.values()}) == 3
    assert all(0 < labels.mean() < 1 for labels in found.values())


def test_an_article_is_no_part_of_a_name(photograph, tmp_path):
    out, report = tmp_path / "labels.tif", tmp_path / "report.json"
    run = ["segment", str(photograph), "the cat", "-o", str(out), "--json", str(report)]
    assert main(run) == 0
    (told,) = json.loads(report.read_text())["found"]
    assert told["name"] == "cat"


def test_chosen_labels_and_a_click_change_what_is_found(photograph, tmp_path):
    plain, chosen, clicked = (tmp_path / f"{name}.tif" for name in ("plain", "chosen", "clicked"))
    assert main(["segment", str(photograph), "cat", "-o", str(plain)]) == 0
    told = ["--stand-ins", "lens cap", "--distractors", "tabby,tiger cat"]
    assert main(["segment", str(photograph), "cat", "-o", str(chosen), *told]) == 0
    first = tifffile.imread(plain)
    assert (tifffile.imread(chosen) != first).mean() > 0.1
    missed = np.argwhere(first == 0)
    at = missed[len(missed) // 2].tolist()
    hints = hints_file(tmp_path, clicks=[{"at": at, "class": "cat"}])
    run = ["segment", str(photograph), "cat", "-o", str(clicked), "--hints", str(hints)]
    assert main(run) == 0
    assert tifffile.imread(clicked)[tuple(at)] == 1


def test_any_pixels_are_seen_as_a_screen_shows_them(tmp_path):
    grey = skimage.data.chelsea().mean(2)
    found = []
    for name, pixels in (("deep", (10 * grey).astype(np.uint16)), ("real", (grey - 70) / 3)):
        image, out = tmp_path / f"{name}.tif", tmp_path / f"{name}-labels.tif"
        tifffile.imwrite(image, pixels.astype(np.float32) if name == "real" else pixels)
        assert main(["segment", str(image), "cat", "-o", str(out)]) == 0
        found.append(tifffile.imread(out))
    assert found[0][CAT] == 1
    assert (found[0] == found[1]).mean() > 0.98


def test_a_sentence_is_followed_in_a_real_process(photograph, network, tmp_path):
    out, maps, report = (tmp_path / name for name in ("labels.tif", "maps", "report.json"))
    asked = "The larger dog, on the left/right"
    told = ["--show-maps", maps, "--json", report, "--network", network]
    done = shell("segment", photograph, asked, "-o", out, *told)
    assert done.returncode == 0, done.stderr
    image = imageio.imread(photograph)
    followed = follow(asked, image, load(network), channel_axis=-1)
    assert done.stdout.strip() == f"{asked} {followed.mask.mean():.1%}, by see-through-text"
    assert "did not learn these words: on" in done.stderr
    np.testing.assert_array_equal(tifffile.imread(out), followed.mask)
    name = "The larger dog_ on the left_right"
    kinds = {f"step-{step:02}-{kind}" for step in range(1, 11) for kind in ("heat", "refined")}
    assert {path.name for path in maps.iterdir()} == {
        f"{name}-{kind}.tif" for kind in (*kinds, "likelihood")
    }
    shown = tifffile.imread(maps / f"{name}-likelihood.tif")
    np.testing.assert_allclose(shown, followed.likelihood, atol=1e-6)
    written = json.loads(report.read_text())
    assert written["answered_by"] == "see-through-text"
    (entry,) = written["found"]
    assert entry["name"] == "dog"
    assert entry["words"] == ["the", "larger", "dog", "on", "the", "left", "right"]
    assert entry["unknown_words"] == ["on"]
    assert entry["pixels"] == followed.mask.sum()
    np.testing.assert_allclose(entry["attention"], followed.steps.attention, atol=1e-4)


@pytest.mark.parametrize("method", [None, "residual"])
def test_a_click_corrects_what_a_sentence_found(photograph, network, method, tmp_path):
    out = tmp_path / "labels.tif"
    run = ["segment", str(photograph), "the left dog", "-o", str(out), "--network", str(network)]
    assert main(run) == 0
    before = tifffile.imread(out)[CAT]
    name = "background" if before else "dog"
    hints = hints_file(tmp_path, clicks=[{"at": list(CAT), "class": name}])
    told = ["--correct", method] if method else []
    assert main([*run, "--hints", str(hints), *told]) == 0
    assert tifffile.imread(out)[CAT] == 1 - before


def test_deep_pixels_are_followed_as_they_are(network, tmp_path):
    """What is learned from is prepared from the very pixels, by percentiles."""
    image, out = tmp_path / "deep.tif", tmp_path / "labels.tif"
    deep = skimage.data.chelsea().astype(np.uint16) * 200
    deep[0, 0] = 65535
    tifffile.imwrite(image, deep, photometric="rgb")
    asked = "the left dog"
    assert main(["segment", str(image), asked, "-o", str(out), "--network", str(network)]) == 0
    expected = follow(asked, deep, load(network), channel_axis=-1).mask
    np.testing.assert_array_equal(tifffile.imread(out), expected)


def test_anyone_can_be_asked(photograph, network, tmp_path, capsys):
    run = ["segment", str(photograph), "-o", str(tmp_path / "labels.tif")]
    told = ["--answer", "see-through-text", "--network", str(network)]
    assert main([*run, "cat", *told]) == 0
    assert "by see-through-text" in capsys.readouterr().out
    assert main([*run, "the left cat", "--answer", "proxies"]) == 0
    assert (line := capsys.readouterr().out).startswith("left cat ")
    assert "by proxies: " in line


def test_maps_of_a_name_with_slashes_stay_in_their_folder(photograph, tmp_path):
    out, maps = tmp_path / "labels.tif", tmp_path / "maps"
    told = ["--stand-ins", "tabby", "--show-maps", str(maps), "--channels", "0,1,2"]
    assert main(["segment", str(photograph), "../my cat", "-o", str(out), *told]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"labels.tif", "maps"}
    assert "___my cat-positive.tif" in {path.name for path in maps.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["snarkk", "--network", "{network}"], "--network is for see-through-text"),
        (["snarkk", "--answer", "proxies"], "'snarkk' is not known"),
        (["cat", "snarkk"], "'snarkk' is not known"),
        (["cat", "--network", "{network}"], "proxies answers 'cat'"),
        (["the left dog", "cat"], "'the left dog' says more than a name; ask for it alone"),
        (["the left dog", "--network", "none"], "there is no network 'none'"),
        (["the left dog", "--network", "{network}", "--views", "2"], "--views is for proxies"),
        (["the dog", "cat", "--answer", "see-through-text", "--network", "{network}"], "quotes"),
        (
            ["the left dog", "--network", "{network}", "--correct", "saliency-brs"],
            "choose --correct residual, f-brs",
        ),
        (["cat", "cat"], "a name is told twice"),
        (["cat", "dog", "--stand-ins", "tabby"], "--stand-ins is for a single name"),
        (["cat", "--stand-ins", "tabbyy"], "near are tabby"),
        (["cat", "--stand-ins", "zz"], "no label 'zz'; it has 1000, such as tench, goldfish"),
        (["cat", "--by", "vectors"], "--by vectors needs --vectors"),
        (["cat", "--vectors", "none.npz"], "--vectors is of no use without --by vectors"),
        (["cat", "--by", "vectors", "--vectors", "none.npz"], "there is no file none.npz"),
        (["the cat on the left", "--outline", "grabcut"], "choose clicks, threshold"),
        (["cat", "--distractors", "quilt", "--method", "guided"], "--distractors is for proxies"),
        (["background"], "background is what no name is found in"),
        (["cat", "the cat"], "a name is told twice"),
        (["the left dog", "--network", "{network}", "--device", "magic"], "device 'magic' is not"),
        (["cat", "--classifier", "none.onnx"], "there is no classifier 'none.onnx'"),
        (["cat", "--views", "0"], "views is 0"),
        (["cat", "--channel-axis", "7"], "axis"),
        (["cat", "--channels", "0,1,9"], "the image has channels 0 to 2"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    arguments, said, photograph, network, tmp_path, capsys
):
    out = tmp_path / "labels.tif"
    arguments = [argument.format(network=network) for argument in arguments]
    assert main(["segment", str(photograph), *arguments, "-o", str(out)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert not out.exists()


def test_a_sentence_is_read_on_the_device(photograph, network, tmp_path, meta, monkeypatch, capsys):
    def read(reader, sentences):
        raise InputError(f"read on {reader.vectors.device}")

    monkeypatch.setattr(Reader, "forward", read)
    run = ["segment", str(photograph), "the left dog", "-o", str(tmp_path / "labels.tif")]
    for device in ("cpu", meta):
        assert main([*run, "--network", str(network), "--device", device]) == 2
        assert capsys.readouterr().err == f"napari-guideme: read on {device}\n"


def test_a_volume_is_refused_without_its_name(tmp_path, capsys):
    pytest.importorskip("pydicom")
    folder, out = tmp_path / NAME, tmp_path / "labels.tif"
    write_series(folder, np.zeros((5, 32, 32), np.int16))
    assert main(["segment", str(folder), "cat", "-o", str(out)]) == 2
    told = capsys.readouterr().err
    assert "pictures of two axes; this image has 3" in told
    assert NAME not in told
    assert not out.exists()


def test_what_is_not_read_is_told(photograph, network, tmp_path, capsys):
    told = ["-o", str(tmp_path / "labels.tif"), "--network", str(network)]
    asked = "both dogs on the left " + "very " * 20
    assert main(["segment", str(photograph), asked, *told]) == 0
    _, errors = capsys.readouterr()
    assert "reads the first 20 words of a sentence" in errors
    assert "did not learn these words: both, on, very\n" in errors
    assert "finds one thing, and 'both dogs" in errors


def test_what_has_no_word_is_refused(photograph, network, tmp_path, capsys):
    told = ["-o", str(tmp_path / "labels.tif"), "--network", str(network)]
    for asked in ("", "  ", "\u5de6\u8fb9"):
        assert main(["segment", str(photograph), asked, *told]) == 2
        assert "has no word; say in English" in capsys.readouterr().err
