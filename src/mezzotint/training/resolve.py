"""From what a user names to a recipe: a preset, or a TOML file that changes one."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mezzotint.errors import InputError, choose, unknown
from mezzotint.specs import replaced
from mezzotint.training.limits import check
from mezzotint.training.presets import RECIPES
from mezzotint.training.presets.storybook import CHAINS
from mezzotint.training.recipe import Recipe


def resolve(recipe: str | Path, overrides: dict[str, Any]) -> Recipe:
    """The preset of this name or the recipe in this TOML file, with fields replaced.

    Raises:
        InputError: no such preset or file, no such field, or a value that it cannot have.
    """
    path = Path(recipe)
    chosen = _from_toml(path) if path.suffix == ".toml" else RECIPES.get(str(recipe))
    if chosen is None:
        raise unknown("recipe", str(recipe), [*CHAINS, *RECIPES])
    return changed(chosen, overrides)


def changed(recipe: Recipe, overrides: Mapping[str, Any]) -> Recipe:
    """The recipe with fields replaced.

    Raises:
        InputError: no such field, or a value that it cannot have.
    """
    resolved = replaced(recipe, dict(overrides), f"recipe {recipe.name!r}")
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
    return replaced(base, {"name": path.stem, **table}, str(path))
