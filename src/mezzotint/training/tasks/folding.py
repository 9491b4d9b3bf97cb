"""Guidance folded into the weights, as a LoRA: one evaluation a step does what two did.

At guidance 1 the network learns to say what its teacher, guided at one fixed scale, says about the
same noised data (Meng et al. 2210.03142, section 3.1). A negative prompt has no effect any more.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mezzotint.diffusion.distillation import distillation_loss
from mezzotint.diffusion.losses import Distribution, sample_times
from mezzotint.families.base import Model
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.draw import Draw, subseed, visits
from mezzotint.training.low_rank import LowRank
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.teacher import guided, prompted, sheet_of, told

HELD_OUT_BATCH = 64


@dataclass(frozen=True)
class FoldingRecipe:
    """The settings of this task.

    Attributes:
        teacher: the folder of its model, from the one that holds this run's.
        autoencoder_run: the run whose latents it noises; a sibling of this one's folder.
        cfg: the guidance scale that is folded in.
        times: the distribution of training times, with ``times_mean`` and ``times_std``.
        rank: of the LoRA.
        prompts: what the sample grids show.
    """

    teacher: str
    autoencoder_run: str
    cfg: float
    times: Distribution
    times_mean: float
    times_std: float
    rank: int
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Described:
    """Latents of a set of pictures, and the wordings of each one's caption."""

    latents: LatentSet
    captions: list[list[str]]


class FoldingTask:
    """The network with the LoRA, unguided, after the network without it, guided."""

    def __init__(
        self,
        recipe: FoldingRecipe,
        seed: int,
        train: Described,
        held_out: Described,
        model: Model,
    ) -> None:
        self.recipe, self.seed = recipe, seed
        self.train, self.held_out, self.model = train, held_out, model
        self.network = LowRank({"network": model.network}, recipe.rank)

    def batch(self, draw: Draw) -> Batch:
        """``latents`` (b, c, h, w) float16 as the encoder gave them, and ``tokens`` (b, n)."""
        count, start = len(self.train.captions), draw.step * draw.batch
        indices = visits(self.seed, count, start, draw.batch)[draw.rows]
        wordings = draw.integers("wording", len(self.train.captions[0]))
        return self._rows(self.train, indices, wordings)

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch."""
        found, goal, t = self._answers(batch, draw)
        return distillation_loss(found, goal, t, self.model.family.process).mean(), {}

    def validate(self) -> dict[str, float]:
        """On held-out scenes: the loss, and the same for what an unguided teacher says.

        Their ratio is the share of guidance that is missing.
        """
        process, device = self.model.family.process, self.model.device
        loss, unguided, count = 0.0, 0.0, len(self.held_out.captions)
        for step, first in enumerate(range(0, count, HELD_OUT_BATCH)):
            numbers = np.arange(first, min(first + HELD_OUT_BATCH, count))
            draw = Draw(subseed(self.seed, "held out"), step, len(numbers), slice(None), device)
            rows = self._rows(self.held_out, numbers, np.zeros_like(numbers))
            batch = {name: row.to(device) for name, row in rows.items()}
            found, goal, t = self._answers(batch, draw)
            with self.network.off():
                plain, _, _ = self._answers(batch, draw)
            loss += distillation_loss(found, goal, t, process).sum().item()
            unguided += distillation_loss(plain, goal, t, process).sum().item()
        return {"loss": loss / count, "unguided": unguided / count}

    def grid(self) -> Image.Image:
        """A picture for each of the recipe's prompts, as a user would get it."""
        return sheet_of(self.model, self.recipe.prompts, {"cfg": 1.0})

    def export(self, folder: Path) -> None:
        """Write ``folded.safetensors``, a LoRA of the teacher."""
        about = {"teacher": self.model.digest, "cfg": "1", "folded_cfg": f"{self.recipe.cfg:g}"}
        self.network.save(folder / "folded.safetensors", self.model.parts, about)

    def _rows(
        self, described: Described, indices: NDArray[np.int64], wordings: NDArray[np.int64]
    ) -> Batch:
        pairs = zip(indices.tolist(), wordings.tolist(), strict=True)
        prompts = [described.captions[k][wording] for k, wording in pairs]
        return {
            "latents": torch.from_numpy(described.latents.latents(indices)),
            "tokens": self.model.encoders[0].windows(prompts),
        }

    def _answers(self, batch: Batch, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
        """The x̂₀ (b, c, h, w) of the student and of its teacher, and their times (b,)."""
        recipe, model = self.recipe, self.model
        process = model.family.process
        x0 = (batch["latents"].float() - model.latent_mean) / model.latent_std
        # stratified over the batch of all processes, so drawn for all of them
        u = draw.whole.uniform("time")
        t = sample_times(process, u, recipe.times, recipe.times_mean, recipe.times_std)[draw.rows]
        x = process.diffuse(x0, draw.normal("noise", *x0.shape[1:]), t)
        conditioning = told(model, batch["tokens"])
        with torch.no_grad(), self.network.off():
            goal = guided(model, conditioning, recipe.cfg)(x, t)
        return prompted(model, conditioning)(x, t), goal, t
