import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mezzotint.diffusion import Process
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.data.pictures import Sets, finish, write_shard
from mezzotint.training.draw import Draw
from mezzotint.training.presets.storybook import PRESETS
from mezzotint.training.tasks.autoencoder import AutoencoderTask, _transform, gradient_distance
from mezzotint.training.tasks.clip import CLIPTask
from mezzotint.training.tasks.denoiser import Captioned, DenoiserTask

CPU = torch.device("cpu")
COUNT, SINGLE = 60, 20
CAPTIONS = [f"a fox number {k}" for k in range(COUNT)]


def draw(step: int, batch: int = 8, seed: int = 0) -> Draw:
    return Draw(seed, step, batch, slice(None), CPU)


# the autoencoder


def test_gradients_are_compared_at_three_scales():
    a, b = torch.randn(2, 2, 3, 16, 16).unbind(0)
    expected = []
    for scale in (1, 2, 4):
        pooled = [nn.functional.avg_pool2d(x, scale) for x in (a, b)]
        across, down = ([x.diff(dim=d) for x in pooled] for d in (-1, -2))
        expected += [(p - q).abs().mean() for p, q in (across, down)]
    torch.testing.assert_close(gradient_distance(a, b), torch.stack(expected).mean())


def test_latent_and_picture_are_turned_and_scaled_alike():
    """A ramp stays the same ramp at either resolution, whatever is done to both."""
    seen = set()
    for step in range(40):
        z, x = (ramp(side) for side in (16, 64))
        z, x = _transform(z, x, draw(step))
        seen.add((z.shape[-1], round(z[0, 0, 0, 0].item(), 1)))
        assert x.shape[-1] == 4 * z.shape[-1]
        coarse = nn.functional.avg_pool2d(x, 4)
        torch.testing.assert_close(z[..., 2:-2, 2:-2], coarse[..., 2:-2, 2:-2], atol=6e-3, rtol=0)
    assert {side for side, _ in seen} == {8, 12, 16}
    assert len(seen) > 8  # several turns of each


def ramp(side: int) -> torch.Tensor:
    across = (torch.arange(side) + 0.5) / side
    return (across + 3 * across[:, None]).expand(1, 1, side, side).clone()


def test_windows_give_way_to_whole_pictures(tmp_path):
    rows = np.random.default_rng(0).integers(0, 255, (16, 32, 32, 3), np.uint8)
    write_shard(tmp_path, 0, rows, [[""]] * 16)
    pictures = finish(tmp_path, {"size": 32, "count": 16, "single": 0})
    preset = PRESETS["autoencoder"].task
    params = replace(preset.params, channels=(16, 16), blocks=1, groups=1)
    recipe = replace(preset, params=params, crop=16, whole_share=0.3)
    task = AutoencoderTask(recipe, 0, 10, Sets(pictures, pictures), CPU)
    shapes = [tuple(task.batch(draw(step))["images"].shape) for step in range(10)]
    assert shapes == [(8, 16, 16, 3)] * 7 + [(2, 32, 32, 3)] * 3
    whole = task.batch(draw(8))["images"].numpy()
    assert all(any(np.array_equal(picture, row) for row in rows) for picture in whole)
    loss, _ = task.loss(task.batch(draw(8)), draw(8))
    assert loss.isfinite()


