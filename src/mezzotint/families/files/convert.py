"""From one form of a checkpoint to another, a tensor at a time.

Names go through our own, by the key maps of both sides, so that the way there and back gives every
tensor bit for bit. What is in a file beside the networks (the table of a noise schedule, averages
of the weights, the last layer of 2.x's text encoder, which is not used) is left behind where the
names change, and stays where they don't.
"""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX, components
from mezzotint.checkpoints.gguf_writer import write_gguf
from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.tensors import NAMES, Stored, Tensors, sizes
from mezzotint.checkpoints.writer import write_tensors
from mezzotint.diffusion import Prediction
from mezzotint.errors import InputError, choose
from mezzotint.families.base import Family
from mezzotint.families.files import diffusers_folder, single_file
from mezzotint.families.files.found import COMPONENTS, Found, in_file, in_folder
from mezzotint.families.files.write_folder import SHARD, write_folder
from mezzotint.families.keys.original import RELEASES, places
from mezzotint.families.keys.published import published
from mezzotint.families.recognise import family_of, recognise
from mezzotint.files import whole_folder
from mezzotint.models.flux import FluxParams
from mezzotint.models.unet import UNetParams

Tick = Callable[[int, int], None]
"""Told how many bytes are written, and of how many."""

DTYPES = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8_e4m3": torch.float8_e4m3fn,
}
PREDICTIONS: dict[str, Prediction] = {"eps": "eps", "v": "v"}
QUANT = "Q8_0"
OTHERS = (".bin", ".ckpt", ".pt", ".pth", ".onnx", ".msgpack", ".h5")  # of weights, not written
_AUTOENCODERS = tuple({prefixes["autoencoder"] for prefixes in RELEASES.values()})


def convert(
    sources: Sequence[Path],
    target: Path,
    dtype: str | None = None,
    quant: str | None = None,
    prediction: str | None = None,
    force: bool = False,
    tick: Tick = lambda done, total: None,
) -> None:
    """Write a checkpoint in another form.

    Args:
        sources: a folder as diffusers saves it, or a file of weights and more files with the
            networks that it lacks.
        target: `NAME.safetensors` with the names of the original release, `NAME.gguf` with the
            denoiser alone, or else a folder as diffusers saves it. One file as another keeps its
            names.
        dtype: "fp32", "fp16", "bf16" or "fp8_e4m3", which only the matrices and kernels of
            denoiser and text encoders get; as it is by default.
        quant: of a GGUF, as ``gguf_writer.QUANTS`` has them; Q8_0 by default.
        prediction: "eps" or "v", what a file of Stable Diffusion predicts, if it does not tell.
        force: whether what is there may be replaced.
        tick: called after each tensor.

    Raises:
        InputError: a source is not of a family that is known, or not whole; or ``target`` is there
            or cannot be written.
    """
    gguf = target.suffix == ".gguf"
    if target.suffix in OTHERS:
        raise InputError(f"{target}: give NAME.safetensors, NAME.gguf or the name of a folder")
    if (gguf and dtype is not None) or (quant and not gguf):
        raise InputError(f"{target}: --quant is for .gguf, --dtype for .safetensors and folders")
    number = None if dtype is None else choose("dtype", dtype, DTYPES)
    told = None if prediction is None else choose("prediction", prediction, PREDICTIONS)
    from_folder = (sources[0] / MODEL_INDEX).is_file()
    if from_folder and (told or len(sources) > 1):
        raise InputError(
            f"{sources[0]} is a whole model, which tells what it predicts: give it alone"
        )
    _refuse_loss(sources, target, force)
    if gguf:
        _write_gguf(sources, target, quant or QUANT, tick)
    elif target.suffix == ".safetensors":
        tensors = (
            _original(sources, told) if from_folder or len(sources) > 1 else _same(sources[0], told)
        )
        watched = _watched({"": _recast(tensors, number)}, tick)[""]
        write_tensors(target, watched, tensors.metadata)
    else:
        with whole_folder(target) as folder:
            if from_folder:
                _copy_folder(sources[0], folder, number, tick)
            else:
                _write_folder(sources, folder, number, told, tick)


