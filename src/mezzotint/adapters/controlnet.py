"""ControlNets in use: what a picture says is added inside the U-Net (Zhang et al. 2302.05543)."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from mezzotint import weights
from mezzotint.adapters.base import Injected
from mezzotint.adapters.contents import digest
from mezzotint.adapters.fit import unet_for
from mezzotint.adapters.negatives import are_negative
from mezzotint.adapters.pictures import Picture, opened, resized
from mezzotint.checkpoints.folder import load_complete
from mezzotint.checkpoints.packed import save_packed
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.table import read_table
from mezzotint.checkpoints.tensors import Tensors
from mezzotint.engines.around import engine_at
from mezzotint.engines.base import Engine
from mezzotint.errors import InputError, choose
from mezzotint.families.base import Part
from mezzotint.families.files.filled import filled
from mezzotint.families.keys.controlnet_keys import PREFIX, keys_in
from mezzotint.families.sizes import sizes_by_shape
from mezzotint.families.sizes.storybook_presets import SIZES
from mezzotint.models.controlnet import FACTOR, ControlNet, ControlNetParams, published
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import unfilled
from mezzotint.nn.precision import widen
from mezzotint.specs import replaced

KINDS = ("edges", "depth", "boxes")  # that the embedded model can be steered by
CONTROL = "control.safetensors"  # in a model's folder
EMBEDDED = Path(weights.__path__[0])
_SIZES = "controlnet"  # in the metadata of a file of ours
STRETCH = 1.05  # by which a map may be stretched to the shape of what is drawn


@dataclass(frozen=True)
class Control:
    """A ControlNet and the picture that it follows; an ``Adapter``.

    Several add up. The picture is a map of the kind that the ControlNet was trained on, such as
    edges or depth, and of the shape of what is drawn, to whose size it is brought.

    Attributes:
        name: what it is called in errors.
        network: the ControlNet; it is brought to the U-Net's device and dtype.
        kind: which of the kinds that the ControlNet reads.
        image: the picture.
        scale: multiplies all that is added; 0 leaves the model as it is, 1 is as trained.
        start, end: shares of the sampling between which it is in use, 0…1.
        pooled: whether it was trained to add the mean over all places.
        guided: whether rows of a negative prompt, as ``negative_rows`` tells them, are drawn
            without it, so that guidance strengthens it as it does the prompt.
    """

    name: str
    network: ControlNet
    kind: str
    image: Image.Image
    scale: float
    start: float
    end: float
    pooled: bool
    guided: bool

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Let the U-Net follow the picture; see ``Adapter``.

        A picture of another shape than what is drawn is refused when drawing begins, and any where
        a part of the result is drawn at a time.
        """
        unet = unet_for(parts, self.name, self.network.params.unet.context_width)
        ours, theirs = (_structure(p) for p in (self.network.params.unet, unet.params))
        if ours != theirs:
            raise InputError(f"{self.name} is for a U-Net with {ours}; this one has {theirs}")
        like = next(unet.parameters())
        self.network.to(device=like.device, dtype=like.dtype)
        widen(self.network)
        progress = 0.0

        @cache
        def hint(height: int, width: int) -> Tensor:
            seen = self._seen(FACTOR * width, FACTOR * height)
            return self.network.hints[self.kind](seen.to(like))

        def controlled(
            x: Tensor,
            t: Tensor,
            context: Tensor,
            y: Tensor | None = None,
            guidance: Tensor | None = None,
            residuals: list[Tensor] | None = None,
        ) -> tuple[Any, ...]:
            in_use = self.scale and self.start <= progress < self.end
            if in_use and (rows := self._rows(unet, len(x))):
                seen = hint(x.shape[2], x.shape[3])
                own = self._residuals(engine_at(unet), rows, x, t, context, seen, y)
                others = [0.0] * len(own) if residuals is None else residuals
                residuals = [one + other for one, other in zip(own, others, strict=True)]
            return x, t, context, y, guidance, residuals

        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return controlled(*args, **kwargs), {}

        def at(now: float) -> None:
            nonlocal progress
            progress = now

        handle = unet.register_forward_pre_hook(hook, with_kwargs=True)
        how = f"scale {self.scale}, {self.start} to {self.end}{', guided' * self.guided}"
        told = f"{self.name} with a picture ({how})"
        return Injected(
            handle.remove, at, told=("ControlNet", told), mapped=True, contents=self._contents
        )

    def _contents(self) -> str:
        return digest(self.network.state_dict(), self.image)

    def _seen(self, width: int, height: int) -> Tensor:
        """The picture as an image (1, 3, height, width) in [0, 1]."""
        across, down = self.image.size
        stretched = across * height / (down * width)
        if not 1 / STRETCH < stretched < STRETCH:
            raise InputError(
                f"the picture for {self.name} has {across} × {down} pixels and what is drawn "
                f"{width} × {height}: give one of the same shape"
            )
        return resized(self.image, width, height)

    def _rows(self, unet: UNet, number: int) -> list[int]:
        spared = are_negative(unet, number) if self.guided else (False,) * number
        return [row for row, each in enumerate(spared) if not each]

    def _residuals(
        self,
        execute: Engine,
        rows: list[int],
        x: Tensor,
        t: Tensor,
        context: Tensor,
        hint: Tensor,
        y: Tensor | None,
    ) -> list[Tensor]:
        channels = self.network.params.unet.channels_in  # before what inpainting joins to them
        x_shown, y_shown = x[rows, :channels], None if y is None else y[rows]
        found: list[Tensor] = execute(self.network, x_shown, t[rows], context[rows], hint, y_shown)
        if self.pooled:
            found = [each.mean((2, 3), keepdim=True) for each in found]
        return [_spread(self.scale * each, rows, len(x)) for each in found]


