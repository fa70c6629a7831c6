"""What the pages show is what works."""

from __future__ import annotations

import doctest
import re
import socket
import tomllib
from pathlib import Path

import pytest

from napari_guideme import GuideSession, ObjectSession, VolumeSession
from napari_guideme.files import open_image
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.interaction import InteractionMaps
from napari_guideme.networks.preparation import Preparation
from napari_guideme.networks.windows import WINDOWS
from napari_guideme.volumes import carry_outlines

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
CARDS = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", CARDS, ids=lambda text: text.splitlines()[0])
def test_cards_that_are_shown_are_read(text):
    assert NetworkCard.from_dict(tomllib.loads(text)).classes


def test_all_entries_of_a_card_are_shown():
    cards = [tomllib.loads(text) for text in CARDS]
    assert {key for card in cards for key in card} == set(NetworkCard.__dataclass_fields__)
    prepared = {key for card in cards for key in card.get("preparation", {})}
    assert prepared == set(Preparation.__dataclass_fields__)
    clicked = {key for card in cards for key in card.get("interaction", {})}
    assert clicked == set(InteractionMaps.__dataclass_fields__)


FORMATS = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def test_windows_that_are_shown_are_there():
    rows = re.findall(r"^\| ([a-z, -]+) \| (−?\d+) \| (\d+) \|$", FORMATS, re.MULTILINE)
    shown = {
        name: (int(centre.replace("−", "-")), int(width))
        for names, centre, width in rows
        for name in names.split(", ")
    }
    assert shown == WINDOWS


@pytest.mark.parametrize(
    "shown", [GuideSession, ObjectSession, VolumeSession, carry_outlines], ids=lambda o: o.__name__
)
def test_examples_run_as_they_are_shown_without_internet(shown, monkeypatch):
    def refuse(*_, **__):
        raise OSError("there is no internet")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    [example] = doctest.DocTestFinder(recurse=False).find(shown, globs={})
    assert example.examples
    told = []
    assert not doctest.DocTestRunner().run(example, out=told.append).failed, "".join(told)


def test_the_long_run_that_is_shown_works(tmp_path, monkeypatch):
    pytest.importorskip("zarr")
    from tests.files.test_ome_zarr import write_image

    pixels = write_image(tmp_path / "large.zarr", (6, 8, 10))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", FORMATS, re.DOTALL)
    exec(code, {})
    read = open_image(tmp_path / "labels.zarr")
    assert (read.pixels.compute() == (pixels > 100)).all()
