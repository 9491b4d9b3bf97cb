"""From what a user names to a recipe: a preset, or a TOML file that changes one."""

import tomllib
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from mezzotint.errors import InputError, choose, unknown
from mezzotint.training.limits import check
from mezzotint.training.presets import CHAINS, RECIPES
from mezzotint.training.recipe import Recipe

Spec = TypeVar("Spec")


def resolve(recipe: str | Path, overrides: dict[str, Any]) -> Recipe:
    """The preset of this name or the recipe in this TOML file, with fields replaced.

    Raises:
        InputError: no such preset or file, no such field, or a value that it cannot have.
    """
    path = Path(recipe)
    chosen = _from_toml(path) if path.suffix == ".toml" else RECIPES.get(str(recipe))
    if chosen is None:
        raise unknown("recipe", str(recipe), [*CHAINS, *RECIPES])
    resolved = _replaced(chosen, overrides, f"recipe {chosen.name!r}")
    check(resolved)
    return resolved


def _from_toml(path: Path) -> Recipe:
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    if "base" not in table:
        raise InputError(f'{path} names no base: begin with base = "{next(iter(RECIPES))}"')
    base = choose("recipe", str(table.pop("base")), RECIPES)
    return _replaced(base, {"name": path.stem, **table}, str(path))


def _replaced(spec: Spec, values: dict[str, Any], source: str) -> Spec:
    """A dataclass with some fields replaced, nested ones by tables, every value checked."""
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
            new[name] = _replaced(old, cast("dict[str, Any]", value), f"{source}: {name}")
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
