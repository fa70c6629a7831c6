"""What a click on an object costs: time in forward passes of the same network, and memory.

    python benchmarks/click_cost.py DATA [--network click] [--method f-brs-b brs] [--json OUT]

Time: a simulated user clicks objects of DATA (see `napari-guideme evaluate
--protocol noc`). Each click, until there are new labels, is compared with a pass of
the whole network at the same grid right after it; printed are medians over all
clicks and over those where something was minimised. Where there is a GPU, too, and
there once more in mixed precision, with how often that changed a label.

Memory: one picture at 1024 x 1024 and 4096 x 4096, in a process of its own each.
Linux only, as the peak is read and reset through /proc.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hint_latency import seconds
from numpy.typing import NDArray
from skimage.data import astronaut
from tqdm import tqdm

from napari_guideme import Click, open_network
from napari_guideme.evaluation.datasets import Item, open_objects
from napari_guideme.evaluation.noc import objects_of, outlined
from napari_guideme.evaluation.user import Answer
from napari_guideme.files import write_json
from napari_guideme.guidance import METHOD_NAMES
from napari_guideme.networks.devices import available_devices
from napari_guideme.networks.frozen import FrozenNetwork
from napari_guideme.object_session import ObjectSession

SIDES = (1024, 4096)

#: Clicks on the picture, as shares of its side: into head and body, and beside them.
CLICKS = (((0.2, 0.4), "object"), ((0.7, 0.4), "object"), ((0.15, 0.1), "background"))

#: Passes of which the median is compared with a click.
_PASSES = 3


@dataclass(frozen=True)
class Cost:
    """Of one click: in forward passes, whether something was minimised, the labels."""

    passes: float
    forward: float
    minimised: bool
    labels: NDArray[np.uint8]


class Clicker:
    """Clicks in a session and says what it cost."""

    def __init__(self, item: Item, network: FrozenNetwork, method: str, mixed: bool) -> None:
        self._precision = torch.autocast(network.device.type) if mixed else nullcontext()
        self._network = network
        with self._precision:
            self._session = ObjectSession(
                item.image, network, method=method, channel_axis=item.channel_axis
            )

    def click(self, answer: Answer) -> Cost:
        """Give one more click."""
        session, network, seen = self._session, self._network, []
        session.add(Click(answer[0], network.classes[answer[1]]))
        observe = network.observe_cut
        network.observe_cut = lambda x, *told: seen.append(x) or observe(x, *told)
        energies: list[float] = []

        def refine() -> None:
            energies.extend(step.energy for step in session.refine())
            session.labels()

        with self._precision:
            try:
                spent = seconds(refine)
            finally:
                del network.observe_cut
            passes = [seconds(lambda: network.observe(seen[-1])) for _ in range(_PASSES)]
        forward = statistics.median(passes)
        minimised = any(map(math.isfinite, energies))
        return Cost(spent / forward, forward, minimised, session.labels())


def courses(
    items: Iterable[Item],
    network: FrozenNetwork,
    method: str,
    n_clicks: int = 10,
    per_image: int | None = None,
    also_mixed: bool = False,
) -> dict[str, Any]:
    """Figures of one method: all clicks on some objects of some images."""
    costs: list[Cost] = []
    mixed: list[Cost] = []
    for item in items:
        for truth in objects_of(item, per_image=per_image):
            clicker = Clicker(item, network, method, mixed=False)
            twin = Clicker(item, network, method, mixed=True) if also_mixed else None

            def outline(
                answer: Answer, clicker: Clicker = clicker, twin: Clicker | None = twin
            ) -> NDArray[np.uint8]:
                costs.append(clicker.click(answer))
                if twin is not None:
                    mixed.append(twin.click(answer))
                return costs[-1].labels

            outlined(outline, truth, n_clicks, item)
    told = {"device": str(network.device), "method": method, **figures(costs)}
    if mixed:
        pairs = zip(costs, mixed, strict=True)
        changed = [float((full.labels != half.labels).mean()) for full, half in pairs]
        told["mixed_precision"] = {
            **figures(mixed),
            "clicks_with_changed_labels": sum(share > 0 for share in changed),
            "changed_pixels": statistics.fmean(changed),
        }
    return told


def figures(costs: Sequence[Cost]) -> dict[str, Any]:
    """Medians over all clicks and over those where something was minimised."""
    minimised = [cost.passes for cost in costs if cost.minimised]
    return {
        "clicks": len(costs),
        "forward_passes": statistics.median(cost.passes for cost in costs),
        "minimised_clicks": len(minimised),
        "forward_passes_minimised": statistics.median(minimised) if minimised else None,
        "seconds_per_forward": statistics.median(cost.forward for cost in costs),
    }


def memory(network: FrozenNetwork, method: str, side: int) -> dict[str, Any]:
    """Resident memory in MiB before clicks on a picture of this side, and its peak in them."""
    picture = astronaut().repeat(side // 512, 0).repeat(side // 512, 1)
    session = ObjectSession(picture, network, method=method, channel_axis=-1)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    for at, name in CLICKS:
        session.add(Click(tuple(share * side for share in at), name))
        for _ in session.refine():
            pass
        session.labels()
    told = {"side": side, "before": before, "peak": _resident("VmHWM")}
    if network.device.type == "cuda":
        told["device_peak"] = torch.cuda.max_memory_allocated() / 2**20
    return {**told, "growth": told["peak"] - before}


def memories(options: argparse.Namespace, device: str, method: str) -> dict[str, Any]:
    """Memory at both sizes, each in a fresh process, and how much more the large one takes."""
    told = []
    for side in SIDES:
        command = [sys.executable, __file__, "--memory-of", str(side), "--network"]
        command += [options.network, "--method", method, "--device", device]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        told.append(json.loads(done.stdout))
    small, large = told
    ratios = {
        f"{name}_ratio": large[name] / small[name]
        for name in ("peak", "growth", "device_peak")
        if small.get(name)
    }
    return {"device": device, "method": method, "sizes": told, **ratios}


def _resident(name: str) -> float:
    """A figure of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def row(told: dict[str, Any]) -> str:
    """One line on time."""
    line = (
        f"{told['device']}, {told['method']}: a click takes {told['forward_passes']:.1f} forward "
        f"passes (median of {told['clicks']}; forward {told['seconds_per_forward']:.3f} s)"
    )
    if told["forward_passes_minimised"]:
        line += (
            f", {told['forward_passes_minimised']:.1f} where something was minimised "
            f"({told['minimised_clicks']})"
        )
    if mixed := told.get("mixed_precision"):
        line += (
            f"; in mixed precision {mixed['forward_passes']:.1f} "
            f"(forward {mixed['seconds_per_forward']:.3f} s), labels changed by "
            f"{mixed['clicks_with_changed_labels']} clicks "
            f"({mixed['changed_pixels']:.2%} of pixels)"
        )
    return line


