"""What a prompt asks of its picture, and whether what the judge saw fulfils it.

As in GenEval (Ghosh et al. 2023, section 3): an object is there if it is seen at all; its colour
and its place among others are those of the surest sighting; a number has to be met exactly, and
what else is in the picture does not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mezzotint.evals.judge import Seen, Sighting
from mezzotint.evals.relations import Position, holds
from mezzotint.world.scene import Colour, Hour, Place, Style

SURE = 0.3  # score from which an object counts as seen


@dataclass(frozen=True)
class Wanted:
    """An object that is asked for; ``count`` None is one or more."""

    name: str
    colour: Colour | None = None
    count: int | None = None


@dataclass(frozen=True)
class Ask:
    """Everything that one picture has to fulfil; None and () ask nothing.

    ``position`` is what the first thing is to the second.
    """

    things: tuple[Wanted, ...] = ()
    position: Position | None = None
    place: Place | None = None
    hour: Hour | None = None
    style: Style | None = None


def fulfilled(ask: Ask, seen: Seen) -> bool:
    """Whether a picture in which this was seen is what was asked for."""
    told = (ask.place, seen.place), (ask.hour, seen.hour), (ask.style, seen.style)
    if any(wanted is not None and wanted != said for wanted, said in told):
        return False
    found = [_found(thing, seen) for thing in ask.things]
    if not all(_meets(thing, those) for thing, those in zip(ask.things, found, strict=True)):
        return False
    return ask.position is None or holds(ask.position, found[0][0].box, found[1][0].box)


def each_fulfilled(asks: Iterable[Ask], seen: Iterable[Seen]) -> list[bool]:
    """Whether each of some pictures is what was asked for of it."""
    return [fulfilled(ask, one) for ask, one in zip(asks, seen, strict=True)]


def _found(thing: Wanted, seen: Seen) -> list[Sighting]:
    """The sightings of a kind, the surest first."""
    those = [one for one in seen.objects if one.kind == thing.name and one.score > SURE]
    return sorted(those, key=lambda one: -one.score)


def _meets(thing: Wanted, found: list[Sighting]) -> bool:
    if not found or (thing.count is not None and len(found) != thing.count):
        return False
    return thing.colour is None or found[0].colour == thing.colour
