"""ControlNets in use: what a picture says is added inside the U-Net (Zhang et al. 2302.05543)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from mezzotint.adapters.base import Injected
from mezzotint.adapters.fit import unet_for
from mezzotint.adapters.pictures import Picture, opened, resized
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.table import read_table
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.families.files.filled import filled
from mezzotint.families.keys.controlnet_keys import PREFIX, keys_in
from mezzotint.families.sizes import sizes_by_shape
from mezzotint.models.controlnet import FACTOR, ControlNet


@dataclass(frozen=True)
class Control:
    """A ControlNet and the picture that it follows; an ``Adapter``.

    Several add up. The picture is a map of the kind that the ControlNet was trained on, such as
    edges or depth, and is resized to what is drawn.

    Attributes:
        name: what it is called in errors.
        network: the ControlNet; it is brought to the U-Net's device and dtype.
        image: the picture.
        scale: multiplies all that is added; 0 leaves the model as it is, 1 is as trained.
        start, end: shares of the sampling between which it is in use, 0…1.
        pooled: whether it was trained to add the mean over all places.
    """

    name: str
    network: ControlNet
    image: Image.Image
    scale: float
    start: float
    end: float
    pooled: bool

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Let the U-Net follow the picture; see ``Adapter``."""
        unet = unet_for(parts, self.name, self.network.params.context_width)
        ours, theirs = (
            f"{p.blocks} blocks a level of {p.channels} channels, and a vector of {p.y_width}"
            for p in (self.network.params, unet.params)
        )
        if ours != theirs:
            raise InputError(f"{self.name} is for a U-Net with {ours}; this one has {theirs}")
        like = next(unet.parameters())
        self.network.to(device=like.device, dtype=like.dtype)
        progress = 0.0

        @cache
        def hint(height: int, width: int) -> Tensor:
            seen = resized(self.image, FACTOR * width, FACTOR * height)
            return self.network.hint(seen.to(like))

        def controlled(
            x: Tensor,
            t: Tensor,
            context: Tensor,
            y: Tensor | None = None,
            guidance: Tensor | None = None,
            residuals: list[Tensor] | None = None,
        ) -> tuple[Any, ...]:
            if self.scale and self.start <= progress < self.end:
                own = self._residuals(x, t, context, hint(x.shape[2], x.shape[3]), y)
                others = [0.0] * len(own) if residuals is None else residuals
                residuals = [one + other for one, other in zip(own, others, strict=True)]
            return x, t, context, y, guidance, residuals

        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return controlled(*args, **kwargs), {}

        def at(now: float) -> None:
            nonlocal progress
            progress = now

        handle = unet.register_forward_pre_hook(hook, with_kwargs=True)
        return Injected(handle.remove, at)

    def _residuals(
        self, x: Tensor, t: Tensor, context: Tensor, hint: Tensor, y: Tensor | None
    ) -> list[Tensor]:
        latents = x[:, : self.network.params.channels_in]  # before what inpainting joins to them
        found = self.network(latents, t, context, hint, y)
        if self.pooled:
            found = [each.mean((2, 3), keepdim=True) for each in found]
        return [self.scale * each for each in found]


def controlnet(
    file: str | Path, image: Picture, scale: float = 1.0, start: float = 0.0, end: float = 1.0
) -> Control:
    """A ControlNet out of a file or diffusers' folder, and the picture that it follows.

    Args:
        file: with diffusers' names, or the original's with ``control_model.`` before them or not.
        image: the map to follow, or its file; see ``Control`` for this and the rest.
        scale: how much it counts.
        start, end: when it is in use.

    Raises:
        InputError: the file is no ControlNet that is known here, the picture cannot be read, or a
            number is out of its range.
    """
    if not math.isfinite(scale):
        raise InputError(f"{file}: scale {scale} is no number; 1 is as trained")
    if not 0 <= start < end <= 1:
        raise InputError(f"{file}: start {start:g}, end {end:g}: they must be 0 ≤ start < end ≤ 1")
    path = Path(file)
    return Control(path.name, read(path), opened(image), scale, start, end, _is_pooled(path))


def read(path: Path) -> ControlNet:
    """The ControlNet in a file or folder, in the dtype that it is stored in, mapped.

    Its sizes are read from its shapes. Of a whole model that was saved with its ControlNet, only
    the latter is read.

    Raises:
        InputError: it cannot be read, or is no ControlNet that is known here.
    """
    tensors, source = open_tensors(path), str(path)
    prefix = PREFIX if any(name.startswith(PREFIX) for name in tensors) else ""
    own = {name.removeprefix(prefix): name for name in tensors if name.startswith(prefix)}
    shapes = {name: tensors.shapes[full] for name, full in own.items()}
    keys = keys_in(shapes, source)
    params = sizes_by_shape.controlnet(sizes_by_shape.Shapes(keys.shapes(shapes), source))
    weights = {name: tensors[full] for name, full in own.items()}
    return filled(lambda: ControlNet(params), keys, weights, source)


def _is_pooled(path: Path) -> bool:
    """Whether the config.json of a folder says so."""
    config = path / "config.json"
    told = read_table(config) if config.is_file() else {}
    if (order := told.get("controlnet_conditioning_channel_order", "rgb")) != "rgb":
        raise InputError(f"{config}: it reads pictures in the order {order!r}, here it is 'rgb'")
    return told.get("global_pool_conditions") is True
