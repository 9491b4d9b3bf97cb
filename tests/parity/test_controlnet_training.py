"""A step of training a ControlNet against diffusers', and the folder that is left, read there."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from diffusers import ControlNetModel, UNet2DConditionModel
from oracles import randomised, relative_error
from torch import Tensor
from unets import CONFIGS, KEYS, SMALL

from mezzotint.adapters.controlnet import read
from mezzotint.diffusion.losses import sample_times
from mezzotint.families.base import Model
from mezzotint.families.keys import controlnet_keys
from mezzotint.families.stable_diffusion import SD1, SD2
from mezzotint.models.unet import UNet
from mezzotint.training.data.controls import Controls
from mezzotint.training.draw import Draw
from mezzotint.training.presets.controlnet import CONTROLNET
from mezzotint.training.task import Batch
from mezzotint.training.tasks.controlnet import ControlNetTask

FAMILIES = {"sd15": SD1, "sd21": replace(SD2, prediction="v")}
SIZES = {
    "sd15": ((32, 64), 8, (8, 8)),
    "sd21": ((32, 64), (1, 1), (1, 1)),
}
ROWS, SIDE = 3, 6
DRAW = Draw(5, 2, ROWS, slice(None), torch.device("cpu"))


class Fixed(Controls):
    """One batch, for ever."""

    def __init__(self, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(1)
        self.rows: Batch = {
            "latents": torch.randn(ROWS, 4, SIDE, SIDE, generator=generator, dtype=dtype),
            "context": torch.randn(ROWS, 5, 24, generator=generator, dtype=dtype),
            "conditions": torch.rand(ROWS, 3, 8 * SIDE, 8 * SIDE, generator=generator, dtype=dtype),
            "kinds": torch.zeros(ROWS, dtype=torch.int64),
        }

    def batch(self, draw: Draw, blank: object) -> Batch:
        return self.rows


def pair(name: str, tiny: Model, dtype: torch.dtype) -> tuple[ControlNetTask, UNet2DConditionModel]:
    """Our task and diffusers' U-Net, of the same weights."""
    channels, theirs_heads, heads = SIZES[name]
    levels = {
        "block_out_channels": channels,
        "attention_head_dim": theirs_heads,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 24,
    }
    torch.manual_seed(0)
    theirs = randomised(UNet2DConditionModel(**CONFIGS[name] | levels)).to(dtype)
    params = replace(
        SMALL[name], channels=channels, depths=(0, 1), mid_depth=1, heads=heads, context_width=24
    )
    unet = UNet(params).to(dtype)
    unet.load_state_dict(KEYS[name].to_ours(theirs.state_dict(), unet.state_dict(), "reference"))
    model = replace(
        tiny,
        family=FAMILIES[name],
        network=unet.requires_grad_(False).eval(),
        autoencoder=replace_factor(tiny),
    )
    recipe = replace(CONTROLNET.task, kinds=("edges",), times="uniform", direction=0.0)
    data = Fixed(dtype)
    task = ControlNetTask(recipe, 0, data, data, model)
    task.network.to(dtype)
    return task, theirs.requires_grad_(False)


def replace_factor(tiny: Model) -> torch.nn.Module:
    autoencoder = type(tiny.autoencoder)
    return autoencoder(replace(tiny.autoencoder.params, channels=(16, 16, 16)))


def stirred(network: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)


def their_loss(
    unet: UNet2DConditionModel, control: ControlNetModel, task: ControlNetTask, batch: Batch
) -> Tensor:
    """The loss as diffusers' own script has it, of the same noise at the same times."""
    process = task.model.family.process
    t = sample_times(process, DRAW.uniform("time"), "uniform")
    eps, x0 = DRAW.normal("noise", 4, SIDE, SIDE), batch["latents"]
    x = process.diffuse(x0, eps, t)
    down, mid = control(
        x,
        t,
        batch["context"],
        controlnet_cond=batch["conditions"],
        return_dict=False,
    )
    out = unet(
        x,
        t,
        batch["context"],
        down_block_additional_residuals=down,
        mid_block_additional_residual=mid,
    ).sample
    alpha, sigma = (f(t).view(-1, 1, 1, 1) for f in (process.alpha, process.sigma))
    goal = eps if task.model.family.prediction == "eps" else alpha * eps - sigma * x0
    return F.mse_loss(out.float(), goal.float())


def gradients(name: str, tiny: Model, changed: bool) -> dict[str, float]:
    """How far the gradient of each tensor is from diffusers'."""
    task, unet = pair(name, tiny, torch.float32)
    stirred(task.network)
    control = ControlNetModel.from_unet(unet)
    keys = controlnet_keys.diffusers(KEYS[name])
    ours = task.network.state_dict()
    control.load_state_dict(keys.to_theirs(ours))
    batch = task.batch(DRAW)
    task.loss(batch, DRAW)[0].backward()
    shown = {**batch, "conditions": 1 - batch["conditions"]} if changed else batch
    their_loss(unet, control, task, shown).backward()
    own = {k: w.grad for k, w in task.network.named_parameters() if w.grad is not None}
    theirs = keys.to_ours({k: w.grad for k, w in control.named_parameters()}, ours, "theirs")
    assert own.keys() == theirs.keys() == ours.keys()
    largest = max(grad.norm() for grad in theirs.values())
    return {
        k: ((own[k] - theirs[k]).norm() / (theirs[k].norm() + 1e-3 * largest)).item() for k in own
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_a_steps_gradients_are_diffusers(name: str, tiny_model: Model) -> None:
    assert max(gradients(name, tiny_model, changed=False).values()) <= 1e-4


def test_gradients_of_another_condition_are_told_apart(tiny_model: Model) -> None:
    errors = gradients("sd15", tiny_model, changed=True)
    assert errors["hints.picture.0.weight"] > 1e-2
    assert errors["zeros.1.weight"] > 1e-2


@pytest.mark.parametrize("name", FAMILIES)
def test_diffusers_reads_what_was_trained(name: str, tiny_model: Model, tmp_path) -> None:
    task, _ = pair(name, tiny_model, torch.float32)
    stirred(task.network)
    task.export(tmp_path)
    theirs = ControlNetModel.from_pretrained(tmp_path).eval()
    rows, t = task.batch(DRAW), torch.tensor([3, 500, 987])
    with torch.no_grad():
        down, mid = theirs(
            rows["latents"],
            t,
            rows["context"],
            controlnet_cond=rows["conditions"],
            return_dict=False,
        )
        for ours in (task.network, read(tmp_path)):
            hint = ours.hint(rows["conditions"], rows["kinds"])
            found = ours(rows["latents"], t, rows["context"], hint)
            errors = [relative_error(*both) for both in zip(found, [*down, mid], strict=True)]
            assert max(errors) <= 1e-5
            wrong = ours(rows["latents"], t, rows["context"], -hint)
        assert relative_error(wrong[-1], mid) > 1e-3
