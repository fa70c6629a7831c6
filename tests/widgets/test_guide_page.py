"""What the user guide calls a button, a box or a menu is called so in napari."""

from __future__ import annotations

import re
from pathlib import Path

import napari
import pytest
import tifffile
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QGroupBox,
    QPushButton,
    QRadioButton,
    QTabBar,
)
from superqt import QCollapsible

from napari_guideme.widgets.channels import ALONG
from tests.widgets.conftest import finish
from tests.widgets.test_manifest import MANIFEST

PAGE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
IN_NAPARI = PAGE.partition("\n## In napari\n")[2].partition("\n## In Python\n")[0]

#: Layers and labels of other parts of the window; what napari itself says.
OTHERS = {
    "Network",
    "Values",
    "clicks",
    "kept labels",
    "labels",
    "objects",
    "Install",
    f"{ALONG} 0",
}


def named(mark: str) -> list[str]:
    """What stands between marks, on one line or two."""
    star = re.escape(mark)
    found = re.findall(rf"(?<!\*){star}([^*]+){star}(?!\*)", IN_NAPARI)
    return [" ".join(text.split()) for text in found]


@pytest.fixture
def texts(guide) -> list[str]:
    """All that can be pressed, and the titles of boxes and tabs."""
    buttons = [button.text() for button in guide.findChildren(QAbstractButton)]
    boxes = [box.title() for box in guide.findChildren(QGroupBox)]
    tabs = [
        bar.tabText(index) for bar in guide.findChildren(QTabBar) for index in range(bar.count())
    ]
    return [*buttons, *boxes, *tabs]


def test_buttons_boxes_and_tabs_have_these_names(guide, texts):
    bold, slanted = named("**"), [text for text in named("*") if "›" not in text]
    assert len(bold) > 10
    for name in {*bold, *slanted} - OTHERS:
        assert any(text == name or text.startswith(f"{name} ") for text in texts), name


def test_keys_are_those_of_the_layers(guide):
    keys = {str(key) for key in guide.controller.guide_layers().clicks.keymap}
    assert {"T", "Ctrl+Z"} <= keys


def test_menus_are_those_of_the_manifest():
    manifest = PluginManifest.from_file(MANIFEST)
    (widget,) = manifest.contributions.widgets
    assert f"*Plugins › {widget.display_name} ({manifest.display_name})*" in IN_NAPARI
    samples = [sample.display_name for sample in manifest.contributions.sample_data]
    (sample,) = re.findall(rf"Open Sample › {manifest.display_name} › ([^*]+)\*", IN_NAPARI)
    assert sample in samples


def test_all_that_can_be_pressed_tells_what_it_does(guide):
    kinds = QPushButton, QCheckBox, QRadioButton
    pressed = [button for kind in kinds for button in guide.findChildren(kind)]
    folds = {fold.toggleButton() for fold in guide.findChildren(QCollapsible)}
    assert not [button.text() for button in pressed if not button.toolTip() and button not in folds]


def test_the_widget_opens_from_a_notebook(make_napari_viewer, monkeypatch, qtbot, tissue, tmp_path):
    tifffile.imwrite(tmp_path / "cells.tif", tissue, photometric="rgb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(napari, "Viewer", make_napari_viewer)
    manager = PluginManager.instance()
    if "napari-guideme" not in manager:
        manager.register(PluginManifest.from_file(MANIFEST))
    known: dict = {}
    exec(*re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL), known)
    (dock,) = known["viewer"].window.dock_widgets.values()
    finish(qtbot, dock, dock.run.click)
    (name,) = re.findall(r"`viewer\.layers\[\"(.+?)\"\]\.data`", PAGE)
    assert known["viewer"].layers[name].data.shape == tissue.shape[:2]
