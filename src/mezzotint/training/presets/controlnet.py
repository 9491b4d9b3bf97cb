"""The ControlNet that steers a model by edges, depth and boxes."""

from dataclasses import replace

from mezzotint.training.data.controls import WORLD
from mezzotint.training.presets.storybook import DENOISER
from mezzotint.training.tasks.controlnet import ControlNetRecipe

CONTROLNET = replace(
    DENOISER,
    name="controlnet",
    task=ControlNetRecipe(
        base="",
        kinds=WORLD,
        times="logit_normal",
        times_mean=0.6,
        times_std=1.2,
        direction=0.5,
        caption_dropout=0.3,
    ),
    pictures=replace(DENOISER.pictures, scenes=24_576, single=6_144, held_out=128),
    steps=3_000,
    batch=48,
    lr=6e-4,
    warmup=100,
    ema=0.998,
    validate_every=500,
    grid_every=500,
    save_every=250,
)
"""In no chain, but it stands on the model that one makes."""
