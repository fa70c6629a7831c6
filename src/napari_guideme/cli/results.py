"""What ``refine`` writes, all of it when all is computed: nothing is there if it is cancelled."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.cli.opening import write
from napari_guideme.files import Picture, write_json
from napari_guideme.session_file import SessionFile, save_session

if TYPE_CHECKING:
    from napari_guideme.guidance.saved import SavedGuidance
    from napari_guideme.networks.frozen import FrozenNetwork


@dataclass(frozen=True, eq=False)
class Results:
    """What was computed.

    Attributes
    ----------
    labels, network, picture
        The labels, by which network, and of what.
    report
        What there is to tell, besides which network and image that were.
    contents, guidance
        What was done and what was found, if somebody asked for them.
    """

    labels: NDArray[np.integer]
    network: FrozenNetwork
    picture: Picture
    report: Mapping[str, Any]
    contents: SessionFile | None = None
    guidance: SavedGuidance | None = None

    def write(self, options: argparse.Namespace) -> None:
        """Write it where the options say."""
        instances = options.instances
        write(options.output, self.labels, self.network, self.picture, instances=instances)
        if self.contents is not None:
            save_session(options.save_session, self.contents)
        if self.guidance is not None:
            self.guidance.save(options.save_guidance)
        if options.json:
            # The path of a patient's images may hold a name.
            image = self.picture.kind if self.picture.private else str(options.image)
            write_json(options.json, {"network": options.network, "image": image, **self.report})
