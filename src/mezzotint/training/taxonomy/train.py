"""The training loop of the comparison: players take turns, and all else is as in every training.

A run is a function of its plan. Starting it again goes on after its last checkpoint and ends in the
same bits.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.files import made, write_whole
from mezzotint.training import checkpoint
from mezzotint.training.draw import Draw
from mezzotint.training.ema import EMA
from mezzotint.training.exports import channels_last
from mezzotint.training.journal import Journal
from mezzotint.training.schedule import lr_scale
from mezzotint.training.taxonomy.kind import Kind

WARMUP = 100  # steps, and never more than a tenth of all
DECAY_SHARE = 0.3  # of the steps, the last ones
AVERAGE = 0.999
CLIP_NORM = 1.0
LOG_EVERY, SAVE_MINUTES = 50, 5.0

Batches = Callable[[Draw], tuple[Tensor, Tensor]]
"""The random numbers of a step → latents (b, c, h, w) and what tells of them (b, told)."""


@dataclass(frozen=True)
class Plan:
    """A training of one kind.

    Attributes:
        kind: its name.
        data: what it learns from, by name.
        seed: everything random follows from it.
        steps: of all players together, a turn each.
        batch: latents a step.
    """

    kind: str
    data: str
    seed: int
    steps: int
    batch: int


def train(kind: Kind, plan: Plan, batches: Batches, folder: Path, device: torch.device) -> None:
    """Train, from the last checkpoint in ``folder`` on; the averaged weights are left in place.

    Raises:
        InputError: the loss is no longer finite, or ``folder`` belongs to another plan.
    """
    _claim(folder, plan)
    network = channels_last(nn.ModuleDict(kind.players).to(device)).train()
    settings = kind.settings
    optimizer = torch.optim.Adam(network.parameters(), settings.lr, settings.betas)
    ema = EMA(network, AVERAGE)
    with Journal(folder, plan.kind, plan.steps, plan.batch, speaks=True) as journal:
        step = checkpoint.restore(folder, network, ema, optimizer, journal.say)
        journal.begin(step)
        saved_at, losses = time.monotonic(), dict[str, Tensor]()
        while step < plan.steps:
            draw = Draw(plan.seed, step, plan.batch, slice(None), device)
            x, told = batches(draw)
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * _lr_scale(step, plan.steps)
            for player in kind.players:
                losses[player] = _turn(kind, player, x, told, draw, optimizer)
            ema.update(step)
            step += 1
            journal.advance()
            last = step == plan.steps
            if step % LOG_EVERY == 0 or last:
                journal.report(step, _finite(losses, step, plan))
            if last or time.monotonic() - saved_at > 60 * SAVE_MINUTES:
                _finite(losses, step, plan)
                checkpoint.save(folder, step, network, ema, optimizer)
                saved_at = time.monotonic()
    network.load_state_dict(ema.weights, strict=False)  # buffers, if any, are the network's own
    network.requires_grad_(False).eval()


def _turn(
    kind: Kind,
    player: str,
    x: Tensor,
    told: Tensor,
    draw: Draw,
    optimizer: torch.optim.Optimizer,
) -> Tensor:
    """Move one player down its own loss; the optimizer passes over weights with no gradient."""
    weights = list(kind.players[player].parameters())
    loss = kind.loss(player, x, told, draw)
    for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = slope
    nn.utils.clip_grad_norm_(weights, CLIP_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def _lr_scale(step: int, steps: int) -> float:
    return lr_scale(step, steps, min(WARMUP, steps // 10), DECAY_SHARE, "linear")


def _finite(losses: dict[str, Tensor], step: int, plan: Plan) -> dict[str, float]:
    """The losses on the host; "loss" is that of the player who draws, the last."""
    values = {name: loss.item() for name, loss in losses.items()}
    if not all(math.isfinite(value) for value in values.values()):
        raise InputError(f"the {plan.kind}'s loss is no longer finite at step {step}")
    return {"loss": list(values.values())[-1], **values}


def _claim(folder: Path, plan: Plan) -> None:
    """Give a folder to a plan, unless it is another's."""
    file, about = folder / "plan.json", dataclasses.asdict(plan)
    if not file.exists():
        write_whole(made(folder) / file.name, json.dumps(about, indent=2).encode() + b"\n")
        return
    try:
        begun = json.loads(file.read_text())
    except ValueError as error:
        raise InputError(f"{file} is not a plan: {error}") from error
    for name, value in about.items():
        if begun.get(name) != value:
            raise InputError(
                f"{folder} was begun with {name} = {begun.get(name)!r}, and now it is {value!r}: "
                "choose another folder"
            )
