"""Drawing a scene from a seed."""

from typing import TypeVar

import numpy as np

from mezzotint.errors import InputError, unknown
from mezzotint.world.places import BACKGROUNDS, HORIZON
from mezzotint.world.scene import (
    COLOURS,
    HOURLESS,
    OUTDOORS,
    PLACES,
    STAGES,
    Colour,
    Hour,
    Place,
    Scene,
    Size,
    Stage,
    Style,
    Thing,
    Weather,
)
from mezzotint.world.sprites import aspect, main_colour
from mezzotint.world.things import KINDS, Kind

Rng = np.random.Generator
T = TypeVar("T")

NAMES = tuple(KINDS)
STYLE_ODDS: dict[Style, float] = {"modern": 0.67, "flat": 0.11, "ink": 0.11, "neon": 0.11}
HOUR_ODDS: dict[Hour, float] = {"day": 0.46, "sunset": 0.25, "night": 0.29}
COUNT_ODDS = {1: 0.6, 2: 0.3, 3: 0.1}

HEIGHTS: dict[int, dict[Size, tuple[float, float]]] = {
    1: {"small": (0.26, 0.34), "medium": (0.42, 0.52), "large": (0.58, 0.74)},
    2: {"small": (0.22, 0.29), "medium": (0.36, 0.43), "large": (0.52, 0.6)},
    3: {"small": (0.19, 0.24), "medium": (0.31, 0.37), "large": (0.42, 0.46)},
}
"""The range of a thing's height, by the number of things in the scene and its size."""

WIDEST: dict[int, dict[Size, float]] = {
    1: {"small": 0.4, "medium": 0.62, "large": 0.84},
    2: {"small": 0.27, "medium": 0.36, "large": 0.45},
    3: {"small": 0.21, "medium": 0.26, "large": 0.3},
}
"""The greatest width likewise, which bounds the height of long things."""


def sample_scene(seed: int, stage: Stage = "mixed") -> Scene:
    """The scene of a seed: the same for ever.

    Stage ``single`` has one large object; ``mixed`` has one to three of any size.

    Raises:
        InputError: the seed is negative or the stage unknown.
    """
    if stage not in STAGES:
        raise unknown("stage", stage, STAGES)
    if seed < 0:
        raise InputError(f"seed {seed} is negative: choose 0 or more")
    rng = np.random.Generator(np.random.PCG64((seed, STAGES.index(stage))))
    count = 1 if stage == "single" else _draw(rng, COUNT_ODDS)
    place = PLACES[int(rng.integers(len(PLACES)))]
    hour: Hour = "day" if place in HOURLESS else _draw(rng, HOUR_ODDS)
    chosen: list[int] = rng.choice(len(NAMES), count, replace=False).tolist()
    things: list[Thing] = []
    for slot, index in enumerate(chosen):
        size = "large" if stage == "single" else _size(rng, count)
        things.append(_thing(rng, KINDS[NAMES[index]], size, slot, count, place))
    return Scene(
        things=tuple(things),
        place=place,
        background=_background(rng, things) if place == "plain" else None,
        hour=hour,
        weather=_weather(rng, place, stage),
        style=_draw(rng, STYLE_ODDS),
        variant=int(rng.integers(1 << 31)),
    )


def _draw(rng: Rng, odds: dict[T, float]) -> T:
    """One of the keys, with its odds."""
    edges = np.cumsum(list(odds.values()))
    return list(odds)[min(int(np.searchsorted(edges, rng.random(), "right")), len(odds) - 1)]


def _size(rng: Rng, count: int) -> Size:
    odds: dict[Size, float] = {"small": 0.2, "medium": 0.2, "large": 0.6}
    return _draw(rng, odds if count == 1 else {"small": 0.3, "medium": 0.4, "large": 0.3})


def _weather(rng: Rng, place: Place, stage: Stage) -> Weather:
    odds: dict[Weather, float] = {"clear": 0.8, "snowfall": 0.1, "rain": 0.1}
    if stage == "single":
        odds = {"clear": 0.9, "snowfall": 0.05, "rain": 0.05}
    if place == "snow":
        odds = {"clear": 0.65, "snowfall": 0.35}
    weather = _draw(rng, odds)
    return weather if place in OUTDOORS else "clear"


def _thing(rng: Rng, kind: Kind, size: Size, slot: int, count: int, place: Place) -> Thing:
    height = float(rng.uniform(*HEIGHTS[count][size]))
    height = min(height, WIDEST[count][size] / aspect(kind.name))
    middle = (slot + 0.5) / count
    room = (0.98 / count - height * aspect(kind.name)) / 2
    play = max(0.0, min(0.12 if size == "large" else 0.24, room))
    x = middle + float(rng.uniform(-play, play))
    y = _foot(rng, kind, height, place)
    return Thing(kind.name, size, _colour(rng, kind), round(x, 3), round(y, 3), round(height, 3))


def _colour(rng: Rng, kind: Kind) -> Colour | None:
    """A colour for a thing that can have one."""
    if not kind.colours or rng.random() < 0.35:
        return None
    return kind.colours[int(rng.integers(len(kind.colours)))]


def _background(rng: Rng, things: list[Thing]) -> Colour:
    """A plain background's colour, from which every thing stands out."""
    mains = [main_colour(thing.name, thing.colour) for thing in things]

    def contrast(colour: Colour) -> float:
        return min(float(np.abs(BACKGROUNDS[colour].ravel() - main).sum()) for main in mains)

    clear: list[Colour] = [colour for colour in COLOURS if contrast(colour) > 0.55]
    choices: list[Colour] = clear or [max(COLOURS, key=contrast)]
    return choices[int(rng.integers(len(choices)))]


def _foot(rng: Rng, kind: Kind, height: float, place: Place) -> float:
    """The y of the thing's lowest point, which depends on whether it stands, flies or swims."""
    play = float(rng.uniform(-0.02, 0.02))
    if place == "space" or (place == "underwater" and kind.habitat == "water"):
        return min(0.97, 0.5 + height / 2 + 2 * play)
    if place == "plain":
        return min(0.95, 0.53 + height / 2 + play)
    if kind.habitat == "air":
        return min(0.9, max(0.42 + height / 2, height + 0.06) + 2 * play)
    if place == "sea":
        sunk = 0.02 if kind.habitat == "boat" else 0.14 * height
        return 0.875 + sunk + play
    return max(HORIZON + 0.2, min(0.94, 0.78 + 0.22 * height)) + play
