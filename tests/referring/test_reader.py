from __future__ import annotations

import pytest
import torch

from napari_guideme.errors import InputError
from napari_guideme.referring.reader import MOST_WORDS, Reader, words_of


@pytest.fixture
def reader() -> Reader:
    torch.manual_seed(0)
    return Reader(("the", "left", "dog"), torch.randn(3, 4), hidden=2).eval()


def test_words_are_read_as_they_are_said():
    assert words_of("The left-hand Dog!") == ["the", "left", "hand", "dog"]
    assert words_of("very " * 30) == ["very"] * MOST_WORDS


def test_what_only_asks_is_not_read():
    asked = "Could you please find me the left-hand dog, please?"
    assert words_of(asked) == ["the", "left", "hand", "dog"]
    assert words_of("please") == ["please"]


@pytest.mark.parametrize("sentence", ["", "  ?!"])
def test_a_sentence_without_words_is_refused(sentence):
    with pytest.raises(InputError, match="has no word"):
        words_of(sentence)


def test_the_last_state_is_that_of_both_directions(reader):
    read = reader(["the left dog"])
    assert read.hidden.shape == (1, 3, 4)
    assert read.is_word.all()
    forth, back = read.hidden[0, -1, :2], read.hidden[0, 0, 2:]
    torch.testing.assert_close(read.last[0], torch.cat([forth, back]))


def test_a_shorter_sentence_is_read_as_if_it_were_alone(reader):
    both, alone = reader(["the left left dog", "left dog"]), reader(["left dog"])
    assert both.is_word.tolist() == [[True] * 4, [True, True, False, False]]
    torch.testing.assert_close(both.hidden[1, :2], alone.hidden[0])
    torch.testing.assert_close(both.last[1], alone.last[0])


def test_the_order_of_words_counts(reader):
    read = reader(["left dog the", "the dog left"])
    assert not torch.allclose(read.last[0], read.last[1])


def test_words_that_say_the_same_are_read_alike():
    torch.manual_seed(0)
    reader = Reader(("the", "larger", "person", "people"), torch.randn(4, 4), hidden=2).eval()
    read = reader(["the larger person", "the big woman", "the huge boy", "the big yak"])
    torch.testing.assert_close(read.last[1:3], read.last[:1].expand(2, -1))
    assert not torch.allclose(read.last[3], read.last[0])
    assert reader.unknown_words("the tiny men, a big yak") == ["tiny", "a", "yak"]


def test_unknown_words_share_a_vector_which_is_learned(reader):
    assert reader.unknown_words("the left zebra, Dog") == ["zebra"]
    read = reader(["the zebra", "the yak", "the dog"])
    torch.testing.assert_close(read.last[0], read.last[1])
    assert not torch.allclose(read.last[0], read.last[2])
    (slope,) = torch.autograd.grad(read.last[0].sum(), reader.unknown)
    assert slope.abs().sum() > 0
    assert not reader.vectors.requires_grad


def test_words_are_known_in_other_forms():
    torch.manual_seed(0)
    known = ("grey", "cell", "nuclei", "boats")
    reader = Reader(known, torch.randn(4, 4), hidden=2).eval()
    assert reader.unknown_words("the gray cells boat nucleus") == ["the"]
    torch.testing.assert_close(reader(["gray cells"]).last, reader(["grey cell"]).last)


def test_words_that_only_join_say_nothing():
    reader = Reader(("the", "of", "on", "left"), torch.randn(4, 4), hidden=2)
    assert not reader.knows_any("roof of the church")
    assert reader.knows_any("roof on the left")


def test_some_words_are_hidden_in_training(reader, monkeypatch):
    monkeypatch.setattr("napari_guideme.referring.reader._HIDDEN", 1.0)
    torch.testing.assert_close(reader.train()(["the dog"]).last, reader.eval()(["a yak"]).last)
