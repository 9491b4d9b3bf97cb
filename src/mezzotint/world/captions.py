"""A scene's caption, worded as people word their prompts."""

import re
from dataclasses import dataclass

import numpy as np

from mezzotint.errors import InputError, unknown
from mezzotint.world import phrases
from mezzotint.world.chance import OF_SETTING, chance
from mezzotint.world.nouns import Detail, objects, pick, plainly, tags
from mezzotint.world.scene import DENSITIES, HOURLESS, OUTDOORS, SEASONAL, Density, Scene

Rng = np.random.Generator

MOST_WORDS = 46


@dataclass(frozen=True)
class Setting:
    """How likely each fact of the setting is said: where it is the world's default, and else."""

    place: float
    style: tuple[float, float]
    hour: tuple[float, float]
    season: tuple[float, float]
    weather: tuple[float, float]
    quality: float


DETAILS: dict[Density, Detail] = {
    "dense": Detail(1.0, 0.4, 0.95, 1.0, 0.9, 0.0, 0.06),
    "short": Detail(0.92, 0.06, 0.4, 0.4, 0.2, 0.05, 0.12),
    "bare": Detail(1.0, 0.0, 0.12, 0.4, 0.0, 0.0, 0.08),
    "tags": Detail(0.95, 0.05, 0.3, 0.4, 0.0, 0.0, 0.04),
}
SETTINGS: dict[Density, Setting] = {
    "dense": Setting(1.0, (0.1, 1.0), (0.35, 1.0), (0.25, 1.0), (0.05, 1.0), 0.12),
    "short": Setting(0.88, (0.02, 0.95), (0.04, 0.9), (0.03, 0.7), (0.01, 0.75), 0.15),
    "tags": Setting(0.95, (0.03, 0.97), (0.06, 0.92), (0.05, 0.8), (0.01, 0.85), 0.15),
}

LEADS: dict[Density, float] = {"dense": 0.06, "short": 0.08, "bare": 0.3}
"""How often a caption begins with *a picture of*."""


def caption(scene: Scene, seed: int, density: Density = "dense") -> str:
    """One caption of a scene, in lower case and at most 46 words: the same for ever.

    ``dense`` says everything: number, size, colour, hat, relation and position of the objects;
    place, season, hour, weather and style. ``short`` leaves some of that out, as people do.
    ``bare`` has the objects, their colours and relation, and at most one fact more. ``tags`` is a
    list of keywords. What is the world's default is seldom said, and what is unsaid is mostly the
    default.

    Raises:
        InputError: the seed is negative or the density unknown.
    """
    if density not in DENSITIES:
        raise unknown("density", density, DENSITIES)
    if seed < 0:
        raise InputError(f"seed {seed} is negative: choose 0 or more")
    rng = np.random.Generator(np.random.PCG64((seed, DENSITIES.index(density), scene.variant)))
    text = ""
    while not 0 < len(text.split()) <= MOST_WORDS:
        text = _tags(scene, rng) if density == "tags" else _sentence(scene, rng, density)
    return text


def setting_caption(scene: Scene, seed: int) -> str:
    """Place, season, hour, weather and style in words that name no thing: the same for ever.

    For a model that sees the things in another picture: *in the snow at night*, *a watercolour*.

    Raises:
        InputError: the seed is negative.
    """
    rng = chance(seed, OF_SETTING, scene.variant)
    said = {fact for fact in _facts(scene, rng, "short") if fact != "style"}
    place, others = _setting(scene, rng, said, "")
    words = [place, *others] if place else others
    if scene.things:  # else the place is the picture's subject
        words = [words[k] for k in rng.permutation(len(words))]
    where, joint = " ".join(words), " " if scene.things else " of "
    styled = rng.random() < SETTINGS["short"].style["style" in _unlike(scene)]
    bare = bool(where) and rng.random() < 0.5
    if styled and bare:
        return with_articles(f"{where}, {pick(rng, phrases.STYLE_TAGS[scene.style])}")
    noun = pick(rng, phrases.STYLE_NOUNS[scene.style]) if styled else "picture"
    text = where if bare else f"a {noun}{joint}{where}" if where else f"a {noun}"
    return with_articles(text)


def things_caption(scene: Scene) -> str:
    """The things alone, always in the same words: *two red apples, a unicorn wearing a crown*.

    Each has its number, colour and hat; they come in the order of their names.
    """
    things = sorted(scene.things, key=lambda thing: (thing.name, thing.colour or ""))
    return with_articles(", ".join(map(plainly, things)))


def style_caption(scene: Scene) -> str:
    """The style alone, always in the same words: *oil painting*."""
    return phrases.STYLE_TAGS[scene.style][0]


def _facts(scene: Scene, rng: Rng, density: Density) -> set[str]:
    """Which facts of the setting are said: place, style, hour, season, weather."""
    unlike = _unlike(scene)
    if density == "bare":
        return _one_fact(scene, rng, unlike)
    setting = SETTINGS[density]
    chances = {
        "place": setting.place if scene.things else 1.0,
        "style": setting.style["style" in unlike],
        "hour": setting.hour["hour" in unlike] * (scene.place not in HOURLESS),
        "season": setting.season["season" in unlike] * (scene.place in SEASONAL),
        "weather": setting.weather["weather" in unlike] * (scene.place in OUTDOORS),
    }
    return {fact for fact, chance in chances.items() if rng.random() < chance}


