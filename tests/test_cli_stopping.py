"""Commands that are told to end."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from napari_guideme.cli.stopping import ended_like_cancelled


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_process_cancels_a_command(number):
    with pytest.raises(KeyboardInterrupt), ended_like_cancelled():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_like_cancelled():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone():
    reached = []

    def work() -> None:
        with ended_like_cancelled():
            reached.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached == [signal.SIG_DFL]
