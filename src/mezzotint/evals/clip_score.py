"""CLIP score: how well a picture and its prompt meet in CLIP's space (Hessel et al. 2021)."""

import math
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mezzotint.errors import InputError
from mezzotint.evals.features import clip_features, extract
from mezzotint.evals.towers import Towers
from mezzotint.families.text import TextEncoder

WEIGHT = 2.5  # w of Hessel et al., eq. 1: it spreads scores over 0…1


@dataclass(frozen=True)
class CLIPScore:
    """Mean scores, and how far the first may be off by chance.

    Attributes:
        drawn: of a model's pictures and their prompts.
        margin: half the width of its 95 % interval.
        true: of true pictures and the same prompts: the ceiling.
        shuffled: of the model's pictures, each with another's prompt: the floor.
    """

    drawn: float
    margin: float
    true: float
    shuffled: float


def clip_score(
    towers: Towers, prompts: list[str], drawn: list[Image.Image], true: list[Image.Image]
) -> CLIPScore:
    """Score a model's pictures, and true ones, of ``prompts``.

    Raises:
        InputError: there are fewer than two, or not as many of each.
    """
    if not 2 <= len(prompts) == len(drawn) == len(true):
        raise InputError(
            f"{len(prompts)} prompts, {len(drawn)} pictures, {len(true)} true ones: give two or "
            "more, as many of each"
        )
    see = clip_features(towers.vision)
    texts, images = text_vectors(towers.text, prompts), extract(see, drawn)
    scores = clip_scores(texts, images)
    return CLIPScore(
        drawn=scores.mean().item(),
        margin=1.96 * scores.std().item() / math.sqrt(len(scores)),
        true=clip_scores(texts, extract(see, true)).mean().item(),
        shuffled=clip_scores(texts.roll(1, dims=0), images).mean().item(),
    )


def clip_scores(texts: Tensor, images: Tensor) -> Tensor:
    """2.5·max(cos, 0) (eq. 1) of vectors (b, d) and (b, d) of any length: (b,), in 0…2.5."""
    return WEIGHT * F.cosine_similarity(texts, images, dim=1).clamp(min=0)


@torch.no_grad()
def text_vectors(text: TextEncoder, prompts: list[str]) -> Tensor:
    """Vectors (b, d) of prompts, in float64 on the CPU."""
    pooled = [text(text.windows([prompt])).pooled for prompt in prompts]
    return torch.cat([vector for vector in pooled if vector is not None]).double().cpu()
