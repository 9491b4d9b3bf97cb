"""One change to a scene: each maker gives the scenes before and after it, or None if it can't."""

from collections.abc import Callable, Sequence

from mezzotint.world.alter import setting, things
from mezzotint.world.alter.legal import Pair
from mezzotint.world.chance import Rng
from mezzotint.world.scene import Scene

Maker = Callable[[Rng, Scene, Sequence[str]], Pair | None]
"""Of a scene and the names of what there is; the given scene is one of the pair."""

MAKERS: dict[str, Maker] = {
    "hour": setting.hour,
    "season": setting.season,
    "weather": setting.weather,
    "place": setting.place,
    "style": setting.style,
    "colour": things.colour,
    "hat": things.hat,
    "add": things.add,
    "remove": things.remove,
    "replace": things.replaced,
}

__all__ = ["MAKERS", "Maker", "Pair"]
