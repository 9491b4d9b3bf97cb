"""What a picture costs: measured, added up, and read back from its file."""

import json
import re
from pathlib import Path
from statistics import median

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import mezzotint
from mezzotint.errors import InputError
from mezzotint.lab.lessons.production import measure
from mezzotint.lab.lessons.production.energy import meter
from mezzotint.lab.lessons.production.measure import Measured, curve, measured, spread, told
from mezzotint.lab.lessons.production.provenance import options, read, told_and_again
from mezzotint.pipeline.metadata import png
from mezzotint.pipeline.request import complete

TIMES = st.lists(st.floats(1e-4, 10), min_size=2, max_size=40)


def events(text: str) -> list[tuple[str, dict]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(said)) for name, said in found]


@given(times=TIMES)
def test_the_spread_holds_eight_in_ten(times):
    found = spread(times)
    assert found.median == median(times)
    within = sum(found.low <= each <= found.high for each in times)
    assert within >= 0.8 * len(times)
    assert min(times) <= found.low <= found.median <= found.high <= max(times)
    assert spread(times[:1]) is None
    many = spread([*times * 10, 1e9])  # one that is far out is not shown
    assert many.high <= max(times)


@given(first=st.floats(0.01, 9), step=st.floats(0.01, 9), decode=st.floats(0.01, 9))
def test_a_picture_is_the_sum_of_its_parts(first, step, decode):
    found = Measured(5, [first], [step] * 3, [decode])  # measured on three of four
    assert found.picture == pytest.approx(first + 4 * step + decode)
    assert told(found)["an_hour"] == pytest.approx(3600 / found.picture)
    assert Measured(1, [first], [], [decode]).picture == pytest.approx(first + decode)
    assert Measured(5, [first], [], [decode]).picture is None


def test_energy_is_of_the_share_that_a_picture_is():
    found = Measured(3, [1.0, 1.0], [1.0] * 4, [1.0, 1.0], joules=80.0)  # two pictures
    assert told(found)["joules"] == pytest.approx(40.0)
    found.joules = None
    assert told(found)["joules"] is None


