"""From a prompt to pictures.

A pipeline is a generator: `stream` yields each step of the way, and `generate` is its last one.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Self, Unpack

import torch
from PIL import Image
from torch import Tensor

from mezzotint import __version__
from mezzotint.adapters.base import Adapter, Injected, Run, Told, attached
from mezzotint.adapters.pictures import Picture
from mezzotint.diffusion import samplers
from mezzotint.diffusion.guidance import cfg
from mezzotint.diffusion.noise import alone
from mezzotint.errors import InputError, within_memory
from mezzotint.families.base import DTYPES, Model
from mezzotint.pipeline.drawing import Plan, Subject, blank, drawn, planned, to_picture
from mezzotint.pipeline.editing.edit import prepared
from mezzotint.pipeline.guided import Guide
from mezzotint.pipeline.metadata import Recipe, attach
from mezzotint.pipeline.request import EditOptions, Options, Request, complete

LESS = "draw smaller, in bf16, or with low_memory (--low-memory)"

__all__ = ["Output", "Pipeline", "Step", "to_picture"]


@dataclass(frozen=True)
class Output:
    """Pictures and their latents (b, c, h, w).

    A picture's recipe is in `.info["parameters"]`, and in the PNG that it is saved as. The latents
    of an edit are of what the model drew: with the margin that brings a picture to its multiple,
    and of the last window where the picture grew.
    """

    images: list[Image.Image]
    latents: Tensor


@dataclass(frozen=True)
class Step(samplers.Step):
    """A sampler's step for a whole batch: `x` and `x0` are (b, c, h, w)."""

    decode: Callable[[Tensor], list[Image.Image]]
    recipes: Sequence[Recipe]
    edited: Mapping[str, object]

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
        executed: how the networks are executed: an engine's name, and whether in little memory.
    """

    model: Model
    source: str
    injected: list[Injected] = field(default_factory=list[Injected], compare=False)
    executed: str = "eager"

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
        request = self._complete(prompt, **options)
        return self._steps(planned(self.model, request), blank(self.model, request))

    def stream_by(
        self,
        prompt: str,
        by: samplers.Sampler | None = None,
        guide: Guide = cfg,
        **options: Unpack[Options],
    ) -> Iterator[Step]:
        """`stream` by functions of one's own, which recipes do not tell.

        Args:
            prompt: of the pictures.
            by: samples in the place of the option ``sampler``.
            guide: guides in the place of classifier-free guidance, with the scale ``cfg``; both
                prompts are asked for whatever that is.
            options: as for ``generate``.

        Raises:
            InputError: as ``stream``.
        """
        request = self._complete(prompt, **options)
        subject = replace(blank(self.model, request), sampler=by, guide=guide)
        return self._steps(planned(self.model, request), subject)

    def edit(self, image: Picture, prompt: str, **options: Unpack[EditOptions]) -> Output:
        """Change a picture: `mezzotint.pipeline.request.EditOptions` tells how.

        Any model can, and those that were made for it do it better: InstructPix2Pix does what the
        prompt says, inpainting checkpoints and FLUX.1 Fill see the picture around a mask.

        Args:
            image: the picture, or its file. The result has its size, or ``width`` and ``height``;
                with ``expand`` it is larger. Where it is transparent it counts as white.
            prompt: what the result shows; for InstructPix2Pix, what to do to the picture.
            options: as for ``generate``, and more.

        Raises:
            InputError: a picture cannot be read, or an option is out of its range or of no use
                with this model.
        """
        *_, last = self.stream_edit(image, prompt, **options)
        return last.output()

    def stream_edit(
        self, image: Picture, prompt: str, **options: Unpack[EditOptions]
    ) -> Iterator[Step]:
        """Yield every step of what `edit` does.

        Raises:
            InputError: as ``edit``; at the call, not at the first step.
        """
        if self.model.family.beside is None:
            self._refuse_other_inputs()
        request, subject = prepared(self.model, self.source, image, prompt, **options)
        return self._steps(planned(self.model, request, subject.strength), subject)

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
    def _steps(self, plan: Plan, subject: Subject) -> Iterator[Step]:
        doing = f"drawing {subject.size[0]}x{subject.size[1]}"
        if subject.parted and any(each.mapped for each in self.injected):
            raise InputError(
                "expand: a part of the picture is drawn at a time, and a ControlNet's map is of "
                "the whole: leave the ControlNet out"
            )
        worn = tuple(each.told for each in self.injected)  # the plan's are told by the prompt
        with self.attached(*plan.adapters), within_memory(doing, LESS):
            images = drawn(self.model, plan, subject, self._at)
            recipes = [
                self._recipe(plan.request, subject.size, worn, k) for k in range(len(images))
            ]
            for batch in zip(*images, strict=True):
                steps, grounds = zip(*batch, strict=True)
                yield Step(
                    index=steps[0].index,
                    total=steps[0].total,
                    t=steps[0].t,
                    x=torch.cat([step.x for step in steps]),
                    x0=torch.cat([step.x0 for step in steps]),
                    decode=_decoder([ground.shown for ground in grounds]),
                    recipes=recipes,
                    edited=subject.fields,
                )

    def _at(self, run: Run, progress: float) -> None:
        """Tell the adapters what is drawn next, and how much of the sampling is done."""
        for each in self.injected:
            each.run(run)
            each.at(progress)

    def _recipe(
        self, request: Request, size: tuple[int, int], worn: tuple[Told, ...], k: int
    ) -> Recipe:
        seed, place, batch = alone(request.noise, request.seed, k, request.batch)
        told = request.guidance if request.guidance != self.model.family.guidance else None
        return Recipe(
            prompt=request.prompt,
            negative=request.negative,
            steps=request.steps,
            sampler=request.sampler,
            spacing=request.spacing,
            cfg=request.cfg,
            cfg_interval=request.cfg_interval,
            seed=seed,
            width=size[0],
            height=size[1],
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
            adapters=worn,
            dtype=_named(self.model.dtype),
            engine=self.executed.partition(",")[0],
        )

    def _complete(self, prompt: str, **options: Unpack[Options]) -> Request:
        """What is asked for of a model that draws from a prompt alone."""
        if beside := self.model.family.beside:
            raise InputError(
                f"{self.source} is a checkpoint for {beside.purpose}, which takes a picture beside "
                "the prompt: give it one with pipe.edit or mezzotint edit"
            )
        self._refuse_other_inputs()
        return complete(self.model.family, prompt, **options)

    def _refuse_other_inputs(self) -> None:
        """A network that is given more than a latent draws nothing from a prompt alone."""
        takes = getattr(getattr(self.model.network, "params", None), "channels_in", None)
        if takes is not None and takes != self.model.latent_channels:
            raise InputError(
                f"{self.source} takes {takes} channels, {self.model.latent_channels} of them a "
                "latent's: nobody here knows the rest, give one that draws from a prompt alone"
            )


def _named(dtype: torch.dtype) -> str:
    return next((name for name, each in DTYPES.items() if each == dtype), str(dtype))


def _decoder(
    shown: Sequence[Callable[[Tensor], Image.Image]],
) -> Callable[[Tensor], list[Image.Image]]:
    """Latents (b, c, h, w) → pictures, each in the way of its own."""

    @torch.no_grad()
    def decode(latents: Tensor) -> list[Image.Image]:
        with within_memory("decoding the pictures", LESS):
            return [show(one[None]) for show, one in zip(shown, latents, strict=True)]

    return decode
