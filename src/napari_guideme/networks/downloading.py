"""Downloading a file so that it can be cancelled, and that who waits sees how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

from tqdm import tqdm

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.networks import cancelling

#: Bytes that are read between two looks at whether it was cancelled.
_CHUNK = 1 << 18
#: Seconds without a byte after which a connection is given up.
_PATIENCE = 30

#: Takes how many bytes are there, and of how many, 0 if that is not known.
Listener = Callable[[int, int], object]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within this context, downloads tell how far they are."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def download(url: str, target: Path, hash_prefix: str = "") -> None:
    """Download a file with a progress bar; `target` is there when all of it is.

    Parameters
    ----------
    url
        Where it is.
    target
        Where it goes, in a folder that may not be there yet.
    hash_prefix
        How its SHA-256 begins.

    Raises
    ------
    InputError
        If there is no connection, or other bytes came than expected.
    Cancelled
        If it was cancelled.
    """
    part = target.with_name(f"{target.name}.{uuid4().hex}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _fetched(url, part).startswith(hash_prefix):
            raise InputError(f"{target.name} was not downloaded whole, try again")
        part.replace(target)
    except (OSError, HTTPException) as error:
        raise InputError(
            f"{target.name} cannot be downloaded ({first_line(error)}); "
            f"go online once, or put the file into {target.parent}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _fetched(url: str, part: Path) -> str:
    """Write what comes from there into a file, and return its SHA-256."""
    digest, done, tell = sha256(), 0, _listener.get()
    request = Request(url, headers={"User-Agent": "napari-guideme"})
    with urlopen(request, timeout=_PATIENCE) as answer, part.open("wb") as file:
        total = int(answer.headers.get("Content-Length") or 0)
        with tqdm(total=total or None, unit="B", unit_scale=True, unit_divisor=1024) as bar:
            while chunk := answer.read(_CHUNK):
                cancelling.check()
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
                done += len(chunk)
                if tell is not None:
                    tell(done, total)
    return digest.hexdigest()
