"""Take the pictures of the documentation from the real viewer.

    python docs/screenshots.py        (needs a screen, or xvfb-run)

Writes ``widget-after.png`` (the whole window after the demo's clicks), ``correction.png``
(a part of the canvas before and after them),
``widget-asking.png`` (the second question of *Ask me*), ``widget-opening.png``
(a network whose file says little), ``widget-objects.png`` (two coins kept, a third one
clicked), ``widget-text.png`` (one sentence counts, with the map of what it moved; the
next one is understood), ``widget-carry.png`` (one slice of a stack corrected, and how far
that was carried), ``widget-find.png`` (a cup that was found by its name, with other
labels than were chosen for it, and corrected by two clicks) and ``widget-sentence.png``
(one thing of several, found by a sentence, and how that was read).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import napari
import numpy as np
from imageio import v3 as imageio
from qtpy.QtTest import QTest
from skimage.color import rgb2gray
from skimage.data import cell, coffee, coins, immunohistochemistry

from napari_guideme.demo import demo_hints, demo_image
from napari_guideme.networks.card import NetworkCard, read_card, sidecar, write_card
from napari_guideme.networks.catalogue import catalogue
from napari_guideme.widgets.guide import GuideWidget

HERE = Path(__file__).parent
WINDOW = (1400, 900)
#: Where the canvas is centred, in rows and columns of the picture, and how close.
CENTRE, ZOOM = (365, 235), 3.0
#: Rows, columns and classes of clicks in a stack, and three coins.
STACK_CLICKS = ((192, 152, "background"), (182, 236, "background"), (172, 88, "nucleus"))
COINS = ((125, 206), (119, 271), (193, 213))
CUP_CLICKS = ((250, 270, "cup"), (225, 350, "cup"))
#: What one sentence says, and the step that is shown.
SENTENCE, STEP = "the larger nucleus at the bottom", 4


def wait(widget: GuideWidget) -> None:
    """Let the viewer work until nothing is computed any more."""
    parts = widget.controller, widget.opener, widget.asking.asker, widget.words, widget.carry
    while any(part.is_busy for part in (*parts, widget.finding)):
        QTest.qWait(50)
    QTest.qWait(500)


def opened(picture: np.ndarray, name: str) -> tuple[napari.Viewer, GuideWidget]:
    """Open the widget beside a picture."""
    viewer = napari.Viewer()
    viewer.window._qt_window.resize(*WINDOW)
    viewer.add_image(picture, name=name)
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Correct a network by clicks")
    widget.reset_choices()
    wait(widget)
    return viewer, widget


def take_clicks() -> None:
    """Run, click and take a picture before and after."""
    viewer, widget = opened(demo_image(), "stained tissue")
    widget.run.click()
    wait(widget)
    viewer.camera.center = (0, *CENTRE)
    viewer.camera.zoom = ZOOM
    before = canvas(viewer)
    for hint in demo_hints():
        widget.controller.choose_class(hint.class_name)
        widget.controller.layers.clicks.add(hint.at)
        wait(widget)
    shot(viewer, "widget-after.png")
    gap = np.full_like(before[:, :12], 255)
    imageio.imwrite(HERE / "correction.png", np.hstack([before, gap, canvas(viewer)]))
    viewer.close()


def take_questions() -> None:
    """Answer the first question and take a picture of the second."""
    viewer, widget = opened(demo_image(), "stained tissue")
    widget.asking.ask.click()
    wait(widget)
    widget.asking.candidates[0].click()
    wait(widget)
    shot(viewer, "widget-asking.png")
    viewer.close()


def take_opening(folder: Path) -> None:
    """Open the bundled weights with a card that lacks names and values, and name a class."""
    weights = catalogue()["nuclei"].path
    told = {"channels": 3, "multiple": 16}
    file = Path(shutil.copy(weights, folder / "our_unet.safetensors"))
    architecture = read_card(sidecar(weights)).architecture
    write_card(sidecar(file), NetworkCard(architecture=architecture, preparation=told))
    viewer, widget = opened(cell(), "cell")
    widget.opener.open(file)
    wait(widget)
    widget.card.form.names.item(1, 1).setText("cell")
    wait(widget)
    shot(viewer, "widget-opening.png")
    viewer.close()


def take_objects() -> None:
    """Outline three coins, one after the other."""
    viewer, widget = opened(coins(), "coins")
    widget.network.combo.setCurrentText("click")
    widget.network.chosen.emit("click")
    wait(widget)
    for number, coin in enumerate(COINS):
        if number:
            widget.objects.next.click()
            wait(widget)
        widget.controller.layers.clicks.add(coin)
        wait(widget)
    shot(viewer, "widget-objects.png")
    viewer.close()


def take_words() -> None:
    """Say one sentence, show what it moved, and type another one."""
    viewer, widget = opened(demo_image(), "stained tissue")
    widget.run.click()
    wait(widget)
    widget.words.line.setText("find the nuclei on the right")
    wait(widget)
    widget.words.tell.click()
    wait(widget)
    widget.words.show_moved.click()
    wait(widget)
    widget.words.line.setText("remove the border on the top left")
    wait(widget)
    shot(viewer, "widget-text.png")
    viewer.close()


def take_carrying() -> None:
    """Correct the middle of a stack that drifts away from it, and carry that onward."""
    grey = (255 * rgb2gray(immunohistochemistry())).astype(np.uint8)
    here = [grey[150 + k // 2 : 406 + k // 2, 100 + k // 2 : 356 + k // 2] for k in range(17)]
    beyond = [grey[k : 256 + k, 250:506] for k in range(7)]
    viewer, widget = opened(np.stack(here + beyond), "drifting tissue")
    viewer.dims.set_current_step(0, 8)
    widget.run.click()
    wait(widget)
    for *at, name in STACK_CLICKS:
        widget.controller.choose_class(name)
        widget.controller.layers.clicks.add((8, *at))
        wait(widget)
    widget.carry.extents.buttons()[1].click()
    wait(widget)
    shot(viewer, "widget-carry.png")
    viewer.close()


def take_finding() -> None:
    """Find a cup by its name, with a label that distracted standing in, and correct it."""
    viewer, widget = opened(coffee(), "coffee")
    viewer.reset_view()
    panel = widget.finding
    widget.tabs.setCurrentIndex(1)
    wait(widget)
    panel.line.setText("cup")
    wait(widget)
    panel.names.add("coffee mug", distracts=False)
    panel.find.click()
    wait(widget)
    for *at, name in CUP_CLICKS:
        widget.controller.choose_class(name)
        widget.controller.layers.clicks.add(at)
        wait(widget)
    shot(viewer, "widget-find.png")
    viewer.close()


def take_sentence() -> None:
    """Find one nucleus of several by a sentence, and show how it was read."""
    viewer, widget = opened(immunohistochemistry()[300:428, 160:320], "stained tissue")
    viewer.reset_view()
    panel = widget.finding
    widget.tabs.setCurrentIndex(1)
    wait(widget)
    panel.line.setText(SENTENCE)
    wait(widget)
    panel.find.click()
    wait(widget)
    panel.reading.wanted.click()
    panel.reading.step.setValue(STEP)
    wait(widget)
    shot(viewer, "widget-sentence.png")
    viewer.close()


def shot(viewer: napari.Viewer, name: str) -> None:
    """Save a picture of the window."""
    imageio.imwrite(HERE / name, viewer.screenshot(canvas_only=False, flash=False)[..., :3])


def canvas(viewer: napari.Viewer) -> np.ndarray:
    """Return a picture of the canvas."""
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3]


if __name__ == "__main__":
    take_clicks()
    take_questions()
    with TemporaryDirectory() as folder:
        take_opening(Path(folder))
    take_objects()
    take_words()
    take_carrying()
    take_finding()
    take_sentence()
