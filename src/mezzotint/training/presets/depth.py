"""The network that says how near what a generated picture shows is."""

from dataclasses import replace

from mezzotint.models.depth import DepthParams
from mezzotint.training.presets.storybook import JUDGE
from mezzotint.training.tasks.depth import DepthRecipe

DEPTH = replace(
    JUDGE,
    name="depth",
    task=DepthRecipe(DepthParams(channels=(64, 96, 128), blocks=(1, 1, 1))),
    pictures=replace(JUDGE.pictures, scenes=12_288, held_out=512),
    steps=1400,
    lr=2e-3,
    warmup=100,
    clip_norm=1.0,
    validate_every=500,
    grid_every=500,
    save_every=500,
)
"""In no chain, for no generator is to be made with its help."""
