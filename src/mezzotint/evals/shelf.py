"""Where the pictures of an evaluation are kept, so that one that was stopped goes on."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from mezzotint.files import made, write_whole
from mezzotint.pipeline.identity import drawn_by, weights_digest
from mezzotint.pipeline.metadata import png
from mezzotint.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Shelf:
    """Pictures of a pipeline, each under a name that stands for all that it depends on.

    The weights of ``pipe`` stay as they are when its first picture is asked for.

    Attributes:
        pipe: what draws.
        folder: where pictures are kept; made if it is not there.
    """

    pipe: Pipeline
    folder: Path

    def kept(self, told: Sequence[object], make: Callable[[], Image.Image]) -> Path:
        """Where the picture is that ``make`` makes: which is called only if it is not there.

        Args:
            told: all that a picture depends on beside the pipeline, as JSON would take it.
            make: draws it.

        Raises:
            InputError: the folder cannot be written, or what ``make`` raises.
        """
        path = made(self.folder) / f"{self._name(told)}.png"
        if not path.exists():
            with warnings.catch_warnings():
                # hundreds of prompts are; what a model cannot read it will answer for
                warnings.filterwarnings("ignore", "the prompt is too long")
                write_whole(path, png(make()))
        return path

    def _name(self, told: Sequence[object]) -> str:
        made_by = [*told, self._weights, *drawn_by(self.pipe)]
        return blake2b(json.dumps(made_by).encode(), digest_size=16).hexdigest()

    @cached_property
    def _weights(self) -> str:
        return weights_digest(self.pipe.model)
