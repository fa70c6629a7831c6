from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_guideme import Click, GuideSession
from napari_guideme.errors import InputError
from napari_guideme.guidance import FOLLOWED_METHODS
from napari_guideme.localize.known_labels import KnownLabels
from napari_guideme.localize.proxies import is_name
from napari_guideme.referring.following import Followed, follow, scene_of, which_answers
from napari_guideme.referring.opening import open_referring, save, steps_of
from napari_guideme.referring.outline import Clicker, outlined
from tests.referring.untrained import WORDS, listening, untrained

SENTENCE = "the larger dog on the left"


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 60_000, (48, 80, 3), dtype=np.uint16)


@pytest.fixture(scope="module")
def network():
    made = untrained()
    # What has learnt nothing finds nothing; with less bias it finds some pixels.
    heats = steps_of(made, SENTENCE, np.eye(48, 80) * 60_000).refined[-1]
    bias = made.grouping.reading.get_parameter("bias")
    bias.data -= float(np.log(np.median(heats) / (1 - np.median(heats))))
    return made


@pytest.fixture(scope="module")
def followed(image, network) -> Followed:
    return follow(SENTENCE, image, network, channel_axis=-1)


def test_a_sentence_is_followed(followed, image, network):
    assert (followed.sentence, followed.name) == (SENTENCE, "dog")
    assert followed.unknown == ("on",)
    assert followed.likelihood.shape == followed.mask.shape == image.shape[:2]
    assert followed.likelihood.dtype == np.float32
    np.testing.assert_array_equal(followed.likelihood, followed.steps.refined[-1])
    np.testing.assert_array_equal(followed.mask, outlined(followed.likelihood, Clicker(image, -1)))
    rough = follow(SENTENCE, image, network, channel_axis=-1, follows_image=False).mask
    np.testing.assert_array_equal(rough, outlined(followed.likelihood))
    assert (rough != followed.mask).any()
    again = steps_of(network, SENTENCE, image, -1)
    np.testing.assert_array_equal(again.refined, followed.steps.refined)
    np.testing.assert_array_equal(again.attention, followed.steps.attention)


def test_progress_is_told(image, network):
    seen = []
    follow(SENTENCE, image, network, channel_axis=-1, progress=lambda *told: seen.append(told))
    assert seen == [(step, 10) for step in range(1, 11)]


def test_the_first_labels_are_the_mask(followed, image, network):
    scene = scene_of(followed, image, network, -1, "cpu")
    assert scene.network.classes == ("background", "dog")
    assert 0 < followed.mask.mean() < 1
    labels = GuideSession.on(scene).labels()
    np.testing.assert_array_equal(labels == 1, followed.mask)


@pytest.mark.parametrize("method", FOLLOWED_METHODS)
def test_clicks_correct_it(followed, image, network, method):
    scene = scene_of(followed, image, network, -1, "cpu")
    session = GuideSession.on(scene, method=method)
    at = (10, 60)
    wrong = 1 - int(session.labels()[at])
    session.add(Click(at, scene.network.classes[wrong]))
    for _ in session.refine():
        pass
    assert session.labels()[at] == wrong


ONLY_A_CLASS = (
    "dog",
    "the dog",
    "find the dog",
    "Please find me a motorbike.",
    "where is the cat?",
    "all the dogs",
    "the dog in the picture",
    "golden retriever",
    "the dining table",
    "a red fox",
    "the orange",
    "dining tables",
    "traffic light",
    "the polar bears",
    "every sheep",
    "some broccoli",
    "mark the school bus",
)
MORE = (
    "the left dog",
    "the larger dog",
    "the larger nucleus at the bottom",
    "the second dog",
    "second dog from the left",
    "the dog left of the chair",
    "dog on the left",
    "the dog at the top",
    "the red car",
    "red car",
    "the darker white blood cell",
    "a white blood cell",
    "two dogs",
    "of the three cups, the red one",
    "the biggest of the three cups",
    "the brightest nucleus",
    "the cup inside the bowl",
    "the one on the left",
    "the largest",
    "left",
    "the object",
    "the topmost thing",
    "the cup that sings",
    "the man wearing a red shirt",
    "the zorblax",
)


@pytest.fixture(scope="module")
def labels() -> KnownLabels:
    return KnownLabels.imagenet()


@pytest.mark.parametrize("sentence", ONLY_A_CLASS)
def test_proxies_answer_where_a_class_is_named(sentence, labels):
    assert which_answers(sentence, lambda name: is_name(name, labels)) == "proxies"


@pytest.mark.parametrize("sentence", MORE)
def test_the_network_answers_where_more_is_said(sentence, labels):
    assert which_answers(sentence, lambda name: is_name(name, labels)) == "see-through-text"


def test_what_nobody_knows_is_asked_for_by_its_name_alone():
    def asked(sentence: str) -> str:
        return which_answers(sentence, lambda name: name == "hat", lambda phrase: False)

    with pytest.raises(
        InputError, match="learned no word of 'tallest building'; ask for 'building'"
    ):
        asked("tallest building")
    with pytest.raises(InputError, match="ask for 'man'"):
        asked("the man with a hat")
    # They tell what is known and near.
    assert asked("golden retriefer") == asked("it") == "proxies"


def test_it_is_told_where_one_thing_is_found_though_several_are_meant(image, network):
    assert [
        follow(said, image, network, channel_axis=-1, follows_image=False).several
        for said in ("the left dogs", "both dogs", "the left dog", "the left of the dogs")
    ] == [True, True, False, False]


def test_a_network_is_opened_by_its_name_or_from_a_file(tmp_path):
    path = tmp_path / "own.safetensors"
    save(untrained(), path)
    assert open_referring(path).reader.known == WORDS
    with pytest.raises(InputError, match="bundled is see-through-text, else give a file"):
        open_referring(tmp_path / "none.safetensors")
    assert "nucleus" in open_referring().reader.known


def test_a_sentence_is_followed_on_the_device_of_the_network(meta, tmp_path, image):
    path, done = tmp_path / "own.safetensors", []
    save(untrained(), path)
    network = open_referring(path, meta)
    assert {value.device.type for value in network.state_dict().values()} == {meta}
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        follow(
            SENTENCE,
            image,
            listening(network),
            channel_axis=-1,
            follows_image=False,
            progress=lambda *told: done.append(told),
        )
    assert done[-1] == (10, 10)


@pytest.mark.parametrize(("side", "half"), [("left", np.s_[:, :80]), ("right", np.s_[:, 80:])])
def test_the_bundled_network_tells_left_from_right(side, half):
    rows, columns = np.indices((128, 160))
    dish = 150.0 * ((rows - 60) ** 2 / 400 + (columns - 40) ** 2 / 250 < 1)
    dish += 170.0 * ((rows - 70) ** 2 / 300 + (columns - 120) ** 2 / 400 < 1)
    noise = np.random.default_rng(0).normal(10, 4, dish.shape)
    cells = (ndimage.gaussian_filter(dish, 2) + noise).clip(0, 255).astype(np.uint8)
    found = follow(f"the nucleus on the {side}", cells, open_referring())
    meant = np.zeros(dish.shape, bool)
    meant[half] = dish[half] > 0
    assert (found.mask & meant).sum() / (found.mask | meant).sum() > 0.7
    assert found.name == "nucleus"
