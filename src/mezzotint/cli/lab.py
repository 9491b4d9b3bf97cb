"""`mezzotint lab`: pages to play with, on this machine."""

from pathlib import Path
from typing import Annotated

from typer import Option

from mezzotint.errors import InputError


def lab(
    model: Annotated[
        str | None,
        Option(
            help="A folder or file of weights, as for generate.", show_default="the embedded model"
        ),
    ] = None,
    port: Annotated[int, Option(min=1, max=65535, help="Of this machine, and of no other.")] = 7860,
    gallery: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Where the studio keeps its pictures.",
            show_default="~/.local/share/mezzotint/gallery",
        ),
    ] = None,
    quiet: Annotated[bool, Option("--no-browser", help="Do not open a browser.")] = False,
) -> None:
    """Open the lab: see on pages to play with how pictures come out of noise."""
    try:
        from mezzotint.lab.serve import serve
    except ImportError as error:
        raise InputError(f"the lab needs {error.name}: pip install 'mezzotint[lab]'") from error
    serve(model, port, opens=not quiet, gallery=gallery)
