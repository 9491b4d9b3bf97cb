"""A scene's objects in words: *two small red apples*, *a cat in a crown on top of the house*."""

from dataclasses import dataclass

import numpy as np

from mezzotint.world.phrases import (
    COLOUR_WORDS,
    LOOSE,
    LOVELY,
    NUMBERS,
    RELATION_PHRASES,
    RELATION_TAGS,
    SIDES,
    SIZE_WORDS,
    THREE,
    UNCOUNTED,
    WORN,
    Phrases,
)
from mezzotint.world.scene import COLOURS, Relation, Scene, Thing
from mezzotint.world.things import KINDS, MASS, PLURAL, plural

Rng = np.random.Generator

LEFT, RIGHT = 0.38, 0.62  # a single thing beyond them is plainly to one side


@dataclass(frozen=True)
class Detail:
    """How likely each thing that is known of the objects is said.

    ``size`` is of a single large or medium object, or of objects of the same size; what is small,
    or unlike the other, is told apart with ``contrast``. ``relation`` is of things side by side,
    which may go without saying: any other is said. ``unnumbered`` leaves a number out.
    """

    colour: float
    size: float
    contrast: float
    relation: float
    side: float
    unnumbered: float
    lovely: float


def pick(rng: Rng, options: Phrases) -> str:
    """One of the phrases, as likely as another."""
    return options[int(rng.integers(len(options)))]


def objects(scene: Scene, rng: Rng, detail: Detail, manner: str = "") -> tuple[str, bool]:
    """The objects with their relation, and whether they make a sentence of their own (*is*).

    ``manner`` is a style's adjective, said of the first.
    """
    things = scene.things
    whole = len(things) > 1 and rng.random() < 0.07 and not manner
    nouns = [
        _noun(scene, thing, rng, detail, manner if k == 0 else "", the=whole)
        for k, thing in enumerate(things)
    ]
    if len(things) == 1:
        return nouns[0] + _side(things[0], rng, detail), False
    if len(nouns) == 3:
        told = rng.random() < detail.relation
        return (pick(rng, THREE) if told else "{0}, {1} and {2}").format(*nouns), False
    told = scene.relation and _told(scene.relation, rng, detail)
    template = pick(rng, RELATION_PHRASES[told] if told else LOOSE)
    if not whole or " and " in template or " with " in template:
        return template.format(*nouns), False
    subject = things[int(template[1])]
    verb = "are" if subject.count > 1 or subject.name in PLURAL else "is"
    return template.replace("} ", f"}} {verb} ", 1).format(*nouns), True


def tags(scene: Scene, rng: Rng, detail: Detail) -> list[str]:
    """The objects as keywords, in one where their relation is told."""
    words = [_words(scene, thing, rng, detail, "") for thing in scene.things]
    if len(words) == 2 and scene.relation and _told(scene.relation, rng, detail):
        return [pick(rng, RELATION_TAGS[scene.relation]).format(*words)]
    return words


def plainly(thing: Thing) -> str:
    """Number, colour, name and hat of an object, always in the same words."""
    several = thing.count > 1
    words = [
        NUMBERS[thing.count][0] if several else "" if thing.name in PLURAL else "a",
        thing.colour,
        plural(thing.name) if several else thing.name,
        f"wearing {plural(thing.hat) if several else f'a {thing.hat}'}" if thing.hat else "",
    ]
    return " ".join(word for word in words if word)


def _told(relation: Relation, rng: Rng, detail: Detail) -> Relation | None:
    """The relation where it is said: that two things are side by side goes without saying."""
    return relation if relation != "beside" or rng.random() < detail.relation else None


def _side(thing: Thing, rng: Rng, detail: Detail) -> str:
    """Where a single thing is."""
    if thing.count > 1 or rng.random() >= detail.side:
        return ""
    x = thing.spots[0].x
    if LEFT < x < RIGHT:
        return f" {SIDES[1]}" if rng.random() < 0.12 else ""
    return f" {SIDES[0] if x <= LEFT else SIDES[2]}"


def _noun(scene: Scene, thing: Thing, rng: Rng, detail: Detail, manner: str, *, the: bool) -> str:
    words = _words(scene, thing, rng, detail, manner)
    if the or (thing.count == 1 and rng.random() < 0.03):
        return f"the {words}"
    if thing.count > 1 or thing.name in PLURAL:
        return words
    return words if thing.name in MASS and rng.random() < 0.4 else f"a {words}"


def _words(scene: Scene, thing: Thing, rng: Rng, detail: Detail, manner: str) -> str:
    """Number, adjectives, name and hat, without an article."""
    colour = ""
    if thing.colour is not None and rng.random() < detail.colour:
        colour = pick(rng, COLOUR_WORDS.get(thing.colour, (thing.colour,)))
    name = named(thing, rng, coloured=bool(colour))
    words = [
        _number(thing.count, rng, detail),
        pick(rng, LOVELY) if rng.random() < detail.lovely else "",
        _sized(scene, thing, rng, detail),
        manner,
        colour,
        plural(name) if thing.count > 1 else name,
        _worn(thing, rng),
    ]
    return " ".join(word for word in words if word)


def named(thing: Thing, rng: Rng, *, coloured: bool) -> str:
    """The object's name, or sometimes a synonym; not a *brown bear* where it is a pink one."""
    kind = KINDS[thing.name]
    others = [name for name in kind.synonyms if not (coloured and name.split()[0] in COLOURS)]
    return pick(rng, tuple(others)) if others and rng.random() < 0.25 else kind.name


def _number(count: int, rng: Rng, detail: Detail) -> str:
    if count == 1:
        return ""
    return pick(rng, UNCOUNTED if rng.random() < detail.unnumbered else NUMBERS[count])


def _sized(scene: Scene, thing: Thing, rng: Rng, detail: Detail) -> str:
    unlike = len({other.size for other in scene.things}) > 1
    apart = thing.size == "small" or (unlike and thing.size == "large")
    return (
        pick(rng, SIZE_WORDS[thing.size])
        if rng.random() < (detail.contrast if apart else detail.size)
        else ""
    )


def _worn(thing: Thing, rng: Rng) -> str:
    if thing.hat is None:
        return ""
    kind = KINDS[thing.hat]
    hat = pick(rng, (kind.name, *kind.synonyms)) if rng.random() < 0.4 else kind.name
    if thing.count > 1:
        return f"wearing {plural(hat)}"
    if rng.random() < 0.15:
        return f"with a {hat} on its head"
    return pick(rng, WORN).format(f"a {hat}")