def test_a_decoder_goes_on_while_its_encoder_stays(tmp_path):
    rows = np.random.default_rng(0).integers(0, 255, (16, 32, 32, 3), np.uint8)
    write_shard(tmp_path, 0, rows, [[""]] * 16)
    pictures = finish(tmp_path, {"size": 32, "count": 16, "single": 0})
    preset = PRESETS["decoder"].task
    params = replace(preset.params, channels=(16, 16), blocks=1, groups=1)
    recipe = replace(preset, params=params, crop=16)
    torch.manual_seed(0)
    begun = Autoencoder(params)
    before = {name: weight.clone() for name, weight in begun.state_dict().items()}
    task = AutoencoderTask(recipe, 0, 10, Sets(pictures, pictures), CPU, begun)
    quiet = AutoencoderTask(
        replace(recipe, latent_noise=0.0), 0, 10, Sets(pictures, pictures), CPU, begun
    )
    batch = task.batch(draw(1))
    losses = [each.loss(batch, draw(1))[0].item() for each in (task, quiet)]
    assert losses[0] != losses[1]
    optimizer = torch.optim.SGD([w for w in begun.parameters() if w.requires_grad], 0.1)
    task.loss(batch, draw(1))[0].backward()
    optimizer.step()
    moved = {name for name, weight in begun.state_dict().items() if (weight != before[name]).any()}
    assert moved
    assert all(name.startswith(("decoder.", "from_latent.")) for name in moved)


# CLIP


def clip_task(text, vision) -> CLIPTask:
    """A task of 32 pictures, each of one shade, with towers that are given."""
    task = object.__new__(CLIPTask)
    pictures = np.repeat(np.arange(32, dtype=np.uint8), 4 * 4 * 3).reshape(32, 4, 4, 3)
    task.held_out = type(
        "Set", (), {"pictures": lambda _, k: pictures[k], "__len__": lambda _: 32}
    )()
    task.held_out_tokens = np.arange(32, dtype=np.int16)[:, None, None].repeat(3, axis=2)
    task.device = CPU
    task.network = SimpleNamespace(text=text, vision=vision)
    return task


def one_hot(numbers: torch.Tensor) -> torch.Tensor:
    return nn.functional.one_hot(numbers.long(), 32).float()


def shade(images: torch.Tensor) -> torch.Tensor:
    return ((images[:, 0, 0, 0] + 1) * 127.5).round()


def test_towers_that_agree_find_every_picture():
    task = clip_task(lambda t: (None, one_hot(t[:, 0])), lambda x: (None, one_hot(shade(x))))
    assert task.validate() == {"picture_of_caption": 1.0, "caption_of_picture": 1.0}
    grid = np.asarray(task.grid())
    assert np.array_equal(grid[:4], grid[4:])


def test_towers_that_do_not_agree_find_none():
    task = clip_task(
        lambda t: (None, one_hot((t[:, 0] + 1) % 32)), lambda x: (None, one_hot(shade(x)))
    )
    assert task.validate() == {"picture_of_caption": 0.0, "caption_of_picture": 0.0}


# the denoiser


@pytest.fixture
def denoiser_task(tiny_model):
    def make(network=None, single_share=0.25, steps=40, direction=0.5, **changed):
        model = replace(tiny_model, network=network or tiny_model.network, **changed)
        recipe = replace(
            PRESETS["denoiser"].task,
            network=tiny_model.network.params,
            single_share=single_share,
            direction=direction,
            caption_dropout=0.3,
        )
        latents = np.arange(COUNT, dtype=np.float16)[:, None, None, None].repeat(4, axis=1)
        latents = np.broadcast_to(latents, (COUNT, 4, 4, 4)).copy()
        tokens = model.encoders[0].windows(CAPTIONS).numpy().astype(np.int16)[:, None]
        data = Captioned(LatentSet([latents]), tokens, COUNT, SINGLE)
        return DenoiserTask(recipe, 0, steps, data, data, model, model.encoders[0].tokenizer)

    return make


def numbers(batch) -> list[int]:
    return batch["latents"][:, 0, 0, 0].int().tolist()


def test_single_scenes_come_first_and_then_all(denoiser_task):
    task = denoiser_task()
    single = [k for step in range(10) for k in numbers(task.batch(draw(step)))]
    mixed = [k for step in range(10, 40) for k in numbers(task.batch(draw(step)))]
    assert len(single) == 80
    assert {single.count(k) for k in range(SINGLE)} == {4}
    assert {mixed.count(k) for k in range(COUNT)} == {4}


