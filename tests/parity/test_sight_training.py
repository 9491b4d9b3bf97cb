"""A step of training what sees a picture against diffusers', and the files that are left."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import references
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from oracles import randomised, relative_error
from PIL import Image
from safetensors.torch import load_file
from storybooks import SIZES
from torch import Tensor
from unets import CONFIGS, KEYS, SMALL

import mezzotint as mz
from mezzotint.adapters.image_encoder import Eye
from mezzotint.diffusion.losses import sample_times
from mezzotint.families.base import Model
from mezzotint.families.keys.ip_adapter_keys import ip_adapter as keys_of
from mezzotint.families.stable_diffusion import SD1, SD2
from mezzotint.models.clip import CLIPVision
from mezzotint.models.unet import UNet
from mezzotint.training.draw import Draw
from mezzotint.training.presets.steering import INSTRUCT, IP_ADAPTER
from mezzotint.training.run import run
from mezzotint.training.task import Batch
from mezzotint.training.tasks.instruct import InstructTask
from mezzotint.training.tasks.ip_adapter import IPAdapterTask

FAMILIES = {"sd15": SD1, "sd21": replace(SD2, prediction="v")}
HEADS = {"sd15": (8, (8, 8)), "sd21": ((1, 1), (1, 1))}
ROWS, SIDE, WIDTH = 3, 6, SIZES.vision.projection
DRAW = Draw(5, 2, ROWS, slice(None), torch.device("cpu"))
PLAIN = {"times": "uniform", "direction": 0.0}


class Fixed:
    """One batch, for ever."""

    def __init__(self, companions: tuple[int, ...]) -> None:
        generator = torch.Generator().manual_seed(1)
        shapes = {
            "latents": (ROWS, 4, SIDE, SIDE),
            "companions": (ROWS, *companions),
            "context": (ROWS, 5, 24),
        }
        self.rows: Batch = {
            name: torch.randn(shape, generator=generator) for name, shape in shapes.items()
        }
        self.rows["seen"] = torch.tensor([1.0, 0.0, 1.0])


def pair(name: str, tiny: Model, **changed) -> tuple[Model, UNet2DConditionModel]:
    """Our model and diffusers' U-Net, of the same weights, or with more channels than ours."""
    theirs_heads, heads = HEADS[name]
    levels = {
        "block_out_channels": (32, 64),
        "attention_head_dim": theirs_heads,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 24,
        **changed,
    }
    torch.manual_seed(0)
    theirs = randomised(UNet2DConditionModel(**CONFIGS[name] | levels))
    params = replace(
        SMALL[name],
        channels=(32, 64),
        depths=(0, 1),
        mid_depth=1,
        heads=heads,
        context_width=24,
    )
    unet = UNet(params)
    weights = theirs.state_dict()
    weights["conv_in.weight"] = weights["conv_in.weight"][:, :4]
    unet.load_state_dict(KEYS[name].to_ours(weights, unet.state_dict(), "reference"))
    model = replace(
        tiny,
        family=FAMILIES[name],
        network=unet.requires_grad_(False).eval(),
        latent_mean=tiny.latent_mean,
        latent_std=tiny.latent_std / 0.18215,
        maps={"network": (KEYS[name],)},
    )
    return model, theirs


