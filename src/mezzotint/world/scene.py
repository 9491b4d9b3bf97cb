"""What a scene is: a typed description from which the picture and the caption both follow."""

from dataclasses import dataclass
from typing import Literal, get_args

VERSION = 3
"""Goes up with every change that gives a seed another scene, picture or caption: data sets on disk
are drawn anew then, and the old ones stay what they are."""

Stage = Literal["single", "mixed"]
Density = Literal["dense", "short", "bare", "tags"]
Size = Literal["small", "medium", "large"]
Hour = Literal["dawn", "day", "golden hour", "sunset", "night"]
Season = Literal["spring", "summer", "autumn", "winter"]
Weather = Literal["clear", "rain", "snowfall", "fog"]
Style = Literal["storybook", "flat", "ink", "oil", "watercolour", "neon", "pixel", "paper"]
Relation = Literal["beside", "above", "on", "in front"]
Colour = Literal[
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "black"
]
Place = Literal[
    "snow",
    "forest",
    "jungle",
    "meadow",
    "garden",
    "farm",
    "village",
    "city",
    "beach",
    "desert",
    "mountains",
    "lake",
    "volcano",
    "sea",
    "sky",
    "underwater",
    "space",
    "room",
    "plain",
]

STAGES: tuple[Stage, ...] = get_args(Stage)
DENSITIES: tuple[Density, ...] = get_args(Density)
SIZES: tuple[Size, ...] = get_args(Size)
HOURS: tuple[Hour, ...] = get_args(Hour)
SEASONS: tuple[Season, ...] = get_args(Season)
WEATHERS: tuple[Weather, ...] = get_args(Weather)
STYLES: tuple[Style, ...] = get_args(Style)
RELATIONS: tuple[Relation, ...] = get_args(Relation)
COLOURS: tuple[Colour, ...] = get_args(Colour)
PLACES: tuple[Place, ...] = get_args(Place)

OUTDOORS: tuple[Place, ...] = PLACES[:15]
"""Places with a sky, where hour and weather can be seen."""

SEASONAL: tuple[Place, ...] = (
    "forest",
    "meadow",
    "garden",
    "farm",
    "village",
    "mountains",
    "lake",
)
"""Places that look different in each season; the others have ``summer``, left unsaid."""

HOURLESS: tuple[Place, ...] = ("underwater", "space", "room", "plain")
"""Places that look the same at every hour: their scenes have the hour ``day``, left unsaid."""

MOST = 4
"""The most drawings of one thing, and the most drawings in a scene."""


@dataclass(frozen=True)
class Spot:
    """Where one drawing of a thing is.

    ``x`` is its centre and ``y`` its lowest point, ``height`` its height, all as fractions of the
    picture's side with the origin at the top left.
    """

    x: float
    y: float
    height: float


@dataclass(frozen=True)
class Thing:
    """One object of a scene, or several alike: *three red apples* is one thing of three spots.

    ``colour`` is None for the art's own colours. ``hat`` is the name of what it wears on its head,
    or None. ``spots`` are one to four, from left to right.
    """

    name: str
    size: Size
    colour: Colour | None
    hat: str | None
    spots: tuple[Spot, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.spots)


@dataclass(frozen=True)
class Scene:
    """Everything that is known about a picture.

    ``things`` are none to three. ``relation`` is what two or three things are to each other: they
    are ``beside`` one another, told from left to right, or the first of two is ``above`` the
    second, stands ``on`` it, or stands ``in front`` of it; None for one thing or none.
    ``background`` is the colour of a plain place and None elsewhere; ``variant`` seeds the
    accidental shapes: hills, pines, stars, drops.
    """

    things: tuple[Thing, ...]
    relation: Relation | None
    place: Place
    background: Colour | None
    season: Season
    hour: Hour
    weather: Weather
    style: Style
    variant: int
