"""One clear line for bad input: what was given, and what would be right."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that names the input and says what would be right; the command line
    prints it alone and exits with status 2.
    """


def choose(kind: str, name: str, options: Mapping[str, T]) -> T:
    """Return ``options[name]``, or raise an InputError that suggests the nearest name."""
    if name in options:
        return options[name]
    raise unknown(kind, name, options)


def unknown(kind: str, name: str, options: Iterable[str]) -> InputError:
    """The error for a name that is not among ``options``."""
    names = sorted(options)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(names)}"
    return InputError(f"unknown {kind} {name!r}: {hint}")
