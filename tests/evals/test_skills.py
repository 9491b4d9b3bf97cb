from collections import Counter
from dataclasses import replace

import pytest
from sight import sight

from mezzotint.errors import InputError
from mezzotint.evals.accuracy import floor
from mezzotint.evals.asking import fulfilled
from mezzotint.evals.skills import PROMPTS, SKILLS, Prompt, prompts
from mezzotint.evals.wording import HOURS_SAID, PLACES_SAID, STYLES_SAID, a
from mezzotint.world.phrases import HOUR_PHRASES, PLACE_PHRASES, STYLE_TAGS
from mezzotint.world.things import CORE, KINDS, plural
from mezzotint.world.withheld import withheld

EVERY = prompts()


def combination(prompt: Prompt) -> tuple[str, tuple[str, ...]]:
    """What a prompt puts together that no generator saw together."""
    scene, ask = prompt.scene, prompt.ask
    first = scene.things[0]
    match prompt.skill:
        case "one object" | "place and hour":
            return "place", (first.name, scene.place)
        case "two objects" | "relation":
            return "pair", (ask.things[0].name, ask.things[1].name)
        case "count":
            return "count", (first.name, str(first.count))
        case "colour":
            return "colour", (first.name, str(first.colour))
        case "style":
            return "style", (first.name, scene.style)


def test_there_are_as_many_of_each_skill_and_no_two_alike():
    assert len(EVERY) == PROMPTS
    numbers = Counter(prompt.skill for prompt in EVERY)
    assert list(numbers) == list(SKILLS)
    assert max(numbers.values()) - min(numbers.values()) <= 1
    assert len({prompt.text for prompt in EVERY}) == PROMPTS
    assert len({prompt.seed for prompt in EVERY}) == PROMPTS
    assert prompts() == EVERY


def test_every_prompt_asks_for_what_was_withheld():
    for prompt in EVERY:
        family, words = combination(prompt)
        assert withheld(family, *words), prompt.text


def test_no_combination_comes_again_before_all_have_come():
    for skill in ("count", "colour", "style"):
        own = [prompt for prompt in EVERY if prompt.skill == skill]
        plain = [p for p in own if not any(said in p.text for said in PLACES_SAID.values())]
        assert len({combination(prompt) for prompt in plain}) == len(plain)
        assert {combination(p) for p in own} == {combination(p) for p in plain}


def test_true_scenes_fulfil_their_prompts_and_no_others():
    assert all(fulfilled(prompt.ask, sight(prompt.scene)) for prompt in EVERY)
    chance = floor(EVERY, [[sight(prompt.scene)] for prompt in EVERY])
    assert chance.overall.share < 0.03


def test_true_scenes_that_lack_a_thing_fulfil_nothing():
    for prompt in EVERY:
        if prompt.ask.things:
            seen = sight(prompt.scene)
            assert not fulfilled(prompt.ask, replace(seen, objects=seen.objects[1:])), prompt.text


def test_facets_take_turns():
    relations = Counter(prompt.ask.position for prompt in EVERY if prompt.skill == "relation")
    hours = Counter(prompt.ask.hour for prompt in EVERY if prompt.skill == "place and hour")
    styles = Counter(prompt.ask.style for prompt in EVERY if prompt.skill == "style")
    counts = Counter(prompt.ask.things[0].count for prompt in EVERY if prompt.skill == "count")
    assert (len(relations), len(hours), len(styles), len(counts)) == (6, 5, 7, 3)
    for facets in (relations, hours, styles, counts):
        assert max(facets.values()) - min(facets.values()) <= 1


def test_prompts_say_what_they_ask():
    for prompt in EVERY:
        for thing in prompt.ask.things:
            noun = plural(thing.name) if thing.count else thing.name
            assert noun in prompt.text
            assert thing.colour is None or f"{thing.colour} {thing.name}" in prompt.text
    assert (a("owl"), a("unicorn"), a("umbrella")) == ("an owl", "a unicorn", "an umbrella")
    assert (a("cherries"), a("apple", "orange")) == ("cherries", "an orange apple")


def test_prompts_use_words_that_captions_have():
    for place, said in PLACES_SAID.items():
        assert said in [phrase.replace("_ ", "") for phrase in PLACE_PHRASES[place]]
    assert all(said in HOUR_PHRASES[hour] for hour, said in HOURS_SAID.items())
    assert all(said in STYLE_TAGS[style] for style, said in STYLES_SAID.items())


def test_other_names_make_other_prompts():
    names = list(KINDS)[40:240]
    assert not set(names) <= set(CORE)
    some = prompts(names, count=140)
    assert len(some) == 140
    assert {thing.name for prompt in some for thing in prompt.ask.things} <= set(names)
    with pytest.raises(InputError, match="too few"):
        prompts(["fox", "cat"])
    with pytest.raises(InputError, match="did you mean 'fox'"):
        prompts(["foxx"])
