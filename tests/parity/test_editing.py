"""Checkpoints that take a picture beside the prompt, against diffusers' pipelines for them.

diffusers draws the latents of a picture from the autoencoder's posterior; its mean, which is what
we take, is put in their place. Noise is drawn from the seed by both.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import references
import torch
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    FluxFillPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image

import mezzotint as mz
from mezzotint.pipeline.pipeline import Pipeline

PROMPT, STEPS, PSNR = "the fox in snow, at the inn", 10, 70.0
SIZE = {"height": 64, "width": 96}
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS).resize((96, 64), Image.Resampling.BICUBIC)
MASK = Image.new("L", PICTURE.size)
MASK.paste(255, (21, 10, 70, 43))  # not along the latents' pixels
INVERTED = MASK.point(lambda value: 255 - value)

NINE, EIGHT = {"in_channels": 9, "out_channels": 4}, {"in_channels": 8, "out_channels": 4}
FILL = {"in_channels": 384, "out_channels": 64}
KINDS: dict[str, tuple[str, dict[str, int], type[DiffusionPipeline]]] = {
    "sd1-inpainting": ("sd1", NINE, StableDiffusionInpaintPipeline),
    "sdxl-inpainting": ("sdxl", NINE, StableDiffusionXLInpaintPipeline),
    "sd1-instruct": ("sd1", EIGHT, StableDiffusionInstructPix2PixPipeline),
    "sdxl-instruct": ("sdxl", EIGHT, StableDiffusionXLInstructPix2PixPipeline),
    "flux-fill": ("flux-dev", FILL, FluxFillPipeline),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Callable[[str], tuple[DiffusionPipeline, Pipeline]]:
    """diffusers' pipeline for editing, and ours of the same networks in a folder."""
    made: dict[str, tuple[DiffusionPipeline, Pipeline]] = {}

    def get(name: str) -> tuple[DiffusionPipeline, Pipeline]:
        if name not in made:
            family, channels, edits = KINDS[name]
            folder = tmp_path_factory.mktemp(name)
            base = references.pipeline(family, folder / "words", **channels)
            base.save_pretrained(folder / "model")
            takes = inspect.signature(edits.__init__).parameters
            parts = {part: made for part, made in base.components.items() if part in takes}
            unchecked = {"requires_safety_checker": False}
            theirs = edits(**parts, **(unchecked if unchecked.keys() & takes.keys() else {}))
            theirs.set_progress_bar_config(disable=True)
            made[name] = theirs, mz.load(folder / "model")
        return made[name]

    return get


@pytest.fixture(autouse=True)
def without_posterior(monkeypatch) -> None:
    """Let diffusers take the mean of the latents, and draw nothing for it."""
    mean = DiagonalGaussianDistribution.mode
    monkeypatch.setattr(
        DiagonalGaussianDistribution, "sample", lambda self, generator=None: mean(self)
    )


def draw(pipe: DiffusionPipeline, **options: Any) -> np.ndarray:
    """Their picture, (h, w, 3) in [0, 1]."""
    generator = torch.Generator().manual_seed(7)
    told = {"num_inference_steps": STEPS, "generator": generator, "output_type": "np"}
    return pipe(prompt=PROMPT, image=PICTURE, **told, **options).images[0]


def ours(pipe: Pipeline, **options: Any) -> np.ndarray:
    """Our picture before it is rounded to bytes."""
    out = pipe.edit(PICTURE, PROMPT, steps=STEPS, seed=7, **options)
    image = pipe.model.decode_latents(out.latents)[0]
    return ((image + 1) / 2).permute(1, 2, 0).numpy()


def psnr(theirs: np.ndarray, ours: np.ndarray) -> float:
    error = np.square(theirs.astype(np.float64) - ours).mean()
    return float(-10 * np.log10(error + 1e-20))


@pytest.mark.parametrize("name", ["sd1-inpainting", "sdxl-inpainting", "flux-fill"])
def test_what_is_masked_is_painted_anew_as_diffusers_does(saved, name: str):
    pipe, mine = saved(name)
    assert mine.model.family.name == name
    whole = {"strength": 1.0} if name.startswith("sdxl") else {}  # it leaves a step out by default
    theirs = draw(pipe, mask_image=MASK, **whole, **SIZE)
    assert psnr(theirs, ours(mine, mask=MASK)) >= PSNR
    assert psnr(theirs, ours(mine, mask=INVERTED)) < PSNR
    moved = Image.fromarray(np.roll(np.asarray(MASK), 1, axis=1))
    if name == "flux-fill":  # which is told every pixel of the mask, and others every eighth
        assert psnr(theirs, ours(mine, mask=moved)) < PSNR


@pytest.mark.parametrize("name", ["sd1-inpainting", "flux-fill"])
def test_less_strength_begins_with_the_picture_as_in_diffusers(saved, monkeypatch, name: str):
    pipe, mine = saved(name)
    told: dict[str, Any] = {}
    if name.startswith("sd1"):  # with a part of the steps, diffusers' PNDM takes one of them twice
        told = {"sampler": "ddim"}
        config = {"clip_sample": False, "set_alpha_to_one": False}
        scheduler = DDIMScheduler.from_config(pipe.scheduler.config, **config)
        monkeypatch.setattr(pipe, "scheduler", scheduler)
    theirs = draw(pipe, mask_image=MASK, strength=0.6, **SIZE)
    assert psnr(theirs, ours(mine, mask=MASK, strength=0.6, **told)) >= PSNR
    assert psnr(theirs, ours(mine, mask=MASK, strength=0.7, **told)) < PSNR


@pytest.mark.parametrize("name", ["sd1-instruct", "sdxl-instruct"])
def test_what_is_said_is_done_as_diffusers_does(saved, name: str):
    pipe, mine = saved(name)
    assert mine.model.family.name == name
    size = SIZE if name.startswith("sdxl") else {}
    theirs = draw(pipe, **size)
    assert psnr(theirs, ours(mine)) >= PSNR
    assert psnr(theirs, ours(mine, image_cfg=1.4)) < PSNR
    assert psnr(theirs, ours(mine, cfg=5.1)) < PSNR


def test_sizes_are_brought_to_what_is_asked_as_diffusers_does(saved):
    pipe, mine = saved("sd1-inpainting")
    size = {"height": 96, "width": 64}
    theirs = draw(pipe, mask_image=MASK, **size)
    assert psnr(theirs, ours(mine, mask=MASK, **size)) >= PSNR
