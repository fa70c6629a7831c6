from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from imageio import v3 as imageio
from nltk.downloader import Downloader, ErrorMessage
from PIL import Image
from skimage.data import immunohistochemistry

from napari_guideme.cli import main
from napari_guideme.hints import Hints, TextHint
from napari_guideme.hints_json import hints_to_json
from napari_guideme.language import wordnet
from napari_guideme.networks.catalogue import catalogue

AT = (60, 70)


@pytest.fixture
def click_network() -> str:
    if "click" not in catalogue():
        pytest.skip("no network that takes clicks ships with the package")
    return "click"


@pytest.fixture
def tissue(tmp_path) -> Path:
    path = tmp_path / "tissue.png"
    imageio.imwrite(path, immunohistochemistry()[300:428, 160:320])
    return path


def hints_file(folder: Path, **entries) -> Path:
    path = folder / "hints.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def shell(*words, stdout=subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_guideme.cli", *map(str, words)]
    options = {"stdout": stdout, "stderr": subprocess.PIPE, "text": True, "timeout": 240}
    return subprocess.run(command, check=False, **options)


def test_predict_then_refine_in_real_processes(tissue, tmp_path):
    before, after, report = (tmp_path / n for n in ("before.tif", "after.tif", "report.json"))
    done = shell("predict", tissue, "--network", "nuclei", "-o", before)
    assert done.returncode == 0, done.stderr
    labels = tifffile.imread(before)
    assert labels.shape == (128, 160)
    wanted = "background" if labels[AT] else "nucleus"
    hints = hints_file(tmp_path, clicks=[{"at": AT, "class": wanted}])
    done = shell("refine", tissue, "--hints", hints, "-o", after, "--json", report)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 hints satisfied" in done.stdout
    refined = tifffile.imread(after)
    assert refined[AT] == (0 if labels[AT] else 1)
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["changed_pixels"] == (refined != labels).sum() > 0
    assert told["network"] == "nuclei"


@pytest.mark.parametrize(
    "command",
    ["demo", "models", "predict", "refine", "apply", "understand", "fetch-wordnet", "evaluate"],
)
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    (example,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("example: ")]
    assert example.startswith(f"example: napari-guideme {command}")
    assert example.count('"') % 2 == 0, "wrapped within a sentence"


def test_models_lists_classes_and_licence(capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "background, nucleus, border" in out
    assert "CC0-1.0" in out
    assert "see-through-text  (BSD-3-Clause)" in out


@pytest.mark.parametrize("method", ["residual", "f-brs", "guide-me"])
def test_scribbles_and_every_method(tissue, tmp_path, method):
    entries = {
        "clicks": [{"at": [10, 10], "class": "background"}],
        "scribbles": [{"path": [[60, 60], [60, 75]], "width": 3, "class": "nucleus"}],
    }
    hints = hints_file(tmp_path, **entries)
    out = tmp_path / "out.png"
    words = ["refine", tissue, "--hints", hints, "--method", method, "-o", out]
    assert main([*map(str, words)]) == 0
    labels = imageio.imread(out)
    assert labels[10, 10] == 0
    assert (labels[60, 60:76] == 1).all()


def test_instances_are_numbered(tissue, tmp_path):
    out = tmp_path / "ids.tif"
    assert main(["predict", str(tissue), "-o", str(out), "--instances"]) == 0
    ids = tifffile.imread(out)
    assert ids.max() > 3
    assert set(np.unique(ids)) == set(range(ids.max() + 1))


def test_an_image_that_is_stored_sideways_is_told_in_one_line(tmp_path):
    sideways = Image.Exif()
    sideways[0x0112] = 6
    pixels = immunohistochemistry()[300:364, 160:256]
    Image.fromarray(pixels).save(tmp_path / "phone.jpg", exif=sideways)
    done = shell("predict", tmp_path / "phone.jpg", "--network", "nuclei", "-o", tmp_path / "a.tif")
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "phone.jpg" in line]
    assert line.startswith("napari-guideme: phone.jpg: its pixels are stored turned")
    assert "Warning" not in done.stderr
    assert tifffile.imread(tmp_path / "a.tif").shape == (64, 96)


