"""Changes of one thing: its colour, its hat, that it is there, what it is.

Every other thing keeps its spot. What pixel art keeps is not even that, since its few colours are
chosen for the whole picture, so these changes are never made in that style.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mezzotint.world.alter.legal import Pair, pair
from mezzotint.world.arrange import arrange, join
from mezzotint.world.chance import Rng, draw, drawn, shuffled
from mezzotint.world.compose import Item
from mezzotint.world.layout import (
    OVERHANG,
    WATERLINE,
    Box,
    box,
    draught,
    figure,
    footing,
    hat_spot,
    meet,
    reach,
    size_of,
)
from mezzotint.world.sample import SIZES, coloured, joins
from mezzotint.world.scene import Scene, Spot, Thing
from mezzotint.world.sprites import aspect, main_colour
from mezzotint.world.things import HATS, KINDS

SEEN = 0.4  # of a thing's mean colour, of 3: what is less is no change
RIM = 0.01  # of the picture, that nothing is moved into
SHRUNK = (1.0, 0.9, 0.8)  # how much lower what replaces a thing may be


def colour(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """A thing in another colour."""
    k = _any(rng, scene)
    if k is None:
        return None
    thing = scene.things[k]
    old = main_colour(thing.name, thing.colour)

    for new in shuffled(rng, KINDS[thing.name].colours):
        if float(np.abs(main_colour(thing.name, new) - old).sum()) > SEEN:
            return pair(scene, _with(scene, k, replace(thing, colour=new)))
    return None


def hat(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """A hat put on, taken off, or changed for another."""
    k = _any(rng, scene)
    if k is None or KINDS[scene.things[k].name].head is None or (k and scene.relation == "on"):
        return None
    thing, worn = scene.things[k], _shown(scene)
    new = drawn(rng, HATS, lambda hat: hat in names and joins(hat, worn))
    if new is None or thing.count > 1:
        return None
    hatted = replace(thing, hat=new)
    (spot,) = thing.spots
    inside = _inside(reach(hatted, spot))
    if not inside or not _apart([box(new, hat_spot(hatted, spot))], scene, k):
        return None
    made = pair(scene, _with(scene, k, hatted))
    off = thing.hat is None and rng.random() < 0.4
    return (made[1], made[0]) if made and off else made


def add(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """A thing more, where there is room for it."""
    if rng.random() < 0.5:
        return _joined(rng, scene, names)
    told = any(
        thing.name in HATS or thing.hat for thing in scene.things
    )  # *add a hat* is for heads
    made = None if told or scene.relation == "in front" else remove(rng, scene, names)
    return (made[1], made[0]) if made else None


def remove(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """A thing less; what stands on it is never left in the air."""
    k = _any(rng, scene)
    if k is None or (scene.relation == "on" and k == 1):
        return None
    rest = _told([thing for thing in scene.things if thing is not scene.things[k]])
    if not rest and scene.place == "plain":
        return None
    relation = scene.relation if len(rest) > 1 else None
    return pair(scene, replace(scene, things=rest, relation=relation))


def replaced(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """Another thing at a thing's spot, of the same size, in its colour and hat if it has any."""
    k = _any(rng, scene)
    if k is None or scene.relation == "in front" or (scene.relation == "on" and k == 1):
        return None
    thing = scene.things[k]
    others = [name for name in _shown(scene) if name != thing.name]
    name = drawn(
        rng, names, lambda name: name != thing.name and joins(name, others) and _can(scene, k, name)
    )
    if name is None:
        return None
    for shrunk in SHRUNK:
        spots = tuple(_moved(scene, name, spot, shrunk) for spot in thing.spots)
        new = replace(thing, name=name, spots=spots)
        if _fits(scene, k, new):
            return pair(scene, _with(scene, k, new))
    return None


def _any(rng: Rng, scene: Scene) -> int | None:
    """One of the things, if a change of one can be made."""
    if not scene.things or scene.style == "pixel":
        return None
    return int(rng.integers(len(scene.things)))


