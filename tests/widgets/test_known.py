"""Networks that are known, and loaded when they are needed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from napari_guideme.widgets.known import Known, Networks


def test_threads_that_need_a_network_at_once_load_it_once(monkeypatch):
    networks, opened = Networks(), []
    nuclei = networks["nuclei"]
    load = Known.open

    def slowly(known, device):
        opened.append(known)
        time.sleep(0.2)
        return load(known, device)

    monkeypatch.setattr(Known, "open", slowly)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda known: networks.load(known, "cpu"), [nuclei, nuclei])
    assert one is other
    assert opened == [nuclei]
