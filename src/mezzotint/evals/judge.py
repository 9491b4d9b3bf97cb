"""The judge: a detector that was trained apart from every generator, asked what it sees."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from mezzotint import weights
from mezzotint.checkpoints.folder import load_complete
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError
from mezzotint.models.detector import Detector, DetectorParams, objects
from mezzotint.models.pyramid import SIDE, shrunk
from mezzotint.nn.layout import channels_last
from mezzotint.specs import replaced
from mezzotint.world.layout import Box

EMBEDDED = Path(weights.__path__[0]) / "judge.safetensors"
BATCH = 32
FAINT = 0.05  # objects with a lower score are not worth listing
_BLANK = DetectorParams((), (), (), (), (), (), (), (0, 0, 0), (0, 0, 0), 0)


@dataclass(frozen=True)
class Sighting:
    """One object that is seen.

    Attributes:
        kind: its name.
        colour: a colour of the world, or None for the object's own.
        box: left, top, right, bottom, as fractions of the side.
        score: how sure the judge is, from 0 to 1.
    """

    kind: str
    colour: str | None
    box: Box
    score: float


@dataclass(frozen=True)
class Seen:
    """What is seen in one picture: objects, the surest first, and what kind of picture it is."""

    objects: tuple[Sighting, ...]
    place: str
    hour: str
    season: str
    weather: str
    style: str


class Judge:
    """Says what pictures show, in the words that its detector knows."""

    def __init__(self, network: Detector) -> None:
        self.network = network.requires_grad_(False).eval()
        self.params = network.params

    def see(self, pictures: Sequence[Image]) -> list[Seen]:
        """What is in each of these pictures, square ones of 128 pixels a side or more.

        Raises:
            InputError: a picture is smaller, or not square.
        """
        seen: list[Seen] = []
        for first in range(0, len(pictures), BATCH):
            seen += self._see(torch.cat([_tensor(p) for p in pictures[first : first + BATCH]]))
        return seen

    @torch.no_grad()
    def _see(self, images: Tensor) -> list[Seen]:
        maps = self.network(channels_last(images))
        found = [part.tolist() for part in objects(maps)]
        answers = torch.stack([said.argmax(1) for said in maps.answers], 1).tolist()
        return [
            Seen(self._sightings(*(part[k] for part in found)), *self._words(numbers))
            for k, numbers in enumerate(answers)
        ]

    def _words(self, numbers: list[int]) -> tuple[str, str, str, str, str]:
        words = [options[n] for options, n in zip(self.params.questions, numbers, strict=True)]
        return cast("tuple[str, str, str, str, str]", tuple(words))

    def _sightings(
        self,
        scores: list[float],
        kinds: list[int],
        colours: list[int],
        boxes: list[list[float]],
    ) -> tuple[Sighting, ...]:
        names, hues = self.params.kinds, (*self.params.colours, None)
        return tuple(
            Sighting(names[kind], hues[colour], cast("Box", tuple(box)), score)
            for score, kind, colour, box in zip(scores, kinds, colours, boxes, strict=True)
            if score > FAINT
        )


def load(path: Path = EMBEDDED) -> Judge:
    """The judge in a file that a run of the recipe ``judge`` exported; the package's, if not given.

    Raises:
        InputError: there is no such file, or it holds no judge.
    """
    tensors = open_tensors(path)
    told = tensors.metadata.get("detector")
    if told is None:
        raise InputError(f"{path} holds no judge: give a file that recipe judge exported")
    network = Detector(replaced(_BLANK, json.loads(told), str(path)))
    load_complete(network, dict(tensors), str(path))
    return Judge(network)


def _tensor(picture: Image) -> Tensor:
    """The picture as an image (1, 3, 128, 128) in [−1, 1]."""
    width, height = picture.size
    if width != height or width < SIDE:
        raise InputError(
            f"picture of {width}x{height}: the judge sees squares of {SIDE} pixels or more"
        )
    pixels = torch.from_numpy(np.array(picture.convert("RGB")))
    return shrunk(pixels.permute(2, 0, 1)[None].float() / 127.5 - 1)
