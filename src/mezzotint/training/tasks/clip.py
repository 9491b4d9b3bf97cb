"""CLIP: captions and pictures that find each other.

The text tower learns along, or is another run's and stays as it is, so that the image tower learns
to say what that tower reads (Zhai et al. 2022, "LiT": locked text instead of a locked image).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from mezzotint.files import write_whole
from mezzotint.models.clip import CLIP, CLIPText, CLIPTextParams, CLIPVisionParams, contrastive_loss
from mezzotint.training.data.pictures import Sets
from mezzotint.training.data.tokens import Tokens, Vectors
from mezzotint.training.draw import Draw, subseed, visits
from mezzotint.training.exports import write_network
from mezzotint.training.images import mosaic, to_tensor
from mezzotint.training.process_group import gathered
from mezzotint.training.task import Batch, Metrics

RIVALS = 256  # held-out pictures that a caption has to tell apart
SHOWN = 12


@dataclass(frozen=True)
class CLIPRecipe:
    """The settings of this task.

    Attributes:
        text: the text tower, where it learns along.
        vision: the image tower.
        text_run: the run whose text tower and tokenizer it takes as they are, a sibling of this
            one's folder; if empty, a tower of its own learns along.
        rivals: captions beside the batch's from which a picture has to tell its own; 0 where the
            text tower learns along. Among a batch's, place and light are as good as a name; among
            thousands, things have to be looked at.
    """

    text: CLIPTextParams
    vision: CLIPVisionParams
    text_run: str
    rivals: int


class CLIPTask:
    """The symmetric contrastive loss over a batch (Radford et al. 2021, figure 3).

    A text tower that stays as it is has read all captions before the first step. So a picture can
    be held against many more of them than a batch has, as against a memory (He et al. 1911.05722)
    that is never out of date.

    Args:
        recipe: the settings.
        seed: of the run.
        sets: pictures.
        tokens: of the captions of both.
        tokenizer: the text tower's.
        text: a text tower that stays as it is; None for one that learns along.
        vectors: what it makes of the training captions, (count, wordings, d).
        device: what it is trained on.
    """

    def __init__(
        self,
        recipe: CLIPRecipe,
        seed: int,
        sets: Sets,
        tokens: tuple[Tokens, Tokens],
        tokenizer: Tokenizer,
        text: CLIPText | None,
        vectors: Vectors | None,
        device: torch.device,
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.pictures, self.held_out = sets.train, sets.held_out
        self.tokenizer = tokenizer
        self.tokens, self.held_out_tokens = tokens
        self.vectors = vectors
        self.network = CLIP(recipe.text if text is None else text.params, recipe.vision)
        if text is not None:
            self.network.text = text.requires_grad_(False)

    def batch(self, draw: Draw) -> Batch:
        """``images`` (b, h, w, 3) uint8, and one wording for each picture.

        The wording is ``tokens`` (b, n), or its vector ``told`` (b, d) beside those of ``rivals``
        (n, d), which are the same in all processes.
        """
        first = draw.step * draw.batch
        everyone = visits(self.seed, len(self.pictures), first, draw.batch)
        indices = everyone[draw.rows]
        wordings = draw.integers("wording", self.tokens.shape[1])
        batch = {"images": torch.from_numpy(self.pictures.pictures(indices))}
        if self.vectors is None:
            return batch | {
                "tokens": torch.from_numpy(self.tokens[indices, wordings].astype(np.int64))
            }
        return batch | {
            "told": torch.from_numpy(self.vectors[indices, wordings]).float(),
            "rivals": torch.from_numpy(self._rivals(self.vectors, draw.step, everyone)).float(),
        }

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The contrastive loss over the rows of all processes, and its temperature."""
        _, images = self.network.vision(to_tensor(batch["images"]))
        text = batch["told"] if "told" in batch else self.network.text(batch["tokens"])[1]
        text, images = gathered(text.float()), gathered(images.float())
        loss = contrastive_loss(text, images, self.network.log_scale, batch.get("rivals"))
        return loss, {"inverse_temperature": self.network.log_scale.exp()}

    def validate(self) -> dict[str, float]:
        """How many captions pick their picture, and pictures their caption, among ``RIVALS``."""
        similarity, own = self._similarity(RIVALS)
        return {
            "picture_of_caption": (similarity.argmax(1) == own).float().mean().item(),
            "caption_of_picture": (similarity.argmax(0) == own).float().mean().item(),
        }

    def grid(self) -> Image.Image:
        """Held-out pictures above, below each what its caption picks among ``RIVALS``."""
        similarity, _ = self._similarity(RIVALS)
        shown = np.arange(min(SHOWN, len(self.held_out)))
        picked = similarity.argmax(1)[: len(shown)].cpu().numpy()
        chosen = self.held_out.pictures(np.concatenate([shown, picked]))
        return mosaic(to_tensor(torch.from_numpy(chosen)), columns=len(shown))

    def export(self, folder: Path) -> None:
        """Write the towers as ``text`` and ``vision``, and ``tokenizer.json``."""
        write_network(folder, "text", self.network.text, self.network.text.params)
        write_network(folder, "vision", self.network.vision, self.recipe.vision)
        write_whole(folder / "tokenizer.json", self.tokenizer.to_str().encode())

    def _rivals(self, vectors: Vectors, step: int, but: NDArray[np.int64]) -> Vectors:
        """Vectors (at most ``rivals``, d) of captions of any pictures but these."""
        count, each = self.recipe.rivals, vectors.shape[1]
        if not count:
            return vectors[:0, 0]
        turn = subseed(self.seed, "rivals")
        owners, wordings = divmod(visits(turn, len(vectors) * each, step * count, count), each)
        others = ~np.isin(owners, but)
        return vectors[owners[others], wordings[others]]

    def _similarity(self, count: int) -> tuple[Tensor, Tensor]:
        chosen = np.arange(min(count, len(self.held_out)))
        tokens = torch.from_numpy(self.held_out_tokens[chosen, 0].astype(np.int64))
        pictures = torch.from_numpy(self.held_out.pictures(chosen))
        _, text = self.network.text(tokens.to(self.device))
        _, images = self.network.vision(to_tensor(pictures.to(self.device)))
        similarity = F.normalize(text.float(), dim=1) @ F.normalize(images.float(), dim=1).T
        return similarity, torch.arange(len(chosen), device=self.device)
