"""InstructPix2Pix in training: it begins as nothing, learns to obey, and makes a variant."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from steered import SHORT
from storybooks import tiny_storybook
from torch import Tensor, nn

import mezzotint as mz
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.base import Model
from mezzotint.families.editing import instructed
from mezzotint.models.clip import CLIPText
from mezzotint.models.unet import UNet
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training import sighted
from mezzotint.training.data.pairs import Shown
from mezzotint.training.draw import Draw
from mezzotint.training.low_rank import LowRank
from mezzotint.training.presets.steering import INSTRUCT
from mezzotint.training.run import run
from mezzotint.training.seeing import left_out
from mezzotint.training.tasks.instruct import SMALL, InstructTask, emphasis
from mezzotint.training.widening import Widening

CPU = torch.device("cpu")
NIGHT = "make it night"
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
PICTURE, OTHER = map(Image.fromarray, PIXELS)
RECIPE = replace(INSTRUCT.task, direction=0.0, dropout=0.1, rank=4)


class Turned:
    """Latents of one colour that was its negative before; the captions say nothing."""

    def __init__(self, model: Model) -> None:
        generator = torch.Generator().manual_seed(1)
        colours = 1.5 * torch.randn(4, 4, 1, 1, generator=generator)
        self.before = colours.expand(-1, -1, 8, 8)
        self.tokens = model.encoders[0].windows([NIGHT, ""])

    def __len__(self) -> int:
        return 4

    def rows(self, numbers: Tensor, blank: Tensor) -> dict[str, Tensor]:
        before = self.before[numbers]
        told = {"shots": numbers, "tokens": self.tokens[blank.long()]}
        return {"latents": -before, "companions": before, **told}

    def batch(self, draw: Draw, blank=None):
        left = np.zeros(draw.batch, bool) if blank is None else blank
        return self.rows(torch.from_numpy(draw.integers("which", 4)), torch.from_numpy(left))

    def each(self, size: int):
        yield self.rows(torch.arange(4), torch.zeros(4))


@pytest.fixture
def make(tiny_model: Model, tmp_path: Path):
    """A task of the tiny model, as one of the storybook family or of a published one."""

    def task(release: str = "", network: UNet | None = None) -> InstructTask:
        network = network or deepcopy(tiny_model.network).requires_grad_(False)
        family = replace(tiny_model.family, release=release)
        model = replace(deepcopy(tiny_model), network=network, family=family)
        turned = Turned(model)
        shown = [Shown(PICTURE, OTHER, NIGHT), Shown(OTHER, PICTURE, "add a hat")]
        torch.manual_seed(0)
        kinds = ["hour", "hour", "hat", "hat"]
        return InstructTask(RECIPE, 0, turned, turned, kinds, shown, model, tmp_path)

    return task


def draw(step: int = 0, batch: int = 8) -> Draw:
    return Draw(0, step, batch, slice(None), CPU)


def edited(task: InstructTask, picture: Image.Image = PICTURE, **options) -> Tensor:
    pipe = Pipeline(task.model, "tiny")
    return pipe.edit(picture, NIGHT, **({"seed": 1, "steps": 2} | options)).latents


def learnt(task: InstructTask, steps: int, rate: float = 1e-2) -> None:
    optimizer = torch.optim.Adam([w for w in task.network.parameters() if w.requires_grad], rate)
    for step in range(steps):
        loss, _ = task.loss(task.batch(draw(step)), draw(step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


# at step 0


@pytest.mark.parametrize("release", ["", "sd1"])
@torch.no_grad()
def test_nothing_is_changed_before_the_first_step_to_the_bit(make, tiny_model: Model, release: str):
    task = make(release)
    family = task.model.family
    usual = {"seed": 1, "steps": 2, "cfg": family.cfg, "sampler": family.sampler}
    own = Pipeline(tiny_model, "tiny").generate(NIGHT, **usual).latents
    assert torch.equal(edited(task), own)
    assert torch.equal(edited(task, OTHER, image_cfg=4.0), own)
    task.first.weight[0, 0] = 0.1
    assert not torch.equal(edited(task), own)


@torch.no_grad()
def test_a_wider_convolution_is_its_own_kernels_beside_the_new():
    first = nn.Conv2d(3, 5, 3, padding=1)
    own = first.weight.clone()
    widening = Widening(first, 2)
    x = torch.randn(2, 5, 6, 7)
    assert torch.equal(first(x), nn.functional.conv2d(x[:, :3], own, first.bias, padding=1))
    widening.weight += torch.randn_like(widening.weight)
    whole = nn.functional.conv2d(x, widening.whole(own), first.bias, padding=1)
    torch.testing.assert_close(first(x), whole)
    swapped = torch.cat([widening.weight, own], dim=1)
    assert not torch.allclose(
        first(x), nn.functional.conv2d(x, swapped, first.bias, padding=1), atol=0.1
    )


def test_a_lora_learns_or_all_of_the_network(make):
    for release, frozen in (("", True), ("sd1", False)):
        task = make(release)
        learnt(task, 1)
        task.loss(task.batch(draw(1)), draw(1))[0].backward()
        learns = [weight for weight in task.network.parameters() if weight.requires_grad]
        assert all(weight.grad is not None for weight in learns)
        assert task.first.weight.grad.abs().max() > 0
        assert all((weight.grad is None) == frozen for weight in task.unet.parameters())
        assert task.unet.conv_in.weight.shape[1] == 4
        others = (task.model.autoencoder, task.model.encoders[0].network)
        assert all(weight.grad is None for each in others for weight in each.parameters())


@pytest.mark.parametrize(("release", "learns"), [("", True), ("sd1", False)])
def test_how_instructions_are_read_is_learnt_of_ours_alone(make, release: str, learns: bool):
    task = make(release)
    told = task.model.encode_prompts([NIGHT])
    learnt(task, 2)
    assert torch.equal(task.model.encode_prompts([NIGHT]).context, told.context) != learns


# what is seen


def test_a_picture_that_is_left_out_is_zeros(make):
    task = make()
    seen: list[Tensor] = []
    task.unet.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    step = draw(batch=32)
    blank, unseen = left_out(step, RECIPE.dropout)
    batch = task.batch(step)
    task.loss(batch, step)
    assert seen[0].shape[1] == 8
    assert np.array_equal((seen[0][:, 4:] == 0).flatten(1).all(1).numpy(), unseen)
    assert unseen.any()
    empty = task.model.encoders[0].windows([""])
    assert np.array_equal((batch["tokens"] == empty).all(1).numpy(), blank)


@pytest.mark.parametrize("release", ["", "sd1"])
def test_it_sees_in_training_what_it_sees_in_use(make, release: str):
    """Ours has latents of zero mean and unit variance beside, a published one the autoencoder's."""
    task = make(release)
    moments = {"latent_mean": task.model.latent_mean + 0.5, "latent_std": 3 * task.model.latent_std}
    task.model = replace(task.model, **moments)
    seen: list[Tensor] = []
    task.unet.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    image = torch.tensor(PIXELS[0]).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        companions = task.model.encode_images(image)
        batch = task.train.rows(torch.tensor([0]), torch.zeros(1))
        batch |= {"companions": companions, "seen": torch.ones(1)}
        task.loss(batch, draw(batch=1))
        edited(task)
    torch.testing.assert_close(seen[0][:, 4:], seen[1][:1, 4:])
    same = torch.allclose(seen[0][:, 4:], companions, atol=1e-3)
    assert same == (not release)


