"""Edits by checkpoints that take a picture beside the prompt, and by others, against diffusers'.

diffusers draws the latents of a picture from the autoencoder's posterior; its mean, which is what
we take, is put in their place. Noise is drawn from the seed by both.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import references
import torch
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    FluxFillPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from oracles import psnr
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
    "sd1-from-picture": ("sd1", {}, StableDiffusionImg2ImgPipeline),
    "sd1-in-mask": ("sd1", {}, StableDiffusionInpaintPipeline),
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


def ddim(pipe: DiffusionPipeline, **config: bool) -> DDIMScheduler:
    """Their scheduler of the sampler that neither draws noise nor remembers."""
    config = {"clip_sample": False, "set_alpha_to_one": False} | config
    return DDIMScheduler.from_config(pipe.scheduler.config, **config)


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
        monkeypatch.setattr(pipe, "scheduler", ddim(pipe))
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


@pytest.mark.parametrize("strength", [0.3, 0.6, 0.9])
def test_any_checkpoint_begins_with_the_picture_as_in_diffusers(saved, monkeypatch, strength):
    pipe, mine = saved("sd1-from-picture")
    monkeypatch.setattr(pipe, "scheduler", ddim(pipe))
    theirs = draw(pipe, strength=strength)
    assert psnr(theirs, ours(mine, strength=strength, sampler="ddim")) >= PSNR
    assert psnr(theirs, ours(mine, strength=strength - 0.1, sampler="ddim")) < PSNR
    assert psnr(theirs, ours(mine, strength=strength, sampler="ddim", cfg=7.0)) < PSNR


def test_any_checkpoint_keeps_what_is_not_masked_as_in_diffusers(saved, monkeypatch):
    """Where the formulas are the same.

    diffusers puts the noised picture back after each step, and here x̂₀ is the picture's: with one
    noise for all steps and any sampler that draws none, x is the same. Three things are not:

    - A latent pixel is masked there by every eighth pixel of the mask, and here by any of them,
      since the pixels are put back in the end. So this mask goes along the latents'.
    - With all of the steps, x begins there as noise alone, and here with the noised picture where
      that is known: what the first step sees of it differs, and then no more.
    - Where the last time is not that of clean data, as Stable Diffusion's DDIM has it, the known
      ends clean there and here as noised as the rest. So both end at clean data.
    """
    pipe, mine = saved("sd1-in-mask")
    family = replace(mine.model.family, stops_short=False)
    mine = replace(mine, model=replace(mine.model, family=family))
    monkeypatch.setattr(pipe, "scheduler", ddim(pipe, set_alpha_to_one=True))
    along = Image.new("L", PICTURE.size)
    along.paste(255, (24, 8, 72, 40))
    told = {"sampler": "ddim", "mask": along}
    theirs = draw(pipe, mask_image=along, strength=0.6, **SIZE)
    assert psnr(theirs, ours(mine, strength=0.6, **told)) >= PSNR
    assert psnr(theirs, ours(mine, strength=0.6, sampler="ddim")) < PSNR
    moved = Image.fromarray(np.roll(np.asarray(along), 1, axis=1))
    assert psnr(theirs, ours(mine, strength=0.6, sampler="ddim", mask=moved)) < PSNR
    whole = draw(pipe, mask_image=along, strength=1.0, **SIZE)
    assert 20 < psnr(whole, ours(mine, strength=1.0, **told)) < PSNR
