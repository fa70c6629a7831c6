from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.data import coins, immunohistochemistry

from napari_guideme.errors import InputError
from napari_guideme.hints import Click, Scribble
from napari_guideme.networks.catalogue import open_network
from napari_guideme.session_file import (
    ImageReference,
    NetworkReference,
    SessionFile,
    Setup,
    digest,
    labels_of,
    open_session,
    read_session,
    reopened,
    save_session,
    saved_part,
)
from napari_guideme.volumes import VolumeSession

COLOURED = Setup(channel_axis=-1)


@pytest.fixture(scope="module")
def tissue() -> np.ndarray:
    return immunohistochemistry()[300:396, 160:272]


@pytest.fixture(scope="module")
def nuclei():
    return open_network("nuclei", "cpu")


@pytest.fixture(scope="module")
def click():
    return open_network("click", "cpu")


def run(steps) -> None:
    for _ in steps:
        pass


def say(session, *hints) -> None:
    session.add(*hints)
    run(session.refine())


def there_and_back(folder: Path, session, setup, pixels):
    """Save a session, and open it again on a network that is opened anew."""
    path = folder / "work.guideme.json"
    name = session.network.name
    network = NetworkReference(name, session.network.fingerprint)
    part = saved_part(session, setup, digest(pixels))
    save_session(path, SessionFile(ImageReference.of(pixels), network, (part,)))
    contents = read_session(path)
    assert contents == SessionFile(
        ImageReference.of(pixels), network, (replace(part, history=contents.parts[0].history),)
    )
    again = reopened(contents.parts[0], open_network(name, "cpu"), pixels)
    run(again.replay(contents.parts[0].history))
    return again


def probabilities_are_the_same(one, other) -> None:
    assert one.history.cursor == other.history.cursor
    assert [p.refined for p in one.history.entries] == [p.refined for p in other.history.entries]
    assert [p.warm for p in one.history.entries] == [p.warm for p in other.history.entries]
    np.testing.assert_array_equal(one.labels(), other.labels())
    np.testing.assert_array_equal(one.probabilities(), other.probabilities())


@pytest.mark.parametrize("method", ["residual", "guide-me", "f-brs"])
def test_every_bit_is_the_same_after_warm_starts(tissue, nuclei, tmp_path, method):
    session = open_session(COLOURED, nuclei, tissue, method=method)
    say(session, Click((20, 30), "nucleus"))
    say(session, Scribble((((50, 40), (58, 52)),), "background", 3.0))
    say(session, Click((70.4, 80.6), "nucleus"))
    again = there_and_back(tmp_path, session, COLOURED, tissue)
    assert again.method == method
    probabilities_are_the_same(session, again)


def test_the_order_of_refining_is_kept_not_only_the_hints(tissue, nuclei, tmp_path):
    clicks = [Click((20, 30), "nucleus"), Click((60, 50), "background")]
    warm = open_session(COLOURED, nuclei, tissue, method="guide-me")
    for click in clicks:
        say(warm, click)
    at_once = open_session(COLOURED, nuclei, tissue, method="guide-me")
    say(at_once, *clicks)
    assert not np.array_equal(warm.probabilities(), at_once.probabilities())
    probabilities_are_the_same(warm, there_and_back(tmp_path, warm, COLOURED, tissue))
    probabilities_are_the_same(at_once, there_and_back(tmp_path, at_once, COLOURED, tissue))


def test_undone_changes_can_be_redone_after_resuming(tissue, nuclei, tmp_path):
    session = open_session(COLOURED, nuclei, tissue)
    say(session, Click((20, 30), "nucleus"))
    session.method = "guide-me"
    say(session, Click((60, 50), "background"))
    session.clear()
    session.undo()
    session.undo()
    run(session.refine())
    again = there_and_back(tmp_path, session, COLOURED, tissue)
    probabilities_are_the_same(session, again)
    for _ in range(2):
        assert again.can_redo == session.can_redo
        for one in (session, again):
            one.redo()
            run(one.refine())
        assert again.hints == session.hints
        probabilities_are_the_same(session, again)
    assert not again.can_redo


def test_words_and_their_sentence_come_back(tissue, nuclei, tmp_path):
    session = open_session(COLOURED, nuclei, tissue)
    session.tell("there is no nucleus on the left")
    run(session.refine())
    say(session, Click((20, 90), "nucleus"))
    session.tell("find the nucleus at the bottom")
    run(session.refine())
    assert session.changed().any()
    again = there_and_back(tmp_path, session, COLOURED, tissue)
    probabilities_are_the_same(session, again)
    assert set(again.history.sentences.values()) == {
        "there is no nucleus on the left",
        "find the nucleus at the bottom",
    }


def test_a_window_and_chosen_channels_come_back(tissue, nuclei, tmp_path):
    setup = Setup(channel_axis=-1, channels=(2, 1, 0), zoom=48, patient=("P", "L"))
    session = open_session(setup, nuclei, tissue, method="guide-me")
    say(session, Click((20, 30), "nucleus"))
    say(session, Click((24, 40), "background"))
    again = there_and_back(tmp_path, session, setup, tissue)
    probabilities_are_the_same(session, again)
    assert again.view.letters == ("P", "L")


