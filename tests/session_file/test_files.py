from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Hints, Scribble, TextHint
from napari_guideme.history import History, Past
from napari_guideme.localize import MOST_VIEWS
from napari_guideme.outlines import Kept
from napari_guideme.session_file import (
    FileReference,
    ImageReference,
    NameSearch,
    NetworkReference,
    Part,
    Search,
    SentenceSearch,
    SessionFile,
    Setup,
    Volume,
    digest,
    read_session,
    save_session,
)
from napari_guideme.session_file.labels import with_part
from napari_guideme.session_file.writing import session_to_json

RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
TEXT = TextHint("remove", "cell", ((0, 1),))


def contents(folder: Path) -> SessionFile:
    """Something of everything."""
    clicks = Hints((Click((1.25, 2.0), "cell"), Scribble((((0, 0), (3, 3)),), "background", 2.0)))
    entries = (
        Past(Hints(), "residual", refined=True),
        Past(clicks, "residual", refined=True),
        Past(Hints((*clicks, TEXT)), "f-brs", refined=False, warm=1),
    )
    setup = Setup(
        channel_axis=-1,
        channels=(0, 2),
        guide_point="relu",
        text_guide=FileReference(folder / "guide.safetensors", "f" * 64),
        patient=("P", "L"),
        zoom=64,
        spacing=(0.5, 2.0),
        locked=False,
    )
    history = History(entries, 1, {TEXT: "there is no cell at the top"})
    part = Part((1, 2), (7, 0, 0), "a" * 64, setup, history)
    return SessionFile(
        ImageReference(folder / "scans" / "a.tif", (9, 16, 16, 3), "uint8", 2, 5, -1),
        NetworkReference(folder / "nets" / "net.onnx", "b" * 64, {"classes": ["background", "c"]}),
        (part,),
        instances=True,
    )


def found(folder: Path, search: Search, source: str | Path) -> SessionFile:
    """A found thing that nobody corrected yet."""
    history = History((Past(Hints(), "residual", refined=True),), 0)
    part = Part((1, 2), (3, 0, 0), "a" * 64, Setup(), history, search=search)
    image = ImageReference(folder / "a.tif", (4, 9, 9), "uint16")
    return SessionFile(image, NetworkReference(source, "b" * 64), (part,))


def searches(folder: Path) -> dict[str, SessionFile]:
    own = NetworkReference(folder / "nets" / "squeeze.safetensors", "c" * 64)
    name = NameSearch("cat", own, (281, 285), (), "gradient", 3, "clicks", (0.1, 1e6))
    sentence = SentenceSearch("the cat on the left", outline="threshold")
    return {
        "name": found(folder, name, "attention"),
        "sentence": found(folder, sentence, folder / "nets" / "own.safetensors"),
    }


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "work.guideme.json"
    save_session(path, contents(tmp_path))
    return path


@pytest.fixture
def named(tmp_path) -> Path:
    path = tmp_path / "cat.guideme.json"
    save_session(path, searches(tmp_path)["name"])
    return path


def test_all_of_it_comes_back(path, tmp_path):
    assert read_session(path) == contents(tmp_path)
    save_session(str(path), contents(tmp_path))
    assert read_session(str(path)) == contents(tmp_path)


def test_an_editor_of_windows_does_no_harm(path, tmp_path):
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert read_session(path) == contents(tmp_path)


@pytest.mark.parametrize("kind", ["name", "sentence"])
def test_what_was_searched_for_comes_back(tmp_path, kind):
    path, told = tmp_path / "cat.guideme.json", searches(tmp_path)[kind]
    save_session(path, told)
    assert read_session(path) == told
    assert str(tmp_path) not in path.read_text()
    assert json.loads(path.read_text())["version"] == 3


@pytest.mark.parametrize("spacing", [None, (2.0, 0.5, 0.5)])
def test_how_slices_belong_together_comes_back(tmp_path, spacing):
    path = tmp_path / "work.guideme.json"
    told = replace(contents(tmp_path), volume=Volume(0, "onward", "d" * 64, spacing))
    save_session(path, told)
    assert read_session(path) == told
    assert json.loads(path.read_text())["version"] == 2


def test_what_an_older_program_can_read_is_written_for_it(path):
    assert json.loads(path.read_text())["version"] == 1


def test_parts_of_different_kinds_are_refused(named):
    told = json.loads(named.read_text())
    told["parts"].append({**told["parts"][0], "search": None})
    named.write_text(json.dumps(told))
    with pytest.raises(InputError, match="different kinds"):
        read_session(named)


