"""Pictures of a model, each drawn once: an evaluation that was stopped goes on where it was."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from PIL import Image

from mezzotint.adapters.pictures import opened
from mezzotint.evals.shelf import Shelf
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import Options, complete

Tick = Callable[[str, int, int], None]
"""Called with what is being done, and how much of how much is done."""


@dataclass(frozen=True)
class Gallery:
    """Draws pictures, or finds them in a folder: by what made them, so that nothing is mistaken.

    The weights of ``pipe`` stay as they are when its first picture is asked for.

    Attributes:
        pipe: what draws.
        folder: where pictures are kept; made if it is not there.
        drawing: how, for all of them: steps, sampler, cfg, …
        total: how many will be asked for, for ``tick``.
        tick: is told of every picture.
        seconds: what each took that was drawn now.
        asked: the prompt of every picture that was asked for, and where it is.
    """

    pipe: Pipeline
    folder: Path
    drawing: Options
    total: int
    tick: Tick
    seconds: list[float] = field(default_factory=list[float])
    asked: list[tuple[str, Path]] = field(default_factory=list[tuple[str, Path]])

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        """The pictures of these prompts with these seeds.

        Raises:
            InputError: an option is out of its range, or the folder cannot be written.
        """
        return [self._one(*each) for each in zip(prompts, seeds, strict=True)]

    def _one(self, prompt: str, seed: int) -> Image.Image:
        options = self.drawing.copy()
        options["seed"] = seed

        def draw() -> Image.Image:
            began = time.perf_counter()
            image = self.pipe.generate(prompt, **options).images[0]
            self.seconds.append(time.perf_counter() - began)
            return image

        request = complete(self.pipe.model.family, prompt, **options)
        path = self._shelf.kept([asdict(request)], draw)
        self.asked.append((prompt, path))
        self.tick("pictures", len(self.asked), self.total)
        return opened(path)

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self.pipe, self.folder)