class Clock:
    """Time that passes where it is let."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_what_others_do_between_steps_is_not_counted(tiny, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(measure, "time", clock)

    def slow():
        for k in range(3):
            clock.now += 0.5
            yield k

    took = []
    for _, seconds in measure.timed(tiny, slow()):
        clock.now += 100  # somebody else's turn
        took.append(seconds)
    assert took == [0.5] * 3


def test_measuring_ends_and_adds_up(tiny):
    (name, machine), *steps, (last, done) = [(e.name, e.told) for e in measured(tiny, enough=0.05)]
    assert (name, last) == ("machine", "done")
    assert machine["calls"] == 2 * tiny.model.family.steps
    taken = [step["last"] for _, step in steps if step["index"]]
    assert len(taken) >= 3
    assert done["step"]["median"] == pytest.approx(median(taken))
    assert done["picture"] == pytest.approx(
        done["first"] + (machine["steps"] - 1) * done["step"]["median"] + done["decode"]
    )


def test_a_slow_model_is_not_drawn_to_its_end(tiny, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(measure, "time", clock)
    stream = type(tiny).stream

    def slow(pipe, prompt, **asked):
        for step in stream(pipe, prompt, steps=50, **asked):
            clock.now += 9.0
            yield step

    monkeypatch.setattr(type(tiny), "stream", slow)
    told = [event for event in measured(tiny) if event.name == "step"]
    assert len(told) == 4  # the first, and the fewest of the others
    assert told[-1].told["picture"] == pytest.approx(9 * tiny.model.family.steps)


@pytest.mark.parametrize(
    ("against", "xs"),
    [("steps", [1, 2, 4, 8, 16, 32]), ("size", [16, 24, 32, 48]), ("batch", [1, 2, 3, 4])],
)
def test_a_curve_has_its_points(tiny, against, xs):
    found = [event for event in curve(tiny, against) if event.name == "point"]
    assert [point.told["x"] for point in found] == xs
    assert all(point.told["seconds"] > 0 for point in found)


def test_a_curve_stops_before_it_takes_long(tiny, monkeypatch):
    monkeypatch.setattr(measure, "LONGEST", 0.0)
    *_, point, done = curve(tiny, "batch")
    assert (point.told["x"], done.told["left"]) == (1, 3)
    with pytest.raises(InputError, match="moon"):
        next(curve(tiny, "moon"))


def zone(folder: Path, name: str, joules: float) -> None:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{round(joules * 1e6)}\n")
    (folder / name / "max_energy_range_uj").write_text("100000000\n")


def test_the_meter_counts_processors_once_and_comes_round(tmp_path):
    assert meter(tmp_path) is None
    zone(tmp_path, "intel-rapl:0", 90)
    zone(tmp_path, "intel-rapl:0:0", 5)  # a part of it
    zone(tmp_path, "intel-rapl:1", 10)
    joules = meter(tmp_path)
    zone(tmp_path, "intel-rapl:0", 95)
    zone(tmp_path, "intel-rapl:0:0", 50)
    assert joules() == pytest.approx(5)
    zone(tmp_path, "intel-rapl:0", 2)
    zone(tmp_path, "intel-rapl:1", 11)
    assert joules() == pytest.approx(5 + 7 + 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    assert meter(tmp_path) is None


def test_a_recipe_is_read_back_and_makes_the_picture_again(tiny):
    told = list(told_and_again(tiny, "a <fox>, 1 > 0".replace("<fox>", "fox"), 3))
    (found,) = [event.told for event in told if event.name == "read"]
    image = tiny.generate("a fox, 1 > 0", seed=3).images[0]
    assert found["text"] == image.info["parameters"]
    assert (found["recipe"]["seed"], found["recipe"]["model"]) == ("3", "tiny")
    assert "no `parameters` text" in found["bare"]
    assert "/tmp" not in found["bare"]
    assert told[-1].told["same"] == told[-1].told["numbers"] == 32 * 32 * 3


def test_another_seed_is_another_picture(tiny, monkeypatch):
    """What says that all is the same would say if it were not."""
    monkeypatch.setattr(
        "mezzotint.lab.lessons.production.provenance.options",
        lambda recipe: options(recipe) | {"seed": recipe.seed + 1},
    )
    *_, done = told_and_again(tiny, "a fox", 3)
    assert done.told["same"] < done.told["numbers"]


def test_a_recipe_says_all_that_a_request_has(tiny):
    asked = complete(tiny.model.family, "a fox", seed=1, cfg=2.5, negative="fog", steps=3)
    image = tiny.generate("a fox", seed=1, cfg=2.5, negative="fog", steps=3).images[0]
    recipe = read(png(image)).recipe
    assert complete(tiny.model.family, recipe.prompt, **options(recipe)) == asked
    with pytest.raises(InputError, match="no `parameters` text"):
        read(png(Image.new("RGB", (8, 8))))


def test_what_the_page_says_is_not_there_is_not_there():
    """The day one of these is built, the page has to be written anew."""
    built = {path.name for path in Path(mezzotint.__file__).parent.iterdir()}
    assert not built & {"safety", "safety.py", "watermark.py", "provenance.py", "c2pa.py"}


def test_the_server_tells_it(client):
    asked = {"prompt": "a fox", "seed": 1}
    names = [
        name for name, _ in events(client.get("/api/production/provenance", params=asked).text)
    ]
    assert names == ["step"] * 4 + ["read"] + ["step"] * 4 + ["done"]
    (name, said), *_ = events(client.get("/api/production/curve", params={"against": "x"}).text)
    assert (name, "'x'" in said["why"]) == ("refused", True)


def test_the_page_measures_as_it_opens(page, address, tiny_model, monkeypatch):
    monkeypatch.setattr(measure, "MANY", 6)
    page.goto(f"{address}/lessons/production")
    page.locator("#measure:enabled").wait_for()
    assert f"torch {torch.__version__}" in page.inner_text("#machine")
    assert page.inner_text("#steps") == f"{tiny_model.family.steps} steps of dpmpp_2m"
    hour = float(page.inner_text("#hour").replace(",", ""))
    page.fill("#price", "36")
    # 1,000 pictures at 36 an hour, where so many are made in one
    assert float(page.inner_text("#cost").replace(",", "")) == pytest.approx(
        36_000 / hour, rel=0.01
    )
    assert page.locator("#ticks circle").count() >= 7


def test_the_page_draws_a_curve(page, address, monkeypatch):
    monkeypatch.setattr(measure, "MANY", 3)
    page.goto(f"{address}/lessons/production")
    page.select_option("#against", "batch")
    page.click("#draw")
    page.locator("#draw:enabled").wait_for()
    assert page.locator("#points tbody th").all_inner_texts() == ["1", "2", "3", "4"]
    assert "4 steps" in page.inner_text("#curve-said")


def test_the_page_says_what_cannot_be_drawn(page, address, monkeypatch):
    monkeypatch.setattr(measure, "MANY", 3)
    page.goto(f"{address}/lessons/production")
    page.fill("#prompt", "a fox <lora:nowhere:1>")
    page.click("#go")
    page.locator("#again", has_text="nowhere").wait_for()
    assert page.is_enabled("#go")


def test_the_page_shows_a_recipe_as_text(page, address, monkeypatch):
    monkeypatch.setattr(measure, "MANY", 3)
    page.goto(f"{address}/lessons/production")
    page.fill("#prompt", "a fox & an owl")
    page.click("#go")
    page.locator("#again", has_text="all 3,072 numbers").wait_for()
    assert page.inner_text("#text").startswith("a fox & an owl\nSteps: 4")
    assert page.get_attribute("#shown", "alt") == "a fox & an owl"
    with page.expect_download() as saved:
        page.click("#save")
    assert read(saved.value.path().read_bytes()).recipe.seed == 7
