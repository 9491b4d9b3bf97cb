"""The test: 600 prompts of combinations that no generator was shown, in seven skills.

The skills are GenEval's six (Ghosh et al. 2023, table 1), with relations for positions and the
world's places, hours and styles for what it has no counterpart of. Prompts follow from the names
alone: the same ones for ever.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count as counting
from itertools import islice, permutations
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from mezzotint.errors import InputError, choose
from mezzotint.evals.asking import Ask, Wanted
from mezzotint.evals.relations import POSITIONS, Position
from mezzotint.evals.wording import HOURS_SAID, NUMBERS, PLACES_SAID, STYLES_SAID, a, where
from mezzotint.world.compose import Item, compose
from mezzotint.world.scene import OUTDOORS, Place, Relation, Scene, Size
from mezzotint.world.things import CORE, HATS, KINDS, plural
from mezzotint.world.withheld import withheld

Skill = Literal[
    "one object", "two objects", "count", "colour", "relation", "place and hour", "style"
]
SKILLS: tuple[Skill, ...] = get_args(Skill)
PROMPTS, SEED = 600, 20_231_017
SEEDS_APART = 1000  # between the seeds of two prompts: room for as many pictures of each
SIZES: tuple[Size, ...] = ("large", "large", "medium", "small")
GROUNDS: tuple[Place, ...] = OUTDOORS[:11]
"""Places with ground, where a prompt names none."""

Rng = np.random.Generator
T = TypeVar("T")


@dataclass(frozen=True)
class Prompt:
    """One prompt of the test.

    Attributes:
        skill: what it tests.
        text: what the generator is given.
        seed: of the first picture; picture k has ``seed + k``.
        ask: what the picture has to fulfil.
        scene: a scene that does.
    """

    skill: Skill
    text: str
    seed: int
    ask: Ask
    scene: Scene


@dataclass(frozen=True)
class _Draft:
    """A prompt on its way: ``setting`` is what ``compose`` takes beside the items."""

    subject: str
    ask: Ask
    items: tuple[Item, ...]
    setting: dict[str, Any] = field(default_factory=dict)
    where: str = ""
    ending: str = ""

    @property
    def text(self) -> str:
        return f"{self.subject} {self.where}".strip() + self.ending


def prompts(names: Sequence[str] = CORE, count: int = PROMPTS) -> tuple[Prompt, ...]:
    """``count`` prompts on objects of these names, skill by skill, as many of each.

    Where a skill has fewer withheld combinations than that, they come again, in named places.

    Raises:
        InputError: a name is unknown, or there are too few of them.
    """
    for name in names:
        choose("object", name, KINDS)
    made: list[Prompt] = []
    for number, skill in enumerate(SKILLS):
        rng = np.random.Generator(np.random.PCG64((SEED, number)))
        first, last = (count * n // len(SKILLS) for n in (number, number + 1))
        for draft in islice(_drafts(rng, skill, names), last - first):
            setting: dict[str, Any] = {"place": _pick(rng, GROUNDS), **draft.setting}
            items = [replace(item, size=_pick(rng, SIZES)) for item in draft.items]
            scene = compose(SEED + len(made), items, **setting)
            seed = SEEDS_APART * len(made)
            made.append(Prompt(skill, draft.text, seed, draft.ask, scene))
    return tuple(made)


def _drafts(rng: Rng, skill: Skill, names: Sequence[str]) -> Iterator[_Draft]:
    """Drafts without end: facet by facet, every combination once before any comes again."""
    facets = _FACETS[skill]
    choices = [_shuffled(rng, _combinations(skill, facet, names)) for facet in facets]
    for facet, found in zip(facets, choices, strict=True):
        if not found:
            raise InputError(f"{len(names)} names: too few for prompts of {skill} {facet}".strip())
    for turn in counting():
        for facet, found in zip(facets, choices, strict=True):
            again, k = divmod(turn, len(found))
            draft = _DRAFTS[skill](facet, *found[k])
            yield _placed(draft, k + again) if again else draft


def _combinations(skill: Skill, facet: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """The withheld combinations of a skill: an object, and what it is combined with."""
    match skill:
        case "one object" | "place and hour":
            places = PLACES_SAID if skill == "one object" else OUTDOORS
            return [(n, p) for n in names for p in places if withheld("place", n, p)]
        case "count":
            countable = [name for name in names if KINDS[name].countable]
            return [(name, facet) for name in countable if withheld("count", name, facet)]
        case "colour":
            each = [(name, colour) for name in names for colour in KINDS[name].colours]
            return [(name, colour) for name, colour in each if withheld("colour", name, colour)]
        case "style":
            return [(name, facet) for name in names if withheld("style", name, facet)]
        case "two objects" | "relation":
            return [
                (one, other)
                for one, other in permutations(names, 2)
                if _sensible(facet, one, other) and withheld("pair", one, other)
            ]


def _sensible(position: str, one: str, other: str) -> bool:
    """Whether the world draws these two in this relation."""
    first, second = KINDS[one], KINDS[other]
    match position:
        case "above":
            return first.habitat == "air"
        case "on top of":
            return first.habitat == "ground" and second.top is not None
        case "in front of":
            return first.habitat == second.habitat == "ground"
        case "wearing":
            return first.head is not None and other in HATS
        case _:
            return True


def _one_object(facet: str, name: str, place: Any) -> _Draft:
    ask = Ask((Wanted(name),))
    return _Draft(a(name), ask, (Item(name),), {"place": place}, where=PLACES_SAID[place])


def _two_objects(facet: str, one: str, other: str) -> _Draft:
    ask = Ask((Wanted(one), Wanted(other)))
    return _Draft(f"{a(one)} and {a(other)}", ask, (Item(one), Item(other)))


def _count(facet: str, name: str, number: str) -> _Draft:
    n = int(number)
    return _Draft(
        f"{NUMBERS[n]} {plural(name)}", Ask((Wanted(name, count=n),)), (Item(name, count=n),)
    )


def _colour(facet: str, name: str, colour: Any) -> _Draft:
    return _Draft(a(name, colour), Ask((Wanted(name, colour),)), (Item(name, colour=colour),))


def _relation(position: Any, one: str, other: str) -> _Draft:
    said = f"to the {position}" if position in ("left of", "right of") else position
    subject = f"{a(one)} {said} {a(other)}"
    ask = Ask((Wanted(one), Wanted(other)), position)
    if position == "wearing":
        return _Draft(subject, ask, (Item(one, hat=other),))
    items = (Item(other), Item(one)) if position == "right of" else (Item(one), Item(other))
    return _Draft(subject, ask, items, {"relation": _RELATIONS[position]})


def _place_and_hour(hour: Any, name: str, place: Any) -> _Draft:
    ask, setting = Ask(place=place, hour=hour), {"place": place, "hour": hour}
    return _Draft(a(name), ask, (Item(name),), setting, where(place, hour))


def _style(facet: str, name: str, style: Any) -> _Draft:
    ask = Ask((Wanted(name),), style=style)
    ending = f", {STYLES_SAID[style]}"
    return _Draft(a(name), ask, (Item(name),), {"style": style}, ending=ending)


def _placed(draft: _Draft, k: int) -> _Draft:
    """The draft in one of the places that nothing in it is withheld from."""
    if draft.where:
        raise InputError(f"too few names for other prompts than {draft.text!r} of its skill")
    names = [item.name for item in draft.items]
    places: list[Place] = [
        p for p in PLACES_SAID if not any(withheld("place", name, p) for name in names)
    ]
    place = places[k % len(places)]
    return replace(draft, where=PLACES_SAID[place], setting={**draft.setting, "place": place})


def _shuffled(rng: Rng, options: list[T]) -> list[T]:
    return [options[k] for k in rng.permutation(len(options))]


def _pick(rng: Rng, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


_RELATIONS: dict[Position, Relation] = {
    **{"left of": "beside", "right of": "beside", "above": "above"},
    **{"on top of": "on", "in front of": "in front"},
}

_FACETS: dict[Skill, Sequence[str]] = {
    "one object": ("",),
    "two objects": ("",),
    "count": tuple(map(str, NUMBERS)),
    "colour": ("",),
    "relation": POSITIONS,
    "place and hour": tuple(HOURS_SAID),
    "style": tuple(STYLES_SAID),
}
"""What the prompts of a skill take turns in."""

_DRAFTS: dict[Skill, Callable[[Any, str, Any], _Draft]] = {
    "one object": _one_object,
    "two objects": _two_objects,
    "count": _count,
    "colour": _colour,
    "relation": _relation,
    "place and hour": _place_and_hour,
    "style": _style,
}