def _unlike(scene: Scene) -> list[str]:
    """The facts that differ from the world's defaults, which go without saying."""
    defaults = {"style": "storybook", "hour": "day", "season": "summer", "weather": "clear"}
    return [fact for fact, default in defaults.items() if getattr(scene, fact) != default]


def _one_fact(scene: Scene, rng: Rng, unlike: list[str]) -> set[str]:
    """The place if it is all there is, and the one fact that would be missed most."""
    said = set[str]() if scene.things else {"place"}
    if "style" in unlike:
        return said | {"style"}
    if unlike and rng.random() < 0.8:
        return said | {pick(rng, tuple(unlike))}
    return said | {"place"} if unlike or rng.random() < 0.5 else said


def _sentence(scene: Scene, rng: Rng, density: Density) -> str:
    said = _facts(scene, rng, density)
    manners = phrases.STYLE_ADJECTIVES.get(scene.style, ())
    manner = ""
    if "style" in said and manners and rng.random() < 0.25:
        manner = pick(rng, manners)
        said.remove("style")
    place, others = _setting(scene, rng, said, "" if scene.things else manner)
    if scene.things:
        subject, whole = objects(scene, rng, DETAILS[density], manner)
        where = [place, *others] if place else others
    else:
        subject, whole, where = place, False, others
    if rng.random() < 0.25:
        where = [where[k] for k in rng.permutation(len(where))]
    text = _worded(scene, rng, subject, " ".join(where), said, LEADS[density], whole=whole)
    return with_articles(_praised(text, rng, density))


def _setting(scene: Scene, rng: Rng, said: set[str], manner: str) -> tuple[str, list[str]]:
    """The place with what is said of it in adjectives, and the rest in phrases of their own."""
    options = phrases.PLACE_PHRASES if scene.things else phrases.SCENERY
    place = pick(rng, options[scene.place]).format(scene.background) if "place" in said else ""
    adjectives, others = [manner] if manner else [], list[str]()
    for fact, adjective, phrase in (
        ("season", phrases.SEASON_ADJECTIVES, phrases.SEASON_PHRASES),
        ("hour", phrases.HOUR_ADJECTIVES, phrases.HOUR_PHRASES),
        ("weather", phrases.WEATHER_ADJECTIVES, phrases.WEATHER_PHRASES),
    ):
        value = getattr(scene, fact)
        words = adjective.get(value, ()) if "_" in place else ()
        if fact in said and words and len(adjectives) < 2 and rng.random() < 0.35:
            adjectives.insert(0, pick(rng, words))
        elif fact in said:
            others.append(pick(rng, phrase[value]))
    if rng.random() < (0.05 if scene.things else 0.3):
        adjectives.insert(0, pick(rng, phrases.SERENE))
    return " ".join(place.replace("_", " ".join(adjectives)).split()), others


def _worded(
    scene: Scene, rng: Rng, subject: str, where: str, said: set[str], lead: float, *, whole: bool
) -> str:
    """Subject, setting and style in one of the orders in which people put them."""
    ahead = bool(where) and rng.random() < 0.12
    commas = ", " if ahead or rng.random() < 0.06 else " "
    text = commas.join(part for part in ((where, subject) if ahead else (subject, where)) if part)
    sentence = whole or ahead
    if "style" in said:
        form = rng.random()
        if form < 0.35 and not sentence:
            return f"a {pick(rng, phrases.STYLE_NOUNS[scene.style])} of {text}"
        tag = pick(rng, phrases.STYLE_TAGS[scene.style])
        return f"{tag}, {text}" if form > 0.88 else f"{text}, {tag}"
    if not sentence and rng.random() < lead:
        return f"{pick(rng, phrases.OPENINGS)} {text}"
    return text


def _tags(scene: Scene, rng: Rng) -> str:
    """Keywords, mostly the objects first."""
    said = _facts(scene, rng, "tags")
    words = tags(scene, rng, DETAILS["tags"])
    others = [
        pick(rng, table[getattr(scene, fact)]).format(scene.background)
        for fact, table in (
            ("place", phrases.PLACE_TAGS),
            ("season", phrases.SEASON_TAGS),
            ("hour", phrases.HOUR_TAGS),
            ("weather", phrases.WEATHER_TAGS),
            ("style", phrases.STYLE_TAGS),
        )
        if fact in said
    ]
    if rng.random() < 0.3:
        others = [others[k] for k in rng.permutation(len(others))]
    ordered = [*others, *words] if rng.random() < 0.15 else [*words, *others]
    return _praised(", ".join(ordered), rng, "tags")


def _praised(text: str, rng: Rng, density: Density) -> str:
    """With words after it that people write by habit."""
    chance = 0.06 if density == "bare" else SETTINGS[density].quality
    while rng.random() < chance:
        text = f"{text}, {pick(rng, phrases.QUALITY)}"
    return text


def with_articles(text: str) -> str:
    """``an`` for ``a`` before a vowel's sound: an hourglass, an umbrella, yet a unicorn, a ufo."""
    return re.sub(r"\ba (?=[aio]|e(?!we|u)|8|hourglass|u[lmpr]|un[^i])", "an ", text)
