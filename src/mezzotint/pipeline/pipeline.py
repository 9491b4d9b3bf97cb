"""From a prompt to pictures.

A pipeline is a generator: `stream` yields each step of the way, and `generate` is its last one.
Every image of a batch is sampled by itself, with a generator seeded with seed + k, because
convolutions and matrix products round differently in batches of different sizes: so image k is
bit for bit the image made alone. In float32 on a CPU, batching would win less than a tenth.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Unpack

import torch
from PIL import Image
from torch import Tensor

from mezzotint import __version__
from mezzotint.diffusion import Denoiser, denoiser, samplers, times
from mezzotint.diffusion.guidance import cfg
from mezzotint.diffusion.noise import seeded
from mezzotint.families.base import Model
from mezzotint.pipeline.metadata import Recipe, attach
from mezzotint.pipeline.request import Options, Request, complete


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
    """

    model: Model
    source: str

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
        family = self.model.family
        request = complete(family, prompt, **options)
        grid = times(family.process, request.steps, request.spacing)
        self._warn_of_cut("prompt", request.prompt)
        self._warn_of_cut("negative prompt", request.negative)
        return self._steps(request, grid)

    @torch.no_grad()
    def _steps(self, request: Request, grid: Tensor) -> Iterator[Step]:
        seeds = range(request.seed, request.seed + request.batch)
        denoise = self._denoiser(request)
        images = [self._sampled(denoise, request, grid, seed) for seed in seeds]
        for batch in zip(*images, strict=True):
            yield Step(
                index=batch[0].index,
                total=batch[0].total,
                t=batch[0].t,
                x=torch.cat([step.x for step in batch]),
                x0=torch.cat([step.x0 for step in batch]),
                decode=self._decode,
                recipes=[self._recipe(request, seed) for seed in seeds],
            )

    def _denoiser(self, request: Request) -> Denoiser:
        """The guided denoiser; prompt and negative prompt go through the network together."""
        model, family = self.model, self.model.family
        guided = request.cfg != 1
        prompts = [request.prompt, request.negative] if guided else [request.prompt]
        network = model.network_for(model.encode_prompts(prompts))
        denoise = denoiser(network, family.process, family.prediction)
        if not guided:
            return denoise

        def pair(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            conditional, unconditional = denoise(torch.cat([x, x]), t).chunk(2)
            return conditional, unconditional

        return cfg(pair, request.cfg)

    def _sampled(
        self, denoise: Denoiser, request: Request, grid: Tensor, seed: int
    ) -> Iterator[samplers.Step]:
        """The sampler's steps for one image, from noise as wide as x_t is for x₀ of unit width."""
        process, params = self.model.family.process, self.model.family.autoencoder
        size = request.height // params.factor, request.width // params.factor
        rng = seeded([seed])
        noise = rng(torch.empty(1, params.latent_channels, *size, device=self.model.device))
        spread = torch.hypot(process.alpha(grid[0]), process.sigma(grid[0]))
        return samplers.SAMPLERS[request.sampler](denoise, spread * noise, grid, process, rng)

    def _decode(self, latents: Tensor) -> list[Image.Image]:
        with torch.no_grad():
            return [to_picture(self.model.decode_latents(one[None])[0]) for one in latents]

    def _recipe(self, request: Request, seed: int) -> Recipe:
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
        )

    def _warn_of_cut(self, kind: str, text: str) -> None:
        if cut := self.model.cut_from(text):
            warnings.warn(
                f"the {kind} is too long for {self.model.family.name}: of its {len(text):,} "
                f"characters the last {len(cut):,} are left out, from {shorten(cut, 40)!r} on",
                stacklevel=3,
            )


def to_picture(image: Tensor) -> Image.Image:
    """A picture of an image (3, h, w) in [−1, 1]."""
    pixels = image.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
