"""How verbs that draw are told to do it, and from a stream of steps to PNG files."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from typer import Option

from mezzotint.cli import options
from mezzotint.cli.controls import pictures
from mezzotint.cli.output import check_picture, numbered, size_of
from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.adapters.base import Adapter
    from mezzotint.pipeline.pipeline import Pipeline, Step
    from mezzotint.pipeline.request import Options


@dataclass(frozen=True)
class Drawing:
    """What can be said of how pictures are drawn; `Options` tells what it means."""

    PANEL: ClassVar = "Picture"

    out: Annotated[
        Path, Option("--out", "-o", help="The PNG to write; -n 3 writes NAME-1.png to NAME-3.png.")
    ] = Path("mezzotint.png")
    overwrite: Annotated[bool, Option("--overwrite", help="Write over a picture that is read.")] = (
        False
    )
    count: Annotated[int, Option("-n", help="How many pictures: seeds SEED, SEED+1, …")] = 1
    seed: Annotated[
        int | None, Option(help="Same seed, same picture; -1 is random.", show_default="random")
    ] = None
    size: Annotated[
        str | None,
        Option(metavar="WxH", help="Pixels.", show_default="the model's; the changed picture's"),
    ] = None
    steps: options.Steps = None
    cfg: options.Cfg = None
    cfg_interval: Annotated[
        str | None,
        Option(
            metavar="START:END",
            help="Guide between these shares of the steps only, which is quicker: 0.1:0.8.",
            show_default="0:1",
        ),
    ] = None
    guidance: Annotated[
        float | None,
        Option(help="Guidance that FLUX.1 and LCMs are told.", show_default=options.MODELS),
    ] = None
    negative: Annotated[str, Option(help="What the picture should not show.")] = ""
    prompts: Annotated[
        list[str] | None,
        Option(
            "--prompt",
            metavar="NAME=TEXT",
            help="What one text encoder reads instead: text_2='in oils'; may be repeated.",
        ),
    ] = None
    sampler: options.Sampler = None
    spacing: options.Spacing = None
    dialect: Annotated[
        str, Option(help="Prompt language: mezzotint, a1111, comfyui, or diffusers, without any.")
    ] = "mezzotint"
    clip_skip: Annotated[
        int | None,
        Option(help="CLIP's layer from the end: 1 is the last.", show_default=options.MODELS),
    ] = None
    noise: Annotated[
        str, Option(help="Whose noise the seed stands for: mezzotint, diffusers, a1111, comfyui.")
    ] = "mezzotint"
    control: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=PICTURE",
            help="What to follow: edges=house.png, depth=map.png, boxes=0.1,0.2,0.5,0.9, or a "
            "ControlNet's file and its map; then :SCALE, or :SCALE:START:END; may be repeated.",
        ),
    ] = None

    def paths(self, *read: Path) -> list[Path]:
        """Where the pictures go.

        Raises:
            InputError: they cannot, or are read as well, as --control's are.
        """
        paths = numbered(self.out, self.count)
        given = [path.resolve() for path in (*read, *pictures(self.control or []))]
        for path in paths:
            check_picture(path)
            if not self.overwrite and path.resolve() in given:
                raise InputError(
                    f"{path} would be written over: name another -o, or say --overwrite"
                )
        return paths

    def options(self) -> "Options":
        """What is asked of the pipeline.

        Raises:
            InputError: one is not written as it has to be.
        """
        width, height = size_of(self.size) if self.size is not None else (None, None)
        return {
            "width": width,
            "height": height,
            "negative": self.negative,
            "steps": self.steps,
            "cfg": self.cfg,
            "cfg_interval": None if self.cfg_interval is None else _shares(self.cfg_interval),
            "seed": self.seed,
            "batch": self.count,
            "sampler": self.sampler,
            "spacing": self.spacing,
            "dialect": self.dialect,
            "guidance": self.guidance,
            "noise": self.noise,
            "clip_skip": self.clip_skip,
            "prompts": _named(self.prompts or []),
        }


def draw(
    pipe: "Pipeline", stream: Iterator["Step"], worn: Sequence["Adapter"], to: Sequence[Path]
) -> None:
    """Draw with LoRAs and other adapters, and write the pictures.

    What of each adapter's file found its place is told beside the progress.
    """
    from mezzotint.cli.progress import step_bar
    from mezzotint.files import write_whole
    from mezzotint.pipeline.metadata import png

    with pipe.attached(*worn):
        first = next(stream)  # by now those that the prompt names are attached as well
        for each in pipe.injected:
            if each.report:
                print(each.report, file=sys.stderr)
        *_, last = step_bar(chain([first], stream))
    for path, image in zip(to, last.output().images, strict=True):
        write_whole(path, png(image))
        print(path)


def _named(texts: Sequence[str]) -> dict[str, str]:
    """Read NAME=TEXT.

    Raises:
        InputError: one is something else.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, prompt = text.partition("=")
        if not equals:
            raise InputError(f"--prompt {text!r}: write NAME=TEXT, such as text_2='in oils'")
        found[name.strip()] = prompt
    return found


def _shares(text: str) -> tuple[float, float]:
    """Read START:END, two shares of the steps.

    Raises:
        InputError: it is something else.
    """
    try:
        start, end = map(float, text.split(":"))
    except ValueError as error:
        raise InputError(f"--cfg-interval {text!r}: write START:END, such as 0.1:0.8") from error
    return start, end
