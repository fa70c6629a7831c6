from __future__ import annotations

import pytest

from napari_guideme.language.word_forms import singulars


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("nuclei", "nucleus"),
        ("mitochondria", "mitochondrion"),
        ("vertebrae", "vertebra"),
        ("bodies", "body"),
        ("leaves", "leaf"),
        ("women", "woman"),
        ("white matters", "white matter"),
    ],
)
def test_plurals_have_singulars(plural, singular):
    assert singular in singulars(plural)
