"""Dataclasses out of tables: what a TOML or JSON file says, checked against the types it fills."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from mezzotint.errors import InputError, unknown

Spec = TypeVar("Spec")


def replaced(spec: Spec, values: Mapping[str, Any], source: str) -> Spec:
    """A dataclass with some fields replaced, nested ones by tables, every value checked.

    Args:
        spec: the dataclass.
        values: new values by field, as TOML or JSON has them: lists for tuples, tables for
            dataclasses.
        source: where they come from, for the error.

    Raises:
        InputError: there is no such field, or its value is of another type.
    """
    hints = get_type_hints(type(spec))
    names = [field.name for field in fields(cast(Any, spec))]
    new: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            raise InputError(f"{source}: {unknown('field', name, names)}")
        old = getattr(spec, name)
        if is_dataclass(old):
            if not isinstance(value, dict):
                raise InputError(f"{source}: {name} must be a table, not {value!r}")
            new[name] = replaced(old, cast("dict[str, Any]", value), f"{source}: {name}")
        else:
            new[name] = _typed(value, hints[name], f"{source}: {name}")
    return replace(cast(Any, spec), **new)


def _typed(value: Any, hint: Any, what: str) -> Any:
    """``value`` as the type ``hint`` has it."""
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        if isinstance(value, (list, tuple)):
            many = cast("list[Any]", list(value))
            if parts[-1] is Ellipsis:
                return tuple(_typed(v, parts[0], what) for v in many)
            if len(many) == len(parts):
                return tuple(_typed(v, p, what) for v, p in zip(many, parts, strict=True))
        raise InputError(f"{what} must be a list like {hint}, not {value!r}")
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise InputError(f"{what}: {unknown('value', str(value), get_args(hint))}")
        return value
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{what} must be of type {hint.__name__}, not {value!r}")
    return value
