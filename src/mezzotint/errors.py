"""One clear line for bad input: what was given, and what would be right."""

import errno
import os
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, cast

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


_NO_MEMORY = re.compile(r"out of memory|not enough memory|can(no|')t allocate memory", re.I)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python's or of torch's, on any device, says that memory is full."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error)))
    )


@contextmanager
def within_memory(doing: str, advice: str) -> Generator[None]:
    """Raise InputError where memory is full; what the kernel ends for its memory says nothing.

    Args:
        doing: what is done in here, such as "drawing 1024x1024".
        advice: what would take less.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(f"not enough memory for {doing}: {advice}") from error


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Raise InputError where what is written in here cannot be.

    Args:
        path: what it is called.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or _gathered(error)
        full = os.strerror(errno.ENOSPC) in reason
        advice = "; make room and give the same command again" if full else ""
        raise InputError(f"cannot write {path}: {reason}{advice}") from error


def _gathered(error: OSError) -> str:
    """Why the first failed of all that ``shutil.copytree`` tells: from where, to where and why."""
    told = error.args[0] if error.args else ""
    why = cast("list[tuple[str, ...]]", told)[0][2] if isinstance(told, list) else str(told)
    return re.sub(r"^\[Errno \d+\] ", "", why)
