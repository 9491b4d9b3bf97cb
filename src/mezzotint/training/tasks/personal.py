"""LoRAs of a subject or a style, from a few pictures (Hu et al. 2106.09685).

With pictures of its class among them, drawn by the model itself, it is DreamBooth (Ruiz et al.
2022, arXiv 2208.12242): "a zwx fox" becomes the one in the pictures, and "a fox" stays what it was.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from mezzotint.adapters.metadata import Trained, kohyas, kohyas_network, modelspec
from mezzotint.adapters.save import Form
from mezzotint.diffusion.losses import Distribution, Weighting
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.models.clip import CLIPText
from mezzotint.pipeline.request import Options
from mezzotint.training.data.album import Shot
from mezzotint.training.data.examples import Examples, apart, together
from mezzotint.training.data.wordings import told, told_by
from mezzotint.training.denoising import Times, denoising_losses
from mezzotint.training.draw import Draw, subseed
from mezzotint.training.low_rank import LowRank
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.teacher import sheet_of

FILE = "lora.safetensors"
HELD_OUT_BATCH = 16
HELD_OUT_TURNS = 4  # visits of each held-out picture: a handful says little at one time each
SUBJECT = "{}"  # in a prompt of a recipe, for what is learnt


@dataclass(frozen=True)
class LoRARecipe:
    """The settings of this task.

    Attributes:
        base: the model, as ``mz.load`` takes it; the embedded one if empty.
        rank, alpha: of the LoRA; the change of a layer is α/r·B·A.
        targets: which layers, as ``LowRank`` has them.
        text: whether the text encoders that are CLIPs get a LoRA too.
        decomposed: whether it is a DoRA.
        instance: what every picture shows, whatever its text says; its own caption if empty.
        caption: what pictures show that have no text.
        trigger: a new word, said before every caption; none if empty.
        class_prompt: what the subject is one of.
        prior_weight: how much the loss on pictures of the class counts, 0 for no such pictures.
        class_pictures: how many of them are drawn, unless the album has some.
        caption_dropout: share of the captions that are left empty, for guidance.
        mirror: whether half of the visits are to mirror images.
        times: the distribution of training times, with ``times_mean`` and ``times_std``.
        weighting: of the loss, by time.
        form: whose keys the file has, "kohya" or "peft".
        prompts: what the sample grids show; {} is the instance, or the trigger.
    """

    base: str
    rank: int
    alpha: float
    targets: str
    text: bool
    decomposed: bool
    instance: str
    caption: str
    trigger: str
    class_prompt: str
    prior_weight: float
    class_pictures: int
    caption_dropout: float
    mirror: bool
    times: Distribution
    times_mean: float
    times_std: float
    weighting: Weighting
    form: Form
    prompts: tuple[str, ...]

    def wordings(self, shot: Shot) -> tuple[str, ...]:
        """What is said of a picture of the subject."""
        said = self.instance or shot.caption or self.caption
        if self.trigger and not re.search(rf"(?<!\w){re.escape(self.trigger)}(?!\w)", said):
            said = f"{self.trigger}, {said}" if said else self.trigger
        return (said,)


class LoRATask:
    """The family's own loss on the pictures and, weighed, on those of their class (eq. 2)."""

    def __init__(
        self,
        recipe: LoRARecipe,
        seed: int,
        train: Examples,
        held_out: Examples,
        prior: Examples | None,
        model: Model,
        trained: Trained,
    ) -> None:
        self.recipe, self.seed = recipe, seed
        self.train, self.held_out, self.prior = train, held_out, prior
        self.model, self.trained = model, trained
        readers = {
            name: module
            for name, module in model.modules.items()
            if recipe.text and isinstance(module, CLIPText)
        }
        self.network = LowRank(
            {"network": model.network, **readers},
            recipe.rank,
            recipe.alpha,
            recipe.targets,
            recipe.decomposed,
        )

    def batch(self, draw: Draw) -> Batch:
        """Rows of ``Examples.batch``, and those of the class under names that begin "prior."."""
        blank = draw.chances("dropout") < self.recipe.caption_dropout
        return together(self.train, self.prior, draw, blank)

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch; ``prior`` is that of the class, before it is weighed."""
        own, others = apart(batch)
        loss = self._losses(own, draw).mean()
        if not others:
            return loss, {}
        elsewhere = replace(draw, seed=subseed(draw.seed, "prior"))
        prior = self._losses(others, elsewhere).mean()
        return loss + self.recipe.prior_weight * prior, {"prior": prior}

    def validate(self) -> dict[str, float]:
        """The loss on held-out pictures, at the same times and with the same noise every time."""
        return {"loss": fixed_loss(self.held_out, self._losses, self.seed, self.model)}

    def grid(self) -> Image.Image:
        """A picture for each of the recipe's prompts, as a user would get it."""
        return sheet_of(self.model, shown(self.recipe.prompts, self.trained.trigger), Options())

    def export(self, folder: Path) -> None:
        """Write ``lora.safetensors``."""
        recipe, family = self.recipe, self.model.family
        about = modelspec(family, "lora", self.trained) | kohyas(family, self.trained)
        about |= kohyas_network(recipe.rank, recipe.alpha, recipe.decomposed)
        self.network.save(folder / FILE, self.model.parts, about, recipe.form)

    def _losses(self, batch: Batch, draw: Draw) -> Tensor:
        recipe, model = self.recipe, self.model
        conditioning = told_by(model, batch) if recipe.text else told(batch)
        times = Times(recipe.times, recipe.times_mean, recipe.times_std)
        return denoising_losses(
            model, batch["latents"], conditioning, draw, times, recipe.weighting
        )


def fixed_loss(
    held_out: Examples, losses: Callable[[Batch, Draw], Tensor], seed: int, model: Model
) -> float:
    """The mean loss on held-out pictures, with the same draws at each call."""
    found: list[Tensor] = []
    for turn in range(HELD_OUT_TURNS):
        for part, rows in enumerate(held_out.each(HELD_OUT_BATCH)):
            batch = {name: each.to(model.device) for name, each in rows.items()}
            own = subseed(seed, "held out", turn)
            count = len(batch["latents"])
            draw = Draw(own, part, count, slice(None), model.device)
            found.append(losses(batch, draw))
    return torch.cat(found).mean().item()


def shown(prompts: tuple[str, ...], subject: str) -> list[str]:
    """The prompts of a recipe, about its subject."""
    return [prompt.replace(SUBJECT, subject).strip(" ,") for prompt in prompts]


def refuse_known(model: Model, word: str, what: str) -> None:
    """See that a text encoder has no token for ``word``, which means something then.

    Raises:
        InputError: one has, or the word is several.
    """
    if len(word.split()) != 1 or word != word.strip():
        raise InputError(f"{what} {word!r}: give one word, without spaces")
    if any(len(encoder.ids(word)) == 1 for encoder in model.encoders):
        raise InputError(f"{what} {word!r} is a token already, which has a meaning: give another")
