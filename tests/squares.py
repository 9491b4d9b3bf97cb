"""Squares with a dark or a light middle: a world small enough to learn in a few seconds."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from mezzotint.models.detector import DetectorParams
from mezzotint.training.data.judged import ROWS, UNASKED, Judged
from mezzotint.training.data.pictures import finish, write_shard
from mezzotint.training.draw import Draw
from mezzotint.training.tasks.judge import JudgeRecipe, JudgeTask

PARAMS = DetectorParams(
    kinds=("hole", "lamp"),
    colours=("red", "blue"),
    places=("dark", "light"),
    hours=("day",),
    seasons=("summer",),
    weathers=("clear",),
    styles=("flat",),
    channels=(32, 32, 32),
    blocks=(1, 1, 1),
    hidden=32,
)
COLOURS = ((230, 40, 40), (40, 60, 230))
STEPS, BATCH, RATE = 70, 8, 6e-3
COUNT = 96
homes: list[TemporaryDirectory[str]] = []  # removed when the process ends


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture (128, 128, 3), its objects (8, 6) and its answers (5,)."""
    place = int(rng.integers(2))
    picture = rng.normal((70, 190)[place], 6, (128, 128, 3)).clip(0, 255)
    rows = np.full((ROWS, 6), -1, np.float32)
    across = np.arange(128) + 0.5
    for row, left in zip(rows, (0, 64)[: int(rng.integers(1, 3))], strict=False):
        kind, colour = rng.integers(2, size=2)
        radius = int(rng.integers(7, 12))
        x, y = left + rng.integers(radius, 65 - radius), rng.integers(radius, 129 - radius)
        far = np.maximum(abs(across - x), abs(across - y)[:, None])
        picture[far < radius] = COLOURS[colour]
        picture[far < 4] = (0, 255)[kind]
        row[:] = (kind, colour, *(np.array([x, y, x, y]) + radius * np.array([-1, -1, 1, 1])))
        row[2:] /= 128
    return picture.astype(np.uint8), rows, np.array([place, *[UNASKED] * 4])


def judged(folder: Path, seed: int, count: int) -> Judged:
    rng = np.random.default_rng(seed)
    pictures, rows, answers = map(np.stack, zip(*(drawn(rng) for _ in range(count)), strict=True))
    folder.mkdir(parents=True)
    write_shard(folder, 0, pictures, [[]] * count)
    about = {"size": 128, "count": count, "single": 0}
    return Judged(finish(folder, about), rows, answers)


def step_draw(step: int) -> Draw:
    return Draw(0, step, BATCH, slice(None), torch.device("cpu"))


def new_task() -> JudgeTask:
    homes.append(TemporaryDirectory(prefix="squares"))
    home = Path(homes[-1].name)
    torch.manual_seed(0)
    train, held_out = judged(home / "train", 0, COUNT), judged(home / "held_out", 1, 48)
    return JudgeTask(JudgeRecipe(PARAMS), 0, train, held_out, torch.device("cpu"))


@cache
def trained() -> tuple[JudgeTask, list[float]]:
    """A judge of such squares, and its losses on the way."""
    task, losses = new_task(), []
    task.network.train()
    optimizer = torch.optim.AdamW(task.network.parameters(), RATE, betas=(0.9, 0.95))
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 10, (STEPS - step) / (STEPS / 2))
        loss, _ = task.loss(task.batch(step_draw(step)), step_draw(step))
        loss.backward()
        nn.utils.clip_grad_norm_(task.network.parameters(), 4.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    task.network.requires_grad_(False).eval()
    return task, losses
