"""What is said of an edit on the command line: how far, where, and masks and margins in words."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from typer import Option

from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.pipeline.editing.masks import Mask
    from mezzotint.pipeline.request import EditOptions, Options

SIDES: tuple[str, ...] = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Change:
    """What can be said of how a picture is changed; `EditOptions` tells what it means."""

    PANEL: ClassVar = "Change"

    mask: Annotated[
        str | None,
        Option(
            metavar="MASK",
            help="Where to paint anew; the rest stays, bit for bit. A picture of IN's size, white "
            "there; box:0.1,0.2,0.5,0.9, its left, top, right and bottom, or in pixels; or "
            "word:fox, where IN shows a word of --source or PROMPT; or relevant, where PROMPT "
            "changes anything to speak of, as an instruction or beside --source; relevant:0 is all "
            "of IN.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        Option(
            help="0 gives IN back, 1 begins with noise alone.",
            show_default="0.6; 1 with --mask, --expand, --source",
        ),
    ] = None
    expand: Annotated[
        str | None,
        Option(
            metavar="N|SIDE=N,…",
            help="Paint more around IN: 0.5 at every side, or left=128,right=128; shares of the "
            "side up to 1, pixels above.",
        ),
    ] = None
    instruct: Annotated[
        bool,
        Option("--instruct", help="PROMPT says what to do to IN, as InstructPix2Pix takes it."),
    ] = False
    image_cfg: Annotated[
        float | None,
        Option(
            help="How much InstructPix2Pix keeps to the picture.",
            show_default="1.5; 1 with storybook-instruct",
        ),
    ] = None
    source: Annotated[
        str | None,
        Option(
            help="What IN shows: its attention is kept, and only what PROMPT says otherwise "
            "changes."
        ),
    ] = None
    keep: Annotated[float, Option(help="Share of the steps that --source holds for.")] = 0.8
    passes: Annotated[
        int | None,
        Option(
            help="Go over each stretch of the steps so often; it joins what is painted better.",
            show_default="1; 4 with --expand",
        ),
    ] = None

    def options(self, result: "Options") -> "EditOptions":
        """What is asked of the pipeline, with those of the result; a mask's picture is read.

        Raises:
            InputError: one is not written as it has to be, or the mask cannot be read.
        """
        return {
            **result,
            "mask": None if self.mask is None else mask_of(self.mask),
            "strength": self.strength,
            "expand": None if self.expand is None else expand_of(self.expand),
            "instruct": self.instruct,
            "image_cfg": self.image_cfg,
            "source": self.source,
            "keep": self.keep,
            "passes": self.passes,
        }


def mask_of(text: str) -> "Mask":
    """Read a mask: box:L,T,R,B or word:WORD or relevant or relevant:SHARE or a picture's file.

    Raises:
        InputError: it is none of these.
    """
    from mezzotint.pipeline.editing.masks import said
    from mezzotint.pipeline.editing.pictures import read

    return said(text) or read(Path(text))


def expand_of(text: str) -> float | tuple[float, ...]:
    """Read how much a picture grows: 0.5 at every side, or left=128,right=128.

    Raises:
        InputError: it is neither.
    """
    if "=" not in text:
        return _number(f"--expand {text}", text)
    sides = dict.fromkeys(SIDES, 0.0)
    for part in text.split(","):
        side, _, number = part.partition("=")
        if side.strip() not in SIDES:
            raise InputError(f"--expand {text}: sides are {', '.join(SIDES)}, not {side.strip()!r}")
        sides[side.strip()] = _number(f"--expand {text}", number)
    return tuple(sides.values())


def _number(said: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{said}: {text.strip()!r} is no number") from None