def controlnet(
    file: str | Path,
    image: Picture,
    scale: float = 1.0,
    start: float = 0.0,
    end: float = 1.0,
    *,
    guided: bool | None = None,
) -> Control:
    """A ControlNet out of a file or diffusers' folder, and the picture that it follows.

    Args:
        file: with diffusers' names, or the original's with ``control_model.`` before them or not;
            or one that ``mezzotint train controlnet`` wrote, ``FILE#KIND`` where it reads several
            kinds of pictures. "edges", "depth" and "boxes" are the embedded model's, and
            ``FOLDER#KIND`` those of the model in a folder of ours.
        image: the map to follow, or its file; see ``Control`` for this and the rest, and
            ``adapters.maps`` for what makes maps.
        scale: how much it counts.
        start, end: when it is in use.
        guided: whether guidance strengthens it; if not said, that of a file of ours, and not that
            of a published one, whose publishers add it to both sides of guidance.

    Raises:
        InputError: the file is no ControlNet that is known here or reads no such kind, the picture
            cannot be read, or a number is out of its range.
    """
    if not math.isfinite(scale):
        raise InputError(f"{file}: scale {scale} is no number; 1 is as trained")
    if not 0 <= start < end <= 1:
        raise InputError(f"{file}: start {start:g}, end {end:g}: they must be 0 ≤ start < end ≤ 1")
    path, kind = _named(str(file))
    network = read(path)
    kinds = network.params.kinds
    first, *others = kinds
    if not kind and others:
        raise InputError(f"{file} reads {', '.join(kinds)}: name one, as in {file}#{first}")
    if kind:
        choose(f"kind of picture for {path}", kind, dict.fromkeys(kinds))
    name = str(file) if str(file) in KINDS else path.name
    if guided is None:
        guided = network.params != published(network.params.unet)
    picture, pooled = opened(image), _is_pooled(path)
    return Control(name, network, kind or first, picture, scale, start, end, pooled, guided)


def read(path: Path) -> ControlNet:
    """The ControlNet in a file or folder, in the dtype that it is stored in, mapped.

    Its sizes are in the metadata of a file of ours, and read from the shapes in others. Of a whole
    model that was saved with its ControlNet, only the latter is read.

    Raises:
        InputError: it cannot be read, or is no ControlNet that is known here.
    """
    tensors, source = open_tensors(path), str(path)
    if _SIZES in tensors.metadata:
        return _ours(tensors, source)
    prefix = PREFIX if any(name.startswith(PREFIX) for name in tensors) else ""
    own = {name.removeprefix(prefix): name for name in tensors if name.startswith(prefix)}
    shapes = {name: tensors.shapes[full] for name, full in own.items()}
    keys = keys_in(shapes, source)
    params = published(
        sizes_by_shape.controlnet(sizes_by_shape.Shapes(keys.shapes(shapes), source))
    )
    found = {name: tensors[full] for name, full in own.items()}
    return filled(lambda: ControlNet(params), keys, found, source)


def save_control(file: Path, network: ControlNet, metadata: Mapping[str, str]) -> None:
    """Write a ControlNet in 8 bits, with its sizes in the metadata.

    Raises:
        InputError: a weight is not finite, or the file cannot be written.
    """
    sizes = json.dumps(asdict(network.params))
    save_packed(file, network.state_dict(), {**metadata, _SIZES: sizes})


def _named(name: str) -> tuple[Path, str]:
    """Where a ControlNet is, and its kind of pictures, empty if nothing is said of it."""
    if name in KINDS:
        return _beside(EMBEDDED, name), name
    base, mark, kind = name.rpartition("#")
    if not mark or Path(name).exists():
        return Path(name), ""
    return (_beside(Path(base), kind) if Path(base).is_dir() else Path(base)), kind


def _beside(folder: Path, kind: str) -> Path:
    """The ControlNet of the model in a folder."""
    if not (folder / CONTROL).is_file():
        model = "the embedded model" if folder == EMBEDDED else f"the model in {folder}"
        raise InputError(
            f"{model} has no {CONTROL} to steer it by {kind}: give a ControlNet's file"
        )
    return folder / CONTROL


def _ours(tensors: Tensors, source: str) -> ControlNet:
    """A ControlNet that ``save_control`` wrote."""
    try:
        told: object = json.loads(tensors.metadata[_SIZES])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: the sizes in its metadata are not JSON: {error}") from error
    if not isinstance(told, dict):
        raise InputError(f"{source}: the sizes in its metadata are no table")
    params = replaced(ControlNetParams(SIZES.unet, KINDS, middle=True), told, source)
    with unfilled():
        network = ControlNet(params)
    load_complete(network, dict(tensors), source)
    return network.requires_grad_(False).eval()


def _spread(found: Tensor, rows: list[int], number: int) -> Tensor:
    """What was found for some rows of a batch of so many, and zeros for the others."""
    if len(rows) == number:
        return found
    whole = found.new_zeros(number, *found.shape[1:])
    whole[rows] = found
    return whole


def _structure(p: UNetParams) -> str:
    """What a ControlNet has in common with the U-Net that it steers."""
    cut = f" on patches of {p.patch}" if p.patch > 1 else ""
    return f"{p.blocks} blocks a level of {p.channels} channels{cut}, and a vector of {p.y_width}"


def _is_pooled(path: Path) -> bool:
    """Whether the config.json of a folder says so."""
    config = path / "config.json"
    told = read_table(config) if config.is_file() else {}
    if (order := told.get("controlnet_conditioning_channel_order", "rgb")) != "rgb":
        raise InputError(f"{config}: it reads pictures in the order {order!r}, here it is 'rgb'")
    return told.get("global_pool_conditions") is True
