"""What takes pictures besides words: ControlNets and IP-Adapters for the model at hand.

Those beside the model are its own, and others lie in the user's folders.
"""

from pathlib import Path

from mezzotint.adapters import controlnet, ip_adapter
from mezzotint.checkpoints.find import VARIABLE, offered
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.models.unet import UNet
from mezzotint.pipeline.load import named
from mezzotint.pipeline.pipeline import Pipeline


def home(pipe: Pipeline) -> Path | None:
    """The folder that a model of ours was loaded from, None for others."""
    if not pipe.model.family.name.startswith(storybook.STORYBOOK.name):
        return None
    try:
        path, _ = named(pipe.source)
    except InputError:
        return None
    return path if path.is_dir() else None


def controls(pipe: Pipeline) -> dict[str, str]:
    """ControlNets by name, as ``mz.controlnet`` takes them; the model's own by what they read."""
    if not isinstance(pipe.model.network, UNet):
        return {}
    found, folder = {name: str(path) for name, path in offered("controlnet").items()}, home(pipe)
    if folder and (file := folder / controlnet.CONTROL).is_file():
        found |= {kind: f"{folder}#{kind}" for kind in controlnet.read(file).params.kinds}
    return found


def sights(pipe: Pipeline) -> dict[str, Path]:
    """IP-Adapters by name; the model's own by what of a picture they show."""
    if not isinstance(pipe.model.network, UNet):
        return {}
    found, folder = offered("ip-adapter"), home(pipe)
    own = {name: folder / file for name, file in ip_adapter.OWN.items()} if folder else {}
    return found | {name: file for name, file in own.items() if file.is_file()}


def lacking(pipe: Pipeline) -> str | None:
    """Why no picture can steer the model, in a sentence; None where one can."""
    name = pipe.source
    if not isinstance(pipe.model.network, UNet):
        return f"{name} draws with a transformer: ControlNets and IP-Adapters here are for U-Nets."
    if controls(pipe) or sights(pipe):
        return None
    return (
        f"{name} has no ControlNet and no IP-Adapter beside it, and {VARIABLE} names no folder "
        "with any: mezzotint train controlnet and mezzotint train ip-adapter make them."
    )
