"""A finished model that another learns from, and how both are asked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mezzotint.diffusion import Denoiser, denoiser
from mezzotint.diffusion.guidance import cfg
from mezzotint.families.base import Canvas, Conditioning, Model
from mezzotint.pipeline.load import load
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import Options
from mezzotint.training.exports import channels_last
from mezzotint.training.images import sheet

GRID_SEED = 7


def read_teacher(home: Path, folder: str, device: torch.device) -> Model:
    """The model in a folder, frozen.

    Args:
        home: where the runs' folders are.
        folder: "model" of a chain, "denoiser/model" of a run, or any other, from there; or
            whatever ``mz.load`` takes.
        device: where it is put.

    Raises:
        InputError: there is none, or it is damaged.
    """
    place = home / folder
    return read_base(str(place) if place.exists() else folder, device)


def read_base(name: str, device: torch.device) -> Model:
    """The model of this name, frozen: whatever ``mz.load`` takes, the embedded one if empty.

    Raises:
        InputError: there is none, or it is damaged.
    """
    # no other engine takes gradients or autocast, and bits are not to depend on who was quicker
    model = load(name or None, device=str(device), engine="eager").model
    for network in model.modules.values():
        channels_last(network.requires_grad_(False).eval())
    return model


def told(model: Model, tokens: Tensor) -> Conditioning:
    """What the network is told of prompts, given as the token ids (b, n) of its one encoder."""
    canvas = Canvas(model.family.size, model.family.size)
    with torch.no_grad():
        return model.family.join([model.encoders[0](tokens)], canvas)


def prompted(model: Model, conditioning: Conditioning) -> Denoiser:
    """The model's denoiser under this conditioning, for times () or (b,)."""
    return denoiser(model.network_for(conditioning), model.family.process, model.family.prediction)


def guided(model: Model, conditioning: Conditioning, scale: float) -> Denoiser:
    """The same, guided away from the empty prompt; both go through the network in one batch."""
    rows = len(conditioning.context)
    empty = told(model, model.encoders[0].windows([""]).expand(rows, -1))
    both = prompted(model, conditioning + empty)

    def pair(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        cond, uncond = both(torch.cat([x, x]), torch.cat([t.expand(rows)] * 2)).chunk(2)
        return cond, uncond

    return cfg(pair, scale)


def sheet_of(model: Model, prompts: Sequence[str], options: Options) -> Image.Image:
    """A picture for each prompt, as a user would get it with these options, four in a row."""
    pipeline, asked = Pipeline(model, ""), Options({**options, "seed": GRID_SEED})
    images = [np.asarray(pipeline.generate(prompt, **asked).images[0]) for prompt in prompts]
    return sheet(np.stack(images), columns=4)
