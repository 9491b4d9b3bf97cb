"""The styles that work on the whole painted picture: each a function of the easel."""

from collections.abc import Callable

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array
from mezzotint.world.scene import Style

FILTERS: dict[Style, Callable[[Easel], Array]] = {}
