"""Writing tensors to a file that holds nothing else and cannot execute anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from napari_guideme.files.whole import write_whole


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None
) -> None:
    """Write tensors and what is to be known about them as safetensors, whole or not at all."""
    # The library's own way of writing lets nobody else read the file, whatever the umask says.
    data = save(dict(tensors), dict(about or {}))
    write_whole(path, lambda new: new.write_bytes(data))


def halved(network: nn.Module) -> dict[str, Tensor]:
    """What a network has learned, in half precision."""
    return {
        name: value.detach().cpu().half().contiguous() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