def test_without_a_curriculum_all_come_at_once(denoiser_task):
    task = denoiser_task(single_share=0.0)
    first = [k for step in range(10) for k in numbers(task.batch(draw(step)))]
    assert max(first) >= SINGLE


def test_captions_belong_to_latents_or_are_dropped(denoiser_task):
    task = denoiser_task()
    kept = dropped = 0
    for step in range(100):
        batch = task.batch(draw(step))
        for number, tokens in zip(numbers(batch), batch["tokens"], strict=True):
            if tokens.tolist() == task.empty.tolist():
                dropped += 1
            else:
                kept += 1
                assert tokens.tolist() == task.train.tokens[number, 0].tolist()
    assert dropped / (kept + dropped) == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / 800))


class Oracle(nn.Module):
    """Knows the clean latents, which are all the same, and so what to predict."""

    def __init__(self, x0: float, process: Process, time_scale: float) -> None:
        super().__init__()
        self.x0 = nn.Parameter(torch.tensor(x0), requires_grad=False)
        self.process, self.time_scale = process, time_scale

    def forward(self, x, t, context, y):
        native = (t / self.time_scale).double()
        alpha, sigma = (
            f(native).view(-1, 1, 1, 1) for f in (self.process.alpha, self.process.sigma)
        )
        eps = (x - alpha * self.x0) / sigma
        return (eps - self.x0).float()


def test_a_network_that_knows_all_has_no_loss(denoiser_task, tiny_model):
    """So latents are normalised, times scaled, and the target is the family's."""
    family = tiny_model.family
    mean, std = torch.full((1, 4, 1, 1), 4.0), torch.full((1, 4, 1, 1), 2.0)
    task = denoiser_task(
        Oracle(0.5, family.process, family.time_scale), latent_mean=mean, latent_std=std
    )
    task.train = replace(task.train, latents=LatentSet([np.full((COUNT, 4, 4, 4), 5, np.float16)]))
    loss, _ = task.loss(task.batch(draw(3)), draw(3))
    assert loss.item() < 1e-4

    ignorant = denoiser_task(
        Oracle(0.6, family.process, family.time_scale), latent_mean=mean, latent_std=std
    )
    ignorant.train = task.train
    assert ignorant.loss(task.batch(draw(3)), draw(3))[0].item() > 1e-3


def test_validation_is_the_same_every_time(denoiser_task):
    task = denoiser_task()
    with torch.no_grad():
        first, second = task.validate(), task.validate()
    assert first == second
    assert set(first) == {"loss", "loss_clean", "loss_middle", "loss_noisy"}
    thirds = [first[f"loss_{part}"] for part in ("clean", "middle", "noisy")]
    assert np.mean(thirds) == pytest.approx(first["loss"], rel=1e-4)


def test_two_held_out_pictures_are_enough(denoiser_task):
    task = denoiser_task()
    task.held_out = replace(task.held_out, count=2)
    with torch.no_grad():
        figures = task.validate()
    assert {"loss", "loss_clean", "loss_middle"} == set(figures)
    assert all(map(math.isfinite, figures.values()))


def test_the_text_tower_learns_along_and_is_exported(denoiser_task, tmp_path):
    task = denoiser_task()
    task.loss(task.batch(draw(0)), draw(0))[0].backward()
    assert all(w.grad is not None for w in task.network.parameters())
    assert {id(w) for w in task.encoder.network.parameters()} < {
        id(w) for w in task.network.parameters()
    }
    assert all(w.grad is None for w in task.model.autoencoder.parameters())
    task.network.zero_grad()
    task.export(tmp_path)
    exported = load_file(tmp_path / "text.safetensors")
    assert exported.keys() == task.encoder.network.state_dict().keys()


def test_the_grid_has_a_picture_for_each_prompt(denoiser_task):
    task = denoiser_task()
    grid = task.grid()
    rows = -(-len(task.recipe.prompts) // 4)
    side = task.model.family.size
    assert grid.size == (4 * side, rows * side)
