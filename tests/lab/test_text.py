"""The lesson on text: tokens, what is near to what, and where the words of a prompt draw."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, zip_longest
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from storybooks import SIZES, tiny_storybook

import mezzotint as mz
from mezzotint.adapters.attention import watched
from mezzotint.errors import InputError
from mezzotint.evals.clip_score import clip_scores
from mezzotint.evals.features import clip_features, extract
from mezzotint.evals.towers import load_towers
from mezzotint.families import storybook
from mezzotint.families.base import Canvas
from mezzotint.lab.lessons.text import alike, attending, cosines, eye_of, heard, tokens
from mezzotint.models.clip import CLIPVision
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.words import read
from mezzotint.world import Item, compose, render

PROMPT = "a fox in the snow"
PROMPTS = ["a fox", "a red apple", "snow at night"]
THINGS = ("fox", "castle", "rabbit", "robot", "teapot")
PICTURES = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]


@pytest.fixture(scope="module")
def seeing(tmp_path_factory) -> Pipeline:
    """A model whose folder has an image tower."""
    return saved(tmp_path_factory.mktemp("seeing") / "model", SIZES.vision.projection)


def saved(folder: Path, projection: int) -> Pipeline:
    model, _ = tiny_storybook([PROMPT, *PROMPTS])
    vision = CLIPVision(replace(SIZES.vision, projection=projection))
    storybook.save(model, folder, vision=vision)
    return Pipeline(storybook.load(folder), str(folder))


def told(client, path: str, asked) -> list[tuple[str, dict]]:
    text = client.get(path, params=asked).text
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(said)) for name, said in found]


@settings(max_examples=40)
@given(prompt=st.text("aefnorswxé🦊 .", max_size=40))
def test_windows_are_what_the_tokenizer_makes(tiny_model, prompt: str) -> None:
    (encoder,) = tiny_model.encoders
    (found,) = tokens(tiny_model, prompt)
    read = [piece.id for piece in found.pieces if piece.window == 0]
    window = [found.begin, *read, found.end, *[found.pad] * found.padding[0]]
    assert window == encoder.windows([prompt])[0].tolist()
    ids = encoder.tokenizer.encode(prompt.strip(), add_special_tokens=False).ids
    assert [piece.id for piece in found.pieces] == ids
    cut_off = [piece.window is None for piece in found.pieces]
    assert cut_off == [k >= found.length for k in range(len(ids))]


def test_pieces_spell_the_prompt(tiny_model) -> None:
    (found,) = tokens(tiny_model, "A fox, xylophonist (snow:1.5) 🦊")
    words: list[list[str]] = []
    for piece in found.pieces:
        words[-1:] = [words[-1] + [piece.text]] if piece.joined else [*words[-1:], [piece.text]]
    spelt = ["".join(word) for word in words]
    assert spelt == ["a", "fox,", "xylophonist", "snow", "🦊" * (len(words[-1]) - 1)]
    assert {piece.weight for piece in found.pieces if piece.text == "snow"} <= {1.5}
    assert found.pieces[0].weight == 1


def test_a_long_prompt_goes_on_where_windows_repeat(tiny_model) -> None:
    encoder = tiny_model.encoders[0]
    further = replace(encoder, frame=replace(encoder.frame, repeats=True))
    model = replace(tiny_model, encoders=(further, encoder))
    first, second = tokens(model, "snow " * 30)
    assert {piece.window for piece in first.pieces} == {0, 1}
    assert {piece.window for piece in second.pieces} == {0, None}
    assert sum(first.padding) + len(first.pieces) == 2 * first.length


@pytest.mark.parametrize("prompt", ["a fox AND an owl", "a [fox:owl:5]"])
def test_a_prompt_that_is_several_is_refused(tiny, prompt: str) -> None:
    with pytest.raises(InputError, match="give one of its wordings"):
        tokens(tiny.model, prompt)
    with pytest.raises(InputError, match="give one of its wordings"):
        list(attending(tiny, prompt, {"seed": 1}, str))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_cosines_are_those_of_the_angles(m: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(m, 5)), rng.normal(size=(n, 5))
    found = cosines(torch.from_numpy(one), torch.from_numpy(other))
    for i, j in np.ndindex(m, n):
        lengths = np.linalg.norm(one[i]) * np.linalg.norm(other[j])
        assert found[i, j].item() == pytest.approx(one[i] @ other[j] / lengths)


def test_likeness_is_the_clip_score(seeing: Pipeline) -> None:
    """2.5 times it, where it is above 0 (Hessel et al. 2021), as the evaluations compute it."""
    found = alike(seeing.model, eye_of(seeing), PROMPTS, PICTURES)
    towers = load_towers(Path(seeing.source))
    texts = towers.text(towers.text.windows(PROMPTS)).pooled.double()
    seen = extract(clip_features(towers.vision), PICTURES)
    for row, vector in zip(found["pictures"], seen, strict=True):
        scores = clip_scores(texts, vector.expand(len(texts), -1))
        assert [max(2.5 * x, 0) for x in row] == pytest.approx(scores.tolist(), abs=2e-3)
    matrix = np.array(found["texts"][0]["cosines"])
    assert np.allclose(matrix, matrix.T)
    assert np.allclose(np.diag(matrix), 1)
    assert not np.allclose(matrix, 1, atol=1e-3)


def test_a_model_without_its_image_tower_sees_nothing(tiny, tmp_path) -> None:
    assert eye_of(tiny) is None
    stranger = saved(tmp_path / "model", projection=16)  # it does not meet the text tower
    assert eye_of(stranger) is None
    assert alike(tiny.model, None, PROMPTS, PICTURES)["pictures"] is None


def steps(pipe: Pipeline, prompt: str) -> Iterator[dict]:
    events = attending(pipe, prompt, {"steps": 3, "seed": 5}, lambda _: "kept")
    return (event.told for event in events if event.name == "step")


def test_a_words_share_is_that_of_its_rows(tiny) -> None:
    model = tiny.model
    with watched(model.network) as watch:
        drawn = list(tiny.stream(PROMPT, steps=3, seed=5))
        whole = watch.take()[0]
    (reading,) = read(model, [PROMPT], Canvas(32, 32))
    found = list(steps(tiny, PROMPT))
    assert len(found) == len(drawn) == 3
    for k, word in enumerate(PROMPT.split()):
        shares = [step["words"][k]["share"] for step in found]
        expected = whole[reading.of(word)].sum(0).mean().item()
        assert {step["words"][k]["word"] for step in found} == {word}
        assert np.mean(shares) == pytest.approx(expected, abs=1e-5)
        assert len({*shares}) > 1  # each step has its own
    assert all(0 < sum(word["share"] for word in step["words"]) < 1 for step in found)


def test_who_draws_in_between_is_not_watched(tiny) -> None:
    """Two visitors' turns alternate, on one network."""
    alone = [list(steps(tiny, prompt)) for prompt in (PROMPT, "an apple")]
    mixed = list(zip_longest(steps(tiny, PROMPT), steps(tiny, "an apple")))
    assert [list(each) for each in zip(*mixed, strict=True)] == alone
    assert alone[0][0]["words"][0] != alone[1][0]["words"][0]


