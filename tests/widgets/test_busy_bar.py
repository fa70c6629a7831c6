"""A bar that says that something is computed without taking the cores from it."""

from napari_guideme.widgets.busy_bar import SWING_MS, BusyBar


def test_it_swings_slowly_only_while_it_is_seen_and_nobody_knows_how_much_is_done(qtbot):
    bar = BusyBar()
    qtbot.addWidget(bar)
    assert bar.share is None
    assert bar.maximum() > 0, "Qt would move it itself, twenty times a second"
    assert not bar._swing.isActive()
    bar.show()
    before = bar._is_left
    qtbot.waitUntil(lambda: bar._is_left != before, timeout=20 * SWING_MS)
    bar.show_share(0.25)
    assert bar.share == 0.25
    assert not bar._swing.isActive()
    bar.show_busy()
    assert bar.share is None
    assert bar._swing.isActive()
    bar.hide()
    assert not bar._swing.isActive()
