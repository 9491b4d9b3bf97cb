"""What somebody with perfect eyes sees in a scene."""

from mezzotint.evals.judge import Seen, Sighting
from mezzotint.world.layout import box, hat_spot
from mezzotint.world.scene import Scene


def sight(scene: Scene) -> Seen:
    found: list[Sighting] = []
    for thing in scene.things:
        for spot in thing.spots:
            found.append(Sighting(thing.name, thing.colour, box(thing.name, spot), 0.9))
            if thing.hat:
                found.append(Sighting(thing.hat, None, box(thing.hat, hat_spot(thing, spot)), 0.9))
    return Seen(tuple(found), scene.place, scene.hour, scene.season, scene.weather, scene.style)
