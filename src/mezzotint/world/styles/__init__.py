"""The styles that work on the whole painted picture: each a function of the easel.

Storybook and flat are painted so from the start.
"""

from collections.abc import Callable

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array
from mezzotint.world.scene import Style
from mezzotint.world.styles.ink import ink
from mezzotint.world.styles.neon import neon
from mezzotint.world.styles.oil import oil
from mezzotint.world.styles.paper import paper
from mezzotint.world.styles.pixel import pixel
from mezzotint.world.styles.watercolour import watercolour

FILTERS: dict[Style, Callable[[Easel], Array]] = {
    "ink": ink,
    "oil": oil,
    "watercolour": watercolour,
    "neon": neon,
    "pixel": pixel,
    "paper": paper,
}

__all__ = ["FILTERS"]
