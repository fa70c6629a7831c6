from __future__ import annotations

from threading import Event, Thread

import pytest
import torch

from napari_guideme.networks.cancelling import Cancelled, cancellable, check
from tests import toys
from tests.untouched import lived_in, untouched

X = torch.zeros(1, 1, 8, 8)


@pytest.fixture
def event() -> Event:
    return Event()


def test_nothing_is_cancelled_outside():
    check()


def test_an_event_cancels_once_it_is_set(event):
    with cancellable(event):
        check()
        event.set()
        with pytest.raises(Cancelled):
            check()
    check()


def test_the_context_ends_with_an_error(event):
    event.set()
    with pytest.raises(Cancelled), cancellable(event):
        check()
    check()


def test_other_threads_go_on(event):
    seen = []

    def other() -> None:
        check()
        seen.append("not cancelled")

    event.set()
    with cancellable(event):
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert seen == ["not cancelled"]


@pytest.mark.parametrize("run", ["observe", "head", "tail"])
def test_a_network_stops_between_two_nodes(event, run):
    module, calls = lived_in(toys.Chain()), []
    module.fine.register_forward_hook(lambda *_: event.set())
    module.coarse.register_forward_hook(lambda *_: calls.append("coarse"))
    network = toys.frozen(module)
    head = network.head(X, "input")
    event.clear()
    calls.clear()
    runs = {
        "observe": lambda: network.observe(X),
        "head": lambda: network.head(X, "relu_1"),
        "tail": lambda: network.tail(head),
    }
    with untouched(module):
        with pytest.raises(Cancelled), cancellable(event):
            runs[run]()
        assert not calls
        runs[run]()
        assert calls == ["coarse"]


def test_a_network_is_cancelled_from_another_thread(event):
    armed, reached = Event(), Event()

    def wait(*_: object) -> None:
        if armed.is_set():
            reached.set()
            event.wait(10)

    def cancel() -> None:
        reached.wait(10)
        event.set()

    module = toys.Chain()
    module.fine.register_forward_hook(wait)
    network = toys.frozen(module)
    armed.set()
    thread = Thread(target=cancel)
    thread.start()
    with pytest.raises(Cancelled), cancellable(event):
        network.observe(X)
    thread.join()
