import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest
from sight import sight

from mezzotint.errors import InputError
from mezzotint.evals import accuracy
from mezzotint.evals.accuracy import (
    Score,
    Scores,
    ceiling,
    floor,
    prompt_accuracy,
    scores,
    wilson,
)
from mezzotint.evals.asking import Ask
from mezzotint.evals.skills import SKILLS, prompts
from mezzotint.world.things import CORE

EVERY = prompts(count=140)
SIDE = 4


def numbered(number: int) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), (number % 256, number // 256, 0))


class Reader:
    """A judge that reads the scene's number off the picture."""

    params = SimpleNamespace(kinds=CORE)

    def see(self, pictures):
        pixels = [picture.getpixel((0, 0)) for picture in pictures]
        return [sight(EVERY[red + 256 * green].scene) for red, green, _ in pixels]


@pytest.fixture(autouse=True)
def quick_scenes(monkeypatch):
    """True scenes are told by their numbers, and not painted."""
    number = {id(prompt.scene): k for k, prompt in enumerate(EVERY)}
    monkeypatch.setattr(
        accuracy, "render", lambda scene, size: np.asarray(numbered(number[id(scene)]))
    )


class Painter:
    """Draws the scene of each prompt, or of the next one where ``fails`` says so."""

    def __init__(self, fails=lambda k, seed: False):
        self.fails, self.calls = fails, []

    def __call__(self, texts, seeds):
        self.calls += list(zip(texts, seeds, strict=True))
        numbers = {prompt.text: k for k, prompt in enumerate(EVERY)}
        each = [(numbers[text], seed) for text, seed in zip(texts, seeds, strict=True)]
        return [numbered((k + self.fails(k, seed)) % len(EVERY)) for k, seed in each]


def test_a_generator_that_draws_what_is_asked_has_all_right():
    painter = Painter()
    report = prompt_accuracy(painter, Reader(), EVERY, images_per_prompt=2)
    assert report.drawn.overall.share == 1
    assert report.ceiling.overall.share == 1
    assert report.floor.overall.share < 0.05
    assert painter.calls == [(p.text, p.seed + k) for p in EVERY for k in range(2)]


def test_half_wrong_is_half_right():
    one_skill_wrong = Painter(lambda k, seed: EVERY[k].skill == "count")
    report = prompt_accuracy(one_skill_wrong, Reader(), EVERY)
    assert report.drawn.skills["count"].share < 0.2
    assert report.drawn.skills["colour"].share == 1
    odd = Painter(lambda k, seed: seed % 2 == 1)
    report = prompt_accuracy(odd, Reader(), EVERY, images_per_prompt=2)
    assert 0.5 <= report.drawn.overall.share < 0.6
    assert report.ceiling.overall.share == 1


def test_the_ceiling_of_a_codec_is_that_of_its_pictures():
    assert ceiling(Reader(), EVERY, restyle=lambda pictures: pictures).overall.share == 1
    blank = ceiling(Reader(), EVERY, restyle=lambda pictures: [numbered(0)] * len(pictures))
    assert blank.overall.share < 0.2


@pytest.mark.parametrize("count", [35, 70, 84, 140])
def test_chance_is_the_same_in_whatever_order_prompts_stand(count: int):
    """Pictures that are right in what prompts of a skill take turns in, and in no more."""
    asks = [
        replace(prompt, ask=Ask(hour=prompt.ask.hour))
        for prompt in prompts(count=count)
        if prompt.skill == "place and hour"
    ]
    hours = Counter(prompt.ask.hour for prompt in asks)
    n = len(asks)
    chance = sum(k * (k - 1) for k in hours.values()) / (n * (n - 1))
    for some in (asks, sorted(asks, key=lambda prompt: str(prompt.ask.hour))):
        found = floor(some, [[sight(prompt.scene)] for prompt in some]).overall
        assert found.share == pytest.approx(chance)


def test_chance_is_of_other_prompts_of_the_same_skill():
    seen = [[sight(prompt.scene)] for prompt in EVERY]
    found = floor(EVERY, seen)
    assert found.skills.keys() == {*SKILLS}
    for skill in SKILLS:
        own = [k for k, prompt in enumerate(EVERY) if prompt.skill == skill]
        alone = floor([EVERY[k] for k in own], [seen[k] for k in own])
        assert alone.skills == {skill: found.skills[skill]}
    assert floor(EVERY[:1], seen[:1]).overall.share == 1  # which has no other


@pytest.mark.parametrize(("right", "count"), [(0, 85), (1, 85), (40, 85), (85, 85), (1, 2)])
def test_intervals_are_wilsons(right, count):
    known = binomtest(right, count).proportion_ci(0.95, "wilson")
    found = wilson(right, count)
    assert (found.share, found.low, found.high) == pytest.approx(
        (right / count, known.low, known.high), abs=1e-6
    )


def test_the_overall_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth, n = np.array([0.95, 0.75, 0.5, 0.8, 0.65, 0.97, 0.9]), 85
    held = []
    for rights in rng.binomial(n, truth, (600, 7)):
        skills = dict(zip(SKILLS, (wilson(float(right), n) for right in rights), strict=True))
        overall = Scores(skills).overall
        held.append(overall.low <= truth.mean() <= overall.high)
    assert 0.925 < np.mean(held) < 0.975


def test_the_overall_figure_is_the_mean_of_skills_and_not_of_prompts():
    part = [prompt for prompt in EVERY if prompt.skill != "count"] + [
        prompt for prompt in EVERY if prompt.skill == "count"
    ][:2]
    blind = sight(
        EVERY[0].scene.__class__((), None, *("plain", None, "summer"), *("day", "clear", "flat"), 0)
    )
    seen = [[blind if p.skill == "count" else sight(p.scene)] for p in part]
    assert scores(part, seen).overall.share == pytest.approx(6 / 7)


def test_the_report_reads_as_a_table_and_as_json():
    report = prompt_accuracy(Painter(), Reader(), EVERY)
    lines = report.table().splitlines()
    assert [line.split("  ")[0].strip() for line in lines[1:]] == [*SKILLS, "overall"]
    assert all("100.0" in line for line in lines[1:])
    told = json.loads(json.dumps(report.as_json()))
    assert told["drawn"]["overall"]["share"] == 1
    assert told["floor"].keys() == {*SKILLS, "overall"}
    assert Score(**told["drawn"]["count"]) == report.drawn.skills["count"]


def test_bad_input_is_one_line():
    with pytest.raises(InputError, match="prompts is empty"):
        prompt_accuracy(Painter(), Reader(), [])
    with pytest.raises(InputError, match="images_per_prompt 0"):
        prompt_accuracy(Painter(), Reader(), EVERY, 0)
    stranger = Reader()
    asked = EVERY[0].ask.things[0].name
    stranger.params = SimpleNamespace(kinds=[name for name in CORE if name != asked])
    with pytest.raises(InputError, match=f"does not know '{asked}'"):
        prompt_accuracy(Painter(), stranger, EVERY)
