"""IP-Adapters in training: they begin as nothing, learn what is seen, and load by name."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from steered import SHORT
from storybooks import SIZES, tiny_storybook
from torch import Tensor

import mezzotint as mz
from mezzotint.adapters import ip_adapter as ip_adapter_module
from mezzotint.adapters.image_encoder import Eye
from mezzotint.adapters.ip_adapter import ImagePrompt, read
from mezzotint.adapters.pictures import for_storybook
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.base import Model
from mezzotint.models.clip import CLIPVision
from mezzotint.models.dit import DiT
from mezzotint.models.image_words import ImageWords, new_words
from mezzotint.models.ip_adapter import cross_attentions
from mezzotint.models.unet import UNet
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training import first_words
from mezzotint.training.data.pairs import Shown
from mezzotint.training.draw import Draw
from mezzotint.training.first_words import begin
from mezzotint.training.presets.steering import IP_ADAPTER, IP_STYLE
from mezzotint.training.process_group import Group
from mezzotint.training.run import run
from mezzotint.training.seeing import left_out
from mezzotint.training.tasks.ip_adapter import IPAdapterTask

CPU = torch.device("cpu")
FOX = "a fox in the snow at night"
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
PICTURE, OTHER = map(Image.fromarray, PIXELS)
RECIPE = replace(IP_ADAPTER.task, direction=0.0, dropout=0.1, ahead=0, reach=1.0)


class Squares:
    """Latents of one of four colours, and a vector that says which; the captions say nothing.

    What would tell them is their colour.
    """

    def __init__(self, model: Model, width: int) -> None:
        generator = torch.Generator().manual_seed(1)
        self.colours = 1.5 * torch.randn(4, 4, 1, 1, generator=generator)
        self.vectors = torch.randn(4, width, generator=generator)
        self.tokens = model.encoders[0].windows([FOX, ""])
        self.told = model.encoders[0].windows(["red", "blue", "green", "white"])

    def __len__(self) -> int:
        return 4

    def rows(self, numbers: Tensor, blank: Tensor) -> dict[str, Tensor]:
        return {
            "latents": self.colours[numbers].expand(-1, -1, 8, 8),
            "companions": self.vectors[numbers],
            "shots": numbers,
            "tokens": self.tokens[blank.long()],
        }

    def batch(self, draw: Draw, blank=None):
        left = np.zeros(draw.batch, bool) if blank is None else blank
        return self.rows(torch.from_numpy(draw.integers("which", 4)), torch.from_numpy(left))

    def each(self, size: int):
        yield self.rows(torch.arange(4), torch.zeros(4))

    def telling(self, shots: Tensor) -> dict[str, Tensor]:
        return {"tokens": self.told[shots]}


@pytest.fixture(scope="module")
def eye() -> Eye:
    torch.manual_seed(0)
    return Eye(CLIPVision(SIZES.vision).eval(), for_storybook)


def made(tiny_model: Model, eye: Eye, release: str) -> IPAdapterTask:
    model = replace(
        tiny_model,
        family=replace(tiny_model.family, release=release),
        network=deepcopy(tiny_model.network).requires_grad_(False),
    )
    squares = Squares(model, SIZES.vision.projection)
    shown = [Shown(PICTURE, OTHER, FOX), Shown(OTHER, PICTURE, FOX)]
    torch.manual_seed(0)
    return IPAdapterTask(RECIPE, 0, squares, squares, shown, model, eye, "ip-content")


@pytest.fixture(params=["", "sd1"], ids=["words", "attention of its own"])
def task(request, tiny_model: Model, eye: Eye) -> IPAdapterTask:
    """Of the storybook family, and of one whose adapters are published."""
    return made(tiny_model, eye, request.param)


@pytest.fixture
def wordy(tiny_model: Model, eye: Eye) -> IPAdapterTask:
    """Of the storybook family."""
    return made(tiny_model, eye, "")


@pytest.fixture
def decoupled(tiny_model: Model, eye: Eye) -> IPAdapterTask:
    """Of a family whose adapters are published."""
    return made(tiny_model, eye, "sd1")


def draw(step: int = 0, batch: int = 8) -> Draw:
    return Draw(0, step, batch, slice(None), CPU)


def drawn(task: IPAdapterTask, picture: Image.Image | None = PICTURE, **options) -> Tensor:
    task.network.eval()
    pipe = Pipeline(task.model, "tiny")
    prompts = [ImagePrompt("new", task.network, task.eye, picture, 1.0)] if picture else []
    with pipe.attached(*prompts):
        return pipe.generate(FOX, **({"seed": 1, "steps": 2} | options)).latents


def learnt(task: IPAdapterTask, steps: int) -> None:
    optimizer = torch.optim.Adam(task.network.parameters(), 3e-2)
    for step in range(steps):
        loss, _ = task.loss(task.batch(draw(step)), draw(step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


# at step 0


@torch.no_grad()
def test_nothing_is_changed_before_the_first_step_to_the_bit(task: IPAdapterTask):
    assert torch.equal(drawn(task), drawn(task, None))
    batch = task.batch(draw())
    with_it, without = (task._losses(batch, draw(), seen) for seen in (task._tokens(batch), None))
    assert torch.equal(with_it, without)
    words = isinstance(task.network, ImageWords)
    shut = task.network.gates if words else task.network.values[0].weight
    shut.flatten()[0] = 0.1
    assert not torch.equal(drawn(task), drawn(task, None))
    assert not torch.equal(task._losses(batch, draw(), task._tokens(batch)), without)


def test_every_layer_that_reads_the_prompt_has_its_keys(decoupled: IPAdapterTask):
    attentions = cross_attentions(decoupled.model.network)
    assert len(attentions) == len(decoupled.network.keys) == 7
    for attention, key in zip(attentions, decoupled.network.keys, strict=True):
        assert torch.equal(key.weight, attention.key.weight)


def test_every_layer_that_reads_the_prompt_has_a_gate(wordy: IPAdapterTask):
    assert isinstance(wordy.network, ImageWords)
    assert wordy.network.open().tolist() == [0.0] * len(cross_attentions(wordy.model.network))


def test_levels_that_only_read_the_prompt_are_seen_too():
    unet = UNet(replace(SIZES.unet, depths=(1, 1), cross_only=(0,)))
    assert len(cross_attentions(unet)) == 7
    assert len(cross_attentions(UNet(SIZES.unet))) == 4


def test_only_the_adapter_learns_and_all_of_it_does(task: IPAdapterTask):
    learnt(task, 1)  # opens the values, without which keys have no gradient
    task.loss(task.batch(draw(1)), draw(1))[0].backward()
    assert all(weight.grad.abs().max() > 0 for weight in task.network.parameters())
    networks = (task.model.network, task.eye.tower, task.model.encoders[0].network)
    assert all(weight.grad is None for each in networks for weight in each.parameters())


# what is left out


def test_prompt_and_picture_are_left_out_as_often_as_said():
    blank, unseen = left_out(Draw(0, 0, 20_000, slice(None), CPU), 0.05)
    shares = [(blank & ~unseen).mean(), (unseen & ~blank).mean(), (blank & unseen).mean()]
    assert shares == pytest.approx([0.05] * 3, abs=0.006)
    part, _ = left_out(Draw(0, 0, 20_000, slice(100, 200), CPU), 0.05)
    assert np.array_equal(part, blank[100:200])
    assert not any(map(np.any, left_out(draw(), 0.0)))


def test_a_picture_that_is_left_out_is_zeros(task: IPAdapterTask):
    """To attention of its own; words are not seen by rows that are to see none."""
    task.recipe = replace(RECIPE, dropout=1 / 3)
    step = draw(batch=64)
    blank, unseen = left_out(step, 1 / 3)
    batch = task.batch(step)
    if isinstance(task.network, ImageWords):
        unseen = np.zeros_like(unseen)
    assert np.array_equal((batch["companions"] == 0).all(1).numpy(), unseen)
    empty = task.model.encoders[0].windows([""])
    assert np.array_equal((batch["tokens"] == empty).all(1).numpy(), blank)


# what is learnt


def test_the_picture_is_looked_at(decoupled: IPAdapterTask):
    with torch.no_grad():
        before = decoupled.validate()
    assert before["loss"] == before["others"] == before["without"]
    learnt(decoupled, 25)
    with torch.no_grad():
        after = decoupled.validate()
    assert after["without"] == before["without"]
    assert after["loss"] < 0.8 * after["without"]
    assert after["loss"] < 0.8 * after["others"]


def test_a_pictures_words_are_read_as_those_that_tell(wordy: IPAdapterTask, monkeypatch):
    """Those of this small tower are too alike to tell pictures apart, so others stand for them."""
    wordy.recipe = replace(RECIPE, words=0.0)
    torch.manual_seed(1)
    words = torch.randn(4, RECIPE.tokens, SIZES.unet.context_width)
    monkeypatch.setattr(wordy, "_words", lambda batch: words[batch["shots"]])
    rows = torch.arange(4)
    batch = wordy.train.rows(rows, torch.zeros(4)) | {"telling.tokens": wordy.train.told}
    others = batch | {"companions": wordy.train.vectors.roll(1, dims=0)}
    with torch.no_grad():
        without, _ = wordy.loss(batch, draw(batch=4))
    learnt(wordy, 60)
    wordy.network.eval()
    with torch.no_grad():
        (own, _), (strange, _) = (wordy.loss(each, draw(batch=4)) for each in (batch, others))
    assert own < 0.5 * min(without, strange)


def test_the_grid_has_what_is_seen_drawn_and_true(task: IPAdapterTask):
    with torch.no_grad():
        grid = np.asarray(task.grid())
    assert grid.shape == (3 * 32, 2 * 32, 3)
    assert np.array_equal(grid[:32, :32], PIXELS[1])
    assert np.array_equal(grid[64:, :32], PIXELS[0])


def test_the_grid_draws_as_the_file_will(wordy: IPAdapterTask, tmp_path: Path, monkeypatch):
    opened: list[Tensor] = []
    inject = ImagePrompt.inject

    def seen(prompt: ImagePrompt, parts):
        opened.append(prompt.scale * prompt.network.open())
        return inject(prompt, parts)

    monkeypatch.setattr(ImagePrompt, "inject", seen)
    wordy.recipe = replace(RECIPE, reach=1.5)
    with torch.no_grad():
        wordy.network.gates += 0.1
        wordy.grid()
        wordy.export(tmp_path)
        network = read(tmp_path / "ip-content.safetensors")
        torch.testing.assert_close(opened[0], network.open(), rtol=0.05, atol=0)
        assert not torch.allclose(opened[0], wordy.network.open(), rtol=0.05)


def test_the_first_words_are_those_that_tell(wordy: IPAdapterTask, tmp_path: Path, monkeypatch):
    said: list[str] = []

    def first(steps: int, seed: int = 0) -> ImageWords:
        fresh = deepcopy(wordy.network)
        group = Group(0, 1, CPU)
        begin(
            fresh, wordy.train, wordy.model, steps, seed, tmp_path, group, lambda *a: said.append(a)
        )
        return fresh.eval()

    telling = torch.randn(4, RECIPE.tokens, SIZES.unet.context_width)  # a tiny tower's are alike
    monkeypatch.setattr(first_words, "words_of", lambda model, rows, n: telling[rows["shots"]])
    monkeypatch.setattr(first_words, "TOLD", 50)
    found = first(150)
    assert said == [("steps on a picture's words", n, 150) for n in (50, 100, 150)]
    assert found.open().tolist() == [0.0] * 7
    with torch.no_grad():
        vectors, words = first_words._taught(found, wordy.train, wordy.model)
        apart = (found.tokens(vectors) - words).square().mean()
        wordy.network.eval()
        assert apart < 0.25 * (wordy.network.tokens(vectors) - words).square().mean()
        others = (found.tokens(vectors) - words.roll(1, dims=0)).square().mean()
        assert apart < 0.2 * others
    again = first(150)
    assert len(said) == 3  # it was kept
    assert torch.equal(again.tokens(vectors), found.tokens(vectors))
    first(50, seed=1)
    assert len(said) == 4
    assert len(list(tmp_path.iterdir())) == 2


def test_how_far_the_tokens_are_counts_too(wordy: IPAdapterTask):
    batch, _ = wordy.batch(draw()), wordy.network.eval()
    with torch.no_grad():
        plain, told = wordy.loss(batch, draw())
        wordy.recipe = replace(RECIPE, words=RECIPE.words + 2)
        weighed, _ = wordy.loss(batch, draw())
    torch.testing.assert_close(weighed - plain, 2 * told["words"])


@torch.no_grad()
def test_the_teacher_reads_what_would_tell(wordy: IPAdapterTask, monkeypatch):
    """With its very tokens, and the gates open, there is nothing left to learn."""
    batch, wordy.recipe = wordy.batch(draw()), replace(RECIPE, words=0.0)
    wordy.network.eval()
    words = wordy._words(batch)
    shut, _ = wordy.loss(batch, draw())
    monkeypatch.setattr(wordy.network, "tokens", lambda vectors: words)
    wordy.network.gates += 9.0
    told, _ = wordy.loss(batch, draw())
    monkeypatch.setattr(wordy.network, "tokens", lambda vectors: words.roll(1, dims=0))
    others, _ = wordy.loss(batch, draw())
    assert told == 0 < min(shut, others)


# the file


@torch.no_grad()
def filled(task: IPAdapterTask) -> IPAdapterTask:
    for weight in task.network.parameters():
        weight += 0.1 * torch.randn_like(weight)
    return task


def test_the_file_shows_the_same(task: IPAdapterTask, tmp_path: Path):
    """Packed to 8 bits for our own family, in float16 for others."""
    filled(task).export(tmp_path)
    file = tmp_path / "ip-content.safetensors"
    each, bound = {"": (1, 0.05), "sd1": (2, 2e-3)}[task.model.family.release]
    size = each * sum(w.numel() for w in task.network.parameters())
    assert size <= file.stat().st_size < 1.6 * size + 8000
    prompt = mz.ip_adapter(file, PICTURE, encoder=task.eye.tower)
    prompt = replace(prompt, eye=task.eye)
    own, plain = drawn(task), drawn(task, None)
    pipe = Pipeline(task.model, "tiny")
    with pipe.attached(prompt):
        loaded = pipe.generate(FOX, seed=1, steps=2).latents
    change = (own - plain).norm()
    assert change > 0.01 * plain.norm()
    assert (loaded - own).norm() < bound * change
    assert (drawn(task, OTHER) - own).norm() > bound * change


def test_in_use_the_gates_open_further_than_in_training(wordy: IPAdapterTask, tmp_path: Path):
    filled(wordy).recipe = replace(RECIPE, reach=1.5)
    wordy.export(tmp_path)
    opened, own = read(tmp_path / "ip-content.safetensors").open(), wordy.network.open()
    torch.testing.assert_close(opened, 1.5 * own)
    assert own.abs().max() > 0.1


def test_the_real_adapters_are_small_enough_to_ship():
    for recipe in (IP_ADAPTER, IP_STYLE):
        with torch.device("meta"):
            unet = UNet(storybook.SIZES.unet)
            words = new_words(unet, storybook.VISION.projection, recipe.task.tokens)
        assert sum(weight.numel() for weight in words.parameters()) < 2_000_000  # bytes, packed


# by name


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model's folder with an image tower."""
    path = tmp_path_factory.mktemp("models") / "model"
    model, _ = tiny_storybook([FOX])
    torch.manual_seed(0)
    storybook.save(model, path, vision=CLIPVision(SIZES.vision))
    return path


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("album")
    for k in range(12):
        pixels = np.random.default_rng(k).integers(0, 256, (32, 32 + k % 3, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{k:02d}.png")
        (path / f"{k:02d}.txt").write_text(f"picture {k}")
    return path


def test_somebodys_pictures_are_drawn_and_seen(
    folder: Path, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    done = run(
        "ip-adapter", album, tmp_path / "run", **SHORT, task={"base": str(folder), "ahead": 4}
    )
    file = done / "model" / "ip-adapter.safetensors"
    pipe = mz.load(done / "model")
    plain = pipe.generate(FOX, seed=1, steps=2).latents
    with pipe.attached(mz.ip_adapter(file, PICTURE)):  # it finds the tower beside it
        assert not torch.equal(pipe.generate(FOX, seed=1, steps=2).latents, plain)
    assert torch.equal(pipe.generate(FOX, seed=1, steps=2).latents, plain)
    packed = safetensors.torch.load_file(file)
    assert packed["image_words.narrow.weight"].dtype == torch.int8
    shipped = file.rename(file.with_name("ip-style.safetensors"))
    monkeypatch.setattr(ip_adapter_module, "EMBEDDED", shipped.parent)
    assert mz.ip_adapter("style", PICTURE).name == "ip-style.safetensors"
    with pytest.raises(InputError, match=r"has no IP-Adapter for content yet: .*train ip-adapter"):
        mz.ip_adapter("content", PICTURE)
    elsewhere = mz.ip_adapter(shipped, PICTURE, encoder=folder)
    assert elsewhere.eye.prepare is for_storybook


def test_what_cannot_see_is_refused_in_one_line(folder: Path, album: Path, tmp_path: Path, task):
    plain = tmp_path / "blind"
    storybook.save(tiny_storybook([FOX])[0], plain)
    flow = replace(task.model, network=DiT(SIZES.flow))
    cases = [
        (
            lambda: run("ip-adapter", album, tmp_path / "a", **SHORT, task={"base": str(plain)}),
            "has no image tower",
        ),
        (
            lambda: run("ip-adapter", album, tmp_path / "b", **SHORT, task={"base": "nowhere.xyz"}),
            "nowhere",
        ),
        (
            lambda: run(
                "ip-adapter", tmp_path / "none", tmp_path / "c", **SHORT, task={"base": str(folder)}
            ),
            "no folder",
        ),
        (
            lambda: run("ip-adapter", album, tmp_path / "d", task={"dropout": 0.4}),
            "task.dropout 0.4: three of it",
        ),
        (
            lambda: IPAdapterTask(RECIPE, 0, task.train, task.train, [], flow, task.eye, "x"),
            "is a DiT: only a U-Net",
        ),
    ]
    for refused, says in cases:
        with pytest.raises(InputError, match=says) as caught:
            refused()
        assert "\n" not in str(caught.value)


def test_an_adapter_of_another_family_is_refused(task: IPAdapterTask, folder: Path, tmp_path: Path):
    filled(task).export(tmp_path)
    prompt = mz.ip_adapter(tmp_path / "ip-content.safetensors", PICTURE, encoder=task.eye.tower)
    with pytest.raises(InputError, match="7 cross-attentions, and this U-Net has 4") as caught:
        prompt.inject(mz.load(folder).model.parts)
    assert "\n" not in str(caught.value)
