"""InstructPix2Pix: a model learns to do to a picture what it is told (Brooks et al. 2211.09800).

The picture's latents are joined to those that are drawn. The kernels that read them are zero at
first, so training begins with the model's own pictures, to the bit. A model of the storybook family
learns the rest as a LoRA, a small file that makes a variant of it: of its text tower too, which has
read captions alone and not been told what to do. One of Stable Diffusion's shape learns whole but
for its text encoder, as InstructPix2Pix did, and becomes a checkpoint that diffusers loads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill

import numpy as np
import safetensors.torch
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from mezzotint.adapters.deltas import LoRA
from mezzotint.checkpoints.packed import save_packed
from mezzotint.diffusion.losses import Distribution
from mezzotint.families.base import Model
from mezzotint.families.editing import instructed
from mezzotint.families.files.write_folder import write_widened
from mezzotint.families.storybook import FIRST, INSTRUCT, LORAS, obeying
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training.data.pairs import Shown
from mezzotint.training.data.wordings import told_by
from mezzotint.training.denoising import Times, denoising_losses
from mezzotint.training.draw import Draw
from mezzotint.training.images import sheet
from mezzotint.training.low_rank import LowRank
from mezzotint.training.seeing import Source, asked, held_out, left_out, plain_unet
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.widening import Widening

GRID_SEED = 7
CHANGED = 0.1  # mean square between latents of unit variance; where nothing changes, below 0.01
SMALL = 0.05
LINE = 22  # letters of an instruction in the grid, at 256 pixels


@dataclass(frozen=True)
class InstructRecipe:
    """The settings of this task.

    Attributes:
        base: what learns to obey: whatever ``mz.load`` takes, the embedded model if empty.
        rank: of the LoRA, where one is learnt.
        times: the distribution of training times, with ``times_mean`` and ``times_std``.
        direction: weight of the velocity-direction term; 0 for a base that predicts ε.
        dropout: share of the rows whose instruction is left out, and of those whose picture is,
            and of those where both are.
        changed: share of each picture's loss that falls on what the change changes, however small
            that is; 0 is InstructPix2Pix' own loss, where a hat counts for its few pixels.
    """

    base: str
    rank: int
    times: Distribution
    times_mean: float
    times_std: float
    direction: float
    dropout: float
    changed: float


class InstructTask:
    """The base's own loss of a picture after a change, told the change and shown it before.

    Args:
        recipe: the settings.
        seed: of the run.
        train, held_out: latents, and those before the change as their ``companions``.
        kinds: of each held-out change; empty where nobody says.
        shown: held-out pairs for the grid.
        model: the base.
        place: the folder that a base of Stable Diffusion's shape was loaded from.

    Raises:
        InputError: the base has no U-Net, or takes more than a latent.
    """

    def __init__(
        self,
        recipe: InstructRecipe,
        seed: int,
        train: Source,
        held_out: Source,
        kinds: Sequence[str],
        shown: Sequence[Shown],
        model: Model,
        place: Path,
    ) -> None:
        self.recipe, self.seed, self.place = recipe, seed, place
        self.train, self.held_out, self.kinds, self.shown = train, held_out, kinds, shown
        self.unet = plain_unet(model, recipe.base, recipe.direction)
        self.published = bool(model.family.release)
        self.family = model.family
        made = instructed if self.published else obeying
        self.model = replace(model, family=made(model.family))
        self.first = Widening(self.unet.conv_in, self.unet.conv_in.in_channels)
        learns = {name: model.modules[name] for name in ("network", "text")}
        self.lora = None if self.published else LowRank(learns, recipe.rank)
        self.unet.requires_grad_(self.published)
        self.network = nn.ModuleDict({"first": self.first, "rest": self.lora or self.unet})

    def batch(self, draw: Draw) -> Batch:
        """As ``Source`` has it, and whose picture is ``seen``, (b,) of 0 and 1."""
        blank, unseen = left_out(draw, self.recipe.dropout)
        seen = torch.from_numpy(~unseen).float()
        return self.train.batch(draw, blank) | {"seen": seen}

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch."""
        where = emphasis(batch["companions"], batch["latents"], self.recipe.changed)
        return self._losses(batch, draw, where).mean(), {}

    def validate(self) -> dict[str, float]:
        """The loss on held-out pairs, of each kind, and ``without`` seeing the picture before."""
        losses: dict[str, list[Tensor]] = {}
        for batch, draw in held_out(self.model, self.held_out, self.seed):
            shots, seen = batch["shots"], torch.ones(len(batch["shots"]), device=draw.device)
            found = self._losses(batch | {"seen": seen}, draw)
            losses.setdefault("loss", []).append(found)
            blind = self._losses(batch | {"seen": 0 * seen}, draw)
            losses.setdefault("without", []).append(blind)
            for shot, loss in zip(shots.tolist(), found, strict=True):
                if kind := self.kinds[shot]:
                    losses.setdefault(f"loss_{kind}", []).append(loss[None])
        return {name: torch.cat(each).mean().item() for name, each in losses.items()}

    def grid(self) -> Image.Image:
        """Before, the instruction, what is drawn, and what is true: a row for each pair."""
        pipeline, cells = Pipeline(self.model, ""), list[Image.Image]()
        for each in self.shown:
            drawn = pipeline.edit(each.seen, each.caption, seed=GRID_SEED).images[0]
            words = _written(each.caption, each.seen.size)
            cells += [each.seen, words, drawn, each.drawn]
        size = self.shown[0].seen.size
        pictures = [np.asarray(cell.convert("RGB").resize(size)) for cell in cells]
        return sheet(np.stack(pictures), columns=4)

    def export(self, folder: Path) -> None:
        """Write the LoRA ``instruct.safetensors``, or the whole model as diffusers has it."""
        if self.lora is None:
            weights = self.unet.state_dict()
            weights[FIRST] = self.first.whole(weights[FIRST])
            names, *_ = self.model.maps["network"]
            theirs = {name: w.cpu() for name, w in names.to_theirs(weights).items()}
            channels = 2 * self.unet.params.channels_in
            write_widened(self.place, folder, self.family, channels, theirs)
        else:
            file = folder / LORAS[INSTRUCT]
            self.lora.save(file, self.model.parts, {})
            tensors = self._with_first(safetensors.torch.load(file.read_bytes()), self.lora)
            save_packed(file, tensors, {"base": self.model.digest})

    def _with_first(self, tensors: Mapping[str, Tensor], lora: LowRank) -> dict[str, Tensor]:
        """A LoRA's tensors, with the whole change of the first layer, which has more channels."""
        layer = "lora_unet_" + FIRST.removesuffix(".weight")
        change = lora.changes["network"][FIRST]
        if not isinstance(change, LoRA):
            raise TypeError(f"no LoRA in a {type(change).__name__}")
        whole = self.first.whole(change.delta(self.unet.conv_in.weight))
        rest = {name: t for name, t in tensors.items() if not name.startswith(f"{layer}.")}
        return rest | {f"{layer}.diff": whole}

    def _losses(self, batch: Batch, draw: Draw, where: Tensor | None = None) -> Tensor:
        recipe, model = self.recipe, self.model
        before = batch["companions"]
        if self.published:  # these are told it as the autoencoder makes it, see ``editing.whole``
            before = before * model.latent_std + model.latent_mean
        said = asked(model, batch) if self.published else told_by(model, batch)
        told = replace(said, beside=before * batch["seen"][:, None, None, None])
        times = Times(recipe.times, recipe.times_mean, recipe.times_std)
        return denoising_losses(
            model, batch["latents"], told, draw, times, direction=recipe.direction, where=where
        )


def emphasis(before: Tensor, after: Tensor, share: float) -> Tensor:
    """How much each place counts (b, 1, h, w), 1 on the average: those that change, for more.

    Of a picture's weight ``share`` is spread over what changes and the rest over all of it. In a
    change of less than `SMALL` of the picture a place counts for as much as in one of `SMALL`, and
    where nothing changes all places count the same.

    Args:
        before, after: latents (b, c, h, w) of unit variance.
        share: between 0 and 1.
    """
    changes = ((after - before).square().mean(1, keepdim=True) > CHANGED).float()
    extent = changes.mean((2, 3), keepdim=True)
    weights = 1 - share + share * changes / extent.clamp(min=SMALL)
    return torch.where(extent > 0, weights / weights.mean((2, 3), keepdim=True), 1.0)


def _written(text: str, size: tuple[int, int]) -> Image.Image:
    """Words on white."""
    page = Image.new("RGB", size, "white")
    letters = max(1, LINE * size[0] // 256)
    ImageDraw.Draw(page).text((8, size[1] // 3), fill(text, letters), fill="black", font_size=20)
    return page
