"""The words of instructions: how people ask for a change of a picture.

In the templates ``{the}`` is the thing as it was, ``{a}`` the thing as it shall be, ``{one}`` the
same without its colour, ``{it}`` a word for all things; ``{noun}`` and ``{phrase}`` are the new
hour, season, weather, place or style, ``{old}`` what it was. An article is always ``a`` until the
end, and a template that stands twice is said twice as often.
"""

import numpy as np

from mezzotint.world import phrases
from mezzotint.world.captions import with_articles
from mezzotint.world.nouns import named, pick
from mezzotint.world.phrases import NUMBERS, Phrases
from mezzotint.world.scene import Hour, Scene, Season, Style, Thing, Weather
from mezzotint.world.things import KINDS, MASS, PLURAL, plural

Rng = np.random.Generator

HOURS: dict[Hour, Phrases] = {
    "dawn": ("dawn", "dawn", "sunrise", "early morning", "daybreak"),
    "day": ("day", "daytime", "noon", "midday"),
    "golden hour": ("golden hour",),
    "sunset": ("sunset", "sunset", "dusk", "evening"),
    "night": ("night", "night", "night", "night time", "midnight"),
}
HOUR: Phrases = (
    *("make it {noun}", "make it {noun}", "turn it into {noun}", "change the time to {noun}"),
    *(
        "change the time of day to {noun}",
        "set it {phrase}",
        "show it {phrase}",
        "let it be {noun}",
    ),
    *("the same {phrase}", "the same picture {phrase}", "make it look like {noun}"),
)
SEASONS: dict[Season, Phrases] = {
    "spring": ("spring", "spring", "springtime"),
    "summer": ("summer", "summer", "summertime"),
    "autumn": ("autumn", "autumn", "fall"),
    "winter": ("winter", "winter", "wintertime"),
}
SEASON: Phrases = (
    *("make it {noun}", "make it {noun}", "change the season to {noun}", "turn it into {noun}"),
    *("change the background to {noun}", "change the background to {noun}", "let it be {noun}"),
    *("change {old} to {noun}", "turn {old} into {noun}", "show it {phrase}", "set it {phrase}"),
    *("the same {phrase}", "the same picture {phrase}"),
)
WEATHER: dict[Weather, Phrases] = {
    "rain": (
        *("make it rain", "make it rain", "let it rain", "add rain", "add some rain"),
        *("make it rainy", "make the weather rainy", "the same in the rain", "put it in the rain"),
    ),
    "snowfall": (
        *("make it snow", "make it snow", "let it snow", "add falling snow", "add snowfall"),
        *("make snow fall", "the same in falling snow", "let snow fall", "add snowflakes"),
    ),
    "fog": (
        *("make it foggy", "make it foggy", "add fog", "add some fog", "make it misty", "add mist"),
        *("put it in the fog", "the same in the fog", "cover it in fog"),
    ),
    "clear": ("make the weather clear", "clear the sky", "the same under a clear sky"),
}
CLEARED: dict[Weather, Phrases] = {
    "rain": ("stop the rain", "remove the rain", "let the rain stop", "make it stop raining"),
    "snowfall": ("stop the snow", "remove the falling snow", "make it stop snowing"),
    "fog": ("remove the fog", "let the fog lift", "clear the fog", "take away the fog"),
}
"""For clear weather, where it was not."""

PLACE: Phrases = (
    *("put {it} {phrase}", "put {it} {phrase}", "move {it} to {noun}", "show {it} {phrase}"),
    *("change the background to {noun}", "change the background to {noun}", "set it {phrase}"),
    *("replace the background with {noun}", "make the background {noun}", "the same {phrase}"),
    *("place {it} {phrase}", "let {it} be {phrase}"),
)
BACKGROUND: Phrases = ("make the background {colour}", "change the background to {colour}")

MANNERS: dict[Style, Phrases] = {
    "storybook": ("draw it like a storybook", "make it look like a storybook"),
    "flat": ("make it flat", "draw it in flat colours", "make it a flat design"),
    "ink": ("draw it in ink", "draw it with pen and ink", "sketch it in ink"),
    "oil": ("paint it in oils", "paint it in oils", "paint it in oil", "make it look oil painted"),
    "watercolour": ("paint it in watercolours", "paint it in watercolour", "watercolour it"),
    "neon": ("make it neon", "draw it in neon lights", "make it glow in neon"),
    "pixel": ("make it pixel art", "pixelate it", "draw it in pixels", "turn it into pixel art"),
    "paper": ("cut it out of paper", "make it out of paper", "make it paper-cut"),
}
STYLE: Phrases = (
    *("make it a {noun}", "turn it into a {noun}", "redraw it as a {noun}", "as a {noun}"),
    *("change the style to {tag}", "the same as a {noun}", "change it to a {noun}"),
)

