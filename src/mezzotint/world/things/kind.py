"""What is known of one kind of object."""

from dataclasses import dataclass
from typing import Literal

from mezzotint.world.scene import Colour

Habitat = Literal["ground", "air", "water", "boat"]
"""Where it belongs: on the ground, in the air, under water, or floating on it."""

Dye = Literal["hue", "gold", "pale", "all"]
"""Which part of the art takes a colour: its main hue, the golden, the pale, or all."""

Seat = tuple[float, float, float]
"""A level line on the art: its middle's x and y and its width, as fractions of the art's box."""

FUR: tuple[Colour, ...] = ("black", "white", "brown", "orange")


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    ``synonyms`` are other names for it; ``art`` is the file name of its icon (its name with
    dashes, if empty); ``colours`` are those it can be given (none: it keeps its own), ``dye`` the
    part that takes them. ``plural`` is an irregular plural; what is not ``countable`` is never
    told with a number. ``head`` is where the lowest line of a hat sits (None: it wears none),
    ``top`` where another object can stand (None: nothing can).
    """

    name: str
    synonyms: tuple[str, ...] = ()
    art: str = ""
    habitat: Habitat = "ground"
    colours: tuple[Colour, ...] = ()
    dye: Dye = "hue"
    plural: str = ""
    countable: bool = True
    head: Seat | None = None
    top: Seat | None = None

    @property
    def icon(self) -> str:
        """The file name of its icon, without the suffix."""
        return self.art or self.name.replace(" ", "-")
