"""`mezzotint inspect`: what a file is, and for a picture, how to make it again."""

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.pipeline.metadata import Recipe

PNG = b"\x89PNG\r\n\x1a\n"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def inspect(file: Annotated[Path, Argument(help="A PNG, or a safetensors file.")]) -> None:
    """Tell what FILE is: for a picture, the command that makes it again."""
    try:
        with file.open("rb") as handle:
            start = handle.read(len(PNG))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    if start == PNG:
        from mezzotint.pipeline.metadata import read

        print(command(read(file), file.with_stem(f"{file.stem}-again")))
    else:
        print("\n".join(_facts(file)))


def command(recipe: "Recipe", out: Path) -> str:
    """The shell command that makes the picture of ``recipe`` again."""
    options = {
        "--negative": recipe.negative,
        "--model": recipe.model,
        "--steps": str(recipe.steps),
        "--cfg": str(recipe.cfg),
        "--seed": str(recipe.seed),
        "--size": f"{recipe.width}x{recipe.height}",
        "--sampler": recipe.sampler,
        "--spacing": recipe.spacing,
        "-o": str(out),
    }
    words = [word for option in options.items() if option[1] for word in option]
    if recipe.prompt.startswith("-"):
        words = [*words, "--", recipe.prompt]
    else:
        words = [recipe.prompt, *words]
    return " ".join(["mezzotint generate", *map(_quoted, words)])


def _quoted(text: str) -> str:
    """Quote for the shell; control characters are spelled out, so that a terminal ignores them."""
    if not _CONTROL.search(text):
        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return "$'" + _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped) + "'"


def _facts(file: Path) -> list[str]:
    from mezzotint.checkpoints.header import read_header

    header = read_header(file)
    parameters = sum(tensor.size for tensor in header.tensors.values())
    dtypes = Counter(tensor.dtype for tensor in header.tensors.values())
    return [
        f"{file}: safetensors, {file.stat().st_size / 2**20:,.1f} MiB",
        f"tensors     {len(header.tensors):,}",
        f"parameters  {parameters:,}",
        f"dtypes      {', '.join(f'{name} × {count:,}' for name, count in dtypes.most_common())}",
        *(f"metadata    {k!r}: {v[:200]!r}" for k, v in sorted(header.metadata.items())),
    ]
