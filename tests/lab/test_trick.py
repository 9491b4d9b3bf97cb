"""Lesson 3: what networks learn of a shape against its perfect denoiser, and the page of it."""

import json
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.diffusion import denoising_loss
from mezzotint.diffusion.prediction import from_x0
from mezzotint.errors import InputError
from mezzotint.lab.lessons.trick import training
from mezzotint.lab.lessons.trick.learning import (
    AIMS,
    PROCESS,
    Aim,
    Learner,
    batch,
    cost,
    floor,
    learn,
    learner,
)
from mezzotint.lab.lessons.trick.looking import errors, field, levels, places, probe, sampled
from mezzotint.lab.lessons.trick.shapes import PRESETS, distance, drawn, read, ring

STEPS = 200


def sent(points: torch.Tensor) -> str:
    return "_".join(map(str, points.mul(100).round().int().flatten().tolist()))


@pytest.fixture(scope="module")
def learned() -> dict[str, Learner]:
    """A ring learned in three ways from the same batches."""
    shape, generator = drawn(ring()), torch.Generator().manual_seed(0)
    learners = {name: learner(AIMS[name], STEPS, 0) for name in ("noise", "picture", "velocity")}
    for _ in range(STEPS):
        seen = batch(shape, generator)
        for each in learners.values():
            learn(each, *seen)
    return learners


@given(st.lists(st.tuples(*[st.integers(-250, 250)] * 2), min_size=3, max_size=400))
def test_a_shape_is_read_as_it_was_sent(points):
    tensor = torch.tensor(points) / 100
    assert torch.equal(read(sent(tensor)), tensor)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "whole numbers"),
        ("1_2_x_4_5_6", "whole numbers"),
        ("1_2_3_4", "2 points"),
        ("1_2_3_4_5_6_7", "3 points"),
        ("_".join(["1"] * 802), "401 points"),
        ("1_2_3_4_5_251", "outside"),
    ],
)
def test_what_is_no_shape_is_refused(text: str, said: str):
    with pytest.raises(InputError, match=said):
        read(text)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_shapes_as_wide_as_noise(name: str):
    points = read(sent(PRESETS[name]()))
    assert 0.7 < points.std(0).norm() / 2**0.5 < 1.3


@pytest.mark.parametrize("name", AIMS)
def test_no_network_is_better_than_perfect(name: str):
    """The floor is what the oracle's output costs; any output that is moved costs more."""
    aim, shape = AIMS[name], drawn(ring())
    bound = floor(shape, aim, torch.Generator().manual_seed(0))
    for moved in (0.0, 0.3):
        generator, costs = torch.Generator().manual_seed(1), []
        for t in torch.linspace(0, 999, 40).round():
            x0, eps, _ = batch(shape, generator)
            x, alpha, sigma = PROCESS.diffuse(x0, eps, t), PROCESS.alpha(t), PROCESS.sigma(t)
            out = from_x0(aim.prediction, shape.denoise(x, alpha, sigma), x, alpha, sigma)
            costs.append(cost(out + moved, aim, x0, eps, t).item())
        found = sum(costs) / len(costs)
        assert (found == pytest.approx(bound, rel=0.1)) == (moved == 0)


