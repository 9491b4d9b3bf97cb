"""The places: each paints its backdrop on an easel."""

from collections.abc import Callable

from mezzotint.world.easel import Easel
from mezzotint.world.places import built, land, other, water, wild
from mezzotint.world.places.other import BACKGROUNDS
from mezzotint.world.scene import Place

HORIZON = 0.66

PAINTERS: dict[Place, Callable[[Easel], None]] = {
    "snow": wild.snow,
    "forest": land.forest,
    "jungle": wild.jungle,
    "meadow": land.meadow,
    "garden": land.garden,
    "farm": built.farm,
    "village": built.village,
    "city": built.city,
    "beach": water.beach,
    "desert": wild.desert,
    "mountains": land.mountains,
    "lake": water.lake,
    "volcano": wild.volcano,
    "sea": water.sea,
    "sky": other.sky_high,
    "underwater": water.underwater,
    "space": other.space,
    "room": other.room,
    "plain": other.plain,
}

__all__ = ["BACKGROUNDS", "HORIZON", "PAINTERS"]
