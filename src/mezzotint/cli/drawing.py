"""From a stream of steps to PNG files, for the verbs that draw."""

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.adapters.base import Adapter
    from mezzotint.adapters.lora import LoRAFile
    from mezzotint.pipeline.pipeline import Pipeline, Step


def draw(
    pipe: "Pipeline",
    stream: Iterator["Step"],
    loras: Sequence[str],
    to: Sequence[Path],
    others: Sequence["Adapter"] = (),
) -> None:
    """Draw with LoRAs, given as NAME or NAME:SCALE, and other adapters, and write the pictures.

    What of each adapter's file found its place is told beside the progress.
    """
    from mezzotint.cli.progress import step_bar
    from mezzotint.files import write_whole
    from mezzotint.pipeline.metadata import png

    with pipe.attached(*map(lora_named, loras), *others):
        first = next(stream)  # by now those that the prompt names are attached as well
        for each in pipe.injected:
            if each.report:
                print(each.report, file=sys.stderr)
        *_, last = step_bar(chain([first], stream))
    for path, image in zip(to, last.output().images, strict=True):
        write_whole(path, png(image))
        print(path)


def named(texts: Sequence[str]) -> dict[str, str]:
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


def shares_of(text: str) -> tuple[float, float]:
    """Read START:END, two shares of the steps.

    Raises:
        InputError: it is something else.
    """
    try:
        start, end = map(float, text.split(":"))
    except ValueError as error:
        raise InputError(f"--cfg-interval {text!r}: write START:END, such as 0.1:0.8") from error
    return start, end


def lora_named(text: str) -> "LoRAFile":
    """The LoRA of NAME or NAME:SCALE.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    from mezzotint.adapters.lora import lora
    from mezzotint.checkpoints.find import find

    name, _, scale = text.rpartition(":")
    try:
        number = float(scale) if name else 1.0
    except ValueError:  # the colon is one of the path's
        name, number = text, 1.0
    return lora(find(name or text, "lora"), number)
