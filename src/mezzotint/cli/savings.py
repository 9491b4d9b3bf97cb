"""`--saving`: what may be computed less of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mezzotint.errors import InputError, choose

if TYPE_CHECKING:
    from mezzotint.adapters.base import Adapter


def savings(texts: Sequence[str]) -> "list[Adapter]":
    """What NAME or NAME:NUMBER ask for, a name in ``mezzotint.adapters.savings.SAVINGS``.

    Raises:
        InputError: there is no such saving, or it takes no such number.
    """
    return [_saving(text) for text in texts]


def _saving(text: str) -> "Adapter":
    from mezzotint.adapters.savings import SAVINGS

    name, colon, number = (part.strip() for part in text.partition(":"))
    saving = choose("saving", name, SAVINGS)
    try:
        given = [float(number)] if colon else []
    except ValueError as error:
        raise InputError(f"--saving {text!r}: write it as NAME:NUMBER, like deepcache:3") from error
    return saving(*given)
