"""A student that draws in a few steps what its teacher draws in many, as a LoRA of the teacher.

It learns segments of paths that the teacher, guided, has gone from noise to pictures. With guidance
in its weights it is asked once a step.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mezzotint.diffusion.distillation import distillation_loss, jump
from mezzotint.diffusion.samplers import ddim
from mezzotint.families.base import Model
from mezzotint.pipeline.request import Options
from mezzotint.training.data.paths import Paths, Walk, stops_of
from mezzotint.training.draw import Draw, visits
from mezzotint.training.low_rank import LowRank
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.teacher import prompted, sheet_of, told

HELD_OUT_BATCH = 64


@dataclass(frozen=True)
class StudentRecipe:
    """The settings of this task.

    Attributes:
        teacher: the folder of its model, from the one that holds this run's.
        walk: how the teacher draws, and where the student stops.
        paths: how many paths of the teacher it learns from, each for one caption.
        held_out_paths: how many further ones, for captions of other scenes, validation looks at.
        rank: of the LoRA.
        prompts: what the sample grids show.
    """

    teacher: str
    walk: Walk
    paths: int
    held_out_paths: int
    rank: int
    prompts: tuple[str, ...]


class StudentTask:
    """From each of the student's times to the next, in one step of DDIM."""

    def __init__(
        self, recipe: StudentRecipe, seed: int, train: Paths, held_out: Paths, model: Model
    ) -> None:
        self.recipe, self.seed = recipe, seed
        self.train, self.held_out, self.model = train, held_out, model
        self.stops = stops_of(model, recipe.walk)
        self.network = LowRank({"network": model.network}, recipe.rank)

    def batch(self, draw: Draw) -> Batch:
        """``start`` and ``end`` (b, c, h, w), the ``segment`` (b,) between them, ``tokens``."""
        segments = self.recipe.walk.stops
        start = draw.step * draw.batch
        visited = visits(self.seed, len(self.train) * segments, start, draw.batch)[draw.rows]
        return _tensors(self.train, visited // segments, visited % segments)

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch."""
        return self._losses(batch).mean(), {}

    def validate(self) -> dict[str, float]:
        """The loss on held-out paths, and how far from their ends the student itself comes.

        The distance is that of the latents, as a share of the norm of the teacher's.
        """
        losses, missed, norms = 0.0, 0.0, 0.0
        count, segments = len(self.held_out), self.recipe.walk.stops
        for first in range(0, count, HELD_OUT_BATCH):
            numbers = np.arange(first, min(first + HELD_OUT_BATCH, count))
            rows = [
                self._placed(_tensors(self.held_out, numbers, np.full_like(numbers, k)))
                for k in range(segments)
            ]
            losses += sum(self._losses(batch).sum().item() for batch in rows) / segments
            end = rows[-1]["end"].float()
            missed += (self._drawn(rows[0]) - end).square().sum().item()
            norms += end.square().sum().item()
        return {"loss": losses / count, "distance": (missed / norms) ** 0.5}

    def grid(self) -> Image.Image:
        """A picture for each of the recipe's prompts, as a user would get it."""
        walk = self.recipe.walk
        options = Options(steps=walk.stops, cfg=1.0, sampler="ddim", spacing=walk.spacing)
        return sheet_of(self.model, self.recipe.prompts, options)

    def export(self, folder: Path) -> None:
        """Write ``student.safetensors``, a LoRA of the teacher."""
        walk = self.recipe.walk
        about = {
            "teacher": self.model.digest,
            "steps": str(walk.stops),
            "cfg": "1",
            "sampler": "ddim",
            "spacing": walk.spacing,
        }
        self.network.save(folder / "student.safetensors", self.model.parts, about)

    def _losses(self, batch: Batch) -> Tensor:
        process, segment = self.model.family.process, batch["segment"].cpu()
        s, t = self.stops[segment], self.stops[segment + 1]
        start = batch["start"].float()
        goal = jump(start, batch["end"].float(), s, t, process)
        found = prompted(self.model, told(self.model, batch["tokens"]))(start, s)
        return distillation_loss(found, goal, s, process)

    def _drawn(self, batch: Batch) -> Tensor:
        """What the student makes of the noise at the paths' beginnings."""
        denoise = prompted(self.model, told(self.model, batch["tokens"]))
        process, x = self.model.family.process, batch["start"].float()
        *_, last = ddim(denoise, x, self.stops, process, torch.randn_like)
        return last.x

    def _placed(self, batch: Batch) -> Batch:
        return {name: rows.to(self.model.device) for name, rows in batch.items()}


def _tensors(paths: Paths, indices: NDArray[np.int64], segments: NDArray[np.int64]) -> Batch:
    return {
        "start": torch.from_numpy(paths.states(indices, segments)),
        "end": torch.from_numpy(paths.states(indices, segments + 1)),
        "segment": torch.from_numpy(segments),
        "tokens": paths.tokens[torch.from_numpy(indices)],
    }
