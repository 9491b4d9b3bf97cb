"""Paper cut: the sheets are laid by the easel; here they get their fibres."""

from functools import lru_cache

import numpy as np

from mezzotint.world.easel import Easel
from mezzotint.world.paint import Array
from mezzotint.world.styles.texture import noise, sheet_of


def paper(e: Easel) -> Array:
    """The layered picture with the tooth of coloured paper."""
    return e.canvas * _tooth(e.size, sheet_of(e))


@lru_cache(maxsize=8)
def _tooth(size: int, sheet: int) -> Array:
    fibres = noise(size, 128, sheet) + noise(size, 43, sheet)
    return 1 + np.float32(0.022) * fibres
