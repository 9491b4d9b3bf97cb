"""`mezzotint inspect`: what a file is, and for a picture, how to make it again."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.pipeline.metadata import Reading, Recipe

PICTURES = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF.{4}WEBP", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def inspect(
    file: Annotated[
        Path, Argument(help="A PNG, JPEG or WebP picture, or a file or folder of weights.")
    ],
) -> None:
    """Tell what FILE is: for a picture of ours, A1111's or ComfyUI's, how to make it again.

    That is a command, and after "#" what it needs and what of the picture cannot be matched. For
    weights: which model or adapter it is, and which of its tensors match.
    """
    if PICTURES.match(_start(file)):
        from mezzotint.pipeline.metadata import reading

        found = reading(file)
        print(command(found.recipe, file.with_name(f"{file.stem}-again.png")))
        print("".join(f"# {_shown(line)}\n" for line in _remarks(found)), end="")
    else:
        from mezzotint.cli.inspect_checkpoint import checkpoint_facts

        print("\n".join(map(_shown, checkpoint_facts(file))))


def _start(file: Path) -> bytes:
    if file.is_dir():
        return b""
    try:
        with file.open("rb") as handle:
            return handle.read(12)
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error


def command(recipe: "Recipe", out: Path) -> str:
    """The shell command that makes the picture of ``recipe`` again.

    Samplers and spacings that there are none of are left out, and so is what is as usual.
    """
    from mezzotint.diffusion import SPACINGS
    from mezzotint.diffusion.samplers import SAMPLERS
    from mezzotint.engines import ENGINES
    from mezzotint.families.base import DTYPES
    from mezzotint.pipeline.metadata.parameters import ASKED

    options = {
        "--negative": recipe.negative,
        "--model": recipe.model,
        "--steps": str(recipe.steps),
        "--cfg": str(recipe.cfg),
        "--cfg-interval": ":".join(map(str, recipe.cfg_interval or ())),
        "--guidance": "" if recipe.guidance is None else str(recipe.guidance),
        "--clip-skip": "" if recipe.clip_skip is None else str(recipe.clip_skip),
        "--seed": str(recipe.seed),
        "--noise": "" if recipe.noise == "mezzotint" else recipe.noise,
        "-n": "" if recipe.batch == 1 else str(recipe.batch),
        "--size": f"{recipe.width}x{recipe.height}",
        "--sampler": recipe.sampler if recipe.sampler in SAMPLERS else "",
        "--spacing": recipe.spacing if recipe.spacing in SPACINGS else "",
        "--dialect": "" if recipe.dialect == "mezzotint" else recipe.dialect,
        "--dtype": recipe.dtype if recipe.dtype in DTYPES and recipe.dtype != "fp32" else "",
        "--engine": recipe.engine if recipe.engine in ENGINES and recipe.engine != "eager" else "",
        "-o": str(out),
    }
    words = [word for option in options.items() if option[1] for word in option]
    words += [word for each in recipe.prompts for word in ("--prompt", "=".join(each))]
    words += [
        word for kind, which in recipe.adapters if kind in ASKED for word in (f"--{kind}", which)
    ]
    if recipe.prompt.startswith("-"):
        words = [*words, "--", recipe.prompt]
    else:
        words = [recipe.prompt, *words]
    return " ".join(["mezzotint generate", *map(_quoted, words)])


def _remarks(found: "Reading") -> list[str]:
    """What to know of a picture that another tool made, or of one of a batch."""
    own = found.tool.startswith("mezzotint")
    remarks = [] if own else [f"made with {found.tool}"]
    if own and found.recipe.batch > 1:
        remarks.append(f"it is picture {found.recipe.place + 1} of {found.recipe.batch}")
    remarks += [f"needs {need}" for need in found.needs]
    return remarks + [f"cannot be matched: {miss}" for miss in found.misses]


def _shown(text: str) -> str:
    """For a terminal: one line, with control characters spelled out."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _quoted(text: str) -> str:
    """Quote for the shell; control characters are spelled out, so that a terminal ignores them."""
    if not _CONTROL.search(text):
        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return "$'" + _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped) + "'"
