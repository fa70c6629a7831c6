"""The training loop of all scripts here: seeded, resumable, one checkpoint."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from napari_guideme.errors import InputError
from napari_guideme.files.tensors import halved, write_tensors

#: What is learned from in a step, such as inputs (N, C, H, W) and their truths, without end.
Batches = Iterator[tuple[Any, ...]]

#: The moving average reaches over one part in so many of the steps.
AVERAGED = 8

SECONDS_BETWEEN_CHECKPOINTS = 120
STEPS_BETWEEN_JUDGEMENTS = 1000


def of_output(loss: Callable[[Any, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Turn a loss of output and truth into one of network, images and truth."""

    def of_network(network: nn.Module, images: Tensor, truth: Tensor) -> Tensor:
        device = next(network.parameters()).device
        images, truth = images.to(device), truth.to(device)
        return loss(network(images.float().contiguous(memory_format=torch.channels_last)), truth)

    return of_network


def train(
    build: Callable[[], nn.Module],
    batches: Callable[[int], Batches],
    loss: Callable[..., Tensor],
    weights: Path,
    steps: int,
    seed: int,
    judge: Callable[[Any], Any],
    *,
    rate: float = 3e-3,
    slower: Mapping[str, float] = MappingProxyType({}),
    save: Callable[[Any, Path], None] | None = None,
    made_of: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Train a network and write the moving average of its weights.

    Started again with the same weights to write, it goes on where it was stopped, by a
    checkpoint beside them; all that the network is made of then has to be the same.

    Parameters
    ----------
    build
        Makes the network, on the device where it learns; called when the random numbers are
        seeded.
    batches
        From a seed to what to learn from.
    loss
        Of the network and what a batch holds, see :func:`of_output`.
    weights
        File to write with every checkpoint, which lies beside it.
    judge
        Says how good the network is, which is shown.
    rate
        Largest learning rate.
    slower
        By the beginning of their names, the share of it for some weights.
    save
        Writes the file, and what lies beside it; by default, weights alone in half precision.
    made_of
        What else the network depends on, such as options and images, each by its name.

    Raises
    ------
    InputError
        If the checkpoint is that of another run.
    """
    weights.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoint_of(weights)
    save = save or save_halved
    fingerprint = _fingerprint({**made_of, "--seed": seed, "--rate": rate})
    torch.manual_seed(seed)
    network = build().to(memory_format=torch.channels_last)
    decay = get_ema_multi_avg_fn(1 - AVERAGED / max(steps, AVERAGED))
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    groups = _groups(network, rate, slower)
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-3)
    rates = [group["lr"] for group in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps)
    parts = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    done, spent = _resume(checkpoint, parts, steps, fingerprint)
    endless = batches(seed + done)
    start, saved = time.perf_counter() - spent, time.perf_counter()
    for step in tqdm(range(done + 1, steps + 1), initial=done, total=steps, mininterval=10):
        network.train()
        optimiser.zero_grad()
        loss(network, *next(endless)).backward()
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        if step == steps or time.perf_counter() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            told = {"step": step, "steps": steps, "seed": seed, "made_of": fingerprint}
            told["seconds"] = (saved := time.perf_counter()) - start
            _write(checkpoint, {n: p.state_dict() for n, p in parts.items()} | told)
            save(average.module, weights)
        if step == steps or step % STEPS_BETWEEN_JUDGEMENTS == 0:
            tqdm.write(f"step {step}: {judge(average.module.eval())}")
    save(average.module, weights)


def _groups(network: nn.Module, rate: float, slower: Mapping[str, float]) -> list[dict[str, Any]]:
    """Part the weights by their learning rate."""
    shares: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        share = next((slower[start] for start in slower if name.startswith(start)), 1.0)
        shares.setdefault(share, []).append(parameter)
    return [{"params": own, "lr": rate * share} for share, own in shares.items()]


def checkpoint_of(weights: Path) -> Path:
    """Where the state of a training lies."""
    return weights.with_suffix(".checkpoint.pt")


def _fingerprint(made_of: Mapping[str, Any]) -> dict[str, str]:
    """Hash all that a network is made of; a file counts by its name and size."""

    def plain(value: Path) -> list[Any]:
        return [value.name, value.stat().st_size]

    texts = {name: json.dumps(value, default=plain) for name, value in made_of.items()}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def _resume(
    checkpoint: Path, parts: dict[str, Any], steps: int, fingerprint: Mapping[str, str]
) -> tuple[int, float]:
    """Read the checkpoint, if there is one; return the steps done and the seconds spent."""
    if not checkpoint.exists():
        return 0, 0.0
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    anew = "remove it to begin anew, or choose another --out"
    if state["steps"] != steps:
        raise InputError(
            f"{checkpoint} was started for {state['steps']} steps, not {steps}; {anew}"
        )
    begun = state["made_of"]
    if other := [name for name in fingerprint if begun.get(name) != fingerprint[name]]:
        raise InputError(f"{checkpoint} was started with other {', '.join(other)}; {anew}")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["step"], state["seconds"]


def _write(checkpoint: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    new = checkpoint.with_suffix(".new")
    torch.save(state, new)
    new.replace(checkpoint)


def save_halved(network: nn.Module, path: Path) -> None:
    """Write the weights in half precision."""
    write_tensors(path, halved(network))


def write_stems(path: Path, stems: Iterable[str]) -> None:
    """List images that are not trained on, as ``napari-guideme evaluate --only`` reads them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["stem"], *([stem] for stem in stems)])
