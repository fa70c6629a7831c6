"""Where to guide a network: measured once, on the first image that it is guided on.

Clouds of noise are added to the image until the network's labels change. What it said of
the clean image is then the truth, clicks at the largest differences are the
hints, and the guide point at which guiding alone restores most is the best one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from platformdirs import user_cache_path
from scipy import ndimage
from torch import Tensor

from napari_guideme.errors import InputError
from napari_guideme.files import make_folder, write_json
from napari_guideme.guidance.hinted import HintTensors
from napari_guideme.guidance.methods import METHODS
from napari_guideme.guidance.refining import Step, guided_logits
from napari_guideme.guidance.scene import Scene, winning
from napari_guideme.networks.frozen import FrozenNetwork

logger = logging.getLogger(__name__)

#: Deviation of the noise, as a share of the input's, until enough labels change.
_NOISE = (0.2, 0.4, 0.8, 1.6)

#: Share of the pixels that has to change.
_ENOUGH = 0.01

_CLICKS = 3


@dataclass(frozen=True)
class Trial:
    """What guiding at one point restored.

    Attributes
    ----------
    index, total
        Which trial of how many.
    point
        Name of the guide point.
    restored
        Share of the changed labels that is as before again, less what was
        changed anew; at most 1.
    """

    index: int
    total: int
    point: str
    restored: float


def calibrate(scene: Scene) -> Iterator[Trial]:
    """Try the guide points of a network on an image, one yielded trial after the other.

    What is measured is guiding by scale and bias, as in f-BRS, without the residual.
    """
    method = METHODS["f-brs"]
    truth = winning(scene.logits)
    disturbed = _disturbed(scene, truth)
    if disturbed is None:
        return
    hints = _largest_differences(winning(disturbed.logits), truth, scene.spacing)
    points = candidates(scene.network)
    before = int((winning(disturbed.logits) != truth).sum())
    for index, point in enumerate(points, start=1):
        logits = guided_logits(disturbed.at(point), hints, method)
        after = int((winning(logits) != truth).sum())
        yield Trial(index, len(points), point, 1 - after / before)


def choose(scene: Scene) -> Generator[Step, None, str | None]:
    """Find the point to guide a network at, yielding steps; it is remembered.

    Returns
    -------
    Name of the point, ``None`` if no trial could be made.
    """
    if point := remembered(scene.network):
        return point
    trials = []
    for trial in calibrate(scene):
        trials.append(trial)
        yield Step(trial.index, trial.total, -trial.restored)
    if trials:
        remember(scene.network, trials)
    return best(trials)


def candidates(network: FrozenNetwork) -> list[str]:
    """Guide points worth trying: the last of every level, and the network's own choice."""
    return list(dict.fromkeys([*network.feature_points, network.default_point]))


def best(trials: list[Trial]) -> str | None:
    """The point that restored most, the later and cheaper one of equals."""
    return max(trials, key=lambda t: (t.restored, t.index)).point if trials else None


def remembered(network: FrozenNetwork) -> str | None:
    """The guide point that was found for this very network before."""
    try:
        found = json.loads(_path(network).read_text(encoding="utf-8"))["guide_point"]
        return network.guide_point(found).name
    except (OSError, ValueError, TypeError, KeyError, InputError):
        return None


def remember(network: FrozenNetwork, trials: list[Trial]) -> None:
    """Keep what was measured for other sessions; no error if it cannot be written."""
    path = _path(network)
    restored = {trial.point: trial.restored for trial in trials}
    try:
        make_folder(path.parent)
        write_json(path, {"guide_point": best(trials), "restored": restored})
    except (OSError, InputError) as error:
        logger.warning("the calibration of %s was not kept: %s", network.name, error)


def _path(network: FrozenNetwork) -> Path:
    return user_cache_path("napari-guideme") / "guide_points" / f"{network.fingerprint}.json"


def _disturbed(scene: Scene, truth: Tensor) -> Scene | None:
    """The scene with as few clouds as change enough labels."""
    for strength in _NOISE:
        noisy = scene.clouded(strength)
        if (winning(noisy.logits) != truth).float().mean() >= _ENOUGH:
            return noisy
    return None


def _largest_differences(labels: Tensor, truth: Tensor, spacing: Sequence[float]) -> HintTensors:
    """Clicks of the true class in the middle of the largest differences."""
    wrong = (labels != truth).cpu().numpy()
    positions = []
    for _ in range(_CLICKS):
        depth = ndimage.distance_transform_edt(wrong, spacing)
        positions.append(torch.tensor(ndimage.maximum_position(depth)))
        regions, _ = ndimage.label(wrong)
        wrong &= regions != regions[tuple(positions[-1])]
        if not wrong.any():
            break
    places = torch.stack(positions).to(truth.device)
    n = len(places)
    weights = torch.full((n,), 1 / n, dtype=torch.float32, device=truth.device)
    order = torch.arange(n, device=truth.device)
    return HintTensors(places, truth[tuple(places.T)], weights, order)