def memory_row(told: dict[str, Any]) -> str:
    """One line on memory."""
    sizes = ", ".join(
        f"{size['side']}: peak {size['peak']:.0f} MiB, {size['growth']:.0f} more than before"
        for size in told["sizes"]
    )
    line = f"{told['device']}, {told['method']}, {sizes}; peak x {told['peak_ratio']:.2f}"
    if "device_peak_ratio" in told:
        line += f", on the device x {told['device_peak_ratio']:.2f}"
    return line


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every method on every device."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", metavar="DATA")
    parser.add_argument("--network", default="click")
    parser.add_argument(
        "--method", choices=METHOD_NAMES, nargs="+", default=["none", "f-brs-b", "brs"]
    )
    parser.add_argument("--device", help="default: the CPU, and CUDA where there is one")
    parser.add_argument("--clicks", type=int, default=10, help="per object at most")
    parser.add_argument("--objects", type=int, default=3, help="per image at most")
    parser.add_argument("--limit", type=int, default=5, help="images")
    parser.add_argument("--instances", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory_of:
        network = open_network(options.network, options.device)
        print(json.dumps(memory(network, options.method[0], options.memory_of)))
        return
    cuda = [device for device in available_devices() if device == "cuda:0"]
    result: dict[str, list[dict[str, Any]]] = {"time": [], "memory": []}
    for device in [options.device] if options.device else ["cpu", *cuda]:
        network = open_network(options.network, device)
        for method in options.method:
            if options.folder is not None:
                items = open_objects(
                    options.folder, instances=options.instances, limit=options.limit
                )
                told = tqdm(items, desc=method, disable=None)
                also_mixed = network.device.type == "cuda"
                result["time"].append(
                    courses(told, network, method, options.clicks, options.objects, also_mixed)
                )
                print(row(result["time"][-1]), flush=True)
            if sys.platform == "linux":
                result["memory"].append(memories(options, device, method))
                print(memory_row(result["memory"][-1]), flush=True)
    if options.json:
        write_json(options.json, result)


if __name__ == "__main__":
    main()
