"""What true pictures are, as a model's size has them and as its autoencoder leaves them."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from PIL import Image

from mezzotint.adapters.pictures import resized
from mezzotint.errors import InputError
from mezzotint.evals.skills import PROMPTS, SKILLS, Prompt, Skill
from mezzotint.evals.skills import prompts as skill_prompts
from mezzotint.families.base import Model
from mezzotint.pipeline.pipeline import to_picture
from mezzotint.world.render import render
from mezzotint.world.scene import Scene

Codec = Callable[[Image.Image], Image.Image]
"""What a picture becomes where a model keeps it, its latents: the ceiling of all that it draws."""


@lru_cache(maxsize=512)
def painted(scene: Scene, size: int) -> Image.Image:
    """The true picture of a scene."""
    return Image.fromarray(render(scene, size))


def codec(model: Model) -> Codec:
    """A picture through a model's autoencoder, there and back."""

    @torch.no_grad()
    def there_and_back(picture: Image.Image) -> Image.Image:
        image = 2 * resized(picture, *picture.size).to(model.device) - 1
        return to_picture(model.decode_latents(model.encode_images(image))[0])

    return there_and_back


def cases(count: int, skills: Sequence[Skill] = SKILLS) -> list[Prompt]:
    """``count`` prompts of the test, or a few more: the first of some skills, as many of each.

    Raises:
        InputError: ``count`` is not 1 or more.
    """
    if count < 1:
        raise InputError(f"count {count}: give 1 or more")
    each = -(-count // len(skills))
    every = skill_prompts(count=max(PROMPTS, each * len(SKILLS)))
    return [p for skill in skills for p in [p for p in every if p.skill == skill][:each]]