def test_levels_are_of_a_words_own_largest(tiny_model) -> None:
    long = "a fox in the fox " + "snow " * 30 + "owl"
    (reading,) = read(tiny_model, [long], Canvas(32, 32))
    maps = torch.zeros(len(reading.rows), 2, 3)
    for k, row in enumerate(reading.of("fox")):
        maps[row, 0, k % 3] = 0.1 + k
    total = maps.sum(0)
    maps[reading.of("a")] = 99  # another word's is nothing to it
    found = {each["word"]: each for each in heard(reading, maps)}
    assert list(found) == ["a", "fox", "in", "the", "snow", "owl"]
    assert found["fox"]["share"] == pytest.approx(total.mean().item(), abs=1e-5)
    assert found["fox"]["levels"] == (total / total.max() * 255).round().flatten().tolist()
    assert (found["owl"]["share"], found["owl"]["levels"]) == (None, [])  # beyond the length
    assert set(found["the"]["levels"]) == {0}


@pytest.fixture(scope="module")
def storybook_pipe() -> Pipeline:
    """The embedded model, of which the lesson speaks."""
    return mz.load()


def test_it_looks_at_the_thing_and_at_the_padding(storybook_pipe: Pipeline) -> None:
    pipe, prompt = storybook_pipe, "a fox in the snow at night"
    with watched(pipe.model.network) as watch:
        pipe.generate(prompt, steps=6, cfg=4, seed=7)
        maps = watch.take()[0]
    (reading,) = read(pipe.model, [prompt], Canvas(256, 256))
    share = {each["word"]: each["share"] for each in heard(reading, maps)}
    (cut,) = tokens(pipe.model, prompt)
    assert share["fox"] == pytest.approx(0.1, abs=0.03)
    assert share["in"] == pytest.approx(0.01, abs=0.005)
    assert share["night"] < share["in"]
    assert maps[-cut.padding[0] :].sum(0).mean() > 0.5
    assert maps[0].mean() == pytest.approx(0.22, abs=0.05)


def test_subject_and_place_both_count(storybook_pipe: Pipeline) -> None:
    said = [
        (thing, place) for thing in THINGS for place in ("in the snow", "in a forest", "in space")
    ]
    prompts = [f"a {thing} {place}" for thing, place in said]
    near = alike(storybook_pipe.model, None, prompts, [])["texts"][0]["cosines"]
    found: dict[tuple[bool, bool], list[float]] = {}
    for i, j in combinations(range(len(said)), 2):
        same = (said[i][0] == said[j][0], said[i][1] == said[j][1])
        found.setdefault(same, []).append(near[i][j])
    mean = {same: float(np.mean(each)) for same, each in found.items()}
    assert mean[True, False] > mean[False, True] + 0.03
    assert mean[False, True] > mean[False, False] + 0.1


