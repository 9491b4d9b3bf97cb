"""`mezzotint train`: a recipe becomes weights."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def train(
    recipe: Annotated[
        str,
        Argument(
            metavar="RECIPE.toml|NAME",
            help="A file, or one of autoencoder, denoiser, flow, clip, folded, student, judge; "
            "or the first six: storybook, smoke.",
        ),
    ],
    data: Annotated[
        Path | None, Option(help="A folder of captioned pictures.", show_default="the world")
    ] = None,
    out: Annotated[
        Path | None, Option("--out", "-o", help="The run's folder.", show_default="runs/NAME")
    ] = None,
) -> None:
    """Train a recipe; a run that was stopped goes on when it is started again."""
    from mezzotint.training.run import run

    print(run(recipe, data, out))
