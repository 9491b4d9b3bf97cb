"""Who can be measured: this package's engines, and its peers."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from mezzotint.bench.shapes import Shape
from mezzotint.engines.openvino_int8 import CALLS
from mezzotint.errors import InputError, choose, unknown
from mezzotint.nn.precision import multiplies

SCRIPTS = Path(__file__).with_name("scripts")
DTYPES = ("fp32", "bf16")


@dataclass(frozen=True)
class Kind:
    """A library that draws.

    Attributes:
        title: its name.
        script: in the folder of scripts.
        needs: the distributions that it needs; the first is the library.
        exported: whether it reads OpenVINO's graphs rather than the model.
        gpu: whether it runs on a CUDA device as well.
        ways: engines of it beside its own way.
        noise: whether it begins with the noise that the others begin with; else it takes a seed.
    """

    title: str
    script: str
    needs: tuple[str, ...] = ()
    exported: bool = False
    gpu: bool = True
    ways: tuple[str, ...] = ()
    noise: bool = True


OURS = Kind("mezzotint", "draw_mezzotint.py")
SDCPP = Kind("stable-diffusion.cpp", "draw_sdcpp.py", noise=False)
_EXPORT = ("diffusers", "transformers")
PEERS = {
    "diffusers": Kind(
        "diffusers", "draw_diffusers.py", ("diffusers", "transformers"), ways=("compiled",)
    ),
    "openvino": Kind(
        "OpenVINO GenAI",
        "draw_openvino.py",
        ("openvino-genai", "openvino-tokenizers", "optimum-intel", *_EXPORT),
        exported=True,
        gpu=False,
    ),
    "optimum": Kind(
        "optimum-intel",
        "draw_optimum.py",
        ("optimum-intel", "openvino-tokenizers", *_EXPORT),
        exported=True,
        gpu=False,
    ),
    "sdcpp": SDCPP,
}


@dataclass(frozen=True)
class Contestant:
    """A library, the engine of it, what that computes in, and what may be computed less of."""

    kind: Kind
    dtype: str
    engine: str = ""
    saving: str = ""

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return " ".join(filter(None, (self.kind.title, self.engine, self.saving, self.dtype)))

    @property
    def warm_up(self) -> int:
        """Steps that it draws before any are counted: what it has to learn from is learnt then."""
        learns = CALLS if self.engine == "openvino-int8" else 2
        return 3 * learns if self.saving else learns  # some steps are of one kind, some of another

    @property
    def multiplies(self) -> str:
        """The numbers that it multiplies, whose ceiling is its own."""
        return "int8" if self.engine.endswith("int8") else self.dtype

    @property
    def ours(self) -> bool:
        """Whether it is of this package."""
        return self.kind is OURS


def engines(text: str) -> list[Contestant]:
    """Those of this package: ``ENGINE``, ``ENGINE:DTYPE``, with commas between; or "all".

    ``ENGINE+SAVING`` and ``ENGINE+SAVING=NUMBER`` compute less, as ``--saving`` does.

    Raises:
        InputError: there is no such engine, saving or dtype.
    """
    from mezzotint.adapters.savings import SAVINGS
    from mezzotint.engines import ENGINES

    if text == "all":  # the first, which shows what the others agree with, is slow
        exact = [name for name in ENGINES if name != "auto"]
        text = ",".join(["eager:fp32", *exact, "openvino+deepcache", "openvino-int8+deepcache"])
    found: list[Contestant] = []
    for word in _words(text):
        name, dtype = _dtype(word)
        engine, _, saving = name.partition("+")
        choose("engine", engine, ENGINES)
        if saving:
            choose("saving", saving.partition("=")[0], SAVINGS)
        found.append(Contestant(OURS, dtype, engine, saving))
    return list(dict.fromkeys(found))


def peers(text: str) -> list[Contestant]:
    """The peers: ``PEER``, ``PEER:DTYPE`` or ``PEER-WAY``, with commas between.

    Raises:
        InputError: there is no such peer, dtype or way.
    """
    found: list[Contestant] = []
    for word in _words(text):
        name, dtype = _dtype(word)
        peer, _, way = name.partition("-")
        kind = choose("peer", peer, PEERS)
        if way and way not in kind.ways:
            raise unknown("peer", name, [*PEERS, *(f"{peer}-{each}" for each in kind.ways)])
        found.append(Contestant(kind, "f16" if kind is SDCPP else dtype, way))
    return list(dict.fromkeys(found))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _dtype(word: str) -> tuple[str, str]:
    name, mark, dtype = word.partition(":")
    if mark and dtype not in DTYPES:
        raise InputError(f"{word}: give {name}:fp32 or {name}:bf16; {name} alone is {usual()} here")
    return name, dtype or usual()


@cache
def usual() -> str:
    """What is computed in unless it is said: bfloat16, or float32 where nothing multiplies that."""
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    return "bf16" if multiplies(torch.bfloat16, kind) else "fp32"


def versions(python: str, contestants: Sequence[Contestant]) -> dict[str, str | None]:
    """The versions of what the contestants need; None of what is not installed there.

    Raises:
        InputError: ``python`` is no interpreter.
    """
    names = sorted({name for each in contestants for name in each.kind.needs})
    code = (
        "import importlib.metadata as m, json, sys\n"
        "def of(name):\n"
        "    try:\n        return m.version(name)\n"
        "    except m.PackageNotFoundError:\n        return None\n"
        "print(json.dumps({name: of(name) for name in sys.argv[1:]}))"
    )
    try:
        ran = subprocess.run([python, "-c", code, *names], check=True, capture_output=True)
        return json.loads(ran.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise InputError(f"{python} is not a Python that runs: give one's path") from error


def absence(
    each: Contestant,
    shape: Shape,
    device: str,
    found: Mapping[str, str | None],
    sdcpp: Path | None,
) -> str:
    """Why a contestant does not take part, in a few words; nothing if it does.

    Args:
        each: the contestant.
        shape: what is drawn.
        device: what it would draw on.
        found: the versions of what is installed.
        sdcpp: the program of stable-diffusion.cpp.
    """
    kind = each.kind
    if each.ours:
        return ""
    if shape.embedded:
        return "does not know this model"
    if device == "cuda" and not kind.gpu:
        return "does not run on this GPU"
    if kind is SDCPP and sdcpp is None:
        return "not given: --sdcpp PATH"
    if kind is SDCPP and not shape.single_file:
        return "wants this model in other files"
    missing = [name for name in kind.needs if not found.get(name)]
    return f"not installed: pip install {' '.join(missing)}" if missing else ""
