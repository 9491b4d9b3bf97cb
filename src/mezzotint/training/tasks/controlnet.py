"""ControlNet: a copy of a model's first half learns to say what pictures ask for.

The model stays as it is (Zhang et al. 2302.05543, section 3). All that the copy adds goes through
convolutions that are zero at first, so training begins with the model's own pictures.
"""

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from mezzotint.adapters.controlnet import CONTROL, Control, save_control
from mezzotint.diffusion.losses import Distribution
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.families.files.write_controlnet import write_controlnet
from mezzotint.models.controlnet import FACTOR, ONE, ControlNet
from mezzotint.models.unet import UNet
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training.data.controls import Controls
from mezzotint.training.data.wordings import told, told_by
from mezzotint.training.denoising import Times, denoising_losses, refuse_direction
from mezzotint.training.draw import Draw, subseed
from mezzotint.training.images import sheet
from mezzotint.training.task import Batch, Metrics

HELD_OUT_BATCH, HELD_OUT_BATCHES = 32, 12
SHOWN, GRID_SEED = 4, 7


@dataclass(frozen=True)
class ControlNetRecipe:
    """The settings of this task.

    Attributes:
        base: what is steered: whatever ``mz.load`` takes, the embedded model if empty.
        kinds: the kinds of pictures that it learns to read. For a base of Stable Diffusion's shape
            and for somebody's own pictures it is one, and its name is free.
        times: the distribution of training times, with ``times_mean`` and ``times_std``.
        direction: weight of the velocity-direction term; 0 for a base that predicts ε.
        caption_dropout: share of the captions that are left empty, so that what a condition says
            is not left to them.
    """

    base: str
    kinds: tuple[str, ...]
    times: Distribution
    times_mean: float
    times_std: float
    direction: float
    caption_dropout: float


class ControlNetTask:
    """The base's own loss, with the ControlNet in place.

    Raises:
        InputError: the base has no U-Net, takes more than a latent, or a ControlNet for it reads
            one kind of pictures only and several are asked for.
    """

    def __init__(
        self,
        recipe: ControlNetRecipe,
        seed: int,
        train: Controls,
        held_out: Controls,
        model: Model,
    ) -> None:
        self.recipe, self.seed, self.model = recipe, seed, model
        self.train, self.held_out = train, held_out
        self.unet = steerable(recipe, model)
        self.published = bool(model.family.release)
        self.network = (
            ControlNet.of(self.unet, (ONE,), middle=True)
            if self.published
            else ControlNet.of(self.unet, recipe.kinds, middle=False)
        )

    def batch(self, draw: Draw) -> Batch:
        """As ``Controls`` has it."""
        return self.train.batch(draw, draw.chances("dropout") < self.recipe.caption_dropout)

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch."""
        return self._losses(batch, draw, steered=True).mean(), {}

    def validate(self) -> dict[str, float]:
        """The loss on held-out pictures, of each kind, and ``without`` any control."""
        losses: dict[str, list[Tensor]] = {}
        batches = islice(self.held_out.each(HELD_OUT_BATCH), HELD_OUT_BATCHES)
        for step, rows in enumerate(batches):
            batch = {name: row.to(self.model.device) for name, row in rows.items()}
            count = len(batch["kinds"])
            seed = subseed(self.seed, "held out")
            draw = Draw(seed, step, count, slice(None), self.model.device)
            kind = self.recipe.kinds[int(batch["kinds"][0])]
            found = self._losses(batch, draw, steered=True)
            for name, each in (
                ("loss", found),
                (f"loss_{kind}", found),
                ("without", self._losses(batch, draw, steered=False)),
            ):
                losses.setdefault(name, []).append(each)
        return {name: torch.cat(each).mean().item() for name, each in losses.items()}

    def grid(self) -> Image.Image:
        """Conditions, and beside each what is drawn under it, as a user would get it."""
        side = self.model.family.size
        pictures: list[Image.Image] = []
        for kind, condition, caption in self.held_out.shown(SHOWN):
            width, height = condition.size
            pipeline = Pipeline(self.model, "")
            with pipeline.attached(self._control(kind, condition)):
                drawn = pipeline.generate(caption, seed=GRID_SEED, width=width, height=height)
            pictures += [condition, drawn.images[0]]
        squares = [ImageOps.pad(each.convert("RGB"), (side, side)) for each in pictures]
        columns = len(squares) // len(self.recipe.kinds)
        return sheet(np.stack([np.asarray(each) for each in squares]), columns)

    def export(self, folder: Path) -> None:
        """Write ``control.safetensors``, or for Stable Diffusion's shape diffusers' two files."""
        if self.published:
            write_controlnet(folder, self.network, self.model.family)
        else:
            save_control(folder / CONTROL, self.network, {"base": self.model.digest})

    def _control(self, kind: str, condition: Image.Image) -> Control:
        name = ONE if self.published else kind
        network, guided = self.network, not self.published
        return Control(
            CONTROL, network, name, condition, 1.0, 0.0, 1.0, pooled=False, guided=guided
        )

    def _losses(self, batch: Batch, draw: Draw, *, steered: bool) -> Tensor:
        recipe, model = self.recipe, self.model
        with torch.no_grad():  # the text encoders are no part of what learns
            asked = told(batch) if "context" in batch else told_by(model, batch)
        if steered:
            hint = self.network.hint(batch["conditions"].expand(-1, 3, -1, -1), batch["kinds"])
            model = replace(model, network=_Steered(self.unet, self.network, hint))
        times = Times(recipe.times, recipe.times_mean, recipe.times_std)
        return denoising_losses(
            model, batch["latents"], asked, draw, times, direction=recipe.direction
        )


def steerable(recipe: ControlNetRecipe, model: Model) -> UNet:
    """The U-Net of a model that this task can steer.

    Raises:
        InputError: there is none, or it cannot be steered by what is asked for.
    """
    what, network = recipe.base or "the embedded model", model.network
    if not isinstance(network, UNet):
        kind = type(network).__name__
        raise InputError(f"{what} is a {kind}: a ControlNet steers a U-Net, give one as base")
    if model.factor != FACTOR:
        raise InputError(
            f"{what} has latents of factor {model.factor}: a ControlNet is made for {FACTOR}"
        )
    if model.family.beside:
        raise InputError(f"{what} is made {model.family.beside.purpose}: give its plain base")
    refuse_direction(model, what, recipe.direction)
    if model.family.release and len(recipe.kinds) > 1:
        raise InputError(
            f"task.kinds {list(recipe.kinds)}: a ControlNet for {what} reads one kind of pictures, "
            f"so give one, such as ['{recipe.kinds[0]}']"
        )
    return network


class _Steered(nn.Module):
    """A U-Net and what steers it, called as the U-Net alone is."""

    def __init__(self, unet: UNet, control: ControlNet, hint: Tensor) -> None:
        super().__init__()
        self.unet, self.control, self.hint = unet, control, hint

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        y: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        residuals = self.control(x, t, context, self.hint, y)
        return self.unet(x, t, context, y, guidance, residuals)