COLOUR: Phrases = (
    *("make {the} {colour}", "make {the} {colour}", "turn {the} {colour}", "paint {the} {colour}"),
    *("change {the} to {colour}", "colour {the} {colour}", "color {the} {colour}"),
    *("change the colour of {the} to {colour}", "change the color of {the} to {colour}"),
)

HAT_ON: Phrases = (
    *("put {hat} on {the}", "put {hat} on {the}", "give {the} {hat}", "add {hat} to {the}"),
    *("let {the} wear {hat}", "make {the} wear {hat}", "dress {the} in {hat}"),
)
HAT_ALONE: Phrases = (
    "add {hat}",
    "add {hat}",
    "put {hat} on it",
    "put on {hat}",
    "add {hat} on top",
)
"""Where there is one head only."""

HAT_OFF: Phrases = (
    *("remove the {old}", "take off the {old}", "take the {old} off {the}", "no {old}"),
    *("remove the {old} from {the}", "take away the {old}", "get rid of the {old}"),
)
HAT_CHANGED: Phrases = (
    *("change the {old} to {hat}", "replace the {old} with {hat}", "turn the {old} into {hat}"),
    *("swap the {old} for {hat}", "give {the} {hat} instead of the {old}"),
)

ADD: Phrases = (
    *("add {a}", "add {a}", "add {a}", "put {a} in", "draw {a}", "place {a} in the picture"),
    *("insert {a}", "put {a} there", "add {a} to the picture", "add {a} to the scene"),
)
ADD_TO: Phrases = ("add {a} {where}", "add {a} {where}", "put {a} {where}", "place {a} {where}")
WHERE: dict[str, tuple[Phrases, Phrases]] = {
    "beside": (
        ("to the left of", "to the left of", "left of", "next to", "beside"),
        ("to the right of", "to the right of", "right of", "next to", "beside"),
    ),
    "above": (("above", "above", "over"), ("below", "under", "beneath")),
    "on": (("on top of", "on", "on top of"), ("under", "beneath")),
}
"""Of the first and of the second thing of a relation, to the other."""

REMOVE: Phrases = (
    *("remove {the}", "remove {the}", "remove {the}", "delete {the}", "erase {the}"),
    *("take away {the}", "take {the} out", "get rid of {the}", "make {the} disappear"),
    *("the same without {the}", "remove {the} from the picture"),
)
REPLACE: Phrases = (
    *("turn {the} into {a}", "turn {the} into {a}", "replace {the} with {a}", "swap {the} for {a}"),
    *("replace {the} by {a}", "change {the} to {a}", "change {the} into {a}", "make {the} {a}"),
    *("{a} instead of {the}", "put {a} in place of {the}"),
)

POLITE = 0.04


def asked(
    rng: Rng, kind: str, before: Scene, after: Scene, was: Thing | None, now: Thing | None
) -> str:
    """Words for a change of this kind between two scenes, and of one thing, as it was and is."""
    old, new = was or now, now or was
    if old is None or new is None:
        text = _of_setting(rng, kind, before, after)
    else:
        text = _of_thing(rng, kind, before, after, old, new)
    if rng.random() < POLITE:
        text = f"please {text}"
    return with_articles(" ".join(text.split()))


def _of_setting(rng: Rng, kind: str, before: Scene, after: Scene) -> str:
    if kind == "hour":
        noun, phrase = pick(rng, HOURS[after.hour]), pick(rng, phrases.HOUR_PHRASES[after.hour])
        return pick(rng, HOUR).format(noun=noun, phrase=phrase)
    if kind == "season":
        noun, old = pick(rng, SEASONS[after.season]), before.season
        phrase = pick(rng, phrases.SEASON_PHRASES[after.season])
        return pick(rng, SEASON).format(noun=noun, phrase=phrase, old=old)
    if kind == "weather":
        cleared = CLEARED[before.weather] * 2 if after.weather == "clear" else ()
        return pick(rng, WEATHER[after.weather] + cleared)
    return _moved(rng, before, after) if kind == "place" else _restyled(rng, after.style)


