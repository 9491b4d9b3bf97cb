"""Noise that is the same for a picture alone and in a batch, here and in the tool that made it.

What a seed means differs between tools. `source` gives what one image of a batch draws, first its
initial noise and then whatever its sampler adds:

- "mezzotint": image k has a generator of its own, seeded with seed + k (`seeded`).
- "diffusers": one CPU generator for the batch, in the dtype of the pipeline.
- "a1111": image k has seed + k, and CUDA's generator, its default and its "NV" alike.
  "a1111+31337" adds 31337 to the seed for the sampler's noise, A1111's ENSD.
- "a1111_cpu": its "CPU", which is "mezzotint" by another name.
- "comfyui": initial noise for the batch from the CPU; the sampler's from CUDA.
- "comfyui_cpu": the sampler's from the CPU as well, as ComfyUI does where there is no GPU.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from mezzotint.diffusion.philox import normal
from mezzotint.errors import InputError, choose

Noise: TypeAlias = Callable[[Tensor], Tensor]
"""x (b, …) → standard normal numbers shaped, typed and placed like it."""


def seeded(seeds: Sequence[int]) -> Noise:
    """A source with one generator an image, so that image k draws what it would draw alone.

    The numbers are drawn in float32 on the CPU: they depend on the seed, the shape of an image and
    how often was drawn before, and on neither batch, device nor dtype.

    Raises:
        InputError: when called with a batch of another size than ``seeds``.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(x: Tensor) -> Tensor:
        if len(x) != len(generators):
            raise InputError(f"{len(generators)} seeds for a batch of {len(x)}: one each is needed")
        return torch.stack([torch.randn(x.shape[1:], generator=g) for g in generators]).to(x)

    return draw


def diffusers(seed: int, place: int = 0, batch: int = 1) -> Noise:
    """Image ``place`` of a batch that diffusers draws with one CPU generator.

    They are drawn in the dtype of x, which is to be that of diffusers' pipeline. With a list of
    generators, one an image, each image is a batch of its own.
    """
    generator = torch.Generator().manual_seed(seed)
    return _one(
        lambda shape, dtype: torch.randn(shape, generator=generator, dtype=dtype), place, batch
    )


def a1111(
    seed: int,
    place: int = 0,
    batch: int = 1,
    delta: int = 0,
    variation: tuple[int, float] | None = None,
) -> Noise:
    """Image ``place`` of an A1111 batch; exactly its "NV", and its "GPU" as `normal` tells.

    Args:
        seed: of the first image of the batch.
        place: from 0.
        batch: it makes no difference.
        delta: A1111's ENSD, added to the seed of the sampler's noise.
        variation: A1111's variation seed and its strength, 0 to 1; with one, the variation seed
            counts up through the batch in place of the seed.
    """
    own = seed if variation else seed + place
    calls = 0

    def draw(shape: Sequence[int], _: torch.dtype) -> Tensor:
        nonlocal calls
        first, calls = not calls, calls + 1
        if first and variation:
            other = normal(variation[0] + place, 0, shape[1:])
            return _slerp(normal(own, 0, shape[1:]), other, variation[1])[None]
        if first or not delta:
            return normal(own, calls - 1, shape)
        return normal(own + delta, calls - 2, shape)

    return _one(draw, 0, 1)


def a1111_cpu(seed: int, place: int = 0, batch: int = 1) -> Noise:
    """Image ``place`` of a batch of A1111 with its random numbers from the CPU."""
    return seeded([seed + place])


def comfyui(seed: int, place: int = 0, batch: int = 1) -> Noise:
    """Image ``place`` of a ComfyUI batch, sampled on a CUDA device.

    With `LatentFromBatch` or `batch_index`, ``place`` is the index and ``batch`` at least one more.
    """
    generator = torch.Generator().manual_seed(seed)
    calls = -1

    def draw(shape: Sequence[int], _: torch.dtype) -> Tensor:
        nonlocal calls
        calls += 1
        return normal(seed, calls - 1, shape) if calls else torch.randn(shape, generator=generator)

    return _one(draw, place, batch)


def comfyui_cpu(seed: int, place: int = 0, batch: int = 1) -> Noise:
    """Image ``place`` of a ComfyUI batch, sampled on the CPU: steps draw from seed + 1."""
    generators = [torch.Generator().manual_seed(seed + k) for k in (0, 1)]

    def draw(shape: Sequence[int], _: torch.dtype) -> Tensor:
        return torch.randn(shape, generator=generators.pop(0) if generators[1:] else generators[0])

    return _one(draw, place, batch)


