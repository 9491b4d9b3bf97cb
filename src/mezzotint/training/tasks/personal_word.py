"""Textual inversion: a new word, and nothing else, is learnt (Gal et al. 2022, arXiv 2208.01618).

The vectors of a word that is like it are where it begins. Their norms stay among those of the
vocabulary: a vector far outside is heard by the text encoder above all other words, and the prompt
around it is lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from mezzotint.adapters.embedding import ExtendedEmbedding, TextualInversion, ids
from mezzotint.adapters.metadata import Trained, kohyas, modelspec
from mezzotint.adapters.save import save_embedding
from mezzotint.diffusion.losses import Distribution, Weighting
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model, text_name
from mezzotint.families.text import TextEncoder
from mezzotint.pipeline.request import Options
from mezzotint.training.data.examples import Examples
from mezzotint.training.data.wordings import Reads, told_by
from mezzotint.training.denoising import Times, denoising_losses
from mezzotint.training.draw import Draw
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.tasks.personal import fixed_loss, refuse_known, shown
from mezzotint.training.teacher import sheet_of

FILE = "learned_embeds.safetensors"
USUAL = 0.98  # share of the vocabulary whose norms a new word's may have


@dataclass(frozen=True)
class InversionRecipe:
    """The settings of this task.

    Attributes:
        base: the model, as ``mz.load`` takes it; the embedded one if empty.
        word: the new word.
        initial: what it begins as, a word or several of the vocabulary.
        vectors: how many tokens it is.
        templates: what is said of the pictures, at each visit one; {} is the word.
        caption_dropout: share of the visits at which nothing is said, for guidance.
        mirror: whether half of the visits are to mirror images.
        times: the distribution of training times, with ``times_mean`` and ``times_std``.
        weighting: of the loss, by time.
        prompts: what the sample grids show; {} is the word.
    """

    base: str
    word: str
    initial: str
    vectors: int
    templates: tuple[str, ...]
    caption_dropout: float
    mirror: bool
    times: Distribution
    times_mean: float
    times_std: float
    weighting: Weighting
    prompts: tuple[str, ...]


class NewWord(nn.Module):
    """The vectors of a word for every text encoder of a model, in use as long as it lives.

    Args:
        model: is frozen here.
        word: the word.
        initial: the words whose vectors it begins with, again from the first where it has more.
        count: how many vectors it has.

    Raises:
        InputError: the word is a token or an embedding already, or ``initial`` is more tokens than
            ``count``, or none.
    """

    def __init__(self, model: Model, word: str, initial: str, count: int) -> None:
        super().__init__()
        refuse_known(model, word, "word")
        self.name = word
        self.encoders = model.encoders
        self.vectors = nn.ParameterList()
        self._bounds: list[tuple[float, float]] = []
        for encoder in model.encoders:
            encoder.network.requires_grad_(False)
            first = _first(encoder, word, initial, count)
            own = torch.linalg.vector_norm(first, dim=1)
            table = torch.linalg.vector_norm(encoder.network.tokens.weight.detach(), dim=1).float()
            low, high = torch.quantile(table, torch.tensor([1 - USUAL, USUAL]).to(table)).tolist()
            self._bounds.append((min(low, own.min().item()), max(high, own.max().item())))
            self.vectors.append(nn.Parameter(first))
        model.network.requires_grad_(False)
        self._injected = self.word().inject(model.parts)

    def word(self) -> TextualInversion:
        """The word as it stands, its vectors (n, d) with a gradient."""
        widths = [encoder.network.tokens.embedding_dim for encoder in self.encoders]
        return TextualInversion(self.name, dict(zip(widths, self._bounded(), strict=True)))

    def place(self) -> None:
        """Have the text encoders read the vectors as they are now."""
        for encoder, vectors in zip(self.encoders, self._bounded(), strict=True):
            table = encoder.network.tokens
            assert isinstance(table, ExtendedEmbedding)
            places, _ = table.words[self.name]
            table.words[self.name] = places, vectors

    def reads(self) -> Reads:
        """Token ids of captions that say the word, as ``wordings.tokens`` gives them."""

        def read(caption: str, canvas: Canvas) -> Batch:
            return {
                text_name(k).replace("text", "tokens"): torch.tensor(
                    encoder.frame.ids(self._tokens(encoder, caption))
                )
                for k, encoder in enumerate(self.encoders)
            }

        return read

    def _tokens(self, encoder: TextEncoder, caption: str) -> list[int]:
        before, *others = caption.split(self.name)
        own = list(ids(encoder.network)[self.name])
        return [*encoder.ids(before), *(i for each in others for i in own + encoder.ids(each))]

    def _bounded(self) -> Iterator[Tensor]:
        for vectors, (low, high) in zip(self.vectors, self._bounds, strict=True):
            norm = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
            # inside the bounds this is 1, and so is its gradient
            yield vectors * (norm.clamp(low, high) / norm)


class InversionTask:
    """The family's own loss, with the new word in the prompt."""

    def __init__(
        self,
        recipe: InversionRecipe,
        seed: int,
        network: NewWord,
        train: Examples,
        held_out: Examples,
        model: Model,
        trained: Trained,
    ) -> None:
        self.recipe, self.seed, self.network = recipe, seed, network
        self.train, self.held_out = train, held_out
        self.model, self.trained = model, trained

    def batch(self, draw: Draw) -> Batch:
        """Rows of ``Examples.batch``, with token ids."""
        blank = draw.chances("dropout") < self.recipe.caption_dropout
        return self.train.batch(draw, blank)

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean loss of the batch."""
        return self._losses(batch, draw).mean(), {}

    def validate(self) -> dict[str, float]:
        """The loss on held-out pictures, and the mean norm of the vectors."""
        norms = [each.norm(dim=1).mean().item() for each in self.network.word().vectors.values()]
        loss = fixed_loss(self.held_out, self._losses, self.seed, self.model)
        return {"loss": loss, "norm": sum(norms) / len(norms)}

    def grid(self) -> Image.Image:
        """A picture for each of the recipe's prompts, as a user would get it."""
        self.network.place()
        return sheet_of(self.model, shown(self.recipe.prompts, self.recipe.word), Options())

    def export(self, folder: Path) -> None:
        """Write ``learned_embeds.safetensors``."""
        family = self.model.family
        about = modelspec(family, "textual-inversion", self.trained)
        about |= kohyas(family, self.trained)
        save_embedding(folder / FILE, self.network.word(), self.model.parts, about)

    def _losses(self, batch: Batch, draw: Draw) -> Tensor:
        recipe, model = self.recipe, self.model
        self.network.place()
        times = Times(recipe.times, recipe.times_mean, recipe.times_std)
        conditioning = told_by(model, batch)
        return denoising_losses(
            model, batch["latents"], conditioning, draw, times, recipe.weighting
        )


def _first(encoder: TextEncoder, word: str, initial: str, count: int) -> Tensor:
    """The vectors (count, d) of the tokens of ``initial``, in turn."""
    tokens = encoder.ids(initial)
    if word in ids(encoder.network):
        raise InputError(f"word {word!r} is an embedding already: give it another name")
    if not 1 <= len(tokens) <= count:
        raise InputError(
            f"initial {initial!r} is {len(tokens)} tokens, and {word!r} has {count} vectors: "
            "give a word that is one token, or more vectors"
        )
    rows = [tokens[k % len(tokens)] for k in range(count)]
    return encoder.network.tokens.weight.detach()[rows].float().clone()