def test_where_a_calibration_found_to_guide_is_kept(picture, tmp_path):
    from tests import toys

    network = toys.frozen(toys.DarkAndBright(), name="nuclei")
    session = open_session(Setup(), network, picture, method="guide-me")
    say(session, Click((11, 11), "cell"))
    assert session.calibrated_point
    part = saved_part(session, Setup(), digest(picture))
    assert part.setup.calibrated == session.guide_point
    again = reopened(part, network, picture)
    assert again.guide_point == session.guide_point
    run(again.replay(part.history))
    probabilities_are_the_same(session, again)


def test_objects_come_back_with_mask_and_committed_ones(click, tmp_path):
    picture = coins()[100:240, 160:320]
    setup = Setup(spacing=(1.0, 1.0))
    session = open_session(setup, click, picture)
    mask = np.zeros(picture.shape, bool)
    mask[10:40, 32:60] = True
    session.start_from(mask)
    say(session, Click((25, 46), "object"))
    say(session, Click((5, 5), "background"))
    session.next_object()
    say(session, Click((19, 111), "object"))
    say(session, Click((24, 105), "object"))
    session.next_object()
    session.undo()
    assert session.labels().any()
    assert session.objects().any()
    again = there_and_back(tmp_path, session, setup, picture)
    for redo in (False, True):
        if redo:
            session.redo()
            again.redo()
        probabilities_are_the_same(session, again)
        np.testing.assert_array_equal(session.objects(), again.objects())
        np.testing.assert_array_equal(session.predict(), again.predict())


def test_an_object_that_was_refined_after_going_back_comes_back(click, tmp_path):
    """What a refinement goes on from is not always what the entry before it found in the end."""
    picture = coins()[100:240, 160:320]
    session = open_session(Setup(), click, picture)
    say(session, Click((25, 46), "object"))
    session.add(Click((40, 46), "object"))
    session.add(Click((5, 5), "background"))
    run(session.refine())
    session.undo()
    run(session.refine())
    session.redo()
    assert [past.warm for past in session.history.entries] == [None, None, 1, 1]
    probabilities_are_the_same(session, there_and_back(tmp_path, session, Setup(), picture))


def test_committed_objects_are_numbered_and_the_present_one_is_next(click):
    picture = coins()[100:240, 160:320]
    session = open_session(Setup(), click, picture)
    say(session, Click((25, 46), "object"))
    assert set(np.unique(labels_of(session))) == {0, 1}
    session.next_object()
    say(session, Click((19, 111), "object"))
    labels = labels_of(session)
    assert (labels[25, 46], labels[19, 111]) == (1, 2)


def test_other_pixels_are_refused(tissue, nuclei):
    session = open_session(COLOURED, nuclei, tissue)
    part = saved_part(session, COLOURED, digest(tissue))
    other = tissue.copy()
    other[0, 0, 0] ^= 1
    with pytest.raises(InputError, match="not that of the session"):
        reopened(part, nuclei, other)


def test_a_hint_that_does_not_fit_changes_nothing(tissue, nuclei):
    session = open_session(COLOURED, nuclei, tissue)
    say(session, Click((90, 30), "nucleus"))
    small = open_session(COLOURED, nuclei, tissue[:64])
    with pytest.raises(InputError, match="outside the image"):
        run(small.replay(session.history))
    assert not len(small.hints)
    assert not small.can_undo


def test_a_replay_that_is_dropped_changes_nothing(tissue, nuclei):
    session = open_session(COLOURED, nuclei, tissue)
    for at in ((90, 30), (30, 90)):
        say(session, Click(at, "nucleus"))
    session.undo()
    before, labels, history = session.moment, session.labels(), session.history
    steps = session.replay(history)
    next(steps)
    steps.close()
    assert session.moment == before
    assert session.history == history
    np.testing.assert_array_equal(session.labels(), labels)
    run(session.replay(history))
    assert session.moment != before
    assert session.history == history
    np.testing.assert_array_equal(session.labels(), labels)
    session.redo()
    assert len(session.hints) == 2


def test_a_slice_that_was_carried_to_is_replayed_from_there(tmp_path, nuclei, tissue):
    """Its hints came on top of what its neighbour's had brought."""
    planes = np.stack([tissue.mean(2).astype(np.uint8)] * 2)
    volume = VolumeSession(planes, nuclei)
    depth = ndimage.distance_transform_edt(volume.slice_labels(0) == 1)
    place = np.unravel_index(depth.argmax(), depth.shape)
    volume.add_to(0, Click(tuple(map(float, place)), "background"))
    run(volume.refine(0))
    run(volume.carry())
    assert volume.states[1].state == "carried"
    session = volume.session(1)
    began = session.labels()
    assert (began != session.predict()).any()
    say(session, Click((80.0, 100.0), "border"))
    part = saved_part(session, Setup(), digest(planes[1]), (1, 2), (1, 0, 0), volume.inherited(1))
    path = tmp_path / "work.guideme.json"
    reference = NetworkReference("nuclei", nuclei.fingerprint)
    save_session(path, SessionFile(ImageReference.of(planes), reference, (part,)))
    (read,) = read_session(path).parts
    again = reopened(read, open_network("nuclei", "cpu"), planes)
    run(again.replay(read.history))
    np.testing.assert_array_equal(again.labels(), session.labels())
    again.undo()
    np.testing.assert_array_equal(again.labels(), began)
    broken = replace(read, inherited={**read.inherited, "anchors": "AAAA"})
    with pytest.raises(InputError, match="what a slice began from is broken"):
        reopened(broken, nuclei, planes)
