"""How networks are executed: the same functions, computed in quicker ways."""

from collections.abc import Callable

from mezzotint.engines.base import Engine, eager


def _auto() -> Engine:
    from mezzotint.engines.auto import auto  # what it needs is not needed by others

    return auto()


def _compiled() -> Engine:
    from mezzotint.engines.compiled import compiled

    return compiled()


def _compiled_int8() -> Engine:
    from mezzotint.engines.compiled import compiled_int8

    return compiled_int8()


def _openvino() -> Engine:
    from mezzotint.engines.openvino_engine import openvino

    return openvino()


def _openvino_int8() -> Engine:
    from mezzotint.engines.openvino_int8 import openvino_int8

    return openvino_int8()


ENGINES: dict[str, Callable[[], Engine]] = {
    "auto": _auto,
    "eager": lambda: eager,
    "compiled": _compiled,
    "compiled-int8": _compiled_int8,
    "openvino": _openvino,
    "openvino-int8": _openvino_int8,
}
"""What makes each engine."""