def noised(model: Model, x0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What their training would have made of the same draws: x, the time, and the goal."""
    process, eps = model.family.process, DRAW.normal("noise", *x0.shape[1:])
    t = sample_times(process, DRAW.whole.uniform("time"), "uniform")
    alpha, sigma = (each.view(-1, 1, 1, 1) for each in (process.alpha(t), process.sigma(t)))
    x = alpha * x0 + sigma * eps
    return x, t, eps if model.family.prediction == "eps" else alpha * eps - sigma * x0


def nested(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    tables: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        table, _, rest = name.partition(".")
        tables.setdefault(table, {})[rest] = tensor
    return tables


def grads(named: dict[str, Tensor]) -> Tensor:
    return torch.cat([named[name].flatten() for name in sorted(named)])


# IP-Adapter


def ip_task(model: Model) -> IPAdapterTask:
    torch.manual_seed(0)
    eye = Eye(CLIPVision(SIZES.vision))
    fixed = Fixed((WIDTH,))
    recipe = replace(IP_ADAPTER.task, **PLAIN)
    task = IPAdapterTask(recipe, 0, fixed, fixed, [], model, eye, "ip-adapter")
    randomised(task.network)
    return task


def with_theirs(
    theirs: UNet2DConditionModel, tensors: dict[str, Tensor]
) -> tuple[UNet2DConditionModel, dict[str, Tensor]]:
    """diffusers' U-Net with the adapter, and the adapter's weights there by the file's names."""
    theirs._load_ip_adapter_weights([nested(tensors)], low_cpu_mem_usage=False)
    theirs.requires_grad_(False)
    (projection,) = theirs.encoder_hid_proj.image_projection_layers
    found = {
        "image_proj.proj.weight": projection.image_embeds.weight,
        "image_proj.proj.bias": projection.image_embeds.bias,
        "image_proj.norm.weight": projection.norm.weight,
        "image_proj.norm.bias": projection.norm.bias,
    }
    number = 1
    for processor in theirs.attn_processors.values():
        if hasattr(processor, "to_k_ip"):
            processor.scale = [1.0]
            found[f"ip_adapter.{number}.to_k_ip.weight"] = processor.to_k_ip[0].weight
            found[f"ip_adapter.{number}.to_v_ip.weight"] = processor.to_v_ip[0].weight
            number += 2
    for weight in found.values():
        weight.requires_grad_(True)
    return theirs, found


@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_moves_an_ip_adapter_as_in_diffusers(name: str, tiny_model: Model):
    model, theirs = pair(name, tiny_model)
    task = ip_task(model)
    rows = task.train.rows
    names = keys_of(len(task.attentions))
    theirs, weights = with_theirs(theirs, names.to_theirs(task.network.state_dict()))
    loss, _ = task.loss(rows, DRAW)
    loss.backward()
    own = {key: weight.grad for key, weight in task.network.named_parameters()}
    own = names.to_theirs(own)
    assert own.keys() == weights.keys()

    def gradient(vectors: Tensor) -> tuple[Tensor, Tensor]:
        for weight in weights.values():
            weight.grad = None
        x, t, goal = noised(model, rows["latents"])
        images = {"image_embeds": [vectors[:, None]]}
        said = theirs(x, t, rows["context"], added_cond_kwargs=images).sample
        expected = F.mse_loss(said, goal)
        expected.backward()
        return expected, grads({key: weight.grad for key, weight in weights.items()})

    expected, goal = gradient(rows["companions"])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert relative_error(grads(own), goal) < 1e-4
    _, other = gradient(rows["companions"].roll(1, dims=0))
    assert relative_error(grads(own), other) > 1e-2


@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_is_diffusers_adapter(name: str, tiny_model: Model, tmp_path: Path):
    model, theirs = pair(name, tiny_model)
    task = ip_task(model)
    task.export(tmp_path)
    file = tmp_path / "ip-adapter.safetensors"
    tensors = {key: tensor.float() for key, tensor in load_file(file).items()}
    theirs, _ = with_theirs(theirs, tensors)
    rows = task.train.rows
    x, t, _ = noised(model, rows["latents"])
    prompt = mz.ip_adapter(file, Image.new("RGB", (8, 8)), encoder=task.eye.tower)
    task.network.load_state_dict(prompt.network.float().state_dict())
    said: list[Tensor] = []
    with torch.no_grad():
        images = {"image_embeds": [rows["companions"][:, None]]}
        expected = theirs(x, t, rows["context"], added_cond_kwargs=images).sample
        task.model.network.register_forward_hook(lambda _, args, made: said.append(made))
        task.loss(rows, DRAW)
        assert relative_error(said[0], expected) < 1e-5
        task.network.values[0].weight *= 1.1
        task.loss(rows, DRAW)
        assert relative_error(said[1], expected) > 1e-5


# InstructPix2Pix


@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_moves_a_whole_network_as_in_diffusers(name: str, tiny_model: Model):
    model, theirs = pair(name, tiny_model, in_channels=8)
    fixed = Fixed((4, SIDE, SIDE))
    recipe = replace(INSTRUCT.task, **PLAIN, changed=0.0)
    task = InstructTask(recipe, 0, fixed, fixed, [], [], model, Path())
    with torch.no_grad():
        task.first.weight.copy_(theirs.conv_in.weight[:, 4:])
    rows = fixed.rows
    loss, _ = task.loss(rows, DRAW)
    loss.backward()
    own = {key: weight.grad for key, weight in task.unet.named_parameters()}
    own["conv_in.weight"] = torch.cat([own["conv_in.weight"], task.first.weight.grad], dim=1)
    own = KEYS[name].to_theirs(own)

    def gradient(beside: Tensor) -> tuple[Tensor, Tensor]:
        theirs.zero_grad()
        x, t, goal = noised(model, rows["latents"])
        said = theirs(torch.cat([x, beside], dim=1), t, rows["context"]).sample
        expected = F.mse_loss(said, goal)
        expected.backward()
        return expected, grads({key: weight.grad for key, weight in theirs.named_parameters()})

    assert own.keys() == dict(theirs.named_parameters()).keys()
    # as the autoencoder makes it, not as it is drawn
    raw = rows["companions"] * model.latent_std * rows["seen"][:, None, None, None]
    expected, goal = gradient(raw)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert relative_error(grads(own), goal) < 1e-4
    _, other = gradient(raw * 0.18215)
    assert relative_error(grads(own), other) > 1e-2


def test_the_folder_is_diffusers_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Trained for a step on somebody's pairs; the picture is drawn there as it is here."""
    mean = DiagonalGaussianDistribution.mode  # they draw from the posterior, we take its mean
    monkeypatch.setattr(
        DiagonalGaussianDistribution, "sample", lambda self, generator=None: mean(self)
    )
    monkeypatch.setattr(InstructTask, "grid", lambda self: Image.new("L", (1, 1)))  # 100 steps
    references.pipeline("sd1", tmp_path / "words").save_pretrained(tmp_path / "base")
    for name in ("before", "after"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
        for k in range(2):
            pixels = np.random.default_rng(k).integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pairs" / name / f"{k}.png")
            (tmp_path / "pairs" / "before" / f"{k}.txt").write_text("make it night")
    done = run(
        "instruct",
        tmp_path / "pairs",
        tmp_path / "run",
        task={"base": str(tmp_path / "base"), **PLAIN, "changed": 0.0},
        pictures={"size": 64, "held_out": 1},
        **{"steps": 1, "batch": 2, "warmup": 0, "lr": 1e-2, "bf16": False},
        **dict.fromkeys(("validate_every", "grid_every", "save_every"), 9),
    )
    assert not (done / "model").exists()
    theirs = StableDiffusionInstructPix2PixPipeline.from_pretrained(done / "export")
    theirs.set_progress_bar_config(disable=True)
    assert theirs.unet.config.in_channels == 8
    assert theirs.unet.conv_in.weight[:, 4:].abs().max() > 0  # it has learnt something
    picture = Image.open(tmp_path / "pairs" / "before" / "0.png")
    generator = torch.Generator().manual_seed(7)
    told = {"num_inference_steps": 4, "generator": generator, "output_type": "np"}
    expected = torch.from_numpy(theirs("make it night", image=picture, **told).images[0])
    pipe = mz.load(done / "export")
    assert pipe.model.family.name == "sd1-instruct"

    def own(**options) -> Tensor:
        out = pipe.edit(picture, "make it night", steps=4, seed=7, **options)
        return ((pipe.model.decode_latents(out.latents)[0] + 1) / 2).permute(1, 2, 0)

    assert relative_error(own(), expected) < 1e-4
    assert relative_error(own(image_cfg=1.4), expected) > 1e-4


def test_a_base_that_is_one_file_is_refused_in_a_line(tmp_path: Path):
    from mezzotint.errors import InputError
    from mezzotint.training import sighted

    file = tmp_path / "base.safetensors"
    file.touch()
    model = type("M", (), {"family": SD1, "network": UNet(SMALL["sd15"])})()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sighted, "read_base", lambda base, device: model)
        task = replace(INSTRUCT.task, base=str(file), direction=0.0)
        group = type("G", (), {"device": torch.device("cpu")})()
        with pytest.raises(InputError, match="is one file: make a folder of it first") as caught:
            sighted.build_instruct(INSTRUCT, task, tmp_path, None, group)
    assert "\n" not in str(caught.value)
