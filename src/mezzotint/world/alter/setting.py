"""Changes of the setting: hour, season, weather, place, style. Every thing keeps its spot."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from mezzotint.world.alter.legal import Pair, pair, stays
from mezzotint.world.chance import Rng, shuffled
from mezzotint.world.compose import contrasting
from mezzotint.world.scene import HOURS, PLACES, SEASONS, STYLES, WEATHERS, Place, Scene


def hour(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """The same at another hour."""
    return _one(scene, (replace(scene, hour=hour) for hour in shuffled(rng, HOURS)))


def season(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """The same in another season, which neon's dark land hardly shows."""
    if scene.style == "neon":
        return None
    return _one(scene, (replace(scene, season=season) for season in shuffled(rng, SEASONS)))


def weather(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """The same in another weather."""
    return _one(scene, (replace(scene, weather=weather) for weather in shuffled(rng, WEATHERS)))


def style(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """The same in another style."""
    return _one(scene, (replace(scene, style=style) for style in shuffled(rng, STYLES)))


def place(rng: Rng, scene: Scene, names: Sequence[str]) -> Pair | None:
    """The same things in another place, or before another plain colour."""
    if not scene.things:  # nothing would be kept
        return None
    places = filter(partial(stays, scene), shuffled(rng, PLACES))
    return _one(scene, (_in(rng, scene, place) for place in places))


def _in(rng: Rng, scene: Scene, place: Place) -> Scene:
    background = contrasting(rng, scene.things) if place == "plain" else None
    return replace(scene, place=place, background=background)


def _one(scene: Scene, others: Iterable[Scene]) -> Pair | None:
    """The scene with the first of the others that it can become."""
    return next((made for other in others if (made := pair(scene, other))), None)
