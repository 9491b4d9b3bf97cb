"""`mezzotint world`: a look at what the embedded model was trained on."""

from pathlib import Path
from typing import Annotated

from typer import Option

from mezzotint.cli.output import check_picture, whole_number
from mezzotint.files import write_whole


def world(
    out: Annotated[Path, Option("--out", "-o", help="The PNG to write.")] = Path("world.png"),
    count: Annotated[int, Option(help="How many scenes.")] = 24,
    seed: Annotated[int, Option(help="The first scene's seed; the others follow.")] = 0,
    size: Annotated[int, Option(help="Side of a scene in pixels.")] = 256,
) -> None:
    """Draw scenes of the storybook world with their captions on one sheet."""
    whole_number("count", count, 1, 1000)
    whole_number("seed", seed, 0, 2**32 - 1)
    whole_number("size", size, 16, 1024)
    check_picture(out)

    from mezzotint.pipeline.metadata import png
    from mezzotint.world import contact_sheet

    write_whole(out, png(contact_sheet(range(seed, seed + count), size=size)))
    print(out)
