"""How long a click takes, as a multiple of one forward pass of the same network.

    python benchmarks/hint_latency.py [--method residual] [--network nuclei]

A 512 x 512 picture, clicks added one after the other, each timed from the click
to new labels; printed is the median ratio. Both are timed in this one process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from skimage.data import immunohistochemistry

from napari_guideme import Click, GuideSession, open_network
from napari_guideme.guidance import GUIDE_METHODS


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of an action, with the device's queue emptied."""
    start = time.perf_counter()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(network_name: str, method: str, clicks: int, device: str) -> tuple[float, float]:
    """Median seconds of one forward pass and of one click."""
    network = open_network(network_name, device)
    picture = immunohistochemistry()
    x, _ = network.preparation.prepare(picture, channel_axis=-1)
    session = GuideSession(picture, network, method=method, channel_axis=-1)
    labels = session.predict()
    forward = [seconds(lambda: network.observe(x)) for _ in range(clicks)]
    random = np.random.default_rng(0)
    spent = []
    for _ in range(clicks):
        at = tuple(int(i) for i in random.integers(0, picture.shape[:2]))
        wrong = network.classes[0 if labels[at] else 1]
        session.add(Click(at, wrong))

        def refine() -> None:
            for _ in session.refine():
                pass
            session.labels()

        spent.append(seconds(refine))
        labels = session.labels()
    return statistics.median(forward), statistics.median(spent)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure methods one after the other, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="nuclei")
    parser.add_argument("--method", choices=GUIDE_METHODS, nargs="+", default=GUIDE_METHODS)
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    for method in options.method:
        forward, click = measure(options.network, method, options.clicks, options.device)
        print(
            f"{method}: a click takes {click / forward:.1f} forward passes "
            f"(median of {options.clicks}; forward {forward:.3f} s, click {click:.3f} s)"
        )


if __name__ == "__main__":
    main()
