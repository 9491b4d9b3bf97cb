"""Every recipe that has a name."""

from mezzotint.training.presets.controlnet import CONTROLNET
from mezzotint.training.presets.depth import DEPTH
from mezzotint.training.presets.personal import PERSONAL
from mezzotint.training.presets.steering import STEERING
from mezzotint.training.presets.storybook import CHAINS, JUDGE
from mezzotint.training.recipe import Recipe

_ALONE = (JUDGE, DEPTH, CONTROLNET, *PERSONAL, *STEERING)  # in no chain

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for chain in CHAINS.values() for recipe in chain.runs.values()
} | {recipe.name: recipe for recipe in _ALONE}
