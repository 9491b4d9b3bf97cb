"""What a changed scene must hold to be one that could have been drawn from a seed."""

from mezzotint.world.compose import CLEAR, contrast
from mezzotint.world.figures import drawings
from mezzotint.world.layout import FREE, GROUND, GROUNDS, WATERLINE, draught, footing
from mezzotint.world.sample import can_have, weathers
from mezzotint.world.scene import HOURLESS, SEASONAL, Place, Scene, Spot
from mezzotint.world.withheld import kept_back

Pair = tuple[Scene, Scene]
"""Before and after."""

LOWEST, OFF = 0.85, 0.005
"""The lowest foot of what floats over land or water, and how far feet may be off their line."""
FOREMOST = 0.98  # what is in front of another stands nearer than what is alone


def pair(before: Scene, after: Scene) -> Pair | None:
    """The pair, unless nothing changes or the second is not one that a seed could give."""
    return (before, after) if after != before and legal(after) else None


def legal(scene: Scene) -> bool:
    """Whether the setting is one that its place has, and nothing is kept back or drowns in it."""
    place = scene.place
    if scene.season != "summer" and place not in SEASONAL:
        return False
    if scene.hour != "day" and place in HOURLESS:
        return False
    if scene.weather not in weathers(place, scene.season):
        return False
    if scene.background is not None and contrast(scene.things, scene.background) <= CLEAR:
        return False
    shown = [name for thing in scene.things for name in (thing.name, thing.hat) if name is not None]
    return can_have(place, shown, scene.relation) and not kept_back(scene)


def stays(scene: Scene, place: Place) -> bool:
    """Whether every drawing may keep its spot in another place."""
    if place in FREE:
        return True
    return all(
        on_top or _at_home(thing.name, spot, place, scene.relation == "in front")
        for thing, spot, on_top in drawings(scene)
    )


def _at_home(name: str, spot: Spot, place: Place, overlapping: bool) -> bool:
    how = footing(name, place)
    if how == "floats":
        return spot.y <= LOWEST
    if how == "afloat":
        return abs(spot.y - WATERLINE[place] - draught(name) * spot.height) <= OFF
    back, front = GROUNDS.get(place, GROUND)
    return back - OFF <= spot.y <= (FOREMOST if overlapping else front + OFF)
