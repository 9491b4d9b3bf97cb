"""What keeps a file's tensors from fitting a network, said in one line."""

from collections.abc import Mapping, Sequence
from itertools import islice

from mezzotint.errors import InputError

_SHOWN = 5


def refuse_any(source: str, faults: Mapping[str, Sequence[str]]) -> None:
    """Raise an InputError about ``source`` that counts the faults of each kind and lists the first.

    Nothing is raised where no kind has any.
    """
    found = [_listed(kind, names) for kind, names in faults.items() if names]
    if found:
        raise InputError(f"{source}: {'; '.join(found)}")


def _listed(kind: str, names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {kind}: {', '.join(islice(names, _SHOWN))}{rest}"
