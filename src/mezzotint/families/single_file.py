"""A model out of single files, whichever networks are in which of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from torch import nn

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.tensors import Tensors
from mezzotint.checkpoints.tokenizers import END, TextTokenizer, clip_tokenizer, t5_tokenizer
from mezzotint.checkpoints.vocabularies import find_vocabulary
from mezzotint.diffusion import Process
from mezzotint.errors import InputError
from mezzotint.families import sizes_by_shape
from mezzotint.families.assemble import assemble, encoder, filled
from mezzotint.families.base import Family, Model, text_name
from mezzotint.families.original import Place, parts, places
from mezzotint.families.published import published
from mezzotint.families.recognise import recognise
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIPText, CLIPTextParams
from mezzotint.models.flux import Flux
from mezzotint.models.mmdit import MMDiT
from mezzotint.models.t5 import T5Encoder, T5Params
from mezzotint.models.unet import UNet

NETWORKS: dict[str, Callable[[Any], nn.Module]] = {
    "unet": UNet,
    "mmdit": MMDiT,
    "flux": Flux,
    "autoencoder": Autoencoder,
    "clip_text": CLIPText,
    "t5": T5Encoder,
}
OPEN_CLIP_PAD = "!"  # OpenCLIP's towers were trained with 0 as padding


@dataclass(frozen=True)
class Found:
    """A network in one of the files."""

    file: Path
    tensors: Tensors
    place: Place
    params: Any

    def filled(self) -> nn.Module:
        """The network with the file's weights."""
        made, tensors = NETWORKS[self.place.kind], self.place.of(self.tensors)
        return filled(lambda: made(self.params), self.place.keys, tensors, str(self.file))


def load(files: Sequence[Path]) -> Model:
    """The model whose networks are in ``files``, in the dtype that they are stored in, mapped.

    A network in a later file takes the place of one in an earlier: so a checkpoint gets another
    autoencoder. The vocabularies are looked for around the files; see ``find_vocabulary``.

    Raises:
        InputError: a file is not a checkpoint, a network is missing, or none is of our families.
    """
    found: dict[str, Found] = {}
    texts: dict[str, Found] = {}
    for file in files:
        for name, each in _found(file).items():
            (texts if name.startswith("text") else found)[_key(name, each)] = each
    first = str(files[0])
    network, autoencoder = (_needed(found, name, first) for name in ("network", "autoencoder"))
    ordered = sorted(texts.values(), key=_rank)
    family = recognise(network.params, [text.params for text in ordered], first)
    family = _as_told(family, network)
    folders = [file.parent for file in files]
    encoders = [
        encoder(cast("CLIPText | T5Encoder", text.filled()), _tokenizer(text, folders), reads)
        for text, reads in zip(ordered, family.reads, strict=True)
    ]
    named = {**found, **{text_name(k): text for k, text in enumerate(ordered)}}
    made = cast("Autoencoder", autoencoder.filled())
    return assemble(family, network.filled(), made, encoders, _maps(family, named))


def _found(file: Path) -> dict[str, Found]:
    """The networks in one file."""
    tensors, found = open_tensors(file), dict[str, Found]()
    for name, place in parts(tensors.shapes, str(file)).items():
        shapes = place.keys.shapes(place.of(tensors.shapes))
        if place.kind not in NETWORKS:
            raise InputError(f"{file} is a {place.kind}: give the full autoencoder")
        params = getattr(sizes_by_shape, place.kind)(sizes_by_shape.Shapes(shapes, str(file)))
        found[name] = Found(file, tensors, place, params)
    if not found:
        raise InputError(f"{file} holds no network of Stable Diffusion or FLUX: no key is known")
    return found


def _key(name: str, found: Found) -> str:
    """Text encoders are told apart by what they are: each family has one of each sort."""
    if not name.startswith("text"):
        return name
    return "t5" if isinstance(found.params, T5Params) else f"clip {found.params.tower.width}"


def _rank(found: Found) -> tuple[bool, int]:
    """Where a text encoder stands among others: CLIPs before T5, the narrower first."""
    if isinstance(found.params, T5Params):
        return True, 0
    return False, found.params.tower.width


def _needed(found: Mapping[str, Found], name: str, source: str) -> Found:
    if name in found:
        return found[name]
    kind = "a U-Net or transformer" if name == "network" else "an autoencoder (VAE)"
    there = ", ".join(sorted(each.place.kind for each in found.values())) or "text encoders"
    raise InputError(f"{source} has no {kind}, only {there}: name the file that has it as well")


def _as_told(family: Family, network: Found) -> Family:
    """The family with what marks in the file say of the network."""
    names = network.tensors
    if "v_pred" in names:
        family = replace(family, prediction="v")
    if "ztsnr" in names:
        family = replace(family, process=Process.zero_terminal())
    return family


def _tokenizer(text: Found, folders: Sequence[Path]) -> TextTokenizer:
    if isinstance(text.params, CLIPTextParams):
        pad = END if text.params.tower.activation == "quick_gelu" else OPEN_CLIP_PAD
        return clip_tokenizer(find_vocabulary("CLIP", folders), pad)
    return t5_tokenizer(find_vocabulary("T5", folders))


def _maps(family: Family, found: Mapping[str, Found]) -> dict[str, tuple[KeyMap, ...]]:
    """What diffusers calls the tensors, and what the original release does."""
    params = {name: each.params for name, each in found.items()}
    originals = places(family.release, params)
    return {name: (published(each), originals[name].keys) for name, each in params.items()}
