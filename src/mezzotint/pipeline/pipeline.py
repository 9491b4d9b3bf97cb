"""From a prompt to pictures.

A pipeline is a generator: `stream` yields each step of the way, and `generate` is its last one.
Every image of a batch is sampled by itself, with a generator seeded with seed + k, because
convolutions and matrix products round differently in batches of different sizes: so image k is
bit for bit the image made alone. In float32 on a CPU, batching would win less than a tenth.
"""

import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from textwrap import shorten
from typing import Self, Unpack

import torch
from PIL import Image
from torch import Tensor

from mezzotint import __version__
from mezzotint.adapters.base import Adapter, Injected, attached
from mezzotint.diffusion import Denoiser, samplers, times
from mezzotint.diffusion.noise import alone, source
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model
from mezzotint.pipeline.attaching import asked_for, known_words
from mezzotint.pipeline.conditioning import left_out, tell
from mezzotint.pipeline.guided import Asked, guided
from mezzotint.pipeline.metadata import Recipe, attach
from mezzotint.pipeline.prompts import DIALECTS, Prompt, parse
from mezzotint.pipeline.request import Options, Request, complete

STOP_SHORT = ("ddim", "pndm")  # if the family does


@dataclass(frozen=True)
class Output:
    """Pictures and their latents (b, c, h, w).

    A picture's recipe is in `.info["parameters"]`, and in the PNG that it is saved as.
    """

    images: list[Image.Image]
    latents: Tensor


@dataclass(frozen=True)
class Step(samplers.Step):
    """A sampler's step for a whole batch: `x` and `x0` are (b, c, h, w)."""

    decode: Callable[[Tensor], list[Image.Image]]
    recipes: Sequence[Recipe]

    def preview(self) -> list[Image.Image]:
        """What the pictures would be, were this the last step: x₀ decoded."""
        return self.decode(self.x0)

    def output(self) -> Output:
        """The pictures as they stand: after the last step, the finished ones."""
        images = self.decode(self.x)
        for image, recipe in zip(images, self.recipes, strict=True):
            attach(recipe, image)
        return Output(images, self.x)


