from __future__ import annotations

from hashlib import sha256
from threading import Event

import pytest

from napari_guideme.errors import InputError
from napari_guideme.networks.cancelling import Cancelled, cancellable
from napari_guideme.networks.downloading import download, listening

WHOLE = bytes(range(256)) * 4096


@pytest.fixture
def url(tmp_path) -> str:
    (tmp_path / "there").write_bytes(WHOLE)
    return (tmp_path / "there").as_uri()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "here.pth"


def test_a_file_is_downloaded_and_tells_how_far_it_is(url, target):
    told = []
    with listening(lambda *far: told.append(far)):
        download(url, target, sha256(WHOLE).hexdigest()[:8])
    assert target.read_bytes() == WHOLE
    assert told == [(2**18 * part, 2**20) for part in range(1, 5)]
    assert list(target.parent.iterdir()) == [target]


def test_a_download_can_be_cancelled_on_the_way(url, target):
    stop, told = Event(), []

    def cancel(*far: int) -> None:
        told.append(far)
        stop.set()

    with cancellable(stop), listening(cancel), pytest.raises(Cancelled):
        download(url, target)
    assert len(told) == 1
    assert not list(target.parent.iterdir())


def test_a_broken_connection_leaves_nothing(tmp_path, target):
    with pytest.raises(InputError, match=r"here.pth cannot be downloaded .*go online once"):
        download((tmp_path / "nowhere").as_uri(), target)
    assert not list(target.parent.iterdir())
