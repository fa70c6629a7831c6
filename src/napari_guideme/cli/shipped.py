"""What ships with the package: a demonstration, and networks."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec

from napari_guideme.cli.opening import watched
from napari_guideme.errors import InputError
from napari_guideme.networks.catalogue import catalogue
from napari_guideme.referring import ABOUT, LICENCE, REFERRING


def demo(options: argparse.Namespace) -> int:
    """Correct a bundled network on a real image with hints that ship with us."""
    # Found, not imported: the process of the viewer loads it.
    if options.view and find_spec("napari") is None:
        raise InputError('--view needs napari; install it by: pip install "napari-guideme[napari]"')
    from napari_guideme.demo import run_demo

    print(run_demo(options.out, options.device, watched))
    if options.view:
        command = [sys.executable, "-m", "napari_guideme.widgets.demo", options.device]
        return subprocess.run(command, check=False).returncode
    return 0


def models(_: argparse.Namespace) -> int:
    """List the networks that ship with the package."""
    for name, entry in catalogue().items():
        print(f"{name}  ({entry.licence})")
        print(f"    {entry.description}")
        print(f"    classes: {', '.join(entry.classes)}")
    print(f"{REFERRING}  ({LICENCE})")
    print(f"    {ABOUT}")
    print("    classes: background, what the sentence names")
    return 0