def _of_thing(rng: Rng, kind: str, before: Scene, after: Scene, was: Thing, now: Thing) -> str:
    if kind == "hat":
        return _hatted(rng, before, was, now)
    if kind == "add":
        return _added(rng, after, now)
    the = _the(rng, was)
    if kind == "remove":
        return pick(rng, REMOVE).format(the=the)
    if kind == "replace":
        return pick(rng, REPLACE).format(the=the, a=_a(rng, now, 0.5))
    assert now.colour is not None
    colour = pick(rng, phrases.COLOUR_WORDS.get(now.colour, (now.colour,)))
    return pick(rng, COLOUR).format(the=the, colour=colour)


def _moved(rng: Rng, before: Scene, after: Scene) -> str:
    if after.place == "plain" and rng.random() < 0.4:
        return pick(rng, BACKGROUND).format(colour=after.background)
    noun = pick(rng, phrases.SCENERY[after.place]).replace("_", "").format(after.background)
    phrase = pick(rng, phrases.PLACE_PHRASES[after.place]).replace("_", "").format(after.background)
    drawings = sum(thing.count for thing in before.things)
    it = _the(rng, before.things[0]) if len(before.things) == 1 and rng.random() < 0.5 else ""
    it = it or ("it" if drawings == 1 else "them")
    return pick(rng, PLACE).format(it=it, noun=noun, phrase=phrase)


def _restyled(rng: Rng, style: Style) -> str:
    if rng.random() < 0.5:
        return pick(rng, MANNERS[style])
    noun, tag = pick(rng, phrases.STYLE_NOUNS[style]), pick(rng, phrases.STYLE_TAGS[style])
    return pick(rng, STYLE).format(noun=noun, tag=tag)


def _hatted(rng: Rng, before: Scene, was: Thing, now: Thing) -> str:
    the, old = _the(rng, was), _hat(rng, was.hat)
    hat = f"a {_hat(rng, now.hat)}"
    if now.hat is None:
        return pick(rng, HAT_OFF).format(the=the, old=old)
    if was.hat is not None:
        return pick(rng, HAT_CHANGED).format(the=the, old=old, hat=hat)
    if len(before.things) == 1 and rng.random() < 0.5:
        return pick(rng, HAT_ALONE).format(hat=hat)
    return pick(rng, HAT_ON).format(the=the, hat=hat)


def _added(rng: Rng, after: Scene, now: Thing) -> str:
    a = _a(rng, now, 1.0)
    if now.size != "medium" and now.count == 1 and rng.random() < 0.25:
        a = a.replace("a ", f"a {pick(rng, phrases.SIZE_WORDS[now.size])} ", 1)
    where = _where(rng, after, now)
    if where and rng.random() < 0.55:
        return pick(rng, ADD_TO).format(a=a, where=where)
    return pick(rng, ADD).format(a=a)


def _where(rng: Rng, after: Scene, now: Thing) -> str:
    """Where the new thing is from the others, or in the picture where it is in a row of three."""
    k = after.things.index(now)
    if len(after.things) == 3:
        return phrases.SIDES[k]
    if len(after.things) < 2 or after.relation is None:
        return ""
    other = _the(rng, after.things[1 - k])
    return f"{pick(rng, WHERE[after.relation][k])} {other}"


def _hat(rng: Rng, hat: str | None) -> str:
    if hat is None:
        return ""
    kind = KINDS[hat]
    return pick(rng, (kind.name, *kind.synonyms)) if rng.random() < 0.3 else kind.name


def _the(rng: Rng, thing: Thing) -> str:
    """A thing that is in the picture: sometimes with its number and colour."""
    colour = thing.colour if thing.colour is not None and rng.random() < 0.35 else ""
    number = pick(rng, NUMBERS[thing.count][:4]) if thing.count > 1 and rng.random() < 0.4 else ""
    name = named(thing, rng, coloured=bool(colour))
    return f"the {number} {colour} {plural(name) if thing.count > 1 else name}"


def _a(rng: Rng, thing: Thing, coloured: float) -> str:
    """A thing that is to come, its colour as often as told."""
    colour = thing.colour if thing.colour is not None and rng.random() < coloured else ""
    name = named(thing, rng, coloured=bool(colour))
    if thing.count > 1:
        return f"{pick(rng, NUMBERS[thing.count])} {colour} {plural(name)}"
    if thing.name in PLURAL:
        return f"{'some' if rng.random() < 0.4 else ''} {colour} {name}".strip()
    bare = thing.name in MASS and rng.random() < 0.3
    return f"{'' if bare else 'a'} {colour} {name}".strip()
