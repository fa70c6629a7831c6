"""Figures of merit from confusion matrices: truth along rows, labels along columns.

Where there is nothing to be wrong about, a figure is 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Confusion = NDArray[np.int64]


def confusion(truth: NDArray[np.integer], labels: NDArray[np.integer], n_classes: int) -> Confusion:
    """Count pixels by true and found class, (K, K); negative truth is left out."""
    known = truth >= 0
    pairs = truth[known].astype(np.int64) * n_classes + labels[known]
    counts: Confusion = np.bincount(pairs, minlength=n_classes**2).astype(np.int64)
    return counts.reshape(n_classes, n_classes)


def mean_iou(counts: Confusion) -> float:
    """Intersection over union, mean over the classes in truth or labels."""
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    there = union > 0
    return float((counts.diagonal()[there] / union[there]).mean()) if there.any() else 1.0


def pixel_accuracy(counts: Confusion) -> float:
    """Share of pixels with the right class."""
    total = counts.sum()
    return float(counts.trace() / total) if total else 1.0


def foreground_iou(counts: Confusion) -> float:
    """Intersection over union of all that is not background (class 0)."""
    union = counts.sum() - counts[0, 0]
    return float(counts[1:, 1:].sum() / union) if union else 1.0


def class_iou(counts: Confusion) -> float | None:
    """Intersection over union, mean over the classes of objects in the truth.

    ``None`` where the truth holds background (class 0) alone.
    """
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    there = counts.sum(1) > 0
    there[0] = False
    return float((counts.diagonal()[there] / union[there]).mean()) if there.any() else None
