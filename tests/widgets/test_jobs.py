"""One job at a time in the background, with a bar in the activity dock if it takes long."""

import time
from threading import Event, Thread
from types import SimpleNamespace

import pytest
from napari.utils import progress
from qtpy.QtCore import QTimer
from superqt.utils import WorkerBase

from napari_guideme.networks import cancelling
from napari_guideme.widgets.jobs import PATIENCE_MS, LatestJob, _guarded


@pytest.fixture
def job(make_napari_viewer, qtbot):
    make_napari_viewer()
    job = LatestJob()
    yield job
    job.cancel()
    qtbot.waitUntil(lambda: not job.is_busy)


def bars() -> list[progress]:
    return [bar for bar in progress._all_instances if bar.desc.startswith("Counting")]


def counting(steps: int, seconds: float):
    """Work that takes so many steps of so many seconds."""

    def work():
        for index in range(steps):
            time.sleep(seconds)
            yield SimpleNamespace(index=index + 1, total=steps)
        return steps

    return work


def test_a_long_job_shows_how_far_it_is_until_it_ends(job, qtbot):
    with qtbot.waitSignal(job.done, timeout=20_000):
        job.request(counting(40, PATIENCE_MS / 10_000), "Counting", at_once=True)
        assert not bars()
        qtbot.waitUntil(lambda: any(bar.n > 0 for bar in bars()), timeout=10_000)
        assert [bar.total for bar in bars()] == [40]
    qtbot.waitUntil(lambda: not job.is_busy)
    assert not bars()


def test_a_long_job_of_one_step_shows_no_bar(job, qtbot):
    made = []
    job.stepped.connect(lambda _: QTimer.singleShot(0, lambda: made.extend(bars())))
    with qtbot.waitSignal(job.done, timeout=20_000):
        job.request(counting(1, 2 * PATIENCE_MS / 1000), "Counting", at_once=True)
        qtbot.wait(PATIENCE_MS + 200)
        assert not bars()
    qtbot.waitUntil(lambda: not job.is_busy)
    assert not made


def test_a_job_that_is_silent_for_long_shows_a_bar(job, qtbot):
    job._silence.setInterval(PATIENCE_MS + 200)
    with qtbot.waitSignal(job.done, timeout=20_000):
        job.request(counting(1, 2), "Counting", at_once=True)
        qtbot.wait(PATIENCE_MS + 50)
        assert not bars()
        qtbot.waitUntil(lambda: bool(bars()))
    qtbot.waitUntil(lambda: not job.is_busy)
    assert not bars()


def test_a_short_job_ends_before_any_bar_is_made(job, qtbot):
    made = []
    job.stepped.connect(lambda _: made.extend(bars()))
    with qtbot.waitSignal(job.done, timeout=20_000):
        job.request(counting(2, 0.01), "Counting", at_once=True)
    qtbot.wait(PATIENCE_MS + 200)
    assert not made
    assert not bars()


def test_work_without_a_description_shows_nothing(job, qtbot):
    with qtbot.waitSignal(job.done, timeout=20_000):
        job.request(counting(2, PATIENCE_MS / 1000), "", at_once=True)
        qtbot.wait(PATIENCE_MS + 100)
        assert not progress._all_instances


def test_napari_ends_a_long_step_when_it_closes(job, qtbot):
    begun = Event()

    def work():
        begun.set()
        while True:
            cancelling.check()
            time.sleep(0.01)
        yield

    job.request(work, "Counting", at_once=True)
    assert begun.wait(10)
    WorkerBase.await_workers(10_000)
    qtbot.waitUntil(lambda: not job.is_busy)


@pytest.mark.parametrize("overtake", [True, False])
def test_a_job_that_nobody_waits_for_fails_in_silence(job, qtbot, overtake):
    begun, go, failed = Event(), Event(), []
    job.failed.connect(failed.append)

    def work():
        begun.set()
        go.wait(10)
        raise ValueError("the ground moved")
        yield

    job.request(work, "Counting", at_once=True)
    assert begun.wait(10)
    if overtake:
        with qtbot.waitSignal(job.done, timeout=20_000):
            job.request(counting(1, 0), "Counting")
            go.set()
    else:
        job.cancel()
        go.set()
    qtbot.waitUntil(lambda: not job.is_busy)
    assert not failed


def test_work_that_was_left_at_a_step_may_be_closed_in_another_thread():
    steps = _guarded(counting(2, 0), Event())
    thread = Thread(target=next, args=[steps])
    thread.start()
    thread.join()
    steps.close()  # Raised before: each thread has a context of its own.
    assert steps.gi_frame is None
