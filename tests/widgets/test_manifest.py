from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest

import napari_guideme

MANIFEST = Path(napari_guideme.__file__).with_name("napari.yaml")


def test_every_command_of_the_manifest_imports():
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert {widget.display_name for widget in manifest.contributions.widgets}


def test_the_top_level_manifest_is_the_packages():
    top = Path(__file__).parents[2] / "napari.yaml"
    assert top.read_text(encoding="utf-8") == MANIFEST.read_text(encoding="utf-8")


@pytest.mark.parametrize("key", ["stained_tissue", "cell"])
def test_samples_open_offline(make_napari_viewer, key):
    manager = PluginManager.instance()
    if "napari-guideme" not in manager:
        manager.register(PluginManifest.from_file(MANIFEST))
    viewer = make_napari_viewer()
    (layer,) = viewer.open_sample("napari-guideme", key)
    assert layer.data.size > 0


def test_the_widget_opens_from_naparis_menu(make_napari_viewer, qtbot):
    manager = PluginManager.instance()
    if "napari-guideme" not in manager:
        manager.register(PluginManifest.from_file(MANIFEST))
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-guideme")
    qtbot.waitUntil(lambda: not widget.controller.is_busy, timeout=60_000)
    assert widget.status.text()
