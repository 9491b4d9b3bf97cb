"""What a scene is: a typed description from which the picture and the caption both follow."""

from dataclasses import dataclass
from typing import Literal, get_args

VERSION = 1
"""Goes up with every change that gives a seed another scene, picture or caption: data sets on disk
are drawn anew then, and the old ones stay what they are."""

Stage = Literal["single", "mixed"]
Density = Literal["dense", "short", "tags"]
Size = Literal["small", "medium", "large"]
Hour = Literal["day", "sunset", "night"]
Weather = Literal["clear", "snowfall", "rain"]
Style = Literal["modern", "flat", "ink", "neon"]
Colour = Literal[
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "black"
]
Place = Literal[
    "snow",
    "forest",
    "meadow",
    "beach",
    "desert",
    "mountains",
    "city",
    "sea",
    "underwater",
    "space",
    "plain",
]

STAGES: tuple[Stage, ...] = get_args(Stage)
DENSITIES: tuple[Density, ...] = get_args(Density)
HOURS: tuple[Hour, ...] = get_args(Hour)
WEATHERS: tuple[Weather, ...] = get_args(Weather)
STYLES: tuple[Style, ...] = get_args(Style)
COLOURS: tuple[Colour, ...] = get_args(Colour)
PLACES: tuple[Place, ...] = get_args(Place)

OUTDOORS: tuple[Place, ...] = PLACES[:8]
"""Places with a sky, where weather can be seen."""

HOURLESS: tuple[Place, ...] = ("space", "plain")
"""Places that look the same at every hour: their scenes have the hour ``day``, left unsaid."""


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    ``x`` is its centre and ``y`` its lowest point, ``height`` its height, all as fractions of the
    picture's side with the origin at the top left. ``colour`` is None for the art's own colours.
    """

    name: str
    size: Size
    colour: Colour | None
    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Scene:
    """Everything that is known about a picture.

    ``things`` are one to three, from left to right. ``background`` is the colour of a plain place
    and None elsewhere; ``variant`` seeds the accidental shapes: hills, pines, stars, drops.
    """

    things: tuple[Thing, ...]
    place: Place
    background: Colour | None
    hour: Hour
    weather: Weather
    style: Style
    variant: int
