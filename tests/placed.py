"""Where the world put the things of a scene, for what has to find them."""

import numpy as np
import torch
from torch import Tensor

from mezzotint.families.base import Model
from mezzotint.world import Scene, render
from mezzotint.world.layout import box


@torch.no_grad()
def latents_of(model: Model, scene: Scene) -> Tensor:
    """A scene's picture, as large as the model draws."""
    pixels = torch.from_numpy(np.array(render(scene, model.family.size))).permute(2, 0, 1)[None]
    return model.encode_images(pixels / 127.5 - 1)


def boxes_of(scene: Scene, size: int) -> Tensor:
    """1 within the box of each thing, by its first spot, (things, size, size)."""
    boxes = torch.zeros(len(scene.things), size, size)
    for k, thing in enumerate(scene.things):
        left, top, right, bottom = (
            max(0, round(size * x)) for x in box(thing.name, thing.spots[0])
        )
        boxes[k, top:bottom, left:right] = 1
    return boxes
