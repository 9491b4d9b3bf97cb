"""IP-Adapter: a model learns to see a picture (Ye et al. 2308.06721).

The model stays as it is. The values that its new attention mixes are zero at first, or the gates to
the picture's words are shut, so training begins with the model's own pictures, to the bit.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from mezzotint.adapters.image_attention import Eject, decouple, join
from mezzotint.adapters.image_encoder import Eye
from mezzotint.adapters.ip_adapter import ImagePrompt
from mezzotint.checkpoints.packed import save_packed
from mezzotint.diffusion.losses import Distribution
from mezzotint.families.base import Model
from mezzotint.families.keys.ip_adapter_keys import IMAGE_WORDS, ip_adapter
from mezzotint.files import write_whole
from mezzotint.models.image_words import ImageWords, new_words
from mezzotint.models.ip_adapter import IPAdapter, cross_attentions, new_adapter
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training.data.examples import apart
from mezzotint.training.data.pairs import Shown
from mezzotint.training.denoising import Times, denoising_losses, noised
from mezzotint.training.draw import Draw
from mezzotint.training.first_words import unlike, words_of
from mezzotint.training.images import sheet
from mezzotint.training.seeing import Source, asked, held_out, left_out, plain_unet
from mezzotint.training.task import Batch, Metrics

GRID_SEED = 7
TELLING = "telling."


@dataclass(frozen=True)
class IPAdapterRecipe:
    """The settings of this task.

    Attributes:
        base: what learns to see: whatever ``mz.load`` takes, the embedded model if empty.
        encoder: the image tower, a file or folder; if empty, that in the base's own folder.
        learns: what of a picture of the world is taken over: "content" has its things elsewhere,
            "style" has other things in its style. Somebody's own pictures are seen as they are.
        tokens: words that are made of a picture, for a base of the storybook family.
        times: the distribution of training times, with ``times_mean`` and ``times_std``.
        direction: weight of the velocity-direction term; 0 for a base that predicts ε.
        dropout: share of the rows whose prompt is left out, and of those whose picture is, and of
            those where both are.
        words: weight of how far image tokens are from the text tower's for what would tell the
            same, by mean square; for a base of the storybook family.
        ahead: steps on the words alone, before the first that asks the U-Net; see ``first_words``.
        reach: how much further than in training the gates open in use; see ``ImageWords``.
    """

    base: str
    encoder: str
    learns: Literal["content", "style"]
    tokens: int
    times: Distribution
    times_mean: float
    times_std: float
    direction: float
    dropout: float
    words: float
    ahead: int
    reach: float


class IPAdapterTask:
    """A base learns to see a picture's vector.

    For a published family what learns is an IP-Adapter as others read it, by the base's own loss.
    The storybook family's is ``ImageWords``, which learns to say what words would have said: what
    that loss of a few thousand pictures teaches the weights of attention of its own is their
    colours.

    Args:
        recipe: the settings.
        seed: of the run.
        train, held_out: latents, and vectors of the image tower as their ``companions``.
        shown: held-out pictures for the grid.
        model: the base.
        eye: the image tower.
        name: of the file that is exported.

    Raises:
        InputError: the base has no U-Net, or takes more than a latent.
    """

    def __init__(
        self,
        recipe: IPAdapterRecipe,
        seed: int,
        train: Source,
        held_out: Source,
        shown: Sequence[Shown],
        model: Model,
        eye: Eye,
        name: str,
    ) -> None:
        self.recipe, self.seed, self.model, self.eye = recipe, seed, model, eye
        self.train, self.held_out, self.shown, self.name = train, held_out, shown, name
        self.times = Times(recipe.times, recipe.times_mean, recipe.times_std)
        unet = plain_unet(model, recipe.base, recipe.direction)
        self.attentions = cross_attentions(unet)
        width = eye.tower.params.projection
        self.network: IPAdapter | ImageWords = (
            new_adapter(unet, width)
            if model.family.release
            else new_words(unet, width, recipe.tokens)
        )
        self.network.to(model.device)

    def batch(self, draw: Draw) -> Batch:
        """As ``Source`` has it, and what tells the same as the pictures.

        Without a picture an IP-Adapter is shown a vector of zeros, as where it is not to see any;
        rows of words that are not to see one see none, and need no learning.
        """
        blank, unseen = left_out(draw, self.recipe.dropout)
        batch = self.train.batch(draw, blank)
        if isinstance(self.network, ImageWords):
            telling = self.train.telling(batch["shots"])
            return batch | {TELLING + name: rows for name, rows in telling.items()}
        return batch | {"companions": batch["companions"] * torch.from_numpy(~unseen)[:, None]}

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch.

        The teacher of a picture's words is the U-Net where it reads what would tell the same: the
        noise that is in a latent, and that neither can foretell, is no part of how they differ.
        ``words`` is how far the tokens themselves are from those.
        """
        tokens, network = self._tokens(batch), self.network
        if not isinstance(network, ImageWords):
            return self._losses(batch, draw, tokens).mean(), {}
        words = self._words(batch).to(tokens)
        far = unlike(tokens, words)
        told = asked(self.model, batch)
        x, t, _ = noised(self.model, batch["latents"], draw, self.times)

        def said(read: Tensor, shares: Tensor) -> Tensor:
            """The U-Net's output where it reads these tokens among the prompt's."""
            with ExitStack() as shown:
                shown.callback(join(self.attentions, read, shares, _all_see))
                return self.model.network_for(told)(x, t).float()

        with torch.no_grad():
            goal = said(words, torch.ones_like(network.gates))
        loss = (said(tokens, network.open()) - goal).square().mean()
        return loss + self.recipe.words * far, {"words": far.detach()}

    def validate(self) -> dict[str, float]:
        """The loss on held-out pictures, with ``others`` than their own, and ``without`` any."""
        losses: dict[str, list[Tensor]] = {"loss": [], "others": [], "without": []}
        for batch, draw in held_out(self.model, self.held_out, self.seed):
            own = self._tokens(batch)
            for name, seen in (("loss", own), ("others", own.roll(1, dims=0)), ("without", None)):
                losses[name].append(self._losses(batch, draw, seen))
        return {name: torch.cat(each).mean().item() for name, each in losses.items()}

    def grid(self) -> Image.Image:
        """Held-out pictures that are seen, below each what is drawn in use, and what is true."""
        rows: list[list[Image.Image]] = [[], [], []]
        scale = self.recipe.reach if isinstance(self.network, ImageWords) else 1.0
        for each in self.shown:
            prompt = ImagePrompt(self.name, self.network, self.eye, each.seen, scale)
            pipeline, (width, height) = Pipeline(self.model, ""), each.drawn.size
            with pipeline.attached(prompt):
                drawn = pipeline.generate(each.caption, seed=GRID_SEED, width=width, height=height)
            for row, picture in zip(rows, (each.seen, drawn.images[0], each.drawn), strict=True):
                row.append(picture.convert("RGB").resize(self.shown[0].drawn.size))
        pictures = [np.asarray(picture) for row in rows for picture in row]
        return sheet(np.stack(pictures), columns=len(self.shown))

    def export(self, folder: Path) -> None:
        """Write the adapter in the published format; for the storybook family packed to 8 bits."""
        file = folder / f"{self.name}.safetensors"
        keys, state = ip_adapter(len(self.attentions)), self.network.state_dict()
        if isinstance(self.network, ImageWords):
            keys, state = IMAGE_WORDS, state | {"reach": torch.tensor(self.recipe.reach)}
        tensors = keys.to_theirs(state)
        about = {"base": self.model.digest}
        if not self.model.family.release:
            save_packed(file, tensors, about)
            return
        halves = {name: tensor.half().cpu().contiguous() for name, tensor in tensors.items()}
        write_whole(file, save(halves, about))

    def _tokens(self, batch: Batch) -> Tensor:
        """Image tokens (b, n, context_width) of the vectors that are seen."""
        return self.network.tokens(batch["companions"].float())

    def _losses(self, batch: Batch, draw: Draw, seen: Tensor | None) -> Tensor:
        """The loss of each row where these image tokens are seen, or none."""
        told, direction = asked(self.model, batch), self.recipe.direction
        with ExitStack() as shown:
            shown.callback(self._show(seen))
            return denoising_losses(
                self.model, batch["latents"], told, draw, self.times, direction=direction
            )

    def _show(self, tokens: Tensor | None) -> Eject:
        """Let the U-Net see these image tokens, or none; what is returned ends it."""
        if tokens is None:
            return lambda: None
        network, attentions = self.network, self.attentions
        if isinstance(network, ImageWords):
            return join(attentions, tokens, network.open(), _all_see)
        return decouple(attentions, network.keys_values(tokens), 1.0, lambda rows: slice(None))

    def _words(self, batch: Batch) -> Tensor:
        """The text tower's tokens of what would tell the same."""
        rest, telling = apart(batch, TELLING)
        return words_of(self.model, rest | telling, self.recipe.tokens)


def _all_see(rows: int) -> list[bool]:
    return [True] * rows