def _refuse_loss(sources: Sequence[Path], target: Path, force: bool) -> None:
    """See that nothing is replaced that should not be."""
    place = target.resolve()
    for source in (path.resolve() for path in sources):
        if place in (source, *source.parents) or source in place.parents:
            raise InputError(f"{target} and {source} are one in the other: give another place")
    if not target.exists():
        return
    if not force:
        raise InputError(f"{target} is there already: --force replaces it, or give another name")
    is_file = target.suffix in (".safetensors", ".gguf")
    ours = target.is_file() if is_file else (target / MODEL_INDEX).is_file()
    if not ours:
        kind = "a file" if is_file else "a folder of a model"
        raise InputError(f"{target} is not {kind}, which alone would be replaced")


def _whole(
    sources: Sequence[Path], prediction: Prediction | None
) -> tuple[Family, dict[str, Found]]:
    """A model with all of its networks, and its family with what is told of it."""
    first = sources[0]
    from_folder = (first / MODEL_INDEX).is_file()
    found = in_folder(first) if from_folder else single_file.gathered(sources)
    if found["autoencoder"].place.kind != "autoencoder":
        file = found["autoencoder"].file
        raise InputError(f"{file} is a tiny autoencoder, no model's own: give the full one")
    network, texts = found["network"], [found[name] for name in found if name.startswith("text")]
    family = recognise(network.params, [text.params for text in texts], str(first))
    if from_folder:
        return diffusers_folder.as_told(family, first), found
    family = single_file.as_told(family, network)
    if prediction is not None:
        if family.prediction == "flow":
            raise InputError(f"{first} is {family.name}, which predicts the velocity of a flow")
        return replace(family, prediction=prediction), found
    if family.release == "sd2" and family.prediction == "eps" and network.params.channels_in == 4:
        raise InputError(
            f"{first} is Stable Diffusion 2.x, and shapes do not tell what it predicts: give "
            "--prediction v if it was made for 768 x 768, --prediction eps if for 512 x 512"
        )
    return family, found


def _original(sources: Sequence[Path], prediction: Prediction | None) -> Tensors:
    """All of a model's tensors under the names of its original release."""
    family, found = _whole(sources, prediction)
    stored: dict[str, Stored] = {}
    for part, place in places(family.release, {n: f.params for n, f in found.items()}).items():
        renamed = _renamed(found[part], place.keys).stored
        stored |= {place.prefix + name: each for name, each in renamed.items()}
    return Tensors(stored | _marks(family.prediction, family.process.name), {}, "safetensors")


def _same(source: Path, prediction: Prediction | None) -> Tensors:
    """A file's tensors as they are."""
    tensors = open_tensors(source)
    marks = _marks(prediction, "")
    metadata = {} if tensors.kind == "GGUF" else tensors.metadata
    return Tensors(marks | dict(tensors.stored), metadata, tensors.kind)


def _marks(prediction: str | None, process: str) -> dict[str, Stored]:
    """Empty tensors that say what shapes don't, as ComfyUI reads them."""
    names = {"v_pred": prediction == "v", "ztsnr": process == "zero_terminal"}
    return {
        name: Stored("F32", (0,), partial(torch.empty, 0)) for name, is_so in names.items() if is_so
    }


def _write_gguf(sources: Sequence[Path], target: Path, quant: str, tick: Tick) -> None:
    from_folder = (sources[0] / MODEL_INDEX).is_file()
    found = in_folder(sources[0]) if from_folder else in_file(sources[0])
    if "network" not in found:
        raise InputError(f"{sources[0]} has no U-Net or transformer, which is what GGUF is for")
    network = found["network"]
    params = network.params
    keys = places(family_of(params, []).release, {"network": params})["network"].keys
    if isinstance(params, UNetParams):
        architecture = "sdxl" if params.y_width else "sd1"
    else:
        architecture = "flux" if isinstance(params, FluxParams) else "sd3"
    tensors = _watched({"": _renamed(network, keys)}, tick)[""]
    write_gguf(target, tensors, architecture, quant)