def test_masks_come_back(tmp_path):
    start, object_ = Kept(0, (2, 3), RING), Kept(4, (0, 0), np.ones((2, 1), dtype=bool))
    entries = (
        Past(Hints(), "residual", True, start=start),
        Past(Hints(), "residual", True, start=start, kept=(object_,)),
    )
    part = Part(None, None, "a" * 64, Setup(), History(entries, 1))
    image, network = ImageReference(None, (9, 9), "uint8"), NetworkReference("click", "b" * 64)
    path = tmp_path / "objects.guideme.json"
    save_session(path, SessionFile(image, network, (part,)))
    told = json.loads(path.read_text())
    assert [mask["runs"] for mask in told["parts"][0]["masks"]] == [[0, 4, 1, 4], [0, 2]]
    read = read_session(path).parts[0].history.entries
    assert (read[1].start.id, read[1].start.corner) == (0, (2, 3))
    np.testing.assert_array_equal(read[1].start.mask, RING)
    np.testing.assert_array_equal(read[1].kept[0].mask, object_.mask)
    assert read[0].kept == ()


def test_a_folder_that_moves_takes_its_session_along(path, tmp_path):
    told = json.loads(path.read_text())
    assert told["image"]["path"] == "scans/a.tif"
    assert told["network"]["path"] == "nets/net.onnx"
    assert str(tmp_path) not in path.read_text()
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    assert read_session(moved / path.name).image.path == moved / "scans" / "a.tif"


def test_beside_the_folder_paths_lead_out_of_it(tmp_path):
    (tmp_path / "sessions").mkdir()
    path = tmp_path / "sessions" / "work.guideme.json"
    save_session(path, contents(tmp_path))
    assert json.loads(path.read_text())["image"]["path"] == "../scans/a.tif"
    assert read_session(path).image.path.resolve() == tmp_path / "scans" / "a.tif"


def test_a_write_that_fails_half_way_leaves_the_old_file(path, tmp_path, monkeypatch):
    before = path.read_bytes()

    def half(new: Path, text: str, **_: object) -> None:
        with new.open("w") as file:
            file.write(text[: len(text) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(InputError, match="No space left"):
        save_session(path, contents(tmp_path / "elsewhere"))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_another_name_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must end in \.guideme\.json"):
        save_session(tmp_path / "work.json", contents(tmp_path))


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("{", "Expecting"),
        ("[]", "no session of napari-guideme"),
        ('{"clicks": []}', "no session of napari-guideme"),
        (deep(100_000), "recursion"),
        ('{"format": "napari-guideme session", "version": 4}', "newer napari-guideme"),
        ('{"format": "napari-guideme session", "version": true}', '"version"'),
        ('{"format": "napari-guideme session"}', '"version"'),
    ],
)
def test_what_is_no_session_is_refused(tmp_path, text, why):
    path = tmp_path / "work.guideme.json"
    path.write_text(text)
    with pytest.raises(InputError, match=why) as error:
        read_session(path)
    assert "\n" not in str(error.value)


def test_a_missing_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no session file"):
        read_session(tmp_path / "none.guideme.json")
    path = tmp_path / "work.guideme.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=path.name):
        read_session(path)


PLACES = [
    ("image",),
    ("image", "shape"),
    ("image", "dtype"),
    ("network", "fingerprint"),
    ("network", "path"),
    ("instances",),
    ("parts",),
    ("parts", 0),
    ("parts", 0, "axes"),
    ("parts", 0, "sha256"),
    ("parts", 0, "setup"),
    ("parts", 0, "setup", "spacing"),
    ("parts", 0, "setup", "locked"),
    ("parts", 0, "setup", "patient"),
    ("parts", 0, "setup", "text_guide"),
    ("parts", 0, "hints"),
    ("parts", 0, "hints", 0),
    ("parts", 0, "hints", 0, "click"),
    ("parts", 0, "history"),
    ("parts", 0, "history", 1),
    ("parts", 0, "history", 1, "hints"),
    ("parts", 0, "history", 1, "method"),
    ("parts", 0, "history", 1, "refined"),
    ("parts", 0, "history", 2, "warm"),
    ("parts", 0, "history", 0, "start"),
    ("parts", 0, "cursor"),
]


@pytest.mark.parametrize("value", ["x" * 500, -1, 1e300, [[]], [True], {"a": {}}, 99])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_a_misshapen_entry_is_refused_in_one_line(path, place, value):
    refuse_misshapen(path, place, value)


SEARCHED = [
    *(("name",), ("classifier",), ("classifier", "fingerprint"), ("classifier", "path")),
    *(("positive",), ("negative",), ("method",), ("views",), ("outline",), ("limits",)),
]


def test_another_method_brings_its_usual_looks(tmp_path):
    (part,) = searches(tmp_path)["name"].parts
    told = part.search
    assert told.by("gradient") is told
    by_network = told.by("proxies")
    assert (by_network.method, by_network.views, by_network.outline) == ("proxies", 1, "grabcut")
    assert replace(by_network.by("guided"), method="", views=0, outline="") == replace(
        told, method="", views=0, outline=""
    )
    assert by_network.by("guided").views == MOST_VIEWS


