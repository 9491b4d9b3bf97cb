"""The text tower: it learns what captions say of their scenes, before any picture is seen.

A tower that learns from a denoiser's loss alone, or from contrast with pictures, tells words apart
by what they do to most pixels, which is colour: fox by fire, apple by teapot. What it keeps of
shapes is in small directions that the denoiser takes long to find. The world knows what each
caption says, so the tower can be asked: of which kind, how many, of what colour, where, with what
on its head; in which place, at which hour. To answer, it has to keep all of that apart.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor, nn

from mezzotint.families.storybook import STORYBOOK
from mezzotint.files import write_whole
from mezzotint.models.clip import CLIPText, CLIPTextParams
from mezzotint.nn.attention import Attention
from mezzotint.training.data.facts import QUESTIONS, Facts
from mezzotint.training.data.judge_scene import NAMES
from mezzotint.training.data.tokens import Tokens, encode
from mezzotint.training.draw import Draw, visits
from mezzotint.training.exports import write_network
from mezzotint.training.task import Batch, Metrics

TESTED = 128
PIXELS = 4  # of the grid, for two words' likeness


@dataclass(frozen=True)
class TextRecipe:
    """The settings of this task.

    Attributes:
        text: the text tower.
    """

    text: CLIPTextParams


class Reader(nn.Module):
    """A text tower, and what answers the questions from what a denoiser is told.

    A learned query for each question looks for its answer among the tokens of the context, as the
    pixels of a denoiser do; and the one vector has to answer all of them too.
    """

    def __init__(self, params: CLIPTextParams) -> None:
        super().__init__()
        width = params.tower.width
        self.text = CLIPText(params)
        self.queries = nn.Parameter(torch.randn(len(QUESTIONS), width) * width**-0.5)
        self.look = Attention(width, width, params.tower.heads, bias=False)
        self.norm = nn.LayerNorm(width)
        vector = params.projection or width
        self.of_context = nn.ModuleList(nn.Linear(width, n) for n in QUESTIONS.values())
        self.of_vector = nn.ModuleList(nn.Linear(vector, n) for n in QUESTIONS.values())

    def forward(self, tokens: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Logits (b, answers) of each question for tokens (b, n), by the context and the vector."""
        reads = STORYBOOK.reads[0]
        context, vector = self.text(tokens, reads.skip, reads.normed)
        queries = self.queries.expand(len(tokens), -1, -1)
        seen = self.norm(self.look(queries, self.look.keys_values(context)))
        return (
            [head(seen[:, k]) for k, head in enumerate(self.of_context)],
            [head(vector) for head in self.of_vector],
        )


class TextTask:
    """Cross-entropy of every question, asked of the context and of the vector."""

    def __init__(
        self,
        recipe: TextRecipe,
        seed: int,
        train: tuple[Tokens, Facts],
        held_out: tuple[Tokens, Facts],
        tokenizer: Tokenizer,
        device: torch.device,
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.tokens, self.facts = train
        self.held_out = held_out
        self.tokenizer = tokenizer
        self.network = Reader(recipe.text)

    def batch(self, draw: Draw) -> Batch:
        """``tokens`` (b, n) of one wording of each scene, and the ``facts`` (b, questions)."""
        first = draw.step * draw.batch
        indices = visits(self.seed, len(self.tokens), first, draw.batch)[draw.rows]
        wordings = draw.integers("wording", self.tokens.shape[1])
        return _tensors(self.tokens[indices, wordings], self.facts[indices])

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The mean over the questions of both."""
        of_context, of_vector = (
            _wrong(said, batch["facts"]) for said in self.network(batch["tokens"])
        )
        return (of_context + of_vector) / 2, {"of_context": of_context, "of_vector": of_vector}

    def validate(self) -> dict[str, float]:
        """Shares of held-out captions whose answer is right, by question; slots count as one.

        Not all that is asked is said, so no share comes to 1.
        """
        marks: dict[str, list[Tensor]] = {}
        tokens, facts = self.held_out
        for first in range(0, len(tokens), TESTED):
            rows = slice(first, first + TESTED)
            batch = _tensors(tokens[rows, 0], facts[rows])
            said, _ = self.network(batch["tokens"].to(self.device))
            for name, logits, true in zip(QUESTIONS, said, batch["facts"].T, strict=True):
                right = logits.argmax(1).cpu() == true
                marks.setdefault(name.partition(" ")[0], []).append(right.float())
        return {name: torch.cat(parts).mean().item() for name, parts in marks.items()}

    def grid(self) -> Image.Image:
        """How alike the contexts of two things are: a row and a column a name, white is the same.

        Apart from the diagonal it should be dark.
        """
        prompts = [f"a {name} in a meadow" for name in NAMES]
        tokens = torch.from_numpy(encode(self.tokenizer, prompts).astype(np.int64))
        context, _ = self.network.text(tokens.to(self.device), STORYBOOK.reads[0].skip)
        own = (context - context.mean(0)).flatten(1).float()
        own = F.normalize(own, dim=1)
        levels = (own @ own.T).clamp(0, 1).mul(255).to(torch.uint8).cpu().numpy()
        side = PIXELS * len(NAMES)
        return Image.fromarray(levels).resize((side, side), Image.Resampling.NEAREST)

    def export(self, folder: Path) -> None:
        """Write ``text`` and ``tokenizer.json``."""
        write_network(folder, "text", self.network.text, self.recipe.text)
        write_whole(folder / "tokenizer.json", self.tokenizer.to_str().encode())


def _wrong(said: list[Tensor], facts: Tensor) -> Tensor:
    """The mean cross-entropy of logits (b, answers) of each question, facts (b, questions)."""
    losses = [F.cross_entropy(each.float(), facts[:, k]) for k, each in enumerate(said)]
    return torch.stack(losses).mean()


def _tensors(tokens: Tokens, facts: Facts) -> Batch:
    return {
        "tokens": torch.from_numpy(tokens.astype(np.int64)),
        "facts": torch.from_numpy(facts.astype(np.int64)),
    }
