"""What a checkpoint is, what in it matches the networks of its family and what does not.

All of it is read from names, shapes and configurations: no number of a tensor is touched.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX, components
from mezzotint.checkpoints.folder import MANIFEST, open_folder
from mezzotint.checkpoints.header import BITS
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.tensors import Stored, Tensors
from mezzotint.errors import InputError
from mezzotint.families.base import Family
from mezzotint.families.files import diffusers_folder, single_file
from mezzotint.families.files.found import COMPONENTS, Found, found, in_folder
from mezzotint.families.keys.original import Place, survey
from mezzotint.families.keys.strangers import READERS, stranger
from mezzotint.families.recognise import family_of
from mezzotint.models.flux import FluxParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params

KINDS = {
    "unet": "U-Net",
    "mmdit": "MM-DiT",
    "flux": "FLUX transformer",
    "autoencoder": "autoencoder",
    "tiny_autoencoder": "tiny autoencoder",
    "clip_text": "CLIP text encoder",
    "t5": "T5 encoder",
}
_TITLES = {  # by release
    "sd1": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "xl": "Stable Diffusion XL",
    "refiner": "Stable Diffusion XL's refiner",
    "sd3": "Stable Diffusion 3",
    "flux": "FLUX.1",
}
_LATENTS = {4: "Stable Diffusion 1.x, 2.x and XL", 16: "Stable Diffusion 3 and FLUX.1"}
_INPUTS = {9: "for inpainting", 8: "for instructions (InstructPix2Pix)"}
_DOWN = re.compile(r".*(lora_down|lora_A|lora\.down|lora_linear_layer\.down)(\.\w+)?\.weight")


@dataclass(frozen=True)
class Contents:
    """Tensors, counted: their dtypes, their numbers, and bytes where the dtypes tell them."""

    dtypes: Mapping[str, int]
    parameters: int
    size: int | None


@dataclass(frozen=True)
class Part:
    """A network.

    Attributes:
        kind: in words.
        contents: its tensors.
        fault: what is missing, unexpected or mis-shaped, counted and the first of it named; ""
            where all of it matches.
    """

    kind: str
    contents: Contents
    fault: str


@dataclass(frozen=True)
class Description:
    """What a checkpoint is.

    Attributes:
        kind: what sort of file it is, in words.
        what: what it is, such as "Stable Diffusion XL" or "a LoRA for Stable Diffusion XL".
        contents: all of its tensors.
        parts: its networks.
        stray: tensors beside the networks that nobody knows.
        notes: what else is worth telling, by subject.
        metadata: what the file says about itself.
    """

    kind: str
    what: str
    contents: Contents
    parts: Mapping[str, Part]
    stray: tuple[str, ...]
    notes: Mapping[str, str]
    metadata: Mapping[str, str]


def describe(path: Path) -> Description:
    """Tell what a file of tensors is, or a folder of a model.

    Raises:
        InputError: it cannot be read, is damaged, or is no file of tensors.
    """
    if (path / MODEL_INDEX).is_file():
        return _of_folder(path)
    if (path / MANIFEST).is_file():
        folder = open_folder(path)
        files = [open_tensors(path / n) for n in folder.hashes if n.endswith(".safetensors")]
        stored = {f"{k} {name}": s for k, f in enumerate(files) for name, s in f.stored.items()}
        notes = {"hash": folder.digest}
        return Description(
            "folder", f"{folder.family}, a model of mezzotint", _counted(stored), {}, (), notes, {}
        )
    return _of_file(path)


def _of_folder(path: Path) -> Description:
    networks = in_folder(path)
    parts = {name: _part(each.place, each.tensors, each) for name, each in networks.items()}
    texts = [each.params for name, each in networks.items() if name.startswith("text")]
    family = diffusers_folder.as_told(family_of(networks["network"].params, texts), path)
    known = {name for names in COMPONENTS.values() for name in names}
    beside = [
        n for n in components(path) if n not in known and (path / n / "config.json").is_file()
    ]
    notes = _notes(family, networks) | ({"not used": ", ".join(beside)} if beside else {})
    stored = {f"{n} {k}": s for n, f in networks.items() for k, s in f.tensors.stored.items()}
    what = _title(family, networks["network"].params)
    return Description("folder of diffusers", what, _counted(stored), parts, (), notes, {})


def _of_file(path: Path) -> Description:
    tensors = open_tensors(path)
    places, stray = survey(tensors.shapes, str(path))
    other = stranger(tensors.shapes, tensors.metadata)
    if other and not any(place.prefix for place in places.values()):
        places, stray = {}, []
    networks: dict[str, Found] = {}
    parts: dict[str, Part] = {}
    for name, place in places.items():
        try:
            networks[name] = found(path, tensors, place)
            parts[name] = _part(place, tensors, networks[name])
        except InputError as error:
            parts[name] = Part(KINDS[place.kind], _in_place(place, tensors), _fault(error, path))
    notes: dict[str, str] = {}
    if "network" in networks:
        texts = [each.params for name, each in networks.items() if name.startswith("text")]
        family = single_file.as_told(
            family_of(networks["network"].params, texts), networks["network"]
        )
        what, notes = _title(family, networks["network"].params), _notes(family, networks)
    elif parts:
        what = " and ".join(_alone(parts[name], networks.get(name)) for name in parts)
    else:
        what = other.what if other else "no model or adapter that is known"
        if ranks := Counter(s[0] for n, s in tensors.shapes.items() if s and _DOWN.fullmatch(n)):
            notes["ranks"] = ", ".join(f"{rank} × {n:,}" for rank, n in ranks.most_common())
    counted = _counted(tensors.stored)
    return Description(tensors.kind, what, counted, parts, tuple(stray), notes, tensors.metadata)


def _part(place: Place, tensors: Tensors, network: Found) -> Part:
    fault = ""
    try:
        network.check()
    except InputError as error:
        fault = _fault(error, network.file)
    return Part(KINDS[place.kind], _in_place(place, tensors), fault)


def _fault(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def _in_place(place: Place, tensors: Tensors) -> Contents:
    return _counted(place.of(tensors.stored))


def _counted(stored: Mapping[str, Stored]) -> Contents:
    dtypes = Counter(each.dtype for each in stored.values())
    numbers = {name: math.prod(each.shape) for name, each in stored.items()}
    told = dtypes.keys() <= BITS.keys()
    bits = sum(BITS[stored[name].dtype] * n for name, n in numbers.items()) if told else 0
    return Contents(dict(dtypes.most_common()), sum(numbers.values()), bits // 8 if told else None)


def _title(family: Family, network: Any) -> str:
    title = _TITLES[family.release]
    if isinstance(network, MMDiTParams):
        return f"{title}.5" if network.normed else title
    if isinstance(network, FluxParams):
        filling = network.channels_in > network.channels_out
        return f"{title} {'Fill' if filling else 'dev' if network.guided else 'schnell'}"
    extra = [_INPUTS[network.channels_in]] if network.channels_in in _INPUTS else []
    extra += ["with guidance distilled into it (LCM)"] if network.guided else []
    return ", ".join([title, *extra])


def _notes(family: Family, networks: Mapping[str, Found]) -> dict[str, str]:
    """What the network predicts, and what of a whole model has to come from other files."""
    predicts: str = family.prediction
    in_file = networks["network"].place.prefix or len(networks) == 1
    if in_file and family.release == "sd2" and predicts == "eps":
        predicts = "eps, or v if it was made for 768 x 768: shapes do not tell"
    texts = sum(name.startswith("text") for name in networks)
    lacks = [] if "autoencoder" in networks else ["an autoencoder"]
    if missing := len(family.reads) - texts:
        lacks.append(f"{missing} text encoder{'s' if missing > 1 else ''}")
    return {"predicts": predicts} | ({"lacks": " and ".join(lacks)} if lacks else {})


def _alone(part: Part, network: Found | None) -> str:
    """A network that is no denoiser, and the families that have such."""
    if network is None:
        return f"{part.kind}, not whole"
    if network.place.kind.endswith("autoencoder"):
        channels = network.params.latent_channels
        families = f", as {_LATENTS[channels]} have" if channels in _LATENTS else ""
        return f"{part.kind} (VAE) of {channels} channels{families}"
    params = network.params
    width = params.width if isinstance(params, T5Params) else params.tower.width
    return f"text encoder, {READERS.get(width, f'{part.kind} of width {width}')}"
