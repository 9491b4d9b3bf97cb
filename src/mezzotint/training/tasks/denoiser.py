"""The denoiser: a U-Net or a transformer on cached latents, and the text tower that tells it what.

The tower has CLIP's architecture and learns with the first denoiser, from its own first weights.
Contrast teaches a tower what tells pictures apart at a glance, which is colour before shape: one
trained so for minutes, frozen or not, kept so little of which object was asked for (seven
dimensions of 256) that the U-Net drew blobs of the right colour. A second denoiser reads with the
first one's tower as it is, so that both can be shipped with one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from tokenizers import Tokenizer
from torch import Tensor, nn

from mezzotint.diffusion.losses import Distribution
from mezzotint.families.base import Canvas, Model
from mezzotint.families.storybook import kind_of
from mezzotint.files import write_whole
from mezzotint.models.clip import CLIPText, CLIPTextParams
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.data.parts import PartSet
from mezzotint.training.data.tokens import Tokens
from mezzotint.training.denoising import Times, denoising_losses
from mezzotint.training.draw import Draw, subseed, visits
from mezzotint.training.exports import write_network
from mezzotint.training.images import sheet
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.tasks.parts import PartsReader, tapped, width_of

HELD_OUT_BATCH = 64
GRID_SEED = 7


@dataclass(frozen=True)
class DenoiserRecipe:
    """The settings of this task.

    Attributes:
        network: the network; the family's process and prediction follow from its kind.
        autoencoder_run: the run whose latents it learns; a sibling of this one's folder.
        text: the text tower that it reads captions with, where that learns along.
        begin_run: the finished run, a sibling of this one's folder, whose network it goes on
            training, and whose text tower unless ``text_run`` says another; if empty, it begins
            with random weights.
        text_run: the run whose text tower and tokenizer it takes as they are, likewise; if empty,
            a tower of its own learns along.
        times: the distribution of training times, with ``times_mean`` and ``times_std``.
        direction: weight of the velocity-direction term.
        caption_dropout: share of the captions that are left empty, for guidance.
        single_share: share of the steps, the first ones, that see scenes of one object only.
        parts: weight, at first, of saying which part of what each place shows (``tasks.parts``);
            it falls to 0 in a straight line. 0 for none, as for pictures other than the world's.
        prompts: what the sample grids show.
    """

    network: UNetParams | DiTParams
    autoencoder_run: str
    text: CLIPTextParams
    begin_run: str
    text_run: str
    times: Distribution
    times_mean: float
    times_std: float
    direction: float
    caption_dropout: float
    single_share: float
    parts: float
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Captioned:
    """Latents of a set of pictures, its captions as tokens (count, wordings, n), and what the
    places of the pictures show, where that is asked."""

    latents: LatentSet
    tokens: Tokens
    count: int
    single: int
    parts: PartSet | None = None


class DenoiserTask:
    """The loss of the family's prediction, over latents of zero mean and unit variance."""

    def __init__(
        self,
        recipe: DenoiserRecipe,
        seed: int,
        steps: int,
        train: Captioned,
        held_out: Captioned,
        model: Model,
        tokenizer: Tokenizer,
    ) -> None:
        self.recipe, self.seed, self.steps, self.tokenizer = recipe, seed, steps, tokenizer
        self.train, self.held_out, self.model = train, held_out, model
        self.single_steps = round(recipe.single_share * steps) if train.single else 0
        self.encoder = model.encoders[0]
        self.empty = self.encoder.windows([""])[0].numpy()
        learns = not recipe.text_run
        text = self.encoder.network.requires_grad_(learns).eval()
        network = cast("UNet | DiT", model.network)
        self.reader = PartsReader(width_of(network)).to(model.device) if train.parts else None
        learning = {"network": network, "text": text if learns else None, "reader": self.reader}
        self.network = nn.ModuleDict(
            {name: each for name, each in learning.items() if each is not None}
        )
        model.autoencoder.requires_grad_(False).eval()

    def batch(self, draw: Draw) -> Batch:
        """``latents`` (b, c, h, w) float16 as the encoder gave them, and ``tokens`` (b, n).

        And ``parts`` (b, 3, h, w), as ``data.parts`` has them, where they are asked for.
        """
        indices = self._visited(draw)
        wordings = draw.integers("wording", self.train.tokens.shape[1])
        dropped = draw.chances("dropout") < self.recipe.caption_dropout
        tokens = np.where(dropped[:, None], self.empty, self.train.tokens[indices, wordings])
        batch = _tensors(self.train.latents, indices, tokens)
        if self.train.parts:
            batch["parts"] = torch.from_numpy(self.train.parts.parts(indices))
        return batch

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch, and what it is wrong about the parts of things."""
        if self.reader is None:
            return self._losses(batch, draw).mean(), {}
        with tapped(cast("UNet | DiT", self.model.network)) as seen:
            denoising = self._losses(batch, draw).mean()
        parts = self.reader(seen.features, batch["parts"])
        weight = self.recipe.parts * (1 - draw.step / self.steps)
        return denoising + weight * parts, {"denoising": denoising, "parts": parts}

    def validate(self) -> dict[str, float]:
        """The loss on held-out scenes, over all times and over each third of them."""
        device = self.model.device
        losses: list[Tensor] = []
        for step, first in enumerate(range(0, self.held_out.count, HELD_OUT_BATCH)):
            numbers = np.arange(first, min(first + HELD_OUT_BATCH, self.held_out.count))
            draw = Draw(subseed(self.seed, "held out"), step, len(numbers), slice(None), device)
            batch = _tensors(self.held_out.latents, numbers, self.held_out.tokens[numbers, 0])
            rows = {name: rows.to(device) for name, rows in batch.items()}
            losses.append(self._losses(rows, draw))
        # the times of a batch rise from row to row
        thirds = map(torch.cat, zip(*(x.tensor_split(3) for x in losses), strict=True))
        parts = {
            "loss": torch.cat(losses),
            **dict(zip(("loss_clean", "loss_middle", "loss_noisy"), thirds, strict=True)),
        }
        # fewer than three pictures do not fill all thirds
        return {name: part.mean().item() for name, part in parts.items() if len(part)}

    def grid(self) -> Image.Image:
        """A picture for each of the recipe's prompts, as a user would get it."""
        pipeline = Pipeline(self.model, "")
        images = [
            np.asarray(pipeline.generate(prompt, seed=GRID_SEED).images[0])
            for prompt in self.recipe.prompts
        ]
        return sheet(np.stack(images), columns=4)

    def export(self, folder: Path) -> None:
        """Write ``unet`` or ``flow``, ``text``, ``tokenizer.json``, and the latents' moments."""
        params = self.recipe.network
        write_network(folder, kind_of(params), self.model.network, params)
        text = cast("CLIPText", self.encoder.network)
        write_network(folder, "text", text, text.params)
        write_whole(folder / "tokenizer.json", self.tokenizer.to_str().encode())
        moments = {"mean": self.model.latent_mean.cpu(), "std": self.model.latent_std.cpu()}
        write_whole(folder / "latents.safetensors", save(moments))

    def _visited(self, draw: Draw) -> NDArray[np.int64]:
        single = draw.step < self.single_steps
        pool = self.train.single if single else self.train.count
        stage_step = draw.step if single else draw.step - self.single_steps
        seed = subseed(self.seed, "single" if single else "all")
        return visits(seed, pool, stage_step * draw.batch, draw.batch)[draw.rows]

    def _losses(self, batch: Batch, draw: Draw) -> Tensor:
        recipe, model = self.recipe, self.model
        canvas = Canvas(model.family.size, model.family.size)
        told = model.family.join([self.encoder(batch["tokens"])], canvas)
        x0 = (batch["latents"].float() - model.latent_mean) / model.latent_std
        times = Times(recipe.times, recipe.times_mean, recipe.times_std)
        return denoising_losses(model, x0, told, draw, times, direction=recipe.direction)


def _tensors(latents: LatentSet, indices: NDArray[np.int64], tokens: Tokens) -> Batch:
    return {
        "latents": torch.from_numpy(latents.latents(indices)),
        "tokens": torch.from_numpy(tokens.astype(np.int64)),
    }
