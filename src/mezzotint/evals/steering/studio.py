"""Pictures of a model and what is attached to it, each drawn once.

A picture's file is named by everything that it depends on, so that a measurement which was stopped
goes on where it was, and a control that was trained anew is drawn with anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from PIL import Image

from mezzotint.adapters.base import Adapter
from mezzotint.adapters.contents import digest
from mezzotint.adapters.controlnet import controlnet
from mezzotint.adapters.embedding import embedding
from mezzotint.adapters.ip_adapter import ip_adapter
from mezzotint.adapters.lora import lora
from mezzotint.adapters.pictures import opened
from mezzotint.errors import InputError
from mezzotint.evals.shelf import Shelf
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import Options, complete

Tick = Callable[[str, int], None]
"""Called with what is being done, and how many pictures are there."""


@dataclass(frozen=True)
class Part:
    """A control, by its name.

    Attributes:
        name: what `mz.controlnet` and others take: a file, or ``FOLDER#KIND`` or ``FILE#KIND``.
        file: which of the files is its.
    """

    name: str
    file: Path

    @property
    def kind(self) -> str:
        """Which of those that its file has it is; "" if that has one only."""
        return self.name.rpartition("#")[2] if "#" in self.name else ""


@dataclass(frozen=True)
class Worn:
    """An adapter to draw with, read when it is needed.

    Attributes:
        adapter: reads it.
        told: all that what it does depends on: a file's contents, a picture's.
    """

    adapter: Callable[[], Adapter]
    told: tuple[str, ...]


def control(part: Part, picture: Image.Image) -> Worn:
    """A ControlNet and the map that it follows."""
    told = ("controlnet guided", part.kind, contents(part.file), looks(picture))
    return Worn(lambda: controlnet(part.name, picture, guided=True), told)


def image_prompt(part: Part, picture: Image.Image) -> Worn:
    """An IP-Adapter and the picture that it shows."""
    told = ("ip-adapter", contents(part.file), looks(picture))
    return Worn(lambda: ip_adapter(part.file, picture), told)


def low_rank(file: Path) -> Worn:
    """A LoRA."""
    return Worn(lambda: lora(file), ("lora", contents(file)))


def new_word(file: Path, word: str) -> Worn:
    """An embedding and the word that stands for it."""
    return Worn(lambda: embedding(file, word), ("embedding", contents(file), word))


@dataclass(frozen=True)
class Studio:
    """Draws and edits pictures, or finds them in a folder.

    Attributes:
        pipe: what draws.
        folder: where pictures are kept; made if it is not there.
        drawing: how, for all of them: steps, sampler, cfg, …
        tick: is told of every picture.
        kept: those that were asked for.
    """

    pipe: Pipeline
    folder: Path
    drawing: Options
    tick: Tick
    kept: list[Path] = field(default_factory=list[Path])

    @property
    def size(self) -> int:
        """Pixels along a picture's side."""
        return self.pipe.model.family.size

    def draw(self, prompt: str, seed: int, *worn: Worn) -> Image.Image:
        """The picture of a prompt with a seed, drawn with some adapters attached in their order.

        Raises:
            InputError: an adapter does not fit, an option is out of its range, or the folder
                cannot be written.
        """
        options = self._options(seed)
        request = asdict(complete(self.pipe.model.family, prompt, **options))
        told = [request, *(each.told for each in worn)]
        return self._kept(
            told, worn, lambda: self.pipe.generate(prompt, **options).images[0], "drawn"
        )

    def edit(
        self, picture: Image.Image, words: str, seed: int, *worn: Worn, **how: Any
    ) -> Image.Image:
        """The picture, edited; ``how`` is what ``Pipeline.edit`` takes beside `Options`.

        Raises:
            InputError: the model cannot edit so, an adapter does not fit, an option is out of its
                range, or the folder cannot be written.
        """
        options = self._options(seed)
        request = asdict(complete(self.pipe.model.family, words, **options))
        given = {
            name: looks(value) if isinstance(value, Image.Image) else value
            for name, value in how.items()
        }
        beside = self.pipe.model.family.beside
        usual = [] if beside is None else [beside.image_cfg, beside.keeps]
        told = ["edit", looks(picture), given, request, *usual, *(each.told for each in worn)]
        return self._kept(
            told, worn, lambda: self.pipe.edit(picture, words, **how, **options).images[0], "edited"
        )

    def _options(self, seed: int) -> Options:
        options = self.drawing.copy()
        options["seed"] = seed
        return options

    def _kept(
        self,
        told: Sequence[object],
        worn: Sequence[Worn],
        make: Callable[[], Image.Image],
        what: str,
    ) -> Image.Image:
        def dressed() -> Image.Image:
            with self.pipe.attached(*(each.adapter() for each in worn)):
                return make()

        path = self._shelf.kept(told, dressed)
        self.kept.append(path)
        self.tick(what, len(self.kept))
        return opened(path).convert("RGB")

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self.pipe, self.folder)


def looks(picture: Image.Image) -> str:
    """What stands for a picture's pixels."""
    return digest({}, picture)


def contents(path: Path) -> str:
    """What stands for a file's bytes, or for those of all files of a folder.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    try:
        return _contents(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


@lru_cache(maxsize=256)
def _contents(path: Path, _: int) -> str:
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return _digest(b"".join(each.read_bytes() for each in files))


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()
