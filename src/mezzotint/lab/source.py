"""The package's own lines, shown as they stand, so that no page can go stale."""

import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent

import mezzotint

ROOT = Path(mezzotint.__file__).parent


@dataclass(frozen=True)
class Excerpt:
    """Some lines of the package.

    Attributes:
        path: of the file, from the package's folder.
        line: the number of the first.
        text: the lines, without what they are all indented by.
    """

    path: str
    line: int
    text: str


@cache
def excerpt(name: str) -> Excerpt:
    """The source of a function, method or class.

    Args:
        name: "mezzotint.diffusion.process:Process.diffuse".

    Raises:
        ImportError, AttributeError: there is no such thing, which a test of all pages finds.
    """
    found = inspect.unwrap(resolve_name(name))
    lines, first = inspect.getsourcelines(found)
    path = Path(inspect.getsourcefile(found) or "").relative_to(ROOT)
    return Excerpt(path.as_posix(), first, dedent("".join(lines)).rstrip())
