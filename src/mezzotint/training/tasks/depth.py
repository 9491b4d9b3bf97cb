"""The depth network learns the whole world, to say how near things in generated pictures are."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mezzotint.checkpoints.packed import save_packed
from mezzotint.models.depth import DepthNet, DepthParams, correlation
from mezzotint.models.pyramid import CELLS
from mezzotint.training.data.depths import Depths
from mezzotint.training.draw import Draw, visits
from mezzotint.training.images import sheet, to_tensor
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.tasks.roughen import roughened

TESTED, SHOWN = 128, 8


@dataclass(frozen=True)
class DepthRecipe:
    """The settings of this task: the network's sizes."""

    params: DepthParams


class DepthTask:
    """The mean absolute error of the depth at each place."""

    def __init__(
        self, recipe: DepthRecipe, seed: int, train: Depths, held_out: Depths, device: torch.device
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.train, self.held_out = train, held_out
        self.network = DepthNet(recipe.params)

    def batch(self, draw: Draw) -> Batch:
        """``images`` (b, 128, 128, 3) and ``depths`` (b, 32, 32), both uint8."""
        first = draw.step * draw.batch
        indices = visits(self.seed, len(self.train.pictures), first, draw.batch)[draw.rows]
        return {
            "images": torch.from_numpy(self.train.pictures.pictures(indices)),
            "depths": torch.from_numpy(self.train.depths[indices]),
        }

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The error on pictures that were made a little worse."""
        said = self.network(roughened(to_tensor(batch["images"]), draw))
        loss = (said[:, 0] - _to_depth(batch["depths"])).abs().mean()
        return loss, {"error": loss}

    def validate(self) -> dict[str, float]:
        """The mean absolute ``error`` on held-out scenes, and the mean of their ``correlation``."""
        errors, correlations = list[Tensor](), list[Tensor]()
        for said, true in self._tested():
            errors.append((said - true).abs().mean((1, 2)))
            correlations.append(correlation(said, true))
        return {
            "error": torch.cat(errors).mean().item(),
            "correlation": torch.cat(correlations).mean().item(),
        }

    def grid(self) -> Image.Image:
        """Held-out pictures, their true depth, and below it what is said."""
        chosen = np.arange(min(SHOWN, len(self.held_out.pictures)))
        pictures = self.held_out.pictures.pictures(chosen)
        said, true = next(self._tested())
        maps = torch.stack([true[: len(chosen)], said[: len(chosen)]]).flatten(0, 1)
        grey = (maps * 255).round().to(torch.uint8).cpu().numpy()
        large = grey.repeat(pictures.shape[1] // CELLS, 1).repeat(pictures.shape[2] // CELLS, 2)
        rows = np.concatenate([pictures, np.repeat(large[..., None], 3, 3)])
        return sheet(rows, columns=len(chosen))

    def export(self, folder: Path) -> None:
        """Write ``depth.safetensors``, 8-bit, with its sizes in the metadata."""
        sizes = {"depth": json.dumps(asdict(self.recipe.params))}
        save_packed(folder / "depth.safetensors", self.network.state_dict(), sizes)

    def _tested(self) -> Iterator[tuple[Tensor, Tensor]]:
        """What is said of the held-out scenes and what is true, (b, 32, 32) in [0, 1]."""
        for first in range(0, len(self.held_out.pictures), TESTED):
            chosen = np.arange(first, min(first + TESTED, len(self.held_out.pictures)))
            pictures = torch.from_numpy(self.held_out.pictures.pictures(chosen))
            true = torch.from_numpy(self.held_out.depths[chosen]).to(self.device)
            yield self.network(to_tensor(pictures.to(self.device)))[:, 0], _to_depth(true)


def _to_depth(depths: Tensor) -> Tensor:
    return depths.float() / 255
