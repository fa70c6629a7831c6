"""From logits to labels, computed once however often they are asked for."""

import numpy as np
import torch

from napari_guideme.guidance import labelling
from napari_guideme.guidance.labelling import Labeller, kind_of


def test_labels_of_the_same_logits_are_computed_once(monkeypatch):
    computed, winning = [], labelling.winning
    monkeypatch.setattr(labelling, "winning", lambda x: computed.append(x) or winning(x))
    own, shown = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    labeller = Labeller()
    for _ in range(3):
        np.testing.assert_array_equal(labeller.labels(own), own.argmax(0))
        np.testing.assert_array_equal(labeller.labels(shown), shown.argmax(0))
    assert len(computed) == 2
    labeller.forget()
    labeller.labels(own)
    assert len(computed) == 3


def test_labels_may_be_changed_by_who_asked_for_them():
    logits, labeller = torch.randn(2, 4, 5), Labeller()
    labeller.labels(logits)[:] = 7
    assert labeller.labels(logits).max() <= 1


def test_labels_take_as_few_bytes_as_their_classes_allow():
    assert (kind_of(256), kind_of(257)) == (np.uint8, np.uint16)
