"""How often a network is asked for a picture, where nothing else is chosen."""

from mezzotint.diffusion import spent, times
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.families.base import Family


def default_calls(family: Family) -> int:
    """The calls of the family's own sampler in its own steps, twice over where it is guided.

    They are counted, for a step is not always one call: PNDM begins with two.
    """
    grid = times(family.process, family.steps, family.spacing)
    once = spent.calls(SAMPLERS[family.sampler], grid, family.process)
    return once if family.cfg == 1 else 2 * once
