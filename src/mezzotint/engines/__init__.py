"""How networks are executed: the same functions, computed in quicker ways."""

from collections.abc import Callable

from mezzotint.engines.base import Engine, eager


def _compiled() -> Engine:
    from mezzotint.engines.compiled import compiled  # what it needs is not needed by others

    return compiled()


ENGINES: dict[str, Callable[[], Engine]] = {
    "auto": lambda: eager,
    "eager": lambda: eager,
    "compiled": _compiled,
}
"""What makes each engine; ``auto`` is eager for now."""