# what counts


@pytest.mark.parametrize("side", [1, 2, 5, 8])
def test_what_changes_gets_its_share_however_small_it_is(side: int):
    before = torch.randn(3, 4, 8, 8)
    after = before + 0.05 * torch.randn(3, 4, 8, 8)  # as rounding, or an autoencoder, leaves it
    after[0, :, :side, :side] += 1.0
    weights = emphasis(before, after, 0.5)
    torch.testing.assert_close(weights.mean((1, 2, 3)), torch.ones(3))
    assert torch.equal(weights[1:], torch.ones(2, 1, 8, 8))
    inside, extent = weights[0, :, :side, :side], side**2 / 64
    assert (inside == weights.max()).all()
    counts = 0.5 + 0.5 * extent
    if extent >= SMALL:
        assert inside.sum().item() / 64 == pytest.approx(counts, rel=1e-5)
    else:
        assert inside.mean().item() == pytest.approx(11, rel=0.5)
    assert torch.equal(emphasis(before, after, 0.0), torch.ones(3, 1, 8, 8))


def test_training_minds_what_changes_and_validation_all_places_alike(make):
    plain, task = make(), make()
    plain.recipe, task.recipe = (replace(RECIPE, changed=share) for share in (0.0, 0.9))
    for each in (plain, task):
        each.train.before = each.train.before.clone()
        each.train.before[:, :, 2:] = 0  # nothing changes there
    rows = task.batch(draw())
    minding, alike = (each.loss(rows, draw())[0].item() for each in (task, plain))
    assert minding != pytest.approx(alike, rel=0.01)
    with torch.no_grad():
        assert task.validate() == plain.validate()