def test_the_embedded_model_knows_a_pictures_own_prompt(storybook_pipe: Pipeline) -> None:
    prompts = [f"a {thing} in the snow" for thing in THINGS]
    scenes = [compose(k, [Item(thing)], place="snow") for k, thing in enumerate(THINGS)]
    pictures = [Image.fromarray(render(scene, 256)) for scene in scenes]
    found = alike(storybook_pipe.model, eye_of(storybook_pipe), prompts, pictures)
    cosine = np.array(found["pictures"])
    assert cosine.argmax(1).tolist() == list(range(len(THINGS)))
    assert 0.2 < np.diag(cosine).mean() < 0.4


def test_the_server_tells_it(client, tiny) -> None:
    ((_, cuts),) = told(client, "/api/tokens", {"prompt": PROMPT})
    ids = [piece["id"] for piece in cuts["encoders"][0]["pieces"]]
    assert ids == tiny.model.encoders[0].ids(PROMPT)
    ((_, near),) = told(client, "/api/alike", {"prompt": PROMPTS})
    assert near == alike(tiny.model, None, PROMPTS, [])
    drawn = told(client, "/api/attention", {"prompt": PROMPT, "steps": 3, "seed": 5})
    assert [name for name, _ in drawn] == ["step"] * 3 + ["done"]
    assert [step for _, step in drawn[:-1]] == list(steps(tiny, PROMPT))


@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("tokens", {"prompt": "a fox AND an owl"}, "one of its wordings"),
        ("attention", {"prompt": "a fox <lora:nowhere:1>"}, "nowhere"),
        ("alike", {"prompt": "a fox", "picture": "none"}, "bring it again"),
    ],
)
def test_what_cannot_be_shown_is_said(client, path: str, asked: dict, said: str) -> None:
    ((name, why),) = told(client, f"/api/{path}", asked)
    assert (name, said in why["why"]) == ("refused", True)


def test_no_more_is_compared_than_fits(client) -> None:
    assert client.get("/api/alike", params={"prompt": ["a"] * 13}).status_code == 422


@pytest.fixture
def lesson(page, address):
    page.goto(f"{address}/lessons/text")
    page.locator(".matrix").wait_for()
    page.locator(".tokens").first.wait_for()
    return page


def test_the_page_shows_the_tokenizers_ids(lesson, tiny) -> None:
    encoder = tiny.model.encoders[0]
    long = "a fox, " + "snow " * 25
    lesson.fill("#prompt", long)
    lesson.locator("#cuts", has_text="over the length").wait_for()
    shown = lesson.locator(".tokens li span").all_inner_texts()
    begin, *rest = (int(each) for each in shown)
    end = rest.pop(encoder.frame.length)
    assert (begin, end) == (encoder.frame.begin, encoder.frame.end)
    assert rest == encoder.ids(long)
    assert lesson.locator(".left").count() == len(rest) - encoder.frame.length


def test_the_page_shows_the_cosines(lesson, tiny) -> None:
    lesson.fill("#prompts", "\n".join([*PROMPTS, ""]))
    lesson.locator(".matrix th", has_text="3 snow at night").wait_for()
    rows = lesson.locator(".matrix tbody tr").all()
    shown = [
        [float(x.replace("−", "-")) for x in row.locator("td").all_inner_texts()] for row in rows
    ]
    expected = alike(tiny.model, None, PROMPTS, [])["texts"][0]["cosines"]
    assert np.array(shown) == pytest.approx(np.array(expected), abs=6e-3)
    assert lesson.is_visible("#blind")
    assert not lesson.is_visible("#bringing")


def test_words_are_watched_and_looked_through(lesson, tiny) -> None:
    lesson.fill("#prompt", PROMPT)
    for name, value in (("steps", "3"), ("cfg", "3"), ("seed", "5")):
        lesson.fill(f"#{name}", value)
    lesson.click("#go")
    lesson.locator("#said", has_text="3 of 3 steps").wait_for()
    expected = list(steps(tiny, PROMPT))
    for k in (0, 2):
        lesson.fill("#scrub", str(k))
        lesson.locator("#at", has_text=f"{k + 1} of 3").wait_for()
        shown = lesson.locator("#words figcaption").all_inner_texts()
        shares = [f"{each['word']} {100 * each['share']:.1f} %" for each in expected[k]["words"]]
        assert shown == shares
    lesson.fill("#prompt", "a fox AND an owl")
    lesson.click("#go")
    lesson.locator("#said", has_text="one of its wordings").wait_for()
    lesson.locator("#go:enabled").wait_for()


def test_nothing_of_it_sticks_out(lesson) -> None:
    for width in (390, 1280):
        lesson.set_viewport_size({"width": width, "height": 800})
        assert Image.open(io.BytesIO(lesson.screenshot(full_page=True))).width == width
