"""A large volume in the real viewer: time to the first labels, and whether the GUI ever freezes.

    python benchmarks/volume_first_labels.py [--shape 200 512 512] [--network nuclei]
        [--seconds 60] [--json OUT]

(needs a screen, or xvfb-run). *Run* is pressed with *Whole volume* chosen. The time until the
labels of the shown slice are known, and until they are seen, is compared with a forward pass of
one slice, the network being loaded in both; then the other slices follow in the background. A
timer that should tick every 5 ms tells how long the GUI did not answer, once until the first
labels are seen and once while the rest follows. The volume is a real picture in grey that drifts
from slice to slice.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from hint_latency import seconds
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest
from skimage.color import rgb2gray
from skimage.data import immunohistochemistry

from napari_guideme.files import write_json
from napari_guideme.guidance.scene import Scene
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.widgets.controller import Controller
from napari_guideme.widgets.guide import GuideWidget

TICK_MS = 5

#: Passes of which the median counts.
_PASSES = 5

#: Each pass begins from rest, as *Run* does: a busy machine favours who slept.
_REST_MS = 500


class Heartbeat:
    """Measures the longest time between two ticks of a timer of the GUI."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer(interval=TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now

    def taken(self) -> dict[str, float]:
        """Tell about the gaps so far, and begin anew."""
        gaps, self.gaps = self.gaps, []
        return {
            "longest_gap_s": max(gaps),
            "gap_99_9_percent_s": float(np.quantile(gaps, 0.999)),
            "ticks": len(gaps),
        }


class FirstSight:
    """Measures when labels are known, and when they are first seen: the frame is on the screen."""

    def __init__(self, viewer: napari.Viewer, controller: Controller) -> None:
        self.known = self.seen = 0.0
        self._is_drawn = False
        canvas = viewer.window._qt_viewer.canvas
        controller.refined.connect(self._on_known)
        canvas._scene_canvas.events.draw.connect(self._on_drawn)
        canvas.native.frameSwapped.connect(self._on_frame)

    def _on_known(self, _: Any) -> None:
        self.known = self.known or time.perf_counter()

    def _on_drawn(self, _: Any) -> None:
        self._is_drawn = bool(self.known)

    def _on_frame(self) -> None:
        if self._is_drawn:
            self.seen = self.seen or time.perf_counter()


def drifting(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A volume of a real picture that drifts by a pixel from slice to slice."""
    picture = (255 * rgb2gray(immunohistochemistry())).astype(np.uint8)
    picture = np.tile(picture, [-(-n // m) for n, m in zip(shape[1:], picture.shape, strict=True)])
    slices = [np.roll(picture, k, axis=1)[: shape[1], : shape[2]] for k in range(shape[0])]
    return np.stack(slices)


def wait_until(condition: Any, limit: float) -> None:
    """Let the viewer work until something holds."""
    start = time.perf_counter()
    while not condition() and time.perf_counter() - start < limit:
        QTest.qWait(1)


def rested_pass(network: FrozenNetwork, picture: NDArray[Any]) -> float:
    """Seconds of one forward pass."""
    QTest.qWait(_REST_MS)
    return seconds(lambda: Scene(network, picture).logits)


def measured(shape: tuple[int, ...], name: str, limit: float) -> dict[str, Any]:
    """Run once."""
    viewer = napari.Viewer()
    volume = drifting(shape)
    viewer.add_image(volume, name="volume")
    viewer.dims.set_current_step(0, shape[0] // 2)
    widget = GuideWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.reset_choices()
    widget.network.chosen.emit(name)
    controller, carry = widget.controller, widget.carry
    wait_until(lambda: not controller.is_busy, limit)
    network = controller.networks.load(controller.network, "auto")
    passes = [rested_pass(network, volume[0]) for _ in range(_PASSES + 1)]
    one_pass = statistics.median(passes[1:])
    next(b for b in carry.extents.buttons() if b.objectName() == "volume").click()
    QTest.qWait(_REST_MS)

    first = FirstSight(viewer, controller)
    heart, pressed = Heartbeat(), time.perf_counter()
    widget.run.click()
    wait_until(lambda: first.seen, limit)
    begin = heart.taken()
    wait_until(lambda: not (controller.is_busy or carry.is_busy), limit)
    rest = heart.taken()
    board = carry.carrier.board
    labelled = len(board.labelled) if board else 0
    viewer.close()
    return {
        "shape": shape,
        "device": str(network.device),
        "forward_pass_s": one_pass,
        "labels_known_s": first.known - pressed,
        "labels_known_passes": (first.known - pressed) / one_pass,
        "first_labels_s": first.seen - pressed,
        "first_labels_passes": (first.seen - pressed) / one_pass,
        "until_first_labels": begin,
        "labelled_slices": labelled,
        "while_the_rest_follows": rest,
    }


def main() -> None:
    """Measure once, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=(200, 512, 512))
    parser.add_argument("--network", default="nuclei")
    parser.add_argument("--seconds", type=float, default=60, help="stop waiting after this long")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measured(tuple(arguments.shape), arguments.network, arguments.seconds)
    for name, value in found.items():
        print(f"{name}: {value}")
    if arguments.json:
        write_json(arguments.json, found)


if __name__ == "__main__":
    main()