@pytest.mark.parametrize(("kind", "drawn"), [("name", "grabcut"), ("sentence", "clicks")])
@pytest.mark.parametrize("follows_image", [True, False])
def test_older_files_told_outlines_by_yes_or_no(tmp_path, kind, drawn, follows_image):
    path = tmp_path / "old.guideme.json"
    save_session(path, searches(tmp_path)[kind])
    told = json.loads(path.read_text())
    told["version"] = 2
    search = told["parts"][0]["search"]
    del search["outline"]
    path.write_text(json.dumps(told))
    with pytest.raises(InputError, match='"grabcut"'):
        read_session(path)
    search["grabcut"] = follows_image
    path.write_text(json.dumps(told))
    (part,) = read_session(path).parts
    assert part.search.outline == (drawn if follows_image else "threshold")


@pytest.mark.parametrize("value", ["x" * 500, -1, 1e300, [[]], [True], {"a": {}}])
@pytest.mark.parametrize("place", SEARCHED, ids=".".join)
def test_a_misshapen_search_is_refused_in_one_line(named, place, value):
    refuse_misshapen(named, ("parts", 0, "search", *place), value)


def refuse_misshapen(path, place, value):
    told = json.loads(path.read_text())
    *way, last = place
    entry = told
    for key in way:
        entry = entry[key]
    if isinstance(value, str) and isinstance(entry[last], str):
        value = 5
    entry[last] = value
    path.write_text(json.dumps(told))
    with pytest.raises(InputError) as error:
        read_session(path)
    assert str(error.value).startswith(f"{path.name}: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "changes",
    [
        {"runs": [0, 4, 1, 5]},
        {"runs": [10**30]},
        {"shape": [3, 3, 3]},
        {"corner": [1]},
        {"shape": [2**31, 2**31], "runs": [2**31] * 2},
    ],
)
def test_a_mask_that_does_not_add_up_is_refused(path, changes):
    told = json.loads(path.read_text())
    mask = {"id": 1, "corner": [0, 0], "shape": [3, 3], "runs": [0, 4, 1, 4]}
    told["parts"][0]["masks"] = [{**mask, **changes}]
    path.write_text(json.dumps(told))
    with pytest.raises(InputError):
        read_session(path)


def test_the_digest_tells_arrays_apart_and_knows_them_again():
    array = np.arange(24, dtype="<u2").reshape(4, 6)
    same = [array.astype(">u2"), np.asfortranarray(array), array[::1]]
    other = [array.reshape(6, 4), array.astype("u4"), array.T, array + 1, array.view("i2")]
    assert {digest(a) for a in same} == {digest(array)}
    assert digest(array) not in {digest(a) for a in other}


def test_the_digest_of_many_rows_is_that_of_all(monkeypatch):
    from napari_guideme.session_file import contents as module

    array = np.random.default_rng(0).random((50, 7)).astype(np.float32)
    whole = digest(array)
    monkeypatch.setattr(module, "_CHUNK", 100)
    assert digest(array) == whole


def test_slices_are_put_together_under_ids_of_their_own(tmp_path):
    image = ImageReference(None, (3, 4, 5), "uint8")
    labels = np.array([[0, 1, 1, 0, 2]] * 4, dtype=np.uint8)
    whole = None
    for index in (0, 2):
        part = Part((1, 2), (index, 0, 0), "a" * 64, Setup(), History((), 0))
        whole = with_part(whole, image, part, labels, ids=True)
    assert whole.shape == (3, 4, 5)
    assert whole[:, 0].tolist() == [[0, 1, 1, 0, 2], [0] * 5, [0, 3, 3, 0, 4]]


def test_a_part_that_the_image_does_not_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="no slice"):
        contents(tmp_path).parts[0].pixels(np.zeros((3, 16, 16, 3)))


def test_no_metadata_of_an_image_are_told(tmp_path):
    told = session_to_json(contents(tmp_path), tmp_path)
    chosen = {"series", "volume", "channel_axis"}
    assert set(told["image"]) == {"path", "shape", "dtype", *chosen}
    keys = {"format", "version", "image", "network", "instances", "along", "parts"}
    assert set(told) == keys


@pytest.mark.parametrize("key", ["series", "volume", "channel_axis"])
@pytest.mark.parametrize("value", ["1.2.826", [1], True, 1.5])
def test_what_was_chosen_of_a_file_is_a_number(path, key, value):
    told = json.loads(path.read_text())
    told["image"][key] = value
    path.write_text(json.dumps(told))
    with pytest.raises(InputError, match=f'"{key}"'):
        read_session(path)