def test_channels_are_chosen(tmp_path):
    path = tmp_path / "channels.tif"
    pixels = np.random.default_rng(0).integers(0, 4000, (5, 40, 48)).astype(np.uint16)
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX"}, photometric="minisblack")
    out = tmp_path / "out.tif"
    assert main(["predict", str(path), "-o", str(out)]) == 2
    assert main(["predict", str(path), "-o", str(out), "--channels", "3"]) == 0
    assert tifffile.imread(out).shape == (40, 48)


def bad_inputs(tmp_path, tissue, untrained):
    out = tmp_path / "out.tif"
    nan = tmp_path / "nan.tif"
    tifffile.imwrite(nan, np.full((20, 20), np.nan, np.float32))
    volume = tmp_path / "volume.tif"
    flat = {"metadata": {"axes": "ZYX"}, "photometric": "minisblack"}
    tifffile.imwrite(volume, np.zeros((3, 20, 20), np.uint8), **flat)
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    unknown = tmp_path / "unknown.json"
    unknown.write_text('{"clicks": [{"at": [1, 1], "class": "dog"}]}', encoding="utf-8")
    outside = tmp_path / "outside.json"
    outside.write_text('{"clicks": [{"at": [500, 1], "class": "nucleus"}]}', encoding="utf-8")
    inside = tmp_path / "inside.json"
    inside.write_text('{"clicks": [{"at": [1, 1, 1], "class": "object"}]}', encoding="utf-8")
    texts = tmp_path / "texts.json"
    said = Hints([TextHint("find", "object")])
    texts.write_text(json.dumps(hints_to_json(said)), encoding="utf-8")
    folder = tmp_path / "data"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
        imageio.imwrite(folder / name / "a.png", np.full((8, 8), 255, np.uint8))
    clicked = ["refine", volume, "--network", "click", "--hints", inside, "-o", out]
    return {
        "no image": (["predict", tmp_path / "no.png", "-o", out], "there is no image"),
        "nan": (["predict", nan, "-o", out], "NaN"),
        "not an image": (["predict", empty, "-o", out], "not a readable image"),
        "format": (["predict", broken, "-o", out], ".tif"),
        "network": (["predict", tissue, "--network", "cats", "-o", out], "bundled are nuclei"),
        "sentences": (
            ["refine", tissue, "--network", "see-through-text", "--say", "find it", "-o", out],
            "see-through-text follows a sentence: napari-guideme segment",
        ),
        "device": (["predict", tissue, "--device", "cuda:77", "-o", out], "choose auto"),
        "suffix": (["predict", tissue, "-o", tmp_path / "out.xyz"], ".tif"),
        "unwritable": (["predict", tissue, "-o", file / "out.tif"], "cannot write"),
        "no hints": (["refine", tissue, "--hints", tmp_path / "no.json", "-o", out], "no hints"),
        "json": (["refine", tissue, "--hints", broken, "-o", out], "broken.json: this is no JSON"),
        "carry": (
            ["refine", tissue, "--hints", outside, "--carry", "onward", "-o", out],
            "--carry is for volumes; the image has 2 axes",
        ),
        "axis": (["predict", tissue, "--axis", "0", "-o", out], "--axis is for volumes"),
        "carried clicks": (
            [*clicked, "--carry", "volume"],
            "an object is carried onward",
        ),
        "axis of clicks": ([*clicked, "--axis", "5"], "choose 0, 1 or 2"),
        "told in a file": (
            [*clicked[:5], texts, *clicked[6:]],
            "words are for networks with classes; click takes clicks",
        ),
        "words on a volume": ([*clicked, "--say", "find it"], "--say is for networks with classes"),
        "predicted clicks": (
            ["predict", volume, "--network", "click", "-o", out],
            "click finds nothing without clicks",
        ),
        "class": (["refine", tissue, "--hints", unknown, "-o", out], "background, nucleus, border"),
        "outside": (["refine", tissue, "--hints", outside, "-o", out], "outside the image"),
        "folder": (["evaluate", tmp_path / "no", "--json", tmp_path / "o.json"], "no"),
        "clicks": (
            ["evaluate", folder, "--protocol", "noc", "--json", tmp_path / "o.json"],
            "nuclei takes no clicks",
        ),
        "nothing": (["refine", tissue, "-o", out], "--hints FILE or --say SENTENCE"),
        "word": (["refine", tissue, "--say", "find the dog", "-o", out], "background, nucleus"),
        "telling": (
            ["refine", tissue, "--say", "find it", "--network", untrained, "-o", out],
            "takes clicks on objects",
        ),
        "guide": (
            ["refine", tissue, "--say", "find the nucleus", "--text-guide", broken, "-o", out],
            "broken.json is no text guide",
        ),
        "demo": (["demo", "--out", file / "demo"], "cannot write"),
    }


