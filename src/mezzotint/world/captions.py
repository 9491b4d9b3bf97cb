"""A scene's caption, worded as people word their prompts."""

import numpy as np

from mezzotint.errors import InputError, unknown
from mezzotint.world.phrases import (
    HOUR_PHRASES,
    PLACE_PHRASES,
    PLACE_TAGS,
    SIZE_WORDS,
    STYLE_PHRASES,
    WEATHER_PHRASES,
    WEATHER_TAGS,
)
from mezzotint.world.scene import DENSITIES, HOURLESS, Density, Scene, Thing
from mezzotint.world.things import KINDS, MASS, PLURAL

Rng = np.random.Generator


def caption(scene: Scene, seed: int, density: Density = "dense") -> str:
    """One caption of a scene, in lower case and at most 40 words.

    ``dense`` names every object with its colour, size and position, the place, hour, weather and
    style. ``short`` leaves some of that out, as people do. ``tags`` is a list of keywords.

    Raises:
        InputError: the seed is negative or the density unknown.
    """
    if density not in DENSITIES:
        raise unknown("density", density, DENSITIES)
    if seed < 0:
        raise InputError(f"seed {seed} is negative: choose 0 or more")
    rng = np.random.Generator(np.random.PCG64((seed, DENSITIES.index(density), scene.variant)))
    if density == "tags":
        return ", ".join(_tags(scene, rng))
    return _sentence(scene, rng, dense=density == "dense")


def _pick(rng: Rng, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _named(thing: Thing, rng: Rng) -> str:
    """The object's name, or sometimes a synonym."""
    kind = KINDS[thing.name]
    return _pick(rng, kind.synonyms) if kind.synonyms and rng.random() < 0.25 else kind.name


def _noun(thing: Thing, rng: Rng, *, sized: float, coloured: float, extra: str = "") -> str:
    """``a small red car``: each adjective is said with its probability."""
    name = _named(thing, rng)
    size = _pick(rng, SIZE_WORDS[thing.size]) if rng.random() < sized else ""
    colour = thing.colour if thing.colour and rng.random() < coloured else ""
    if colour:
        name = name.removeprefix("red ").removeprefix("brown ")
    words = " ".join(word for word in (size, extra, colour, name) if word)
    if name in PLURAL:
        return words
    if name in MASS and rng.random() < 0.3:
        return words
    return f"the {words}" if rng.random() < 0.04 else f"{_article(words)} {words}"


def _article(words: str) -> str:
    """``a`` or ``an``: a u sounds as in unicorn, save in umbrella."""
    return "an" if words.startswith(("a", "e", "i", "o", "umb")) else "a"


def _place(scene: Scene, rng: Rng) -> str:
    return _pick(rng, PLACE_PHRASES[scene.place]).format(scene.background)


def _sentence(scene: Scene, rng: Rng, *, dense: bool) -> str:
    style = _pick(rng, STYLE_PHRASES[scene.style])
    styled = rng.random() < (1.0 if dense else 0.92)
    if scene.style == "modern":
        styled = rng.random() < (0.15 if dense else 0.04)
    form = rng.random()
    extra = "neon" if styled and scene.style == "neon" and form < 0.4 else ""
    parts = [_things(scene, rng, dense=dense, extra=extra), *_setting(scene, rng, dense=dense)]
    text = " ".join(part for part in parts if part)
    if not styled or extra:
        return text
    if scene.style == "ink" and form < 0.3:
        return f"{_article(style)} {style} of {text}"
    return f"{text}, {style}" if form < 0.8 else f"{text}, {style.removesuffix(' style')} style"


def _setting(scene: Scene, rng: Rng, *, dense: bool) -> list[str]:
    """Place, weather and hour, each where it belongs and where it is said."""
    said: list[str] = []
    if dense or rng.random() < 0.92:
        said.append(_place(scene, rng))
    hourly = scene.place not in HOURLESS
    chance = 0.12 if scene.hour == "day" else 0.88
    if hourly and (rng.random() < chance or dense):
        said.append(_pick(rng, HOUR_PHRASES[scene.hour]))
    if scene.weather != "clear" and (dense or rng.random() < 0.6):
        where = int(rng.integers(1, len(said) + 1)) if said else 0
        said.insert(where, _pick(rng, WEATHER_PHRASES[scene.weather]))
    return said


def _things(scene: Scene, rng: Rng, *, dense: bool, extra: str) -> str:
    """The objects with their relations, from left to right or the other way round."""
    count = len(scene.things)
    sized = (0.35 if count == 1 else 1.0) if dense else 0.15
    if dense and any(thing.size != "large" for thing in scene.things):
        sized = 1.0
    coloured = 1.0 if dense else 0.85
    nouns = [
        _noun(thing, rng, sized=sized, coloured=coloured, extra=extra if k == 0 else "")
        for k, thing in enumerate(scene.things)
    ]
    if count == 1:
        return nouns[0] + _side(scene.things[0], rng, dense=dense)
    related = dense or rng.random() < 0.5
    return _pair(nouns, rng, related) if count == 2 else _three(nouns, rng, related)


def _side(thing: Thing, rng: Rng, *, dense: bool) -> str:
    """Where a single thing is, if it is clearly off the middle."""
    if 0.4 < thing.x < 0.6 or not (dense or rng.random() < 0.3):
        return ""
    side = "left" if thing.x <= 0.4 else "right"
    return " " + _pick(rng, (f"on the {side}", f"on the {side} side"))


def _pair(nouns: list[str], rng: Rng, related: bool) -> str:
    left, right = nouns
    if not related:
        first, second = (left, right) if rng.random() < 0.5 else (right, left)
        return f"{first} {_pick(rng, ('and', 'and', 'next to', 'beside'))} {second}"
    form = rng.random()
    if form < 0.45:
        return f"{left} {_pick(rng, ('to the left of', 'left of'))} {right}"
    if form < 0.8:
        return f"{right} {_pick(rng, ('to the right of', 'right of'))} {left}"
    return f"{left} on the left and {right} on the right"


def _three(nouns: list[str], rng: Rng, related: bool) -> str:
    left, middle, right = nouns
    if not related:
        return f"{left}, {middle} and {right}"
    if rng.random() < 0.5:
        return f"{middle} between {left} on the left and {right} on the right"
    return f"{left} on the left, {middle} in the middle and {right} on the right"


def _tags(scene: Scene, rng: Rng) -> list[str]:
    tags = [
        f"{thing.colour} {thing.name}" if thing.colour else thing.name for thing in scene.things
    ]
    tags.append(PLACE_TAGS[scene.place].format(scene.background))
    if scene.place not in HOURLESS and (scene.hour != "day" or rng.random() < 0.3):
        tags.append(scene.hour)
    if scene.weather != "clear":
        tags.append(WEATHER_TAGS[scene.weather])
    if scene.style != "modern":
        tags.append(STYLE_PHRASES[scene.style][0])
    return tags