@dataclass(frozen=True)
class Pipeline:
    """A model and how to draw with it.

    Attributes:
        model: the networks, in the dtype and on the device that they run in.
        source: what it was loaded from, as `mz.load` was told.
        injected: the adapters that are attached.
    """

    model: Model
    source: str
    injected: list[Injected] = field(default_factory=list[Injected], compare=False)

    def generate(self, prompt: str, **options: Unpack[Options]) -> Output:
        """Draw pictures of ``prompt``; `mezzotint.pipeline.request.Options` tells the options.

        Raises:
            InputError: an option is out of its range.
        """
        *_, last = self.stream(prompt, **options)
        return last.output()

    def stream(self, prompt: str, **options: Unpack[Options]) -> Iterator[Step]:
        """Yield every step of what `generate` does.

        Raises:
            InputError: an option is out of its range; at the call, not at the first step.
        """
        model = self.model
        self._refuse_other_inputs()
        request = complete(model.family, prompt, **options)
        shift = self._shift(request)
        grid = times(model.family.process, request.steps, request.spacing, **shift)
        if model.family.stops_short and request.sampler in STOP_SHORT:
            grid[-1] = model.family.process.t_least
        words = known_words(model)
        dialect = DIALECTS[request.dialect]
        prompts = [
            parse(text, request.steps, dialect, words, negative)
            for text, negative in ((request.prompt, False), (request.negative, True))
        ]
        others = {
            name: parse(text, request.steps, dialect, words)
            for name, text in request.prompts.items()
        }
        adapters = asked_for(model, [*prompts, *others.values()])
        for kind, read in zip(("prompt", "negative prompt"), prompts, strict=True):
            self._warn_of_cut(kind, left_out(model, read, dialect))
        return self._steps(request, _Texts(prompts[0], prompts[1], others), grid, adapters)

    @contextmanager
    def attached(self, *adapters: Adapter) -> Generator[Self]:
        """Draw with LoRAs and other adapters within the block, and without them after it.

        Raises:
            InputError: one does not fit the model; none is attached then.
        """
        with attached(self.model.parts, adapters) as injected:
            self.injected.extend(injected)
            try:
                yield self
            finally:
                for each in injected:
                    self.injected.remove(each)

    @torch.no_grad()
    def _steps(
        self,
        request: Request,
        texts: "_Texts",
        grid: Tensor,
        adapters: Sequence[Adapter],
    ) -> Iterator[Step]:
        with self.attached(*adapters):
            yield from self._drawn(request, self._asked(request, texts), grid)

    def _drawn(self, request: Request, asked: Asked, grid: Tensor) -> Iterator[Step]:
        denoise = guided(self.model, asked, grid, self._at)
        images = [self._sampled(denoise, request, grid, k) for k in range(request.batch)]
        for batch in zip(*images, strict=True):
            yield Step(
                index=batch[0].index,
                total=batch[0].total,
                t=batch[0].t,
                x=torch.cat([step.x for step in batch]),
                x0=torch.cat([step.x0 for step in batch]),
                decode=self._decode,
                recipes=[self._recipe(request, k) for k in range(request.batch)],
            )

    def _at(self, progress: float) -> None:
        """Tell the adapters how much of the sampling is done."""
        for each in self.injected:
            each.at(progress)

    def _asked(self, request: Request, texts: "_Texts") -> Asked:
        """Both prompts encoded, the negative one only if something is guided away from it."""
        model, dialect = self.model, DIALECTS[request.dialect]
        if request.clip_skip is not None:
            read = [replace(each, skip=request.clip_skip - 1) for each in model.encoders]
            model = replace(model, encoders=tuple(read))
        canvas = Canvas(request.height, request.width)
        told = tell(model, texts.positive, dialect, canvas, texts.others)
        away = None
        if request.cfg != 1 or [part.weight for part in told] != [1.0]:
            away = tell(model, texts.negative, dialect, replace(canvas, negative=True))[0]
        return Asked(told, away, request.cfg, request.guidance)

    def _shift(self, request: Request) -> dict[str, float]:
        """What a spacing that shifts noise levels is told of the picture's size."""
        shift = self.model.family.shift
        if shift is None or not request.spacing.startswith("flow"):
            return {}
        factor = self.model.factor
        return {"shift": shift(request.height // factor, request.width // factor)}

    def _sampled(
        self, denoise: Denoiser, request: Request, grid: Tensor, k: int
    ) -> Iterator[samplers.Step]:
        """The sampler's steps for one image, from noise as wide as x_t is for x₀ of unit width."""
        model, process = self.model, self.model.family.process
        size = request.height // model.factor, request.width // model.factor
        rng = source(request.noise, *alone(request.noise, request.seed, k, request.batch))
        noise = rng(torch.empty(1, model.latent_channels, *size, device=model.device))
        spread = torch.hypot(process.alpha(grid[0]), process.sigma(grid[0]))
        return samplers.SAMPLERS[request.sampler](denoise, spread * noise, grid, process, rng)

    def _decode(self, latents: Tensor) -> list[Image.Image]:
        with torch.no_grad():
            return [to_picture(self.model.decode_latents(one[None])[0]) for one in latents]

    def _recipe(self, request: Request, k: int) -> Recipe:
        seed, place, batch = alone(request.noise, request.seed, k, request.batch)
        told = request.guidance if request.guidance != self.model.family.guidance else None
        return Recipe(
            prompt=request.prompt,
            negative=request.negative,
            steps=request.steps,
            sampler=request.sampler,
            spacing=request.spacing,
            cfg=request.cfg,
            seed=seed,
            width=request.width,
            height=request.height,
            model=self.source,
            model_hash=self.model.digest,
            version=__version__,
            noise=request.noise,
            place=place,
            batch=batch,
            dialect=request.dialect,
            guidance=told,
            clip_skip=request.clip_skip,
            prompts=tuple(sorted(request.prompts.items())),
        )

    def _refuse_other_inputs(self) -> None:
        """A network that is given more than a latent draws nothing from a prompt alone."""
        takes = getattr(getattr(self.model.network, "params", None), "channels_in", None)
        kinds = {9: "inpainting", 8: "edits by instruction", 96: "filling in"}
        if takes is not None and takes != self.model.latent_channels:
            kind = kinds.get(takes, "something else")
            raise InputError(
                f"{self.source} is a checkpoint for {kind}, which takes a picture beside the "
                "prompt: there is no command for that yet, give one that draws from a prompt alone"
            )

    def _warn_of_cut(self, kind: str, rest: str) -> None:
        if rest:
            warnings.warn(
                f"the {kind} is too long for {self.model.family.name}: its last {len(rest):,} "
                f"characters are left out, from {shorten(rest, 40)!r} on",
                stacklevel=3,
            )


@dataclass(frozen=True)
class _Texts:
    """What the text encoders read: the prompts, and what some of them read instead of the first."""

    positive: Prompt
    negative: Prompt
    others: Mapping[str, Prompt]


def to_picture(image: Tensor) -> Image.Image:
    """A picture of an image (3, h, w) in [−1, 1]."""
    pixels = image.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