CASES = [
    *("no image", "nan", "not an image", "format", "network", "sentences", "device", "suffix"),
    *(
        "unwritable",
        "carry",
        "axis",
        "carried clicks",
        "axis of clicks",
        "told in a file",
        "words on a volume",
        "predicted clicks",
    ),
    *("no hints", "json", "class", "outside", "folder", "clicks", "demo"),
    *("nothing", "word", "telling", "guide"),
]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_and_exit_code_2(
    case, tissue, tmp_path, untrained_click_network, capsys
):
    words, told = bad_inputs(tmp_path, tissue, untrained_click_network)[case]
    before = sorted(tmp_path.iterdir())
    assert main([*map(str, words)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [
        ["refine", "x.png", "--hints", ".", "-o", "out.tif"],
        ["replay", ".", "-o", "out.tif"],
        ["predict", "x.png", "-o", "."],
        ["predict", "tissue.png", "--network", ".", "-o", "out.tif"],
        ["predict", "tissue.png", "--card", ".", "-o", "out.tif"],
    ],
)
def test_the_folder_where_one_works_is_told_by_its_name(
    words, tissue, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert f"{tmp_path.name}" in capsys.readouterr().err.partition(": ")[2]


def test_without_internet_only_we_say_so(monkeypatch, capsys):
    monkeypatch.setattr(wordnet, "find_wordnet", lambda: None)
    unreachable = [ErrorMessage(None, "no connection")]
    monkeypatch.setattr(Downloader, "incr_download", lambda *_, **__: unreachable)
    assert main(["fetch-wordnet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("napari-guideme: WordNet cannot be downloaded")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("words", [["models"], ["refine", "--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nobody_has_to_read_what_is_printed(words, unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reading, writing = os.pipe()
    os.close(reading)
    done = shell(*words, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_cannot_be_printed_is_one_line(tissue, tmp_path, unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    out = tmp_path / "out.tif"
    with open("/dev/full", "w") as full:
        done = shell("predict", tissue, "-o", out, stdout=full)
    assert (done.returncode, done.stderr) == (2, "napari-guideme: No space left on device\n")
    assert out.exists()


def test_what_a_disk_refuses_is_one_line(tmp_path, capsys):
    name = "a" * 999
    assert main(["predict", f"{name}.png", "-o", str(tmp_path / "out.tif")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"napari-guideme: {name}.png: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["predict"], ["refine", "x.png", "--method", "magic"], ["nonsense"], []]
)
def test_bad_options_are_one_line_and_exit_code_2(words):
    done = shell(*words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--help" in done.stderr


REFINE = ["refine", "image.tif", "-o", "out.tif", "--hints", "hints.json"]
SEGMENT = ["segment", "image.tif", "dog", "--show-maps", "maps"]


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["predict", "image.tif", "-o", "link.tif"], ["-o", "IMAGE"]),
        ([*REFINE, "--json", "hints.json"], ["--json", "--hints"]),
        ([*REFINE, "--save-session", "hints.json"], ["--save-session", "--hints"]),
        ([*REFINE, "--json", "new.json", "--save-session", "./new.json"], ["--json", "session"]),
        ([*REFINE, "--mask", "out.tif"], ["-o", "--mask"]),
        ([*SEGMENT, "-o", "maps/dog-likelihood.tif"], ["-o", "--show-maps"]),
        (["segment", "maps/dog-step-01-heat.tif", *SEGMENT[2:], "-o", "o.tif"], ["--show-maps"]),
        (["evaluate", "data", "--json", "data/instances/a.json"], ["--json", "DIR"]),
    ],
)
def test_no_output_replaces_an_input_or_another_output(
    tmp_path, monkeypatch, capsys, words, options
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.tif").write_text("mine")
    (tmp_path / "link.tif").symlink_to("image.tif")
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(option in error for option in options)
    assert {path.name for path in tmp_path.iterdir()} == {"image.tif", "link.tif"}


def test_labels_may_lie_beside_maps(tissue, tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    words = ["segment", tissue, "cat", "--show-maps", maps, "-o", maps / "cat-labels.tif"]
    assert main([*map(str, words), "--method", "grad-cam"]) == 0
    assert {path.name for path in maps.iterdir()} > {"cat-labels.tif"}


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--channels", "0,x", "'0,x' is no channels such as 0,2,1"),
        ("--zoom", "wide", "'wide' is no whole number such as 1"),
        ("--zoom", "-3", "-3 is negative; give a whole number from 0 on"),
        ("--axis", "x", "'x' is no whole number such as 1"),
    ],
)
def test_a_wrong_value_is_told_what_is_allowed(capsys, option, value, told):
    with pytest.raises(SystemExit) as stop:
        main(["refine", "x.png", "-o", "out.tif", option, value])
    assert stop.value.code == 2
    assert f"argument {option}: {told} (see " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--window", "-600,1500", ""),
        ("--channels", "-1,0,1", "channel -1 does not exist; the image has channels 0 to 0"),
        ("--spacing", "-.5,1", "2 positive numbers"),
    ],
)
def test_a_value_may_begin_with_a_minus(tmp_path, capsys, option, value, told):
    image = tmp_path / "grey.tif"
    hints = hints_file(tmp_path, clicks=[{"at": AT, "class": "border"}])
    tifffile.imwrite(image, immunohistochemistry()[300:428, 160:320, 0])
    words = ["refine", image, "--hints", hints, "-o", tmp_path / "out.tif", option, value]
    assert main([*map(str, words)]) == (2 if told else 0)
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "other"),
    [
        ("--label", "0", "--mask"),
        ("--telling", "words", "--say"),
        ("--text-guide", "a.text-guide.safetensors", "--say"),
        ("--vectors", "a.npz", "--say"),
        ("--patient", "P,L", "--say"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(tmp_path, capsys, option, value, other):
    words = ["refine", "x.png", "--hints", "x.json", "-o", str(tmp_path / "out.tif")]
    assert main([*words, option, value]) == 2
    told = f"napari-guideme: {option} is of no use without {other}\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("protocol", "words", "others"),
    [
        ("referring", ["--card", "none.toml"], "errors, questions, text, noc, carry"),
        ("errors", ["--clicks", "3"], "referring"),
        ("errors", ["--folds", "2"], "referring"),
        ("errors", ["--views", "2"], "names"),
        ("noc", ["--outline", "grabcut"], "names, referring"),
    ],
)
def test_an_option_of_another_protocol_is_refused(tmp_path, capsys, protocol, words, others):
    told = ["evaluate", str(tmp_path), "--protocol", protocol, "--json", str(tmp_path / "o.json")]
    assert main([*told, *words]) == 2
    said = f"{words[0]} is of no use with --protocol {protocol}; it is for {others}"
    assert capsys.readouterr().err == f"napari-guideme: {said}\n"


def test_the_device_of_sentences_is_checked(tmp_path, capsys):
    told = ["evaluate", str(tmp_path), "--protocol", "referring", "--device", "magic"]
    assert main([*told, "--json", str(tmp_path / "o.json")]) == 2
    assert "device 'magic' is not here" in capsys.readouterr().err


def test_how_the_patient_lies_is_kept_for_later(tissue, tmp_path):
    session = tmp_path / "work.guideme.json"
    hints = hints_file(tmp_path, clicks=[{"at": AT, "class": "border"}])
    words = ["refine", tissue, "--hints", hints, "-o", tmp_path / "out.tif", "--patient", "P,L"]
    assert main([*map(str, words), "--save-session", str(session)]) == 0
    (part,) = json.loads(session.read_text(encoding="utf-8"))["parts"]
    assert part["setup"]["patient"] == ["P", "L"]


def test_a_sentence_refines_in_a_real_process(tissue, tmp_path):
    before, after, report = (tmp_path / n for n in ("before.tif", "after.tif", "report.json"))
    assert main(["predict", str(tissue), "-o", str(before)]) == 0
    said = "remove the nuclei on the left, and find the nucleus on the right"
    done = shell("refine", tissue, "--say", said, "-o", after, "--json", report)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 hints satisfied" in done.stdout
    own, told = tifffile.imread(before), tifffile.imread(after)
    assert (told[:, :50] == 1).sum() < (own[:, :50] == 1).sum()
    assert (told[:, -50:] == 1).sum() > (own[:, -50:] == 1).sum()
    written = json.loads(report.read_text(encoding="utf-8"))["said"]
    assert [(hint["operation"], hint["class"]) for hint in written] == [
        ("remove", "nucleus"),
        ("find", "nucleus"),
    ]


def test_words_about_a_place_without_pixels_are_one_line(tmp_path, capsys):
    image = tmp_path / "row.tif"
    tifffile.imwrite(image, immunohistochemistry()[:1, :64, 0])
    words = [str(image), "--say", "there is no nucleus at the bottom"]
    assert main(["refine", *words, "-o", str(tmp_path / "out.tif")]) == 2
    error = capsys.readouterr().err
    assert "the image has 1 rows, 64 columns" in error
    assert error.count("\n") == 1


def test_words_and_clicks_are_followed_together(tissue, tmp_path):
    after = tmp_path / "after.tif"
    hints = hints_file(tmp_path, clicks=[{"at": AT, "class": "border"}])
    words = [str(tissue), "--hints", str(hints), "--say", "find the nucleus", "-o", str(after)]
    assert main(["refine", *words]) == 0
    assert tifffile.imread(after)[AT] == 2


def test_sentences_are_understood_without_an_image():
    classes = ("--classes", "background,nucleus,border")
    done = shell("understand", "The border is missing, bottom left.", *classes, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        {"operation": "find", "class": "border", "place": ["bottom left"], "instead_of": None}
    ]
    done = shell("understand", "find the volcano on the left", *classes, "--json")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert "'volcano'" in told["error"]
    assert told["understood"] == ["find", "on the left"]
    assert told["suggestions"]
    done = shell("understand", "find the volcano on the left", *classes)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_the_patient_is_known_if_told(capsys):
    words = ["understand", "the spleen is missing on the patient's left", "--classes", "air,spleen"]
    assert main(words) == 2
    assert main([*words, "--patient", "P,L"]) == 0
    assert capsys.readouterr().out == "find · spleen · right\n"


def test_words_are_evaluated(tissue, tmp_path):
    folder, out = tmp_path / "data", tmp_path / "out.json"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    pixels = imageio.imread(tissue)
    imageio.imwrite(folder / "images" / "a.png", pixels)
    mask = (pixels[..., 0] < 150).astype(np.uint8) * 255
    imageio.imwrite(folder / "masks" / "a.png", mask)
    words = ["evaluate", str(folder), "--protocol", "text", "--operation", "find", "--hints", "2"]
    assert main([*words, "--method", "words", "--json", str(out)]) == 0
    told = json.loads(out.read_text(encoding="utf-8"))
    assert (told["protocol"], told["method"], told["operation"]) == ("text", "words", "find")
    assert told["miou"]["1"] > told["miou"]["0"]
    assert main([*words, "--method", "residual", "--json", str(out)]) == 2


def test_evaluate_writes_its_figures(tmp_path, capsys):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    picture = immunohistochemistry()
    for n in range(2):
        imageio.imwrite(tmp_path / "images" / f"{n}.png", picture[:96, 100 * n : 100 * n + 96])
        mask = (picture[:96, 100 * n : 100 * n + 96, 0] < 120) * np.uint8(255)
        imageio.imwrite(tmp_path / "masks" / f"{n}.png", mask)
    out = tmp_path / "out.json"
    words = ["evaluate", tmp_path, "--protocol", "questions", "--ask", "margin", "--hints", "2"]
    words += ["--json", out]
    assert main([*map(str, words)]) == 0
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["n_images"] == 2
    assert told["ask"] == "margin"
    assert set(told["miou"]) == {"0", "1", "2"}
    assert {"harm_rate", "unmet", "seconds_per_hint", "seconds_per_forward"} <= set(told)
    listed = tmp_path / "held_out.csv"
    listed.write_text("stem\n1\n")
    assert main([*map(str, words), "--only", str(listed)]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["n_images"] == 1


@pytest.fixture
def damaged(tmp_path) -> Path:
    """Images: one whole, one broken, one smaller than its truth, one whose truth is none."""
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    picture = immunohistochemistry()[:64, :64]
    for name, side in (("a", 64), ("b", 64), ("c", 32), ("d", 64)):
        imageio.imwrite(tmp_path / f"data/images/{name}.png", picture)
        mask = (picture[:side, :side, 0] < 120) * np.uint8(255)
        imageio.imwrite(tmp_path / f"data/masks/{name}.png", mask)
    (tmp_path / "data/images/b.png").write_bytes(b"broken")
    imageio.imwrite(tmp_path / "data/masks/d.png", picture)
    return tmp_path / "data"


def test_images_that_cannot_be_read_are_told_and_left_out(damaged, tmp_path):
    out, listed = tmp_path / "out.json", tmp_path / "only.csv"
    words = ["evaluate", damaged, "--hints", "1", "--json", out]
    done = shell(*words)
    assert done.returncode == 3
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["n_images"] == 1
    assert [entry["image"] for entry in told["skipped"]] == ["b", "c", "d"]
    assert "b.png is not a readable image" in told["skipped"][0]["error"]
    assert "rows and columns must agree" in told["skipped"][1]["error"]
    assert "the truth of d has shape (64, 64, 3)" in told["skipped"][2]["error"]
    lines = [f"napari-guideme: left out: {entry['error']}" for entry in told["skipped"]]
    assert done.stderr.splitlines() == lines
    listed.write_text("stem\na\n")
    assert main([*map(str, words), "--only", str(listed)]) == 0
    assert "skipped" not in json.loads(out.read_text(encoding="utf-8"))


def test_without_any_image_that_can_be_read_nothing_is_evaluated(damaged, tmp_path, capsys):
    out, listed = tmp_path / "out.json", tmp_path / "only.csv"
    listed.write_text("stem\nb\nc\n")
    words = ["evaluate", damaged, "--json", out, "--only", listed]
    assert main([*map(str, words), "--protocol", "carry"]) == 2
    *skipped, last = capsys.readouterr().err.splitlines()
    assert len(skipped) == 2
    assert last == "napari-guideme: no image is left to evaluate"
    assert not out.exists()


def test_clicks_until_objects_are_outlined_are_counted(tmp_path, untrained_click_network):
    data, out = tmp_path / "data", tmp_path / "out.json"
    for folder in ("images", "labels"):
        (data / folder).mkdir(parents=True)
    ids = np.zeros((64, 80), np.uint8)
    ids[10:40, 10:40], ids[45:60, 50:75], ids[1:4, 70:78] = 1, 2, 3
    imageio.imwrite(data / "images/a.png", np.stack([ids * 80] * 3, -1))
    imageio.imwrite(data / "labels/a.png", ids)
    words = ["evaluate", data, "--protocol", "noc", "--network", untrained_click_network]
    words += ["--json", out, "--instances", "--hints", "3", "--method", "f-brs-c"]
    done = shell(*words, "--least-pixels", "24")
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text(encoding="utf-8"))
    assert (told["n_images"], told["n_objects"], told["hints"]) == (1, 3, 3)
    assert (told["protocol"], told["method"]) == ("noc", "f-brs-c")
    assert 1 <= told["noc85"] <= told["noc90"] <= 3
    assert f"NoC@90 {told['noc90']:.2f}" in done.stdout
    assert main([*map(str, words)]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["n_objects"] == 2
    assert main([*map(str, words), "--objects", "1"]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["n_objects"] == 1


def test_the_bundled_click_network_outlines_real_objects(shared, tmp_path, click_network):
    out = tmp_path / "out.json"
    words = ["evaluate", shared / "data/grabcut", "--protocol", "noc", "--network", click_network]
    done = shell(*words, "--limit", "2", "--json", out)
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text(encoding="utf-8"))
    assert (told["n_objects"], told["hints"], told["method"]) == (2, 20, "f-brs-b")
    assert told["failures85"] < 2
    assert told["unmet"] <= 0.005
