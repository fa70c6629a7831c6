from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from imageio import v3 as imageio

from napari_guideme.cli import main
from napari_guideme.errors import InputError
from napari_guideme.evaluation.named_objects import NamedItem, open_named_objects
from napari_guideme.evaluation.referring import (
    Clicks,
    clicked,
    evaluate_referring,
    masks,
    said_of,
)
from napari_guideme.evaluation.referring_baselines import TextHints, largest
from napari_guideme.evaluation.referring_results import compared
from napari_guideme.guidance import DEFAULT_FOLLOWED_METHOD
from napari_guideme.referring.expressions import Expression
from napari_guideme.referring.following import follow
from napari_guideme.referring.opening import imagenet_encoder, load, save, with_folds
from tests.referring.toys import drawn
from tests.referring.untrained import listening, untrained
from tests.test_cli import shell

RED, BLUE = (220, 30, 30), (30, 30, 220)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A large and a small cup, a bowl; and in another picture a cup alone."""
    path = tmp_path_factory.mktemp("data")
    for name in ("images", "masks", "instances"):
        (path / name).mkdir()
    scenes = {
        "a": [("cup", 30, 30, 20, RED), ("cup", 30, 95, 8, BLUE), ("bowl", 95, 60, 18, BLUE)],
        "b": [("cup", 60, 60, 20, RED)],
    }
    for stem, things in scenes.items():
        image, ids, names = drawn(*things)
        imageio.imwrite(path / "images" / f"{stem}.png", image)
        imageio.imwrite(path / "masks" / f"{stem}.png", ids.astype(np.uint8))
        told = {str(number): {"name": name} for number, name in names.items()}
        (path / "instances" / f"{stem}.json").write_text(json.dumps({"instances": told}))
    return path


@pytest.fixture(scope="module")
def item(folder) -> NamedItem:
    return next(iter(open_named_objects(folder)))


@pytest.fixture
def network():
    return untrained()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "own.safetensors"
    save(untrained(), path)
    return path


def test_all_sentences_of_an_image_are_followed_as_one_is(item, network):
    # A bias at which an untrained network finds some of the pixels.
    sentences = ["the larger cup", "the dog on the left that is not there", "cup"] * 7
    heats = [follow(s, item.image, network, channel_axis=-1).likelihood for s in sentences[:3]]
    middle = float(np.median(heats))
    network.grouping.reading.get_parameter("bias").data -= np.log(middle / (1 - middle))
    said = [Expression(sentence, 1) for sentence in sentences]
    found = list(masks(said, item, network, imagenet_encoder()))
    alone = [follow(s, item.image, network, channel_axis=-1).mask for s in sentences[:3]]
    assert 0 < np.mean(alone) < 1
    for together, own in zip(found, alone * 7, strict=True):
        assert (together == own).mean() > 0.999


def test_sentences_are_followed_on_the_device_of_the_network(item, network):
    there, said = listening(with_folds(network.to("meta"), 3)), [Expression("the larger cup", 1)]
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        list(masks(said, item, there, imagenet_encoder().to("meta"), follows_image=False))


def test_what_is_said_depends_on_the_seed_alone(folder):
    data = open_named_objects(folder)
    said, source = said_of(data, seed=3)
    again, _ = said_of(data, seed=3)
    assert source == "generated"
    for item in data:
        told = said(item)
        assert told == again(item)
        assert max(np.bincount([e.object_id for e in told])) <= 3
    fewer, _ = said_of(data, per_image=1, seed=3)
    assert len({e.object_id for e in fewer(next(iter(data)))}) == 1


def test_what_is_written_of_an_image_that_is_not_there_is_refused(folder, tmp_path):
    for part in ("images", "masks", "instances"):
        (tmp_path / part).symlink_to(folder / part)
    line = {"image": "nowhere", "object": 2, "sentence": "the blue cup"}
    (tmp_path / "expressions.jsonl").write_text(json.dumps(line))
    with pytest.raises(InputError, match=r"expressions\.jsonl is about the image nowhere"):
        said_of(open_named_objects(tmp_path))


def test_what_people_wrote_counts(folder, tmp_path, network):
    for part in ("images", "masks", "instances"):
        (tmp_path / part).symlink_to(folder / part)
    lines = [{"image": "a", "object": 2, "sentence": "the blue cup"}]
    path = tmp_path / "expressions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    data = open_named_objects(tmp_path)
    said, source = said_of(data)
    assert source == "expressions.jsonl"
    assert [said(item) for item in data] == [[Expression("the blue cup", 2)], []]
    path.write_text(json.dumps(lines[0] | {"object": 9}))
    with pytest.raises(InputError, match=r"a: .* refers to the object 9, which the mask lacks"):
        evaluate_referring(data, said_of(data)[0], network)


def test_the_largest_of_the_class_is_one_baseline(item):
    assert (largest(item, Expression("the blue cup", 2)) == (item.ids == 1)).all()
    assert (largest(item, Expression("the bowl", 3)) == (item.ids == 3)).all()


def test_no_bundled_network_knows_cups(item):
    assert TextHints("cpu").find(item, Expression("the blue cup", 2)) is None


def test_a_segmentation_network_is_told_of_nuclei(shared):
    data = open_named_objects(shared / "data" / "nuclei_dsb2018", "nucleus", split="test", limit=1)
    (item,) = data
    hints = TextHints("cpu")
    found = hints.find(item, Expression("the nucleus at the top left", int(item.ids.max())))
    anywhere = hints.find(item, Expression("the zorblax nucleus", int(item.ids.max())))
    rows, columns = np.nonzero(found)
    height, width = item.ids.shape
    # It may reach beyond the place in which it was looked for.
    assert rows.min() < height / 3
    assert columns.min() < width / 3
    assert anywhere.sum() >= found.sum() > 0


def test_clicks_follow_a_sentence(item, network):
    course = clicked(item, Expression("the larger cup", 1), network, Clicks(2, "residual", "cpu"))
    assert len(course) == 3
    assert course[2] > course[0]


@pytest.mark.parametrize("follows_image", [True, False])
def test_clicks_begin_with_the_outline_that_is_told(item, network, follows_image):
    said = Expression("the larger cup", 1)
    (mask,) = masks([said], item, network, imagenet_encoder(), follows_image)
    course = clicked(item, said, network, Clicks(0, "residual", "cpu"), follows_image)
    assert course == [compared(mask, item.ids, 1).iou]


def test_clicks_follow_what_can_follow():
    with pytest.raises(InputError, match="saliency-brs corrects no sentence; choose"):
        Clicks(1, "saliency-brs")


def test_folds_may_be_others_than_were_learned(network):
    assert with_folds(network, 2) is network
    more = with_folds(network, 3)
    assert more.design.steps == more.grouping.design.steps == 15
    assert network.design.steps == 10
    with pytest.raises(InputError, match="has 2 folds and cannot have 1"):
        with_folds(untrained(refining="1x1"), 1)
    with pytest.raises(InputError, match="folds = 0 is no whole number"):
        with_folds(network, 0)


def test_a_folder_is_evaluated_in_a_real_process(folder, file, tmp_path):
    out = tmp_path / "out.json"
    run = ["evaluate", folder, "--protocol", "referring", "--network", file, "--json", out]
    done = shell(*run, "--folds", "3", "--clicks", "1", "--objects", "1", "--baselines")
    assert done.returncode == 0, done.stderr
    assert "own.safetensors, 3 folds: " in done.stdout
    assert "largest: all" in done.stdout
    told = json.loads(out.read_text())
    data = open_named_objects(folder)
    said, _ = said_of(data, 1)
    expected = evaluate_referring(data, said, with_folds(load(file), 3)).to_json()
    for name in ("n", "miou", "mean_iou", "prec", "pick_accuracy", "nearest", "by_kind"):
        assert told[name] == expected[name]
    assert told["baselines"]["largest"]["n"] == told["n"] > 1
    assert told["baselines"]["text hint"]["left_out"] == told["n"]
    before, after = told["clicks"]["mean_iou"]
    assert before == pytest.approx(told["mean_iou"])
    own = with_folds(load(file), 3)
    courses = [clicked(item, one, own, Clicks(1)) for item in data for one in said(item)]
    assert [before, after] == pytest.approx(np.mean(courses, 0))
    assert told["clicks"]["method"] == DEFAULT_FOLLOWED_METHOD


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--network", "none"], "there is no network 'none' that follows sentences"),
        (["--method", "saliency-brs", "--clicks", "1"], "corrects no sentence"),
        (["--folds", "99"], "folds = 99"),
        (["--names", "2:"], "is no name, nor names such as"),
    ],
)
def test_bad_input_is_one_line(arguments, said, folder, file, tmp_path, capsys):
    out = tmp_path / "out.json"
    run = ["evaluate", str(folder), "--protocol", "referring", "--json", str(out)]
    try:
        code = main([*run, "--network", str(file), *arguments])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
