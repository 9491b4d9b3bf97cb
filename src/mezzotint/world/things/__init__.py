"""The objects of the world: which art draws each, what else it is called, where it belongs."""

from mezzotint.world.things.animals import ANIMALS
from mezzotint.world.things.birds import BIRDS
from mezzotint.world.things.buildings import BUILDINGS
from mezzotint.world.things.clothes import CLOTHES
from mezzotint.world.things.core import CORE
from mezzotint.world.things.fairytale import FAIRYTALE
from mezzotint.world.things.food import FOOD
from mezzotint.world.things.fruit import FRUIT
from mezzotint.world.things.home import HOME
from mezzotint.world.things.kind import Dye, Habitat, Kind, Seat
from mezzotint.world.things.nature import NATURE
from mezzotint.world.things.play import PLAY
from mezzotint.world.things.sea import SEA
from mezzotint.world.things.tools import TOOLS
from mezzotint.world.things.vehicles import VEHICLES
from mezzotint.world.things.words import pluralised

__all__ = [
    "CORE",
    "HATS",
    "KINDS",
    "MASS",
    "PLURAL",
    "Dye",
    "Habitat",
    "Kind",
    "Seat",
    "plural",
]

THEMES = (
    *(ANIMALS, BIRDS, SEA, FAIRYTALE, NATURE, FRUIT, FOOD),
    *(VEHICLES, BUILDINGS, CLOTHES, PLAY, HOME, TOOLS),
)

_named = {kind.name: kind for theme in THEMES for kind in theme}

# A seed draws from this table by position, so adding a kind changes every scene.
KINDS: dict[str, Kind] = {name: _named[name] for name in CORE} | _named
"""Every object of the world by its name: the core first, then the others by theme."""

HATS = ("hat", "cap", "crown", "sun hat", "graduation cap", "bow")
"""The kinds that can be worn on a head."""

PLURAL = frozenset(
    word
    for kind in KINDS.values()
    if not kind.countable and kind.name.endswith("s")
    for word in (kind.name, *kind.synonyms)
    if " of " not in word
)
"""Words that are plural already, and take no article: *cherries*, *scissors*."""

MASS = frozenset(
    kind.name for kind in KINDS.values() if not kind.countable and kind.name not in PLURAL
)
"""Names that may go without an article: *pizza*, *fire*."""

_irregular = {kind.name: kind.plural for kind in KINDS.values() if kind.plural}
_irregular |= {word: word for word in PLURAL}


def plural(name: str) -> str:
    """The plural of an object's name or synonym: ``"foxes"``, ``"mice"``, ``"cherries"``."""
    return pluralised(name, _irregular)
