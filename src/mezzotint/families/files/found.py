"""Networks as they lie in files: of which sizes, under which names, and nothing read yet."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mezzotint.checkpoints.diffusers_folder import components
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.scaled import unscaled
from mezzotint.checkpoints.table import read_table
from mezzotint.checkpoints.tensors import Stored, Tensors
from mezzotint.errors import InputError
from mezzotint.families.base import text_name
from mezzotint.families.files.filled import filled
from mezzotint.families.keys.original import Place, parts
from mezzotint.families.keys.strangers import stranger
from mezzotint.families.sizes import configs, sizes_by_shape
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText
from mezzotint.models.flux import Flux
from mezzotint.models.mmdit import MMDiT
from mezzotint.models.t5 import T5Encoder
from mezzotint.models.tiny_autoencoder import TinyAutoencoder
from mezzotint.models.unet import UNet
from mezzotint.nn.init import unfilled

NETWORKS: dict[str, Callable[[Any], nn.Module]] = {
    "unet": UNet,
    "mmdit": MMDiT,
    "flux": Flux,
    "autoencoder": Autoencoder,
    "tiny_autoencoder": TinyAutoencoder,
    "clip_text": CLIPText,
    "t5": T5Encoder,
}
COMPONENTS = {  # the folders of a diffusers model, by what we call its parts
    "network": ("unet", "transformer"),
    "autoencoder": ("vae",),
    "text": ("text_encoder", "text_encoder_2", "text_encoder_3"),
}
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.\w+")


@dataclass(frozen=True, eq=False)
class Found:
    """A network in a file.

    Attributes:
        file: the file, or the folder of a diffusers model's component.
        tensors: all of the file's.
        place: which of them are the network's, and what they are called.
        params: its sizes.
    """

    file: Path
    tensors: Tensors
    place: Place
    params: Any

    @cached_property
    def wanted(self) -> dict[str, Tensor]:
        """The network's own tensors by our names, without values."""
        with unfilled():
            return NETWORKS[self.place.kind](self.params).state_dict()

    def filled(self) -> nn.Module:
        """The network with the file's weights.

        Raises:
            InputError: tensors are missing, unexpected or mis-shaped.
        """
        made, tensors = NETWORKS[self.place.kind], self.place.of(self.tensors)
        return filled(lambda: made(self.params), self.place.keys, tensors, str(self.file))

    def check(self) -> None:
        """See that all of the network is there, by names and shapes alone.

        Raises:
            InputError: tensors are missing, unexpected or mis-shaped.
        """
        shapes = self.place.of(self.tensors.shapes)
        theirs = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        self.place.keys.to_ours(theirs, self.wanted, str(self.file))

    def ours(self) -> Tensors:
        """The network's tensors by our names, each read when it is asked for.

        Raises:
            InputError: as ``check``.
        """
        self.check()
        file = self.place.of(self.tensors.stored)
        stored = {
            name: Stored(
                file[theirs].dtype,
                tuple(self.wanted[name].shape),
                partial(self._read, theirs, file[theirs], names, name),
            )
            for theirs, names in self.place.keys.held_in(file).items()
            for name in names
        }
        return Tensors(stored, {}, self.tensors.kind)

    def _read(self, theirs: str, stored: Stored, names: Sequence[str], name: str) -> Tensor:
        wanted = {each: self.wanted[each] for each in names}
        return self.place.keys.to_ours({theirs: stored.read()}, wanted, str(self.file))[name]


def in_file(file: Path) -> dict[str, Found]:
    """The networks in one file, called as ``original.parts`` calls them.

    Raises:
        InputError: it cannot be read, or holds none; the line says what it is instead.
    """
    tensors = unscaled(open_tensors(file), str(file))
    places = parts(tensors.shapes, str(file))
    bare = not any(place.prefix for place in places.values())
    if bare and (other := stranger(tensors.shapes, tensors.metadata)):
        raise InputError(f"{file} is {other.what}, wanted is a model: {other.use}")
    if not places:
        raise InputError(
            f"{file} holds no network of Stable Diffusion or FLUX: no key is known; wanted is a "
            "checkpoint, or a folder as diffusers saves it"
        )
    _refuse_shard(file)
    return {name: found(file, tensors, place) for name, place in places.items()}


def found(file: Path, tensors: Tensors, place: Place) -> Found:
    """A network at a place in a file, of the sizes that shapes tell.

    Raises:
        InputError: a tensor that would tell a size is missing.
    """
    shapes = place.keys.shapes(place.of(tensors.shapes))
    params = getattr(sizes_by_shape, place.kind)(sizes_by_shape.Shapes(shapes, str(file)))
    return Found(file, tensors, place, params)


def in_folder(path: Path) -> dict[str, Found]:
    """The networks of a model that diffusers saved, of the sizes that its configs tell.

    Raises:
        InputError: a part is missing or damaged, or of another architecture than we have.
    """
    have = components(path)
    named: dict[str, Found] = {}
    for part, names in COMPONENTS.items():
        for k, name in enumerate(name for name in names if name in have):
            named[text_name(k) if part == "text" else part] = _in_component(path / name)
    if lost := [part for part in ("network", "autoencoder") if part not in named]:
        raise InputError(f"{path} lacks its {' and its '.join(lost)}: {', '.join(have)} are there")
    return named


def _in_component(folder: Path) -> Found:
    tensors = open_tensors(folder)
    (place, *_) = parts(tensors.shapes, str(folder)).values() or (None,)
    if place is None:
        raise InputError(f"{folder} holds no network of Stable Diffusion or FLUX: no key is known")
    config = read_table(folder / "config.json")
    try:
        if place.kind == "tiny_autoencoder":  # one size, which its shapes tell
            return found(folder, tensors, place)
        return Found(folder, tensors, place, _told(config, place, tensors))
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: its config.json lacks or garbles {error}") from error


def _told(config: Mapping[str, Any], place: Place, tensors: Tensors) -> Any:
    if place.kind == "clip_text":
        projects = "text_projection.weight" in tensors
        return configs.clip_text(config, config["vocab_size"] - 1, projects)
    return getattr(configs, place.kind)(config)


def _refuse_shard(file: Path) -> None:
    if (match := _SHARD.fullmatch(file.name)) and int(match[3]) > 1:
        raise InputError(
            f"{file} is shard {int(match[2])} of {int(match[3])} of a model: keep all of them in "
            f"one folder with their index, {match[1]}.safetensors.index.json, and give that"
        )
