"""The whole evaluation, with a tiny model in the real world: what it draws, keeps and compares."""

import json
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_clip
import torch
from PIL import Image

from mezzotint.adapters.base import OWN, Injected
from mezzotint.errors import InputError
from mezzotint.evals import run
from mezzotint.evals.gallery import Gallery
from mezzotint.evals.judge import Seen
from mezzotint.evals.skills import PROMPTS, SKILLS
from mezzotint.training.data.scenes import HELD_OUT_SEEDS
from mezzotint.training.presets.storybook import DENOISER
from mezzotint.world import KINDS

SIZE = 32  # the tiny model's


class Blind:
    """A judge that knows every word and sees nothing."""

    params = SimpleNamespace(kinds=tuple(KINDS))

    def see(self, pictures: list[Image.Image]) -> list[Seen]:
        return [Seen((), "", "", "", "", "")] * len(pictures)


def settings(**changes) -> run.Settings:
    asked = {"what": run.WHAT, "prompts": 14, "images": 2, "training": 14, "drawing": {"steps": 1}}
    return run.Settings(**{**asked, **changes})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("runs") / "clip"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tiny_clip.run(home)
    return home


@pytest.fixture(scope="module")
def by(clip: Path) -> run.Instruments:
    seeing = run.instruments(settings(what=("fidelity", "clip", "diversity")), None, clip, None)
    return run.Instruments(Blind(), seeing.features, seeing.towers)


@pytest.fixture(scope="module")
def scenes(by: run.Instruments):
    """Scenes for some settings, each drawn once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "sample_scene", cache(run.sample_scene))
        patch.setattr(run, "render", cache(run.render))
        patch.setattr(run, "skill_prompts", cache(run.skill_prompts))
        yield lambda told: run.scenes(told, by.features, SIZE, lambda *_: None)


@pytest.fixture
def measure(tiny, by: run.Instruments, scenes, tmp_path: Path):
    """Evaluate the tiny model into a folder; what it was told of progress comes back as well."""

    def measure(told: run.Settings):
        heard: list[tuple[str, int, int]] = []
        tick = lambda *each: heard.append(each)  # noqa: E731
        return run.evaluate(tiny, told, by, tmp_path / "out", tick, scenes(told)), heard

    return measure


def test_everything_is_measured_and_written_and_the_second_time_nothing_is_drawn(
    measure, tmp_path: Path
):
    found, heard = measure(settings())
    out = tmp_path / "out"
    made = {path.name: path.read_bytes() for path in (out / "pictures").iterdir()}
    assert len(made) == 14 * 2 + 14 + 14  # for the judge; captions' first seeds; their second
    assert heard == [("pictures", k, len(made)) for k in range(1, len(made) + 1)]
    assert {each.name for each in out.iterdir()} == {
        *("report.json", "pictures", "pictures.png", "neighbours.png")
    }
    report = json.loads((out / "report.json").read_text())
    assert report["accuracy"]["prompts"] == 14
    assert report["accuracy"]["drawn"]["overall"]["share"] == 0
    assert report["fidelity"]["drawn"]["frechet"] == found.fidelity.drawn.frechet
    assert found.fidelity.drawn.frechet > 2 * found.fidelity.held_out.frechet  # noise, not scenes
    assert found.clip.true != found.clip.drawn
    assert found.diversity.seeds > 0
    assert (found.drawing.steps, found.drawing.seconds > 0) == (1, True)

    (out / "pictures" / min(made)).unlink()  # stopped before this one
    again, _ = measure(settings())
    assert {path.name: path.read_bytes() for path in (out / "pictures").iterdir()} == made
    assert (again.fidelity, again.clip, again.diversity) == (
        *(found.fidelity, found.clip, found.diversity),
    )
    assert measure(settings())[0].drawing == again.drawing  # nothing was drawn: what it took then
    other = report | {"drawing": report["drawing"] | {"steps": 2, "seconds": 0.1}}
    for unlike in (json.dumps(other), "[]", "nothing"):
        (out / "report.json").write_text(unlike)
        assert measure(settings())[0].drawing.seconds is None


@pytest.mark.parametrize(
    ("what", "pictures"),
    [
        (("accuracy",), 28),
        (("clip",), 14),
        (("fidelity",), 14),
        (("diversity",), 28),
    ],
)
def test_only_what_is_asked_for_is_drawn(measure, tmp_path: Path, what, pictures: int):
    found, _ = measure(settings(what=what))
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == pictures
    assert [name for name in run.WHAT if getattr(found, name) is not None] == list(what)


def test_a_pictures_name_is_a_function_of_all_that_makes_it(tiny, tmp_path: Path):
    def name(prompt: str, seed: int, **drawing) -> str:
        draw = Gallery(tiny, tmp_path, {"steps": 1, **drawing}, 1, lambda *_: None)
        draw([prompt], [seed])
        return draw.asked[0][1].name

    same = name("a fox", 0)
    assert name("a fox", 0, cfg=tiny.model.family.cfg) == same  # which is the default
    others = {
        *(name("a cat", 0), name("a fox", 1), name("a fox", 0, steps=2), name("a fox", 0, cfg=2.0)),
        name("a fox", 0, sampler="euler"),
    }
    assert len(others | {same}) == 6


def test_pictures_of_other_weights_are_not_taken_for_these(tiny, tmp_path: Path):
    """Of a checkpoint's files nobody has asked for a digest."""
    bare = replace(tiny, model=replace(tiny.model, digest=""))
    network = deepcopy(tiny.model.network)
    other = replace(bare, model=replace(bare.model, network=network))

    def drawn(pipe) -> bytes:
        return Gallery(pipe, tmp_path, {"steps": 1}, 1, lambda *_: None)(["a fox"], [0])[
            0
        ].tobytes()

    before = drawn(bare)
    assert drawn(other) == before  # whose weights are the same
    assert len(list(tmp_path.iterdir())) == 1
    with torch.no_grad():
        network.conv_in.weight.zero_()
    assert drawn(other) != before
    assert drawn(bare) == before


