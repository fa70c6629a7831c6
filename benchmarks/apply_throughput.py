"""How much faster two workers apply a saved correction than one, in one run.

    python benchmarks/apply_throughput.py [--planes 24] [--side 512] [--processes]

Each worker has one thread, so that one worker is one core. Timed is `Run.go`, after the network
was opened and one plane was done: threads of this process, or with `--processes` the workers
of a local cluster of dask.distributed, each a process. One and two workers take turns.
Only on an idle machine with two cores or more does the ratio mean anything.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from apply_sample import save_guidance, write_volume

from napari_guideme.batch.applying import Run
from napari_guideme.batch.recipe import Recipe
from napari_guideme.batch.targets import Target, targets


class Silent:
    """Shows no progress, but stops where something is wrong."""

    def begun(self, pieces: int, left: int) -> None:
        """Nothing to show."""

    def ended(self, target: Target, error: str) -> None:
        """Nothing to show, if there is no error."""
        if error:
            raise SystemExit(error)


def seconds(folder: Path, image: str, workers: int, scheduler: str | None) -> float:
    """Wall-clock seconds to apply the correction to all planes of an image."""
    recipe = Recipe(folder / "sample.guidance.safetensors", device="cpu", threads=1)
    out = folder / "out"
    run = Run(recipe, targets([folder / image], out), out, overwrite=True)
    start = time.perf_counter()
    run.go(Silent(), workers, scheduler)
    return time.perf_counter() - start


def measured(folder: Path, workers: int, processes: bool) -> float:
    """Seconds of a run, after one that warms up."""
    if not processes:
        seconds(folder, "small.zarr", workers, None)
        return seconds(folder, "image.zarr", workers, None)
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        seconds(folder, "small.zarr", workers, address)
        return seconds(folder, "image.zarr", workers, address)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planes", type=int, default=24)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--processes", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_volume(folder / "image.zarr", options.planes, options.side)
        write_volume(folder / "small.zarr", 8, options.side)
        save_guidance(folder / "sample.guidance.safetensors")
        spent: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(2):
            for workers, times in spent.items():
                times.append(measured(folder, workers, options.processes))
    one, two = (statistics.median(times) for times in spent.values())
    kind = "processes" if options.processes else "threads"
    print(f"{options.planes} planes of {options.side} x {options.side}, {os.cpu_count()} cores")
    print(f"one worker {one:.1f} s, two {kind} {two:.1f} s: {one / two:.2f} times as fast")