def _with(scene: Scene, k: int, thing: Thing) -> Scene:
    return replace(scene, things=(*scene.things[:k], thing, *scene.things[k + 1 :]))


def _shown(scene: Scene) -> list[str]:
    return [name for thing in scene.things for name in (thing.name, thing.hat) if name is not None]


def _told(things: Sequence[Thing]) -> tuple[Thing, ...]:
    """The things with their sizes named anew: what is large among three is small alone."""
    count = sum(thing.count for thing in things)
    return tuple(
        replace(
            thing,
            size=size_of(figure(thing.name, thing.size, thing.hat), count, thing.spots[0].height),
        )
        for thing in things
    )


def _joined(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """One more in a row of none, one or two."""
    row = scene.relation in (None, "beside") and len(scene.things) < 3
    if not row or scene.style == "pixel" or any(thing.count > 1 for thing in scene.things):
        return None
    shown = _shown(scene)
    name = drawn(rng, names, lambda name: name not in HATS and joins(name, shown))
    if name is None:
        return None
    item = coloured(rng, Item(name, draw(rng, SIZES["two"])))
    new = figure(name, item.size)
    if scene.things:
        others = [
            (figure(thing.name, thing.size, thing.hat), thing.spots[0]) for thing in scene.things
        ]
        spot = join(rng, new, others, scene.place)
    else:
        (spot,) = arrange(rng, [new], None, scene.place, alike=True)
    if spot is None:
        return None
    thing = Thing(name, item.size, item.colour, None, (spot,))
    things = sorted((*scene.things, thing), key=lambda thing: thing.spots[0].x)
    relation = "beside" if scene.things else None
    return pair(scene, replace(scene, things=_told(things), relation=relation))


def _can(scene: Scene, k: int, name: str) -> bool:
    """Whether another kind can be in a thing's place, in its number and colour."""
    thing, kind = scene.things[k], KINDS[name]
    return (
        footing(name, scene.place) == footing(thing.name, scene.place)
        and (thing.colour is None or thing.colour in kind.colours)
        and (thing.count == 1 or kind.countable)
        and (thing.hat is None or kind.head is not None)
        and (scene.relation != "on" or kind.habitat == "ground")
    )


def _moved(scene: Scene, name: str, spot: Spot, shrunk: float) -> Spot:
    """The spot for another kind: the same, but for how deep it is in the water."""
    height = round(spot.height * shrunk, 4)
    if footing(name, scene.place) != "afloat" or scene.relation == "on":
        return replace(spot, height=height)
    return Spot(spot.x, round(WATERLINE[scene.place] + draught(name) * height, 4), height)


def _fits(scene: Scene, k: int, new: Thing) -> bool:
    """Whether a changed thing has room, and is still called as large."""
    reaches = [reach(new, spot) for spot in new.spots]
    count = sum(thing.count for thing in scene.things)
    drawn_as = figure(new.name, new.size, new.hat)
    if any(size_of(drawn_as, count, spot.height) != new.size for spot in new.spots):
        return False
    if not all(map(_inside, reaches)):
        return False
    if any(meet(a, b) for i, a in enumerate(reaches) for b in reaches[:i]):
        return False
    return _holds(scene, new) if scene.relation == "on" else _apart(reaches, scene, k)


def _holds(scene: Scene, upper: Thing) -> bool:
    """Whether the second thing is broad enough for another to stand on it."""
    lower = scene.things[1]
    top = KINDS[lower.name].top
    assert top is not None, f"nothing can stand on {lower.name}"
    surface = top[2] * aspect(lower.name) * lower.spots[0].height
    return aspect(upper.name) * upper.spots[0].height <= OVERHANG * surface


def _inside(own: Box) -> bool:
    return own[0] >= RIM and own[1] >= RIM and own[2] <= 1 - RIM and own[3] <= 1 - RIM


def _apart(own: Sequence[Box], scene: Scene, k: int) -> bool:
    """Whether boxes meet no other drawing than those of one thing."""
    others = [
        reach(thing, spot)
        for thing in scene.things
        if thing is not scene.things[k]
        for spot in thing.spots
    ]
    return not any(meet(a, b) for a in own for b in others)
