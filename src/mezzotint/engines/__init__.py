"""How networks are executed: the same functions, computed in quicker ways."""

from collections.abc import Callable

from mezzotint.engines.base import Engine, eager

ENGINES: dict[str, Callable[[], Engine]] = {"auto": lambda: eager, "eager": lambda: eager}
"""What makes each engine; ``auto`` is eager for now."""
