"""Small networks with published names, LoRA files for them, and those files merged by hand."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from oracles import randomised
from torch import Tensor, nn

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.families.base import Part
from mezzotint.families.keys import (
    flux_keys,
    flux_original,
    sd3_keys,
    sd3_original,
    sd_original,
)
from mezzotint.families.keys.sd_keys import CLIP_TEXT, UNET, UNET_POINTWISE
from mezzotint.families.sizes.flux_presets import FLUX_SCHNELL
from mezzotint.families.sizes.sd3_presets import SD35_MEDIUM
from mezzotint.families.sizes.sd_presets import SD15_UNET, SDXL_UNET, VIT_L_TEXT
from mezzotint.models.clip import CLIPText, TowerParams
from mezzotint.models.flux import Flux
from mezzotint.models.mmdit import MMDiT
from mezzotint.models.unet import UNet

RANK, ALPHA = 3, 6.0


def sd15() -> dict[str, Part]:
    params = replace(SD15_UNET, channels=(8, 8, 16, 16), heads=(2, 2, 2, 2), groups=4)
    network = UNet(replace(params, context_width=12))
    maps = UNET_POINTWISE, sd_original.unet(2, (True, True, True, False), pointwise=True)
    return {"network": Part(_wide(network), maps), "text": _clip(12)}


def sdxl() -> dict[str, Part]:
    params = replace(SDXL_UNET, channels=(8, 8, 16), depths=(0, 1, 2), mid_depth=2)
    network = UNet(replace(params, heads=(2, 2, 2), groups=4, context_width=20, y_width=6))
    maps = UNET, sd_original.unet(2, (False, True, True), pointwise=False)
    return {"network": Part(_wide(network), maps), "text": _clip(12), "text_2": _clip(20)}


def flux() -> dict[str, Part]:
    params = replace(FLUX_SCHNELL, width=16, heads=2, axes=(2, 2, 4), context_width=12, y_width=10)
    network = Flux(replace(params, joint_blocks=2, single_blocks=2))
    return {"network": Part(_wide(network), (flux_keys.FLUX, flux_original.FLUX))}


def sd3() -> dict[str, Part]:
    params = replace(SD35_MEDIUM, width=16, heads=2, blocks=3, dual_blocks=1, side=8, span=4)
    network = MMDiT(replace(params, channels=4, context_width=12, y_width=10))
    return {"network": Part(_wide(network), (sd3_keys.MMDIT, sd3_original.mmdit(3)))}


def run(parts: Mapping[str, Part]) -> Tensor:
    """What the network, and where there is one the text encoder before it, makes of an input."""
    drawn = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=drawn, dtype=torch.float64)

    network = parts["network"].module
    x, t, context, y = draw(1, 4, 8, 8), torch.tensor([300.0]), draw(1, 5, 12), draw(1, 10)
    if isinstance(network, UNet):
        tokens = torch.tensor([[0, 5, 7, 3, 9]])
        contexts = [parts[n].module(tokens)[0] for n in parts if n.startswith("text")]
        context, y = contexts[-1], draw(1, 6) if network.params.y_width else None
    if isinstance(network, Flux):
        x = draw(1, 16, 4, 4)
    with torch.no_grad():
        return network(x, t.double(), context, y)


@dataclass(frozen=True)
class Dialect:
    """How a file names layers and factors.

    Attributes:
        model: makes the parts.
        release: which of the part's maps has the names.
        prefix: what stands before a layer's name.
        joint: "_" where dots become underscores.
        down, up: what stands behind it.
        alpha: whether the file has α.
        layer: a last change of a layer's name, None for a layer that the dialect has no name for.
    """

    model: Callable[[], dict[str, Part]]
    release: int
    prefix: str
    joint: str = "."
    down: str = ".lora_down.weight"
    up: str = ".lora_up.weight"
    alpha: bool = True
    part: str = "network"
    layer: Callable[[str], str | None] = lambda name: name


PEFT = {"down": ".lora_A.weight", "up": ".lora_B.weight", "alpha": False}


def _processor(name: str) -> str | None:
    attention, _, leaf = name.removesuffix(".0").rpartition(".")
    attends = leaf in ("to_q", "to_k", "to_v", "to_out")
    return f"{attention}.processor.{leaf}" if attends else None


DIALECTS = {
    "kohya": Dialect(sd15, 0, "lora_unet_", "_"),
    "kohya-sgm": Dialect(sdxl, 1, "lora_unet_", "_"),
    "kohya-text": Dialect(sd15, 0, "lora_te_", "_", part="text"),
    "kohya-text-2": Dialect(sdxl, 0, "lora_te2_", "_", part="text_2"),
    "kohya-flux": Dialect(flux, 1, "lora_unet_", "_"),
    "kohya-sd3": Dialect(sd3, 1, "lora_unet_", "_"),
    "onetrainer": Dialect(flux, 0, "lora_transformer_", "_"),
    "peft": Dialect(sd15, 0, "unet.", **PEFT),
    "peft-text": Dialect(sd15, 0, "text_encoder.", **PEFT, part="text"),
    "peft-flux": Dialect(flux, 0, "transformer.", **PEFT),
    "peft-sd3": Dialect(sd3, 0, "transformer.", **PEFT),
    "peft-named": Dialect(
        sd15,
        0,
        "base_model.model.",
        down=".lora_A.default.weight",
        up=".lora_B.default.weight",
        alpha=False,
    ),
    "peft-alone": Dialect(sdxl, 0, "", **PEFT),
    "comfyui": Dialect(sd15, 1, "diffusion_model."),
    "comfyui-flux": Dialect(flux, 1, "diffusion_model.", **PEFT),
    "comfyui-sd3": Dialect(sd3, 1, "diffusion_model."),
    "diffusers": Dialect(sdxl, 0, "unet.", down=".lora.down.weight", up=".lora.up.weight"),
    "diffusers-text": Dialect(
        sd15,
        0,
        "text_encoder.",
        down=".lora_linear_layer.down.weight",
        up=".lora_linear_layer.up.weight",
        alpha=False,
        part="text",
    ),
    "diffusers-processors": Dialect(
        sd15, 0, "unet.", down="_lora.down.weight", up="_lora.up.weight", layer=_processor
    ),
}


def lora_file(dialect: Dialect, parts: Mapping[str, Part], seed: int = 0) -> dict[str, Tensor]:
    """A LoRA of every layer that the dialect has a name for."""
    drawn = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, weight in weights(dialect, parts).items():
        key = file_name(dialect, name)
        if key is None:
            continue
        down = torch.randn(RANK, *weight.shape[1:], generator=drawn, dtype=torch.float64)
        up = torch.randn(len(weight), RANK, generator=drawn, dtype=torch.float64)
        tensors[key + dialect.down] = down / 8
        tensors[key + dialect.up] = (up[:, :, None, None] if weight.ndim == 4 else up) / 8
        if dialect.alpha:
            tensors[key + ".alpha"] = torch.tensor(ALPHA)
    return tensors


def merged(
    dialect: Dialect, parts: Mapping[str, Part], tensors: Mapping[str, Tensor], scale: float
) -> dict[str, Part]:
    """The parts with W + scale · α/r · BA in place of W, computed by the published names."""
    factor = scale * (ALPHA / RANK if dialect.alpha else 1.0)
    part = parts[dialect.part]
    keymap, module = part.maps[dialect.release], deepcopy(part.module)
    theirs = keymap.to_theirs(module.state_dict())
    for name, weight in weights(dialect, parts).items():
        key = file_name(dialect, name)
        if key is not None and key + dialect.down in tensors:
            down, up = tensors[key + dialect.down], tensors[key + dialect.up]
            change = up.flatten(1) @ down.flatten(1)
            theirs[f"{name}.weight"] = weight + factor * change.reshape(weight.shape)
    module.load_state_dict(keymap.to_ours(theirs, module.state_dict(), "merged"))
    return {**parts, dialect.part: Part(module, part.maps)}


def weights(dialect: Dialect, parts: Mapping[str, Part]) -> dict[str, Tensor]:
    """The weights of a part's linear layers and convolutions, by the published layer names."""
    keymap: KeyMap = parts[dialect.part].maps[dialect.release]
    theirs = keymap.to_theirs(parts[dialect.part].module.state_dict())
    return {
        name.removesuffix(".weight"): tensor
        for name, tensor in theirs.items()
        if name.endswith(".weight") and tensor.ndim > 1 and "embeddings" not in name
    }


def file_name(dialect: Dialect, name: str) -> str | None:
    layer = dialect.layer(name)
    return None if layer is None else dialect.prefix + layer.replace(".", dialect.joint)


def state(parts: Mapping[str, Part]) -> dict[str, Tensor]:
    """Every tensor of every part, copied."""
    return {
        f"{part}.{name}": tensor.clone()
        for part, p in parts.items()
        for name, tensor in p.module.state_dict().items()
    }


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def _clip(width: int) -> Part:
    tower = TowerParams(width=width, layers=2, heads=2, hidden=16, activation="quick_gelu")
    params = replace(VIT_L_TEXT, tower=tower, vocabulary=10, length=6, end_token=9)
    return Part(_wide(CLIPText(params)), (CLIP_TEXT,))


def _wide(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return randomised(module.double()).requires_grad_(False)
