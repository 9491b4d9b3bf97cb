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
from mezzotint.adapters.pictures import Picture, opened
from mezzotint.diffusion import Denoiser, samplers, times
from mezzotint.diffusion.noise import alone, source, weaker
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model
from mezzotint.pipeline.attaching import asked_for, known_words
from mezzotint.pipeline.conditioning import left_out, tell
from mezzotint.pipeline.edit import Edit, editable, prepared, sides
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
    edited: Mapping[str, float]

    def preview(self) -> list[Image.Image]:
        """What the pictures would be, were this the last step: x₀ decoded."""
        return self.decode(self.x0)

    def output(self) -> Output:
        """The pictures as they stand: after the last step, the finished ones."""
        images = self.decode(self.x)
        for image, recipe in zip(images, self.recipes, strict=True):
            attach(recipe, image, self.edited)
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
        self._refuse_other_inputs()
        return self._planned(complete(self.model.family, prompt, **options))

    def edit(
        self,
        image: Picture,
        prompt: str,
        *,
        mask: Picture | None = None,
        strength: float = 1.0,
        image_cfg: float | None = None,
        **options: Unpack[Options],
    ) -> Output:
        """Change a picture, with a checkpoint made for that: inpainting, InstructPix2Pix, Fill.

        Args:
            image: the picture, or its file. The result has its size, or ``width`` and ``height``.
            prompt: what the result shows; for InstructPix2Pix, what to do to the picture.
            mask: of the picture's size, white where it is painted anew, for inpainting and Fill.
                What is not masked goes through the autoencoder as well, and comes back near to
                what it was.
            strength: share of the steps that are taken, 0…1; less than 1 begins with the picture.
            image_cfg: how much InstructPix2Pix keeps to the picture, 0 to 100; 1.5 by default.
            options: as for ``generate``.

        Raises:
            InputError: the model was not made for editing, a picture cannot be read, or an option
                is out of its range.
        """
        *_, last = self.stream_edit(
            image, prompt, mask=mask, strength=strength, image_cfg=image_cfg, **options
        )
        return last.output()

    def stream_edit(
        self,
        image: Picture,
        prompt: str,
        *,
        mask: Picture | None = None,
        strength: float = 1.0,
        image_cfg: float | None = None,
        **options: Unpack[Options],
    ) -> Iterator[Step]:
        """Yield every step of what `edit` does.

        Raises:
            InputError: as ``edit``; at the call, not at the first step.
        """
        model, beside = self.model, editable(self.model, self.source)
        picture = opened(image)
        options["width"], options["height"] = sides(
            picture, model.family, options.get("width"), options.get("height")
        )
        request = complete(model.family, prompt, **options)
        edit = prepared(model, beside, picture, mask, strength, image_cfg, request)
        return self._planned(request, edit)

    def _planned(self, request: Request, edit: Edit | None = None) -> Iterator[Step]:
        """The steps of what was checked; the prompts are read at the call."""
        model = self.model
        shift = self._shift(request)
        grid = times(model.family.process, request.steps, request.spacing, **shift)
        if model.family.stops_short and request.sampler in STOP_SHORT:
            grid[-1] = model.family.process.t_least
        grid = grid if edit is None else grid[edit.skipped :]
        steps = len(grid) - 1
        words = known_words(model)
        dialect = DIALECTS[request.dialect]
        prompts = [
            parse(text, steps, dialect, words, negative)
            for text, negative in ((request.prompt, False), (request.negative, True))
        ]
        others = {
            name: parse(text, steps, dialect, words) for name, text in request.prompts.items()
        }
        adapters = asked_for(model, [*prompts, *others.values()])
        for kind, read in zip(("prompt", "negative prompt"), prompts, strict=True):
            self._warn_of_cut(kind, left_out(model, read, dialect))
        texts = _Texts(prompts[0], prompts[1], others)
        return self._steps(request, edit, texts, grid, adapters)

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
        edit: Edit | None,
        texts: "_Texts",
        grid: Tensor,
        adapters: Sequence[Adapter],
    ) -> Iterator[Step]:
        with self.attached(*adapters):
            denoise = guided(self.model, self._asked(request, edit, texts), grid, self._at)
            start = edit.latents(self.model) if edit and edit.skipped else None
            images = [self._sampled(denoise, request, grid, k, start) for k in range(request.batch)]
            recipes = [self._recipe(request, k) for k in range(request.batch)]
            for batch in zip(*images, strict=True):
                yield Step(
                    index=batch[0].index,
                    total=batch[0].total,
                    t=batch[0].t,
                    x=torch.cat([step.x for step in batch]),
                    x0=torch.cat([step.x0 for step in batch]),
                    decode=self._decode,
                    recipes=recipes,
                    edited=edit.fields if edit else {},
                )

    def _at(self, progress: float) -> None:
        """Tell the adapters how much of the sampling is done."""
        for each in self.injected:
            each.at(progress)

    def _asked(self, request: Request, edit: Edit | None, texts: "_Texts") -> Asked:
        """Both prompts encoded, the negative one only if something is guided away from it."""
        model, dialect = self.model, DIALECTS[request.dialect]
        if request.clip_skip is not None:
            read = [replace(each, skip=request.clip_skip - 1) for each in model.encoders]
            model = replace(model, encoders=tuple(read))
        canvas = Canvas(request.height, request.width)
        told = tell(model, texts.positive, dialect, canvas, texts.others)
        away, image_cfg = None, edit.image_cfg if edit and edit.image_cfg is not None else 1.0
        if (request.cfg, image_cfg) != (1, 1) or [part.weight for part in told] != [1.0]:
            away = tell(model, texts.negative, dialect, replace(canvas, negative=True))[0]
        beside = edit.beside(self.model) if edit else None
        return Asked(told, away, request.cfg, request.guidance, beside, image_cfg)

    def _shift(self, request: Request) -> dict[str, float]:
        """What a spacing that shifts noise levels is told of the picture's size."""
        shift = self.model.family.shift
        if shift is None or not request.spacing.startswith("flow"):
            return {}
        factor = self.model.factor
        return {"shift": shift(request.height // factor, request.width // factor)}

    def _sampled(
        self, denoise: Denoiser, request: Request, grid: Tensor, k: int, start: Tensor | None
    ) -> Iterator[samplers.Step]:
        """The sampler's steps for one image, from ``start`` with noise, or from noise alone.

        That is as wide as x_t is for x₀ of unit width, or as ``noise.weaker`` tells.
        """
        model, process = self.model, self.model.family.process
        size = request.height // model.factor, request.width // model.factor
        rng = source(request.noise, *alone(request.noise, request.seed, k, request.batch))
        noise = rng(torch.empty(1, model.latent_channels, *size, device=model.device))
        alpha, sigma = process.alpha(grid[0]), process.sigma(grid[0])
        if start is not None:
            x = alpha * start + sigma * noise
        elif weaker(request.noise, request.sampler, request.spacing):
            x = sigma * noise
        else:
            x = torch.hypot(alpha, sigma) * noise
        return samplers.SAMPLERS[request.sampler](denoise, x, grid, process, rng)

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
        if beside := self.model.family.beside:
            raise InputError(
                f"{self.source} is a checkpoint for {beside.purpose}, which takes a picture beside "
                "the prompt: give it one with pipe.edit or mezzotint edit"
            )
        takes = getattr(getattr(self.model.network, "params", None), "channels_in", None)
        if takes is not None and takes != self.model.latent_channels:
            raise InputError(
                f"{self.source} takes {takes} channels, {self.model.latent_channels} of them a "
                "latent's: nobody here knows the rest, give one that draws from a prompt alone"
            )

    def _warn_of_cut(self, kind: str, rest: str) -> None:
        if rest:
            warnings.warn(
                f"the {kind} is too long for {self.model.family.name}: its last {len(rest):,} "
                f"characters are left out, from {shorten(rest, 40)!r} on",
                stacklevel=4,
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
