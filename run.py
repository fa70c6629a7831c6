#!/usr/bin/env python3
"""Set up a fresh machine and run the demo, the tests or the style checks.

    python3 run.py demo [--view] [arguments of `napari-guideme demo`]
    python3 run.py test [arguments of pytest]
    python3 run.py lint

Everything from PyPI goes into `.venv` and `.tox`, both in this folder. The tests
and `--view` need system libraries too: on Debian and its relatives those that
are missing are installed, or named where only root could install them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PROGRAMS = VENV / ("Scripts" if os.name == "nt" else "bin")

WINDOW_PACKAGES = (
    "libdbus-1-3",
    "libegl1",
    "libfontconfig1",
    "libgl1",
    "libgl1-mesa-dri",
    "libglib2.0-bin",  # For the library of the same name, which newer releases rename.
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xinerama0",
    "libxkbcommon-x11-0",
)
#: Seconds to wait before an installation that broke off is tried again.
PAUSES = (5, 20)

SYSTEM_PACKAGES = {"view": WINDOW_PACKAGES, "test": (*WINDOW_PACKAGES, "xvfb")}


def main() -> int:
    """Set the machine up and return the exit status of the tox environment."""
    if sys.version_info < (3, 11):  # noqa: UP036 - older ones get this far, then a clear message
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}.")
    environment, arguments = parse(sys.argv[1:])
    install_system_packages(missing_system_packages(environment))
    install_tox()
    tox = [PROGRAMS / "tox", "run", "-e", environment]
    install([*tox, "--notest"])
    return subprocess.run([*tox, "--skip-pkg-install", "--", *arguments], cwd=ROOT).returncode


def parse(words: list[str]) -> tuple[str, list[str]]:
    """Return the tox environment that is asked for and the arguments to hand on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["demo", "test", "lint"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="handed on")
    asked = parser.parse_args(words)
    if asked.command == "demo" and "--view" in asked.arguments:
        asked.arguments.remove("--view")
        return "view", asked.arguments
    return asked.command, asked.arguments


def missing_system_packages(environment: str) -> list[str]:
    """Name the Debian packages to install; none on a system without dpkg."""
    if not shutil.which("dpkg-query"):
        return []
    missing = [p for p in SYSTEM_PACKAGES.get(environment, ()) if not is_installed(p)]
    if importlib.util.find_spec("ensurepip") is None:
        missing.append(f"python3.{sys.version_info.minor}-venv")
    return missing


def is_installed(package: str) -> bool:
    """Whether dpkg knows a Debian package as installed."""
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    answer = subprocess.run(command, capture_output=True, text=True)
    return answer.stdout.startswith("installed")


def install_system_packages(packages: list[str]) -> None:
    """Install Debian packages, or say how and stop where this user can't."""
    if not packages:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not shutil.which("apt-get") or os.geteuid() != 0:
        sys.exit(f"These system packages are missing:\n\n  sudo {' '.join(command)}\n")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        subprocess.run(step, check=True, env=environment)


def install_tox() -> None:
    """Make the private virtual environment that holds tox, once."""
    if (PROGRAMS / "tox").exists():
        return
    print(f"Installing tox into {VENV} ...", flush=True)
    venv.create(VENV, with_pip=True)
    pip = [PROGRAMS / "python", "-m", "pip", "install", "--quiet"]
    install([*pip, "-c", ROOT / "constraints.txt", "tox"])


def install(command: list[str | Path]) -> None:
    """Run a command that downloads packages; one that breaks off is run again."""
    for pause in PAUSES:
        if subprocess.run(command, cwd=ROOT).returncode == 0:
            return
        print(f"This broke off; trying again in {pause} s ...", flush=True)
        time.sleep(pause)
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit("The packages could not be installed; see above.")


if __name__ == "__main__":
    sys.exit(main())