def _alone(seed: int, place: int = 0, batch: int = 1) -> Noise:
    return seeded([seed + place])


NOISES: dict[str, Callable[[int, int, int], Noise]] = {
    "mezzotint": _alone,
    "diffusers": diffusers,
    "a1111": a1111,
    "a1111_cpu": a1111_cpu,
    "comfyui": comfyui,
    "comfyui_cpu": comfyui_cpu,
}
"""name → (seed, place, batch) → what image ``place`` of a batch draws, for an x of (1, …)."""

# diffusers' schedulers whose samples are x/α
_EXPLODING = "euler", "euler_ancestral", "heun", "lms", "dpm2", "dpm2_ancestral"
_ALONE = "mezzotint", "a1111", "a1111_cpu"
_ENSD = re.compile(r"a1111\+(\d{1,10})")
_BROWNIAN = "its noise is a Brownian tree (torchsde's), which is not drawn here"
_TWICE = "it draws twice a step there, and uses the second"
_UNLIKE: dict[str, dict[str, str]] = {
    "diffusers": {"dpmpp_sde": _BROWNIAN, "dpm2_ancestral": _TWICE},
    **dict.fromkeys(
        ("a1111", "a1111_cpu", "comfyui", "comfyui_cpu"),
        dict.fromkeys(("dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde"), _BROWNIAN),
    ),
}


def source(name: str, seed: int, place: int = 0, batch: int = 1) -> Noise:
    """What image ``place`` of a batch draws under the noise ``name``.

    Raises:
        InputError: there is no such noise.
    """
    if ensd := _ENSD.fullmatch(name):
        return a1111(seed, place, batch, delta=int(ensd[1]))
    return choose("noise", name, NOISES)(seed, place, batch)


def alone(name: str, seed: int, place: int, batch: int) -> tuple[int, int, int]:
    """The seed, place and batch to remember of an image: (seed + place, 0, 1) where that is it."""
    return (seed + place, 0, 1) if _kind(name) in _ALONE else (seed, place, batch)


def check(name: str, sampler: str) -> None:
    """Refuse a sampler whose noise is not what the tool that ``name`` stands for would draw.

    Raises:
        InputError: that, or there is no such noise.
    """
    kind = _kind(name)
    choose("noise", kind, NOISES)
    if why := _UNLIKE.get(kind, {}).get(sampler):
        raise InputError(f"noise {name!r} cannot be had for {sampler!r}: {why}; use 'mezzotint'")


def weaker(name: str, sampler: str, spacing: str) -> bool:
    """Whether a tool's first x is σ·noise, rather than as wide as x_t is for x₀ of unit width.

    The latter is what the process says, √(α² + σ²). The samplers that A1111 took from k-diffusion
    begin with less, by 0.2% for Stable Diffusion, and so do diffusers' forms of them, but for
    "leading" spacing.
    """
    kind = _kind(name)
    if kind == "diffusers":
        return sampler in _EXPLODING and spacing != "leading"
    return kind in ("a1111", "a1111_cpu") and sampler not in ("ddim", "pndm", "unipc")


def _kind(name: str) -> str:
    return "a1111" if _ENSD.fullmatch(name) else name


def _one(
    draw: Callable[[Sequence[int], torch.dtype], Tensor], place: int, batch: int
) -> Callable[[Tensor], Tensor]:
    """One image's share of what is drawn for its whole batch."""
    if not 0 <= place < batch:
        raise InputError(f"image {place} of a batch of {batch}: they count from 0")

    def one(x: Tensor) -> Tensor:
        if len(x) != 1:
            raise InputError(f"noise of one image for a batch of {len(x)}: draw each by itself")
        return draw((batch, *x.shape[1:]), x.dtype)[place : place + 1].to(x)

    return one


def _slerp(low: Tensor, high: Tensor, t: float) -> Tensor:
    """Along the arc between two noises (c, h, w), column by column, as A1111 has it.

    Shoemake 1985, but for the ends: nearly parallel noises are mixed, ``low`` with weight t.
    """
    cosine = (torch.nn.functional.normalize(low, dim=1) * high).sum(1) / high.norm(dim=1)
    if cosine.mean() > 0.9995:
        return low * t + high * (1 - t)
    angle = cosine.acos()
    near, far = torch.sin((1 - t) * angle), torch.sin(t * angle)
    return (near / angle.sin()).unsqueeze(1) * low + (far / angle.sin()).unsqueeze(1) * high