# what is learnt


def test_it_learns_what_the_picture_was_and_tells_by_kind(make, tiny_model: Model):
    like = tiny_model.network.params
    bare = {"channels": (32,), "depths": (0,), "heads": (1,), "mid_depth": 0}
    task = make("sd1", UNet(replace(like, **bare)))
    with torch.no_grad():
        before = task.validate()
    assert before["loss"] == before["without"]
    learnt(task, 60, 5e-3)
    with torch.no_grad():
        after = task.validate()
    assert set(after) == {"loss", "without", "loss_hour", "loss_hat"}
    assert after["loss"] == pytest.approx((after["loss_hour"] + after["loss_hat"]) / 2, rel=1e-5)
    assert after["loss"] < 0.8 * before["loss"]
    assert after["loss"] < 0.8 * after["without"]


@torch.no_grad()
def test_the_grid_has_before_the_words_what_is_drawn_and_what_is_true(make):
    grid = np.asarray(make().grid())
    assert grid.shape == (2 * 32, 4 * 32, 3)
    assert np.array_equal(grid[:32, :32], PIXELS[1])
    assert np.array_equal(grid[:32, 96:], PIXELS[0])
    words = grid[:32, 32:64]
    assert (words == 255).any()
    assert (words < 128).any()


# the file


@torch.no_grad()
def test_the_file_makes_the_variant_that_was_trained(tmp_path: Path):
    model, _ = tiny_storybook([NIGHT])
    storybook.save(model, tmp_path / "base")
    base = storybook.load(tmp_path / "base")  # packed, as the variant's network will be
    base_read = base.encode_prompts([NIGHT]).context
    turned = Turned(base)
    torch.manual_seed(0)
    task = InstructTask(RECIPE, 0, turned, turned, [""] * 4, [], base, tmp_path)
    for weight in task.network.parameters():
        weight += 0.05 * torch.randn_like(weight)
    (tmp_path / "export").mkdir()
    task.export(tmp_path / "export")
    file = tmp_path / "export" / "instruct.safetensors"
    stored = {str(tensor.dtype) for tensor in safetensors.torch.load_file(file).values()}
    assert stored == {"torch.int8", "torch.float32"}
    again = (tmp_path / "base").rename(tmp_path / "model")
    (again / "instruct.safetensors").write_bytes(file.read_bytes())
    storybook.write_manifest(again, "storybook")

    pipe = mz.load(f"{again}#instruct")
    assert isinstance(pipe.model.network, UNet)
    loaded = pipe.edit(PICTURE, NIGHT, seed=1, steps=2).latents
    own, plain = edited(task), mz.load(again).generate(NIGHT, seed=1, steps=2).latents
    change = (own - plain).norm()
    assert change > 0.05 * plain.norm()
    assert (loaded - own).norm() < 0.1 * change
    read, reads = (each.encode_prompts([NIGHT]).context for each in (task.model, pipe.model))
    moved = (read - base_read).norm()
    assert moved > 0.05 * base_read.norm()
    assert (reads - read).norm() < 0.1 * moved
    assert (edited(task, OTHER) - own).norm() > 0.1 * change


def test_the_real_file_is_small_enough_to_ship():
    with torch.device("meta"):
        network = UNet(storybook.SIZES.unet)
        parts = {"network": network, "text": CLIPText(storybook.SIZES.text)}
        lora = LowRank(parts, INSTRUCT.task.rank)
    bytes_ = sum(weight.numel() + 4 * len(weight) for weight in lora.parameters())
    assert bytes_ + 2 * network.conv_in.weight.numel() < 4_000_000


