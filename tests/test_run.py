"""Setting up a fresh machine survives a download that breaks off."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture
def run(monkeypatch):
    spec = importlib.util.spec_from_file_location("run", Path(__file__).parents[1] / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAUSES", (0, 0))
    return module


def failing(times: int, log: Path) -> list[str]:
    """A command that fails so many times before it succeeds."""
    program = (
        f"import pathlib, sys; log = pathlib.Path({str(log)!r}); "
        "tries = len(log.read_text()) if log.exists() else 0; "
        f"log.write_text('x' * (tries + 1)); sys.exit(tries < {times})"
    )
    return [sys.executable, "-c", program]


def test_an_installation_that_breaks_off_is_tried_again(run, tmp_path):
    log = tmp_path / "log"
    run.install(failing(2, log))
    assert log.read_text() == "xxx"


def test_one_that_never_succeeds_ends_with_a_message(run, tmp_path):
    log = tmp_path / "log"
    with pytest.raises(SystemExit, match="could not be installed"):
        run.install(failing(3, log))
    assert log.read_text() == "xxx"
