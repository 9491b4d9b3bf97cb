"""Where drawings go: on the ground, in the air or in the water, apart or in their relation.

All lengths are fractions of the picture's side, with the origin at the top left.
"""

from dataclasses import dataclass
from typing import Literal

from mezzotint.errors import InputError
from mezzotint.world.scene import Place, Size, Spot, Thing
from mezzotint.world.sprites import aspect
from mezzotint.world.things import KINDS

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

Footing = Literal["stands", "floats", "afloat"]
"""On the ground, free in the air or under water, or in a water's surface."""

HEIGHTS: dict[int, dict[Size, tuple[float, float]]] = {
    1: {"small": (0.27, 0.33), "medium": (0.40, 0.50), "large": (0.55, 0.74)},
    2: {"small": (0.22, 0.28), "medium": (0.30, 0.38), "large": (0.40, 0.52)},
    3: {"small": (0.20, 0.25), "medium": (0.26, 0.31), "large": (0.32, 0.40)},
    4: {"small": (0.20, 0.25), "medium": (0.26, 0.31), "large": (0.32, 0.40)},
}
"""The range of a drawing's height, by the number of drawings in the picture and its size."""

WIDEST: dict[int, dict[Size, float]] = {
    1: {"small": 0.42, "medium": 0.62, "large": 0.86},
    2: {"small": 0.28, "medium": 0.37, "large": 0.46},
    3: {"small": 0.20, "medium": 0.25, "large": 0.30},
    4: {"small": 0.15, "medium": 0.19, "large": 0.22},
}
"""The greatest width likewise, which bounds the height of long things."""

FARTHEST = 0.9  # of its greatest width, where a long thing stands at the back
APART = 0.25  # between the centres of things that are told from left to right
OVERHANG = 1.4  # how much wider than the surface it stands on a thing may be
COVERED = (0.2, 0.45)  # how much of a thing's box another in front of it covers

GROUND: tuple[float, float] = (0.82, 0.95)
GROUNDS: dict[Place, tuple[float, float]] = {"underwater": (0.89, 0.95), "room": (0.84, 0.95)}
"""The feet of what stands at the back and at the front of the ground."""

WATERLINE: dict[Place, float] = {"sea": 0.86, "lake": 0.72}
"""Where the water cuts what is afloat."""

FREE: tuple[Place, ...] = ("plain", "sky", "space")
"""Places without ground, where things can be one above the other anywhere."""


@dataclass(frozen=True)
class Figure:
    """One drawing that wants a spot.

    ``left``, ``right`` and ``rise`` are how far it reaches, with its hat, from the middle of its
    foot, in heights of the drawing itself.
    """

    name: str
    size: Size
    left: float
    right: float
    rise: float

    @property
    def wide(self) -> float:
        """Width over height, with the hat."""
        return self.left + self.right


def figure(name: str, size: Size, hat: str | None = None) -> Figure:
    """The drawing of a thing, ``hat`` included."""
    foot = Spot(0.0, 0.0, 1.0)
    boxes = [box(name, foot)]
    if hat is not None:
        boxes.append(box(hat, hat_spot(Thing(name, size, None, hat, (foot,)), foot)))
    return Figure(
        name,
        size,
        left=-min(left for left, _, _, _ in boxes),
        right=max(right for _, _, right, _ in boxes),
        rise=-min(top for _, top, _, _ in boxes),
    )


def box(name: str, spot: Spot) -> Box:
    """The box of one drawing, without its hat."""
    half = spot.height * aspect(name) / 2
    return spot.x - half, spot.y - spot.height, spot.x + half, spot.y


def hat_spot(thing: Thing, spot: Spot) -> Spot:
    """Where the hat of the drawing at ``spot`` is drawn.

    Raises:
        InputError: the thing wears no hat, or has no head for one.
    """
    head = KINDS[thing.name].head
    if thing.hat is None or head is None:
        raise InputError(f"{thing.name} wears no hat")
    left, top, right, _ = box(thing.name, spot)
    x, y, width = head
    span = right - left
    return Spot(left + x * span, top + y * spot.height, width * span / aspect(thing.hat))


def footing(name: str, place: Place) -> Footing:
    """Whether an object stands, floats or is afloat in a place."""
    habitat = KINDS[name].habitat
    if habitat == "air" or place in ("sky", "space"):
        return "floats"
    if habitat == "water" and place == "underwater":
        return "floats"
    if place == "sea" or (place == "lake" and habitat in ("boat", "water")):
        return "afloat"
    return "stands"


def draught(name: str) -> float:
    """How much of the height of what is afloat is under the waterline."""
    return 0.05 if KINDS[name].habitat == "boat" else 0.14


def reach(thing: Thing, spot: Spot) -> Box:
    """The box of one drawing with its hat."""
    drawn = figure(thing.name, thing.size, thing.hat)
    left, right, rise = (part * spot.height for part in (drawn.left, drawn.right, drawn.rise))
    return spot.x - left, spot.y - rise, spot.x + right, spot.y


def meet(a: Box, b: Box) -> bool:
    """Whether two boxes share more than an edge."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def least(figure: Figure, count: int, size: Size) -> float:
    """The height from which a drawing is called ``size``, among ``count`` drawings."""
    return min(HEIGHTS[count][size][0], FARTHEST * WIDEST[count][size] / figure.wide)


def size_of(figure: Figure, count: int, height: float) -> Size:
    """What a drawing of this height is called."""
    for size in ("large", "medium"):
        if height >= 0.98 * least(figure, count, size):  # rounding does not rename it
            return size
    return "small"
