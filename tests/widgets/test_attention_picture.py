from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_guideme.widgets.attention_picture import DARK, LIGHT, AttentionPicture

WORDS = ("the", "larger", "nucleus")
ATTENTION = np.array([[0.1, 0.2, 0.3], [0.5, -0.1, 0.9]])


@pytest.fixture
def picture(qtbot) -> AttentionPicture:
    made = AttentionPicture()
    qtbot.addWidget(made)
    made.resize(300, made.sizeHint().height())
    made.show_attention(WORDS, ATTENTION, 0)
    made.resize(300, made.sizeHint().height())
    made.show()
    return made


def test_the_more_a_word_counts_the_darker_its_cell(picture):
    halfway = ATTENTION.copy()
    halfway[0, 0] = 0.4
    picture.show_attention(WORDS, halfway, 0)
    drawn = picture.grab().toImage()

    def colour(step: int, word: int) -> np.ndarray:
        return np.array(drawn.pixelColor(picture.box(step, word).center()).getRgb()[:3])

    light, dark = (np.array(end.getRgb()[:3]) for end in (LIGHT, DARK))
    # A screen may have no more than 5 bits of a colour.
    np.testing.assert_allclose(colour(1, 1), light, atol=8)
    np.testing.assert_allclose(colour(1, 2), dark, atol=8)
    np.testing.assert_allclose(colour(0, 0), (light + dark) / 2, atol=8)


def test_every_cell_can_be_gone_to_and_tells_its_value(picture, qtbot):
    told = []
    picture.picked.connect(told.append)
    assert picture.accessibleDescription() == "Step 1, 'the': 0.10"
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(picture, key)
    assert (picture.step, picture.word) == (1, 2)
    assert picture.accessibleDescription() == "Step 2, 'nucleus': 0.90"
    qtbot.mouseClick(picture, Qt.MouseButton.LeftButton, pos=picture.box(0, 1).center())
    assert (picture.step, picture.word) == (0, 1)
    assert told == [1, 1, 1, 1, 0]
    assert picture.cell(QPoint(2, 2)) is None
    assert picture.cell(picture.box(1, 2).center()) == (1, 2)


def test_long_words_stand_upright_in_a_narrow_dock(picture):
    wide = picture.sizeHint().height()
    picture.show_attention(WORDS * 6, np.tile(ATTENTION, 6), 0)
    assert picture.sizeHint().height() > wide
    assert picture.box(0, 17).right() < picture.width()
