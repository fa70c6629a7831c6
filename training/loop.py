"""The training loop of all scripts here: seeded, resumable, one checkpoint."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from napari_guideme.networks.unet import UNet

#: Images (N, 3, H, W) and classes (N, H, W), without end.
Batches = Iterator[tuple[Tensor, Tensor]]

#: The moving average reaches over one part in so many of the steps.
AVERAGED = 8

SECONDS_BETWEEN_CHECKPOINTS = 120
STEPS_BETWEEN_JUDGEMENTS = 1000


def train(
    widths: Sequence[int],
    n_classes: int,
    batches: Callable[[int], Batches],
    loss: Callable[[Tensor, Tensor], Tensor],
    weights: Path,
    steps: int,
    seed: int,
    judge: Callable[[nn.Module], Any],
) -> None:
    """Train a U-Net for colour images and write the moving average of its weights.

    Started again with the same folder, it goes on where it was stopped; `steps`,
    which the schedule depends on, then have to be the same.

    Parameters
    ----------
    widths, n_classes
        Of the `UNet`.
    batches
        From a seed to the images and classes to learn from.
    loss
        Of logits (N, K, H, W) and classes (N, H, W).
    weights
        File to write with every checkpoint, which lies beside it.
    judge
        Says how good the network is, which is shown.
    """
    weights.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = weights.with_name("checkpoint.pt")
    torch.manual_seed(seed)
    network = UNet(3, n_classes, widths).to(memory_format=torch.channels_last)
    decay = get_ema_multi_avg_fn(1 - AVERAGED / max(steps, AVERAGED))
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    done, spent = _resume(checkpoint, parts, steps)
    endless = batches(seed + done)
    start, saved = time.perf_counter() - spent, time.perf_counter()
    for step in tqdm(range(done + 1, steps + 1), initial=done, total=steps, mininterval=10):
        network.train()
        images, classes = next(endless)
        optimiser.zero_grad()
        loss(network(images.to(memory_format=torch.channels_last)), classes).backward()
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        if step == steps or time.perf_counter() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            told = {"step": step, "steps": steps, "seed": seed}
            told["seconds"] = (saved := time.perf_counter()) - start
            _write(checkpoint, {n: p.state_dict() for n, p in parts.items()} | told)
            _save(average.module, weights)
        if step == steps or step % STEPS_BETWEEN_JUDGEMENTS == 0:
            tqdm.write(f"step {step}: {judge(average.module.eval())}")


def _resume(checkpoint: Path, parts: dict[str, Any], steps: int) -> tuple[int, float]:
    """Read the checkpoint, if there is one; return the steps done and the seconds spent."""
    if not checkpoint.exists():
        return 0, 0.0
    state = torch.load(checkpoint, weights_only=True)
    if state["steps"] != steps:
        raise SystemExit(f"{checkpoint} was started for {state['steps']} steps, not {steps}")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["step"], state["seconds"]


def _write(checkpoint: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    new = checkpoint.with_suffix(".new")
    torch.save(state, new)
    new.replace(checkpoint)


def _save(network: nn.Module, path: Path) -> None:
    """Write the weights in half precision."""
    weights = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    save_file(weights, path)


def write_stems(path: Path, stems: Iterable[str]) -> None:
    """List images that are not trained on, as ``napari-guideme evaluate --only`` reads them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["stem"], *([stem] for stem in stems)])