@given(st.integers(0, 999), st.integers(0, 100))
def test_one_loss_is_the_other_times_snr(t: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    x0, eps, said = torch.randn(3, 8, 2, generator=generator)
    alpha, sigma = (f(torch.tensor(float(t))).double() for f in (PROCESS.alpha, PROCESS.sigma))
    x = alpha * x0 + sigma * eps
    noise = denoising_loss((x - alpha * said) / sigma, x0, eps, alpha, sigma, "eps")
    picture = denoising_loss(said, x0, eps, alpha, sigma, "x0")
    assert torch.allclose(noise, (alpha / sigma).square() * picture, rtol=2e-3)


def test_what_is_learned_comes_near_the_perfect_field(learned):
    """Nearer than what knows nothing yet, and than to the shape next to it.

    Where there is much noise or little, x̂₀ of a velocity is near whatever the network says.
    """
    velocity, nobody = learned["velocity"].denoise, learner(AIMS["velocity"], STEPS, 0).denoise
    tried = probe(ring(), drawn(ring()), 1)
    beside = probe(ring() + 1, drawn(ring() + 1), 1)
    middle = slice(4, 7)
    near = sum(errors(velocity, tried)[middle])
    assert near < 0.4
    assert sum(errors(velocity, beside)[middle]) > 2 * near
    assert sum(errors(nobody, tried)[middle]) > 2 * near
    assert errors(drawn(ring()).denoiser(PROCESS), tried) == pytest.approx([0] * len(levels()))


def test_arrows_point_where_the_noise_came_from(learned):
    shape, middle = drawn(ring()), len(levels()) // 2
    perfect = torch.tensor(field(shape.denoiser(PROCESS))[middle]).view(-1, 2)
    found = torch.tensor(field(learned["velocity"].denoise)[middle]).view(-1, 2)
    beside = torch.tensor(field(drawn(ring() + 1).denoiser(PROCESS))[middle]).view(-1, 2)
    within = places().norm(dim=1) < 2
    assert torch.cosine_similarity(perfect, found)[within].mean() > 0.9
    assert torch.cosine_similarity(beside, found)[within].mean() < 0.5


def test_what_the_page_says_of_noise_and_picture(learned):
    """Each is better at its own end of the noise, and a velocity is near the better of them."""
    tried = probe(ring(), drawn(ring()), 1)
    found = {name: errors(each.denoise, tried) for name, each in learned.items()}
    assert found["noise"][-1] < found["picture"][-1] / 2
    assert found["picture"][0] < found["noise"][0] / 2
    for end in (0, -1):
        assert found["velocity"][end] < max(found["noise"][end], found["picture"][end]) / 2
    perfect = drawn(ring()).denoiser(PROCESS)
    guesses, samples = (sampled(perfect, tried.noise, steps) for steps in (1, 30))
    assert guesses.std(0).norm() < 0.2 * samples.std(0).norm()  # a mean, though it is perfect
    assert distance(samples, ring()) < 0.1 < distance(guesses, ring())


def events(text: str) -> list[tuple[str, dict]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(told)) for name, told in found]


def asked(**more):
    return {"points": sent(ring()), "steps": 20, **more}


def test_the_server_trains_as_python_does(client):
    told = events(client.get("/api/learn", params=asked(against="velocity", seed=3)).text)
    assert [name for name, _ in told] == ["begun", "learned", "learned", "seen", "seen", "done"]
    points = read(sent(ring()))
    again = list(training(points, [Aim("eps"), Aim("v")], 20, 3))
    assert [each for _, each in told] == json.loads(json.dumps([each.told for each in again]))
    other = list(training(points, [Aim("eps"), Aim("v")], 20, 4))
    assert other[1].told["losses"] != again[1].told["losses"]


def test_networks_begin_alike():
    first, second, other = (
        learner(AIMS[a], 10, s) for a, s in (("noise", 1), ("picture", 1), ("noise", 2))
    )
    for a, b, c in zip(
        *(each.network.parameters() for each in (first, second, other)), strict=True
    ):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_what_cannot_be_learned_is_said(client):
    for wrong, said in (({"against": "magic"}, "magic"), ({"points": "1_2"}, "1 points")):
        (name, told), *rest = events(client.get("/api/learn", params=asked(**wrong)).text)
        assert (name, rest) == ("refused", [])
        assert said in told["why"]
    for wrong in ({"steps": 10**6}, {"seed": -1}, {"points": "1_" * 4000}):
        assert client.get("/api/learn", params=asked(**wrong)).status_code == 422


def shown(page) -> list[list[str]]:
    return [row.locator("td").all_inner_texts() for row in page.locator("#numbers tbody tr").all()]


