"""What a caption can tell of a scene, as questions with a few answers each."""

import numpy as np
from numpy.typing import NDArray

from mezzotint.training.data.judge_scene import NAMES
from mezzotint.training.data.pictures import PictureSet
from mezzotint.training.data.scenes import SceneSet, kept_beside
from mezzotint.world.scene import (
    COLOURS,
    HOURS,
    MOST,
    PLACES,
    RELATIONS,
    SEASONS,
    SIZES,
    STYLES,
    WEATHERS,
    Scene,
    Thing,
)
from mezzotint.world.things import HATS

_HATS: tuple[str, ...] = HATS
SLOTS = 3  # things of a scene, at most
LEFT, RIGHT = 0.38, 0.62  # what is between is in the middle

_THING = {
    "kind": len(NAMES),
    "count": MOST,
    "colour": len(COLOURS) + 1,  # the last is the thing's own
    "size": len(SIZES),
    "hat": len(HATS) + 1,  # the last is none
    "column": 3,  # left, middle, right
}
_SCENE = {
    "relation": len(RELATIONS) + 1,  # the last is none
    "place": len(PLACES),
    "background": len(COLOURS) + 1,
    "season": len(SEASONS),
    "hour": len(HOURS),
    "weather": len(WEATHERS),
    "style": len(STYLES),
}
QUESTIONS = {
    **{f"{name} {slot}": count + 1 for slot in range(SLOTS) for name, count in _THING.items()},
    **_SCENE,
}
"""How many answers each has; of a thing, the last is that there is no such thing."""

Facts = NDArray[np.int16]


def facts(scene: Scene) -> list[int]:
    """The answers to ``QUESTIONS``, in their order."""
    things = [*scene.things, *[None] * (SLOTS - len(scene.things))]
    answers = [answer for thing in things for answer in _of_thing(thing)]
    return [
        *answers,
        RELATIONS.index(scene.relation) if scene.relation else len(RELATIONS),
        PLACES.index(scene.place),
        COLOURS.index(scene.background) if scene.background else len(COLOURS),
        SEASONS.index(scene.season),
        HOURS.index(scene.hour),
        WEATHERS.index(scene.weather),
        STYLES.index(scene.style),
    ]


def scene_facts(pictures: PictureSet, scenes: SceneSet) -> Facts:
    """The answers (count, questions) of a set's scenes, kept beside its captions.

    Raises:
        InputError: the folder is not writable.
    """
    return np.concatenate(kept_beside(pictures, scenes, "facts", _told))


def _of_thing(thing: Thing | None) -> list[int]:
    if thing is None:
        return list(_THING.values())
    middle = sum(spot.x for spot in thing.spots) / thing.count
    return [
        NAMES.index(thing.name),
        thing.count - 1,
        COLOURS.index(thing.colour) if thing.colour else len(COLOURS),
        SIZES.index(thing.size),
        _HATS.index(thing.hat) if thing.hat else len(HATS),
        0 if middle < LEFT else 2 if middle > RIGHT else 1,
    ]


def _told(scene: Scene) -> Facts:
    return np.array(facts(scene), np.int16)
