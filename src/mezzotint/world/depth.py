"""How near everything in a scene is: depth as the painters mean it.

Nearness is the inverse of the distance, as depth estimators give it (Ranftl et al. 2019, "MiDaS",
1907.01341). On level ground it grows in a straight line from 0 at the horizon to 1 at the picture's
lower edge, and what stands on the ground is as near as its feet.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mezzotint.world.figures import drawings, dry, lying, waterline
from mezzotint.world.layout import FREE, Box, box, footing, hat_spot, meet
from mezzotint.world.paint import Array, axis
from mezzotint.world.places import HORIZON
from mezzotint.world.render import check_size
from mezzotint.world.scene import Place, Scene, Spot, Thing
from mezzotint.world.sprites import look, sprite

HORIZONS: dict[Place, float] = {
    "beach": 0.555,
    "farm": 0.57,
    "lake": 0.585,
    "room": 0.255,
    "sea": 0.585,
    "underwater": 0.8,
}
"""Where the level ground or water would end, if not at the horizon of the other places: a farm's
furrows and a room's boards run to that height, and the sea's floor is lost in the blue."""

WALL = 0.685
"""Where a room's floor meets its wall."""

APART = 0.04  # by how much what covers another is nearer at least
FLOATING = (0.25, 0.65)
"""The nearness of what floats, of height 0, and what it gains with its height."""


def depth(scene: Scene, size: int = 256) -> NDArray[np.float32]:
    """A scene's depth map, ``(size, size)`` in [0, 1]: 1 is nearest, the sky is 0.

    Hills, woods, houses and all that is painted beyond the ground are at the horizon, so 0 too.
    What floats in the air, under water, in space or before a plain colour has no feet to tell its
    distance, and is the nearer the larger it is. What stands on a thing, and a hat, are as near as
    what carries them. What covers another is nearer.

    Raises:
        InputError: ``size`` is not between 16 and 1024 pixels, or the art cannot be fetched.
    """
    check_size(size)
    near = np.zeros((size, size), np.float32)
    near += _ground(scene.place, axis(size)[:, None])
    before: list[tuple[Box, float]] = []
    for thing, spot, on_top in drawings(scene):
        own, water = box(thing.name, spot), waterline(scene, thing, spot, on_top)
        covered = [value + APART for other, value in before if meet(own, other)]
        value = before[-1][1] if on_top else _nearness(scene, thing, spot, water, covered)
        before.append((own, value))
        _lay(near, scene, thing, spot, value, water)
        if thing.hat is not None:
            seat = hat_spot(thing, spot)
            _lay(near, scene, Thing(thing.hat, thing.size, None, None, (seat,)), seat, value, None)
    return near


def _ground(place: Place, y: Array | float) -> Array:
    """How near the ground is at height ``y`` of the picture."""
    if place in FREE:
        return np.zeros_like(y, np.float32)
    horizon = HORIZONS.get(place, HORIZON)
    y = np.maximum(y, WALL if place == "room" else horizon)
    return np.asarray((y - horizon) / (1 - horizon), np.float32)


def _nearness(
    scene: Scene, thing: Thing, spot: Spot, water: float | None, least: Sequence[float]
) -> float:
    """How near a drawing is: as its feet or the water around it, or else as it is large."""
    if scene.place in FREE or footing(thing.name, scene.place) == "floats":
        back, (small, gain) = float(_ground(scene.place, 0.0)), FLOATING
        own = back + (1 - back) * (small + gain * spot.height)
    else:
        own = float(_ground(scene.place, spot.y if water is None else water))
    return min(1.0, max([own, *least]))


def _lay(
    near: Array, scene: Scene, thing: Thing, spot: Spot, value: float, water: float | None
) -> None:
    """Give the pixels of a drawing its nearness."""
    size = len(near)
    item = sprite(thing.name, look(scene.style), thing.colour, max(2, round(spot.height * size)))
    laid = lying(spot, item, size)
    if laid is None:
        return
    where, inner = laid
    alpha = item.alpha[inner]
    if water is not None:
        alpha = alpha * dry(where, water, size)
    near[where] += (np.float32(value) - near[where]) * alpha