def test_the_page_shows_what_python_finds(page, address):
    page.goto(f"{address}/lessons/trick")
    page.check("[value=ring]")
    page.fill("#steps", "20")
    page.select_option("#against", "velocity")
    page.click("#go")
    page.locator("#go:enabled").wait_for()
    assert page.inner_text("#said").startswith("20 of 20 steps")
    told = [each.told for each in training(read(sent(ring())), [Aim("eps"), Aim("v")], 20, 0)]
    begun, looks = told[0], [*told[-3:-1], told[0]["perfect"]]
    rows = shown(page)
    for row, key in ((3, "distance"), (4, "guessed"), (5, "spread")):
        assert rows[row] == [f"{look[key]:.3f}" for look in looks]
    assert [float(each) for each in rows[1]] == pytest.approx(
        [look["errors"][0] for look in looks], abs=6e-4
    )
    assert f"({begun['floors'][1]:.3f})" in rows[0][1]
    snr = begun["levels"][-1]["ratio"] ** -2
    assert page.inner_text("#heavy") == f"{round(snr):,}"
    before = page.locator("#first .arrows").get_attribute("d")
    page.fill("#level", "9")
    assert "t = 999" in page.inner_text("#at")
    assert page.locator("#first .arrows").get_attribute("d") != before
    page.check("[name=dots][value='']")
    assert page.locator("#first .dots").count() == 0


def test_a_shape_is_drawn_with_the_pointer_and_chosen_by_keyboard(page, address):
    page.goto(f"{address}/lessons/trick")
    page.locator("#pad path").wait_for(state="attached")
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 120, steps=10)
    page.mouse.up()
    assert re.fullmatch(r"A shape of \d+ points\.", page.inner_text("#said"))
    points = int(page.inner_text("#said").split()[3])
    assert 8 <= points <= 12
    assert page.locator("#presets :checked").count() == 0
    page.click("#clear")
    page.click("#go")
    page.locator("#said", has_text="whole numbers").wait_for()
    page.focus("#presets input")
    page.keyboard.press("ArrowDown")
    assert page.locator("#presets :checked").get_attribute("value") == "ring"
    assert page.inner_text("#said") == "A shape of 200 points."


def drawing(page) -> list[tuple[float, float]]:
    """Points of the shape, in the plane."""
    d = page.locator("#pad .given").get_attribute("d") or ""
    return [(float(x), -float(y)) for x, y in re.findall(r"M(\S+) (\S+)h0", d)]


def test_a_shape_is_drawn_by_keyboard(page, address):
    page.goto(f"{address}/lessons/trick")
    page.locator("#pad path").wait_for(state="attached")
    page.locator("#clear").focus()
    page.keyboard.press("Shift+Tab")
    keys = page.keyboard
    assert page.evaluate("document.activeElement.id") == "pad"
    assert page.locator("#pad .pen").count() == 1
    keys.press("Shift+ArrowLeft")
    keys.press("ArrowUp")
    assert page.inner_text("#said") == "The pen is at −0.4, 0.1."
    assert len(drawing(page)) == 200  # the preset's, for nothing is drawn yet
    keys.down(" ")
    for _ in range(3):
        keys.press("ArrowRight")
    keys.up(" ")
    keys.press("ArrowDown")  # the pen alone
    line = [(-0.4, 0.1), (-0.3, 0.1), (-0.2, 0.1), (-0.1, 0.1)]
    assert drawing(page) == line
    assert page.locator("#presets :checked").count() == 0
    for _ in range(8):
        keys.press("Shift+ArrowDown")  # and no further than the edge
    keys.press(" ")
    keys.press(" ")  # where there is a point already
    assert drawing(page) == [*line, (-0.1, -2.5)]
    page.fill("#steps", "10")
    page.click("#go")
    page.locator("#said", has_text="10 of 10 steps").wait_for()
    assert page.locator("#pad .pen").count() == 0  # the focus is elsewhere
    page.locator("#clear").focus()
    keys.press("Shift+Tab")
    for left in (line, []):
        keys.press("z")
        assert drawing(page) == left
    keys.press("z")
    assert page.inner_text("#said") == "Draw a shape."


def test_training_is_stopped_and_stays(page, address):
    page.goto(f"{address}/lessons/trick")
    page.fill("#steps", "3000")
    page.click("#go")
    page.locator("#losses .line").first.wait_for(state="attached")
    page.click("#stop")
    assert page.inner_text("#said").startswith("Stopped after")
    assert page.locator("#losses .line").count() == 4
    assert page.is_enabled("#go")