def _write_folder(
    sources: Sequence[Path],
    folder: Path,
    dtype: torch.dtype | None,
    prediction: Prediction | None,
    tick: Tick,
) -> None:
    family, found = _whole(sources, prediction)
    tensors = {
        part: _recast(_renamed(each, published(each.params)), dtype, part == "autoencoder")
        for part, each in found.items()
    }
    write_folder(folder, family, found, _watched(tensors, tick))


def _copy_folder(source: Path, folder: Path, dtype: torch.dtype | None, tick: Tick) -> None:
    """Copy a model, its networks in another dtype and all else as it is."""
    shutil.copyfile(source / MODEL_INDEX, folder / MODEL_INDEX)
    networks = {name: part for part, names in COMPONENTS.items() for name in names}
    weights = shutil.ignore_patterns("*.safetensors", "*.index*.json", *(f"*{s}" for s in OTHERS))
    tensors: dict[str, Tensors] = {}
    for name in components(source):
        ours = networks.get(name)
        shutil.copytree(source / name, folder / name, ignore=weights if ours else None)
        if ours:
            tensors[name] = _recast(open_tensors(source / name), dtype, ours == "autoencoder")
    for name, each in _watched(tensors, tick).items():
        stem = "model" if networks[name] == "text" else "diffusion_pytorch_model"
        write_tensors(folder / name / f"{stem}.safetensors", each, shard_bytes=SHARD)


def _renamed(found: Found, keys: KeyMap) -> Tensors:
    """A network's tensors under other names, each put together when it is asked for."""
    ours = found.ours()
    empty = {n: torch.empty(s, dtype=d, device="meta") for n, (d, s) in sizes(ours).items()}
    held = keys.held(ours)

    def read(name: str) -> Tensor:
        return keys.to_theirs({each: ours[each] for each in held[name]})[name]

    stored = {
        name: Stored(NAMES[tensor.dtype], tuple(tensor.shape), partial(read, name))
        for name, tensor in keys.to_theirs(empty).items()
    }
    return Tensors(stored, {}, "safetensors")


def _recast(tensors: Tensors, dtype: torch.dtype | None, spared: bool = False) -> Tensors:
    """The tensors in another dtype; fp8 is kept from whatever is small or makes the picture."""
    if dtype is None:
        return tensors
    stored = dict(tensors.stored)
    for name, (now, shape) in sizes(tensors).items():
        big = len(shape) > 1 and name.endswith("weight") and not name.startswith(_AUTOENCODERS)
        if now.is_floating_point and (dtype.itemsize > 1 or (big and not spared)):
            stored[name] = Stored(NAMES[dtype], shape, partial(_as, dtype, name, stored[name]))
    return Tensors(stored, tensors.metadata, tensors.kind)


def _as(dtype: torch.dtype, name: str, stored: Stored) -> Tensor:
    tensor = stored.read()
    made = tensor.to(dtype)
    if dtype is torch.float16 and not made.isfinite().all() and tensor.isfinite().all():
        raise InputError(f"{name} has numbers beyond those of fp16, {torch.finfo(dtype).max}: bf16")
    return made


def _watched(tensors: Mapping[str, Tensors], tick: Tick) -> dict[str, Tensors]:
    """The same, telling how much of all of them has been read."""
    spans = [
        d.itemsize * math.prod(s) for each in tensors.values() for d, s in sizes(each).values()
    ]
    total, done = sum(spans), 0

    def read(stored: Stored) -> Tensor:
        nonlocal done
        tensor = stored.read()
        done += tensor.nbytes
        tick(done, total)
        return tensor

    def watch(each: Tensors) -> Tensors:
        stored = {n: replace(s, read=partial(read, s)) for n, s in each.stored.items()}
        return Tensors(stored, each.metadata, each.kind)

    return {name: watch(each) for name, each in tensors.items()}
