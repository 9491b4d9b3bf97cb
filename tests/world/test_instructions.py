"""An instruction asks for its change, and for no other."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.world import CHANGES, KINDS, Change, Thing, instruction, sample_change
from mezzotint.world.instructions import CLEARED, HOURS, MANNERS, SEASONS, WEATHER
from mezzotint.world.phrases import (
    COLOUR_WORDS,
    HOUR_PHRASES,
    PLACE_PHRASES,
    SCENERY,
    SEASON_PHRASES,
    STYLE_NOUNS,
    STYLE_TAGS,
)
from mezzotint.world.scene import COLOURS
from mezzotint.world.things import plural

pytestmark = pytest.mark.usefixtures("tarball")

SEEDS = st.integers(0, 2**63)


def says(text: str, phrase: str) -> bool:
    """Whether a phrase's words stand in a text, whatever its articles."""
    bare = [re.sub(r"\ban? |\bthe ", "", each.replace("_ ", "")) for each in (text, phrase)]
    return re.search(rf"(?<![\w-]){re.escape(bare[1].strip())}(?![\w-])", bare[0]) is not None


def told(change: Change, text: str) -> bool:
    """Whether what the change makes, and of what, is said."""
    after = change.after
    match change.kind:
        case "hour":
            words = HOURS[after.hour] + HOUR_PHRASES[after.hour]
        case "season":
            words = SEASONS[after.season] + SEASON_PHRASES[after.season]
        case "weather":
            words = WEATHER[after.weather] + CLEARED.get(change.before.weather, ())
        case "place":
            words = PLACE_PHRASES[after.place] + SCENERY[after.place]
            words = tuple(word.format(after.background) for word in words)
            words += (f"background {after.background}", f"to {after.background}")
        case "style":
            words = MANNERS[after.style] + STYLE_NOUNS[after.style] + STYLE_TAGS[after.style]
        case "colour":
            assert change.now is not None
            colour = change.now.colour
            assert colour is not None
            return thing_told(change.was, text) and any(
                says(text, word) for word in COLOUR_WORDS.get(colour, (colour,))
            )
        case "hat":
            assert change.was is not None
            assert change.now is not None
            hats = (change.was.hat, change.now.hat)
            return all(any(says(text, word) for word in names(hat)) for hat in hats if hat)
        case _:
            things = (change.was, change.now)
            return all(thing_told(thing, text) for thing in things if thing)
    return any(says(text, word) for word in words)


def names(name: str) -> list[str]:
    return [name, *KINDS[name].synonyms]


def thing_told(thing: Thing | None, text: str) -> bool:
    assert thing is not None
    words = names(thing.name)
    return any(says(text, word if thing.count == 1 else plural(word)) for word in words)


@given(SEEDS, SEEDS, st.sampled_from(CHANGES))
@settings(max_examples=300)
def test_the_change_is_asked_for(seed: int, wording: int, kind):
    change = sample_change(seed % 40, (kind,))
    text = instruction(change, wording)
    assert text == instruction(change, wording)
    assert told(change, text), text
    assert text == text.lower()
    assert not re.search(r"[{}_]|  |\ba [aio]|\b(a|an|the) (a|an|the|some) ", text), text
    assert 1 < len(text.split()) < 20


@pytest.mark.parametrize("kind", CHANGES)
def test_and_no_other(kind):
    """The control: of another change of the kind the same words are mostly not true."""
    changes = [sample_change(seed, (kind,)) for seed in range(12)]
    wrong = [
        told(one, instruction(other, k))
        for k, (one, other) in enumerate(itertools.pairwise(changes))
        if (one.after.place, one.now, one.was) != (other.after.place, other.now, other.was)
    ]
    assert sum(wrong) < len(wrong)


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_is_worded_in_many_ways(kind):
    change = sample_change(2, (kind,))
    assert len({instruction(change, seed) for seed in range(200)}) >= 10


def test_a_colour_that_is_not_there_is_not_told():
    for seed in range(80):
        change = sample_change(seed, ("add", "remove", "replace"))
        text = instruction(change, seed)
        own = {thing.colour for scene in (change.before, change.after) for thing in scene.things}
        inside = {
            word
            for scene in (change.before, change.after)
            for thing in scene.things
            for name in names(thing.name)
            for word in name.split()
        }
        assert not [c for c in COLOURS if c not in own and c not in inside and says(text, c)], text


def test_bad_input_is_named():
    with pytest.raises(InputError, match="seed -1 is negative"):
        instruction(sample_change(0), -1)