# by name


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """Twelve pictures before and after, and what was asked for."""
    path = tmp_path_factory.mktemp("pairs")
    for name in ("before", "after"):
        (path / name).mkdir()
    for k in range(12):
        pixels = np.random.default_rng(k).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(path / "before" / f"{k:02d}.png")
        Image.fromarray(255 - pixels).save(path / "after" / f"{k:02d}.png")
        (path / "before" / f"{k:02d}.txt").write_text("make it a negative")
    return path


def test_somebodys_pairs_make_a_variant_of_a_model(pairs: Path, tmp_path: Path):
    storybook.save(tiny_storybook([NIGHT])[0], tmp_path / "base")
    task = {"base": str(tmp_path / "base"), "rank": 2}
    done = run("instruct", pairs, tmp_path / "run", **SHORT, task=task)
    assert storybook.variants(done / "model") == ["unet", "instruct"]
    pipe = mz.load(f"{done / 'model'}#instruct")
    assert np.asarray(pipe.edit(PICTURE, NIGHT, seed=1, steps=2).images[0]).shape == (32, 32, 3)
    assert (done / "grids" / "step-00000002.png").exists()
    task = {"base": f"{done / 'model'}#instruct"}
    with pytest.raises(InputError, match="is made for edits by instruction: give its plain base"):
        run("instruct", pairs, tmp_path / "again", **SHORT, task=task)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda path: (path / "before").rename(path / "then"), "no folder .*before"),
        (lambda path: [f.unlink() for f in (path / "after").glob("*.png")], "no picture in"),
    ],
)
def test_pairs_that_are_none_are_refused_in_a_line(pairs: Path, tmp_path: Path, broken, says: str):
    path = copytree(pairs, tmp_path / "pairs")
    storybook.save(tiny_storybook([NIGHT])[0], tmp_path / "base")
    broken(path)
    task = {"base": str(tmp_path / "base")}
    with pytest.raises(InputError, match=says) as caught:
        run("instruct", path, tmp_path / "run", **SHORT, task=task)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("told", ["beside after", "nowhere", "of all but one"])
def test_pairs_of_which_nothing_is_said_are_refused(pairs: Path, tmp_path: Path, told: str):
    path = copytree(pairs, tmp_path / "pairs")
    storybook.save(tiny_storybook([NIGHT])[0], tmp_path / "base")
    count = 1 if told == "of all but one" else 12
    for text in list((path / "before").glob("*.txt"))[:count]:
        if told == "beside after":
            text.rename(path / "after" / text.name)
        else:
            text.unlink()
    says = rf"nothing is said of {count} pairs, \d\d.png among them: put what .* before/\d\d.txt"
    with pytest.raises(InputError, match=says):
        run("instruct", path, tmp_path / "run", **SHORT, task={"base": str(tmp_path / "base")})
    assert not (tmp_path / "run").exists()


def test_a_direction_is_asked_only_of_a_velocity(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, _ = tiny_storybook([NIGHT])
    other = replace(model, family=replace(model.family, prediction="eps"))
    monkeypatch.setattr(sighted, "read_base", lambda *_: other)
    for name in ("instruct", "ip-adapter"):
        with pytest.raises(
            InputError, match=r"task.direction 0.5: .* predicts no velocity, give 0"
        ):
            run(name, pairs, tmp_path / name, **SHORT)
        assert not (tmp_path / name).exists()
        assert not (tmp_path / "data").exists()


def test_pictures_of_sizes_that_do_not_fit_are_refused_in_a_line(pairs: Path, tmp_path: Path):
    storybook.save(tiny_storybook([NIGHT])[0], tmp_path / "base")
    pictures = {"pictures": {"size": 30, "held_out": 2}}
    task = {"base": str(tmp_path / "base")}
    with pytest.raises(InputError, match="takes multiples of 8") as caught:
        run("instruct", pairs, tmp_path / "run", **(SHORT | pictures), task=task)
    assert "\n" not in str(caught.value)


def test_families_that_obey_differ_in_what_is_beside(tiny_model: Model):
    ours, theirs = (made(tiny_model.family) for made in (storybook.obeying, instructed))
    assert ours.name == theirs.name == "tiny-instruct"
    assert (ours.beside.image_cfg, theirs.beside.image_cfg) == (1.0, 1.5)
    assert (ours.beside.keeps, theirs.beside.keeps) == (0.4, 0.0)
    assert ours.beside.channels is not theirs.beside.channels
