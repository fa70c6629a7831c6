"""Plausible arguments of a wrong kind are refused in a line that says what is expected."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import nn

from napari_guideme import (
    Click,
    FrozenNetwork,
    GuideSession,
    Hints,
    InputError,
    NetworkCard,
    ObjectSession,
    Preparation,
    Scribble,
    VolumeSession,
    open_network,
    open_referring,
)
from napari_guideme.errors import whole_numbers
from napari_guideme.hints import TextHint
from napari_guideme.language.understanding import understand
from tests import toys

COLOURS = np.random.default_rng(0).random((20, 24, 5))
GREY = COLOURS[..., 0]


@pytest.fixture(scope="module")
def network():
    return toys.frozen(toys.DarkAndBright())


@pytest.mark.parametrize("channels", [1, [1.0], "1", iter([1]), [False, True], [None]])
def test_channels(network, channels):
    with pytest.raises(InputError, match=r"has to be a (list of whole numbers|whole number), not"):
        GuideSession(COLOURS, network, channel_axis=-1, channels=channels)


@pytest.mark.parametrize("channels", [[1], (1,), np.array([1]), torch.tensor([1]), range(1, 2)])
def test_channels_that_are_meant(network, channels):
    session = GuideSession(COLOURS, network, channel_axis=-1, channels=channels)
    expected = GuideSession(COLOURS[..., 1], network)
    np.testing.assert_array_equal(session.predict(), expected.predict())


def test_an_array_of_truth_values_is_no_list_of_channels():
    with pytest.raises(InputError, match="whole number"):
        whole_numbers("channels", np.array([True, False]))


@pytest.mark.parametrize("axis", [2.0, "c"])
@pytest.mark.parametrize("kind", [GuideSession, VolumeSession, ObjectSession])
def test_a_channel_axis(network, axis, kind):
    takes = open_network("click", device="cpu") if kind is ObjectSession else network
    image = COLOURS[None] if kind is VolumeSession else COLOURS
    with pytest.raises(InputError, match="channel_axis has to be a whole number"):
        kind(image, takes, channel_axis=axis)


@pytest.mark.parametrize("axis", [1.0, None, "z"])
def test_an_axis(network, axis):
    with pytest.raises(InputError, match="axis has to be a whole number"):
        VolumeSession(np.zeros((3, 20, 20)), network, axis=axis)


@pytest.mark.parametrize("spacing", [5, ("a", "b"), (None, 1), "11", (float("nan"), 1)])
def test_a_spacing(network, spacing):
    with pytest.raises(InputError, match="is not 2 positive numbers"):
        GuideSession(GREY, network, spacing=spacing)


@pytest.mark.parametrize("zoom", ["a", float("nan"), 1.5])
def test_a_zoom(network, zoom):
    with pytest.raises(InputError, match="zoom has to be a whole number"):
        GuideSession(GREY, network, zoom=zoom)


@pytest.mark.parametrize("other", ["nuclei", None, nn.Conv2d(1, 2, 1)])
@pytest.mark.parametrize("session", [GuideSession, ObjectSession, VolumeSession])
def test_what_is_no_frozen_network(session, other):
    with pytest.raises(InputError, match="network has to be a FrozenNetwork, as open_network"):
        session(GREY, other)


@pytest.mark.parametrize("hint", [[Click((1, 1), "cell")], (1, 2), None, "cell"])
def test_what_is_no_hint(network, hint):
    session = GuideSession(GREY, network)
    with pytest.raises(InputError, match="a hint has to be a Click or a Scribble"):
        session.add(hint)
    assert not session.can_undo


@pytest.mark.parametrize("hints", [[Click((1, 1), "cell")], None])
def test_what_takes_the_place_of_hints(network, hints):
    with pytest.raises(InputError, match="hints has to be Hints"):
        GuideSession(GREY, network).replace(hints)


@pytest.mark.parametrize("items", [5, Click((1, 1), "cell"), "cell"])
def test_hints_are_a_list(items):
    with pytest.raises(InputError, match="hints has to be a list"):
        Hints(items)


@pytest.mark.parametrize("paths", [5, None, "ab", (5,)])
def test_a_scribble(paths):
    with pytest.raises(InputError, match="has to be a list"):
        Scribble(paths, "cell")


@pytest.mark.parametrize("name", [None, 1, ["cell"]])
def test_the_class_of_a_hint(name):
    with pytest.raises(InputError, match="has to be the name of a class"):
        Click((1, 1), name)
    with pytest.raises(InputError, match="has to be the name of a class"):
        Scribble((((1, 1),),), name)


@pytest.mark.parametrize("sentence", [None, 5, b"cell"])
def test_a_sentence(sentence):
    with pytest.raises(InputError, match="sentence has to be a text"):
        understand(sentence, toys.CLASSES)


def test_words_about_a_volume(network):
    with pytest.raises(InputError, match="words are about a slice"):
        VolumeSession(np.zeros((3, 20, 20)), network).add(TextHint("find", "cell"))


def test_the_number_of_a_slice(network):
    session = VolumeSession([GREY.tolist()] * 3, network)
    with pytest.raises(InputError, match="has to be a whole number"):
        next(session.refine(1.5))


@pytest.mark.parametrize("opened", [open_network, open_referring])
def test_a_name(opened):
    with pytest.raises(InputError, match="the name of a network"):
        opened(None)


class Locked(toys.DarkAndBright):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (None, "module has to be a torch.nn.Module"),
        (lambda x: x, "module has to be a torch.nn.Module"),
        (Locked(), "Locked holds what cannot be copied"),
        (nn.Sequential(nn.LazyConv2d(2, 3)), "lazy layers; run it once"),
        (toys.DarkAndBright().to("meta"), "weights on the device meta"),
    ],
)
def test_a_module(module, why):
    with pytest.raises(InputError, match=why) as caught:
        FrozenNetwork(module, toys.CLASSES, Preparation(channels=1), device="cpu")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("multiple", [1_000_000, 10**19])
def test_a_multiple(multiple):
    with pytest.raises(InputError, match="1024 at most"):
        NetworkCard(preparation={"multiple": multiple})


@pytest.mark.parametrize("length", [10**19, 10**7])
def test_a_size_that_no_memory_holds(length):
    told = Preparation(channels=1, size=(length, length))
    with pytest.raises(InputError, match="does not run on an input of shape"):
        toys.frozen(toys.DarkAndBright(), preparation=told)