def test_pictures_of_another_execution_or_adapter_are_not_taken_for_these(tiny, tmp_path: Path):
    def name(pipe) -> str:
        draw = Gallery(pipe, tmp_path, {"steps": 1}, 1, lambda *_: None)
        draw(["a fox"], [0])
        return draw.asked[0][1].name

    def wearing(*told: tuple[str, str]) -> str:
        worn = [Injected(lambda: None, told=each) for each in told]
        return name(replace(tiny, injected=worn))

    assert wearing() == name(tiny)
    names = {name(tiny), name(replace(tiny, executed="openvino"))}
    names |= {wearing(("lora", "oil:1.0")), wearing(("lora", "oil:0.5")), wearing(OWN)}
    assert len(names) == 5
    assert wearing(("lora", "oil:0.5")) in names
    assert wearing(OWN) not in names  # what it does nobody knows


def test_pictures_of_an_adapter_that_was_trained_anew_are_not_taken_for_these(tiny, tmp_path: Path):
    def name(contents: str) -> str:
        worn = Injected(lambda: None, told=("lora", "oil:1.0"), contents=lambda: contents)
        pipe = replace(tiny, injected=[worn])
        draw = Gallery(pipe, tmp_path, {"steps": 1}, 1, lambda *_: None)
        draw(["a fox"], [0])
        return draw.asked[0][1].name

    assert name("as it was") == name("as it was") != name("as it is")


def test_fewer_prompts_are_the_first_of_each_skill(scenes):
    few, whole = run._asks(21), list(run.skill_prompts(count=PROMPTS))
    assert run._asks(PROMPTS) == sorted(whole, key=lambda ask: SKILLS.index(ask.skill))
    assert [ask.skill for ask in few] == [skill for skill in SKILLS for _ in range(3)]
    assert all(ask in whole for ask in few)


def test_scenes_are_of_the_training_set_and_out_of_it():
    data = DENOISER.pictures
    assert data.single <= run.TRAINED < run.TRAINED + 2000 <= data.scenes
    validated, judged = range(HELD_OUT_SEEDS, HELD_OUT_SEEDS + data.held_out), 2_000_000_000
    assert validated[-1] < run.HELD_OUT < run.HELD_OUT + 100_000 < judged


def test_what_is_missing_is_said_in_one_line(clip: Path, tmp_path: Path):
    def says(words: str, told: run.Settings, *paths: Path | None) -> None:
        with pytest.raises(InputError, match=words) as refused:
            run.instruments(told, *paths)
        assert "\n" not in str(refused.value)

    says("cannot read .*nowhere", settings(), tmp_path / "nowhere", clip, None)
    says("images 1", settings(images=1), None, clip, None)
    others = settings(what=("fidelity", "clip"))
    says("there is no .*nowhere", others, None, tmp_path / "nowhere", None)
    says("there is no .*nowhere", others, None, clip, tmp_path / "nowhere")
    with pytest.raises(InputError, match="did you mean 'fidelity'"):
        run.asked("clip,fidelit")
    assert run.asked("diversity, clip") == ("clip", "diversity")
