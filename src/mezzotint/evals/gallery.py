"""Pictures of a model, each drawn once: an evaluation that was stopped goes on where it was."""

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from mezzotint.adapters.pictures import opened
from mezzotint.files import write_whole
from mezzotint.pipeline.identity import drawn_by, weights_digest
from mezzotint.pipeline.metadata import png
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
        folder: where pictures are kept; it is there.
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
        path = self.folder / f"{self._name(prompt, options)}.png"
        if not path.exists():
            began = time.perf_counter()
            with warnings.catch_warnings():
                # hundreds of prompts are; what a model cannot read it will answer for
                warnings.filterwarnings("ignore", "the prompt is too long")
                image = self.pipe.generate(prompt, **options).images[0]
            self.seconds.append(time.perf_counter() - began)
            write_whole(path, png(image))
        self.asked.append((prompt, path))
        self.tick("pictures", len(self.asked), self.total)
        return opened(path)

    def _name(self, prompt: str, options: Options) -> str:
        """A function of everything that a picture depends on."""
        request = complete(self.pipe.model.family, prompt, **options)
        made_by = [asdict(request), self._weights, *drawn_by(self.pipe)]
        return blake2b(json.dumps(made_by).encode(), digest_size=16).hexdigest()

    @cached_property
    def _weights(self) -> str:
        return weights_digest(self.pipe.model)
