"""The light of an hour and a weather: the sky's colours, and what it does to land and things."""

from dataclasses import dataclass, replace

import numpy as np

from mezzotint.world.paint import Array, mix, rgb
from mezzotint.world.scene import HOURLESS, Hour, Scene, Weather


@dataclass(frozen=True)
class Light:
    """Colours are ``(3, 1, 1)``.

    ``high``, ``middle`` and ``low`` are the sky from its top to the horizon; ``land`` and
    ``things`` multiply what they fall on. ``sun`` is the colour of the sun's or moon's glow,
    ``shade`` of shadows; ``slant`` is how far a shadow reaches aside, in widths of its thing;
    ``lamps`` is how bright windows are, in [0, 1].
    """

    high: Array
    middle: Array
    low: Array
    land: Array
    things: Array
    sun: Array
    shade: Array
    slant: float
    lamps: float


def _tint(*values: float) -> Array:
    return np.array(values, np.float32)[:, None, None]


LIGHTS: dict[Hour, Light] = {
    "dawn": Light(
        high=rgb("8fa5da"),
        middle=rgb("efc0d4"),
        low=rgb("ffe4d2"),
        land=_tint(0.93, 0.82, 0.92),
        things=rgb("fdeff3"),
        sun=rgb("ffe9dc"),
        shade=rgb("6a5a86"),
        slant=0.35,
        lamps=0.25,
    ),
    "day": Light(
        high=rgb("56aeee"),
        middle=rgb("9bd3f6"),
        low=rgb("e0f4f8"),
        land=_tint(1, 1, 1),
        things=rgb("ffffff"),
        sun=rgb("fff3c0"),
        shade=rgb("2c3a52"),
        slant=0.0,
        lamps=0.0,
    ),
    "golden hour": Light(
        high=rgb("9cc0c4"),
        middle=rgb("fbdf9a"),
        low=rgb("ffc45e"),
        land=_tint(1.06, 0.91, 0.66),
        things=rgb("ffefcf"),
        sun=rgb("ffe08a"),
        shade=rgb("6b4a2a"),
        slant=0.6,
        lamps=0.3,
    ),
    "sunset": Light(
        high=rgb("463a86"),
        middle=rgb("c9568f"),
        low=rgb("ff9a4d"),
        land=_tint(0.74, 0.53, 0.66),
        things=rgb("ffe3d6"),
        sun=rgb("ffb35c"),
        shade=rgb("2a1838"),
        slant=0.5,
        lamps=0.75,
    ),
    "night": Light(
        high=rgb("0a1033"),
        middle=rgb("18265c"),
        low=rgb("3a4f96"),
        land=_tint(0.33, 0.4, 0.68),
        things=rgb("d3dafc"),
        sun=rgb("c6d2ff"),
        shade=rgb("060818"),
        slant=-0.25,
        lamps=1.0,
    ),
}

DULLING: dict[Weather, tuple[float, float, float]] = {
    "clear": (0.0, 1.0, 1.0),
    "rain": (0.62, 0.72, 0.8),
    "snowfall": (0.5, 1.0, 0.92),
    "fog": (0.55, 1.06, 0.94),
}
"""How grey the weather makes the sky, and what it leaves of the sky's and the land's light."""


def light_of(scene: Scene) -> Light:
    """The light of the scene's hour under its weather."""
    light = LIGHTS["day" if scene.place in HOURLESS else scene.hour]
    if scene.place == "underwater":
        return replace(light, things=rgb("f0fbff"), shade=rgb("0d3a55"))
    if scene.place == "space":
        return replace(light, things=rgb("fafaff"))
    if scene.weather == "clear":
        return light
    grey, sky, land = DULLING[scene.weather]
    return replace(
        light,
        high=_dulled(light.high, grey, sky),
        middle=_dulled(light.middle, grey, sky),
        low=_dulled(light.low, grey * 0.8, sky),
        land=_dulled(light.land, grey * 0.5, land),
        things=_dulled(light.things, 0.0, (1 + land) / 2),
        slant=0.0,
        lamps=max(light.lamps, 0.4),
    )


def _dulled(colour: Array, grey: float, strength: float) -> Array:
    mean = np.full_like(colour, colour.mean())
    return np.minimum(mix(colour, mean, grey) * np.float32(strength), 1.1)
