"""Which part of which thing each place of a picture shows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mezzotint.world.figures import drawings, dry, lying, waterline
from mezzotint.world.render import check_size
from mezzotint.world.scene import Scene
from mezzotint.world.sprites import look, sprite

FINE = 5  # pixels along a place, of which the middle one counts


class Parts(NamedTuple):
    """What is seen at each place, all ``(size, size)``.

    Attributes:
        drawing: the number of the nearest drawing there, as ``figures.drawings`` counts, from 0;
            −1 where there is none. A hat counts as part of nothing.
        across, down: where in that drawing, 0…1 from its left and from its top; 0 where none is.
    """

    drawing: NDArray[np.int8]
    across: NDArray[np.float32]
    down: NDArray[np.float32]


def parts(scene: Scene, size: int = 16) -> Parts:
    """The part that the middle of each of ``size`` × ``size`` places shows.

    Raises:
        InputError: ``size`` times 5 is not between 16 and 1024, or the art cannot be fetched.
    """
    fine = size * FINE
    check_size(fine)
    drawing = np.full((fine, fine), -1, np.int8)
    across, down = np.zeros((2, fine, fine), np.float32)
    for number, (thing, spot, on_top) in enumerate(drawings(scene)):
        item = sprite(thing.name, look(scene.style), None, max(2, round(spot.height * fine)))
        laid = lying(spot, item, fine)
        if laid is None:
            continue
        where, inner = laid
        alpha, water = item.alpha[inner], waterline(scene, thing, spot, on_top)
        seen = (alpha if water is None else alpha * dry(where, water, fine)) > 0.5
        height, width = item.alpha.shape
        rows, columns = (np.arange(each.start, each.stop) + 0.5 for each in inner)
        drawing[where][seen] = number
        across[where][seen] = np.broadcast_to(columns / width, seen.shape)[seen]
        down[where][seen] = np.broadcast_to(rows[:, None] / height, seen.shape)[seen]
    middle = (slice(FINE // 2, None, FINE),) * 2
    return Parts(drawing[middle], across[middle], down[middle])
