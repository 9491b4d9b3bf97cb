"""From a recipe to what the studio is asked, so that the same picture comes of it."""

from typing import Any

from mezzotint.diffusion import SPACINGS
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.pipeline.metadata import Recipe

EXACT = 2**53  # a page's numbers are whole up to here; larger ones are told as text


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """What is asked, by the names in ``settings.SETTINGS``.

    Samplers and spacings that there are none of are left out, and so is what is as usual.
    """
    told = {
        **dict(recipe.prompts),  # first, for whatever a file calls one it is none of the others
        "prompt": recipe.prompt,
        "negative": recipe.negative,
        "steps": recipe.steps,
        "cfg": recipe.cfg,
        "cfg_interval": ":".join(map(str, recipe.cfg_interval or ())) or None,
        "seed": recipe.seed if recipe.seed < EXACT else str(recipe.seed),
        "width": recipe.width,
        "height": recipe.height,
        "batch": recipe.batch,
        "sampler": recipe.sampler if recipe.sampler in SAMPLERS else None,
        "spacing": recipe.spacing if recipe.spacing in SPACINGS else None,
        "dialect": recipe.dialect,
        "noise": recipe.noise,
        "guidance": recipe.guidance,
        "clip_skip": recipe.clip_skip,
    }
    return {name: value for name, value in told.items() if value is not None}
