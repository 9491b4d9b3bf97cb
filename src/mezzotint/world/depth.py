"""How near everything in a scene is."""

import numpy as np
from numpy.typing import NDArray

from mezzotint.world.scene import Scene


def depth(scene: Scene, size: int = 256) -> NDArray[np.float32]:
    """A scene's depth map, ``(size, size)`` in [0, 1]: 1 is nearest, the sky is 0.

    Raises:
        InputError: ``size`` is not between 16 and 1024 pixels, or the art cannot be fetched.
    """
    raise NotImplementedError
