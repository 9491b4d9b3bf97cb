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
from mezzotint.families.base import Conditioning, Model
from mezzotint.models.clip import CLIPText
from mezzotint.pipeline.request import Options
from mezzotint.training.data.album import Shot
from mezzotint.training.data.examples import Examples, apart, together
from mezzotint.training.data.wordings import told, told_by
from mezzotint.training.denoising import Times, denoising_losses, noised
from mezzotint.training.draw import Draw, subseed
from mezzotint.training.low_rank import LowRank
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.teacher import sheet_of

FILE = "lora.safetensors"
PRIOR, OTHERS = "prior.", "others."
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
        kept: weight of how far what is said of other prompts is from what the base says, 0 for
            none.
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
    kept: float
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
    """The family's own loss on the pictures and, weighed, on those of their class (eq. 2).

    And, where ``others`` tell the pictures in other prompts, how far it moves what is said of
    those: to be learnt is what the subject's words mean, not what all words do. The base itself is
    the teacher there (Li and Hoiem 1606.09282), and one LoRA leaves another's words alone too.
    """

    def __init__(
        self,
        recipe: LoRARecipe,
        seed: int,
        train: Examples,
        held_out: Examples,
        prior: Examples | None,
        others: Examples | None,
        model: Model,
        trained: Trained,
    ) -> None:
        self.recipe, self.seed = recipe, seed
        self.train, self.held_out = train, held_out
        self.prior, self.others = prior, others
        self.model, self.trained = model, trained
        self.times = Times(recipe.times, recipe.times_mean, recipe.times_std)
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
        """Rows of ``Examples.batch``; under names that begin "prior." those of the class, under
        "others." those that other prompts tell."""
        blank = draw.chances("dropout") < self.recipe.caption_dropout
        batch = together(self.train.batch(draw, blank), self.prior, PRIOR, draw, blank)
        return together(batch, self.others, OTHERS, draw)

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch; ``prior`` is that of the class, and ``moved`` how far what
        is said of other prompts has moved, before they are weighed."""
        rest, others = apart(batch, OTHERS)
        own, prior = apart(rest, PRIOR)
        loss, metrics = self._losses(own, draw).mean(), {}
        if prior:
            elsewhere = replace(draw, seed=subseed(draw.seed, "prior"))
            metrics["prior"] = self._losses(prior, elsewhere).mean()
            loss = loss + self.recipe.prior_weight * metrics["prior"]
        if others:
            elsewhere = replace(draw, seed=subseed(draw.seed, "others"))
            metrics["moved"] = self._moved(others, elsewhere).mean()
            loss = loss + self.recipe.kept * metrics["moved"]
        return loss, metrics

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
        return denoising_losses(
            self.model,
            batch["latents"],
            self._told(batch),
            draw,
            self.times,
            self.recipe.weighting,
        )

    def _moved(self, batch: Batch, draw: Draw) -> Tensor:
        """How far the network's output is from the base's, by mean square, (b,)."""
        x, t, _ = noised(self.model, batch["latents"], draw, self.times)
        with torch.no_grad(), self.network.off():
            before = self.model.network_for(self._told(batch))(x, t)
        after = self.model.network_for(self._told(batch))(x, t)
        return (after - before).float().square().flatten(1).mean(1)

    def _told(self, batch: Batch) -> Conditioning:
        return told_by(self.model, batch) if self.recipe.text else told(batch)


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
