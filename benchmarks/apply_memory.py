"""How much memory `apply` takes on an OME-Zarr of 20 GB.

    python benchmarks/apply_memory.py [--gigabytes 20] [--side 1024] [--seconds 150]

The image is made on the fly: every sixteenth of the first planes is a real picture, the others
are what chunks that nobody stored are filled with. So it is small on disk, but every plane
is read, run through the network, corrected and written in full size. Printed is the largest memory
(RSS of the process and its children, added up) in each fifth of the run, which shows whether it
grows. A whole run takes hours on a small machine: after some seconds it is stopped by SIGINT.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from apply_sample import save_guidance, write_volume


def resident(process: psutil.Process) -> int:
    """Bytes of a process and all its children."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def watched(command: list[str], seconds: float) -> list[tuple[float, int]]:
    """Run a command, for so many seconds at most; return times and bytes."""
    run = subprocess.Popen(command)
    start, seen = time.monotonic(), []
    while run.poll() is None:
        try:
            seen.append((time.monotonic() - start, resident(psutil.Process(run.pid))))
        except psutil.NoSuchProcess:
            break
        if time.monotonic() - start > seconds:
            run.send_signal(signal.SIGINT)
            run.wait()
        time.sleep(0.05)
    if run.wait() not in (0, 130):
        raise SystemExit(f"apply failed with {run.returncode}")
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    planes = round(options.gigabytes * 1e9 / options.side**2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_volume(folder / "large.zarr", planes, options.side)
        save_guidance(folder / "sample.guidance.safetensors")
        words = ["sample.guidance.safetensors", "large.zarr", "--device", "cpu"]
        command = [sys.executable, "-m", "napari_guideme.cli", "apply", *words[2:]]
        command += [str(folder / word) for word in words[:2]] + ["-o", str(folder / "out")]
        seen = watched([*command, "--workers", str(options.workers)], options.seconds)
        done = len([f for f in (folder / "out/large.zarr/0/c").glob("*/*/*") if f.is_file()])
    length = seen[-1][0] / 5
    fifths = [max(b for t, b in seen if i * length <= t <= (i + 1) * length) for i in range(5)]
    print(f"{planes} planes of {options.side} x {options.side} ({options.gigabytes:g} GB)")
    print(f"{done} planes done in {seen[-1][0]:.0f} s by {options.workers} workers")
    print("largest memory in each fifth: " + ", ".join(f"{b / 1e9:.2f} GB" for b in fifths))
    print(f"largest memory: {max(fifths) / 1e9:.2f} GB")
