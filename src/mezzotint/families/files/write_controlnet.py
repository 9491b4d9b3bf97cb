"""Write a ControlNet of Stable Diffusion's shape as diffusers saves it."""

from pathlib import Path

import safetensors.torch

from mezzotint.checkpoints.write_tokenizers import write_json
from mezzotint.families.base import Family
from mezzotint.families.keys import controlnet_keys, sd_keys
from mezzotint.families.sizes import write_configs
from mezzotint.files import write_whole
from mezzotint.models.controlnet import HINT_WIDTHS, ControlNet

KIND = "ControlNetModel"
_NOT_ITS = ("sample_size", "out_channels", "up_block_types", "time_cond_proj_dim")


def write_controlnet(folder: Path, network: ControlNet, family: Family) -> None:
    """Write ``config.json`` and ``diffusion_pytorch_model.safetensors``.

    Args:
        folder: it is there.
        network: with one kind of pictures and the middle, as published ones.
        family: of the model that it steers.

    Raises:
        InputError: the sizes cannot be said in diffusers' words, or the folder is not writable.
    """
    unet = network.params.unet
    config = write_configs.unet(unet, family)
    keys = sd_keys.UNET if config["use_linear_projection"] else sd_keys.UNET_POINTWISE
    half = {name: value for name, value in config.items() if name not in _NOT_ITS}
    write_json(
        folder / "config.json",
        {
            "_class_name": KIND,
            "_diffusers_version": write_configs.VERSION,
            **half,
            "conditioning_channels": 3,
            "conditioning_embedding_out_channels": list(HINT_WIDTHS),
            "controlnet_conditioning_channel_order": "rgb",
            "global_pool_conditions": False,
        },
    )
    state = {name: each.detach().cpu() for name, each in network.state_dict().items()}
    tensors = controlnet_keys.diffusers(keys).to_theirs(state)
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    data = safetensors.torch.save(whole, {"format": "pt"})
    write_whole(folder / "diffusion_pytorch_model.safetensors", data)
