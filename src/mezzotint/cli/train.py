"""`mezzotint train`: a recipe becomes weights."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

from typer import Argument, Option

from mezzotint.errors import InputError


def train(
    recipe: Annotated[
        str,
        Argument(
            metavar="RECIPE.toml|NAME",
            help="A file, or one of autoencoder, decoder, text, denoiser, further, shapes, scenes, "
            "flow, clip, folded, student, judge, depth, controlnet, ip-adapter, ip-style, "
            "instruct, lora, dreambooth, textual-inversion; or the first eleven: storybook, smoke.",
        ),
    ],
    data: Annotated[
        Path | None, Option(help="A folder of captioned pictures.", show_default="the world")
    ] = None,
    out: Annotated[
        Path | None, Option("--out", "-o", help="The run's folder.", show_default="runs/NAME")
    ] = None,
    model: Annotated[
        str | None,
        Option(
            help="What the recipe stands on: what is steered, taught from or made one's own, and "
            "has the parts that other runs would have to make first.",
            show_default="the embedded model, or those runs",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        Option(
            "--set",
            metavar="FIELD=VALUE",
            help="A field of the recipe instead of its own: steps=400, task.rank=8; may be "
            "repeated.",
        ),
    ] = None,
) -> None:
    """Train a recipe; a run that was stopped goes on when it is started again."""
    changes = [_table(each) for each in settings or []]

    from mezzotint.training.run import run

    print(run(recipe, data, out, model, **_together(changes)))


def _table(setting: str) -> dict[str, Any]:
    """``steps=400`` as TOML has it; a value that is none of TOML's is text."""
    name, mark, value = (part.strip() for part in setting.partition("="))
    if not (name and mark):
        raise InputError(f"--set {setting}: give FIELD=VALUE, such as steps=400")
    for text in (value, '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'):
        try:
            return tomllib.loads(f"{name} = {text}")
        except tomllib.TOMLDecodeError:
            continue
    raise InputError(f"--set {setting}: {name} is no field's name")


def _together(tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One table of all, the later ones' values before the earlier ones'."""
    whole: dict[str, Any] = {}
    for table in tables:
        for name, value in table.items():
            old = whole.get(name)
            nested = isinstance(old, dict) and isinstance(value, dict)
            whole[name] = (
                _together([cast("dict[str, Any]", old), cast("dict[str, Any]", value)])
                if nested
                else value
            )
    return whole
