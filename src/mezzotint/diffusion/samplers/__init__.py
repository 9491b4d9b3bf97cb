"""Samplers: pure generators ``(denoise, x, times, process, rng) → Step``, one an idea."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from mezzotint.diffusion.samplers.first_order import ddim, ddpm, euler, euler_ancestral, lcm
from mezzotint.diffusion.samplers.grid import Step
from mezzotint.diffusion.samplers.multistep import (
    deis,
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_3m_sde,
    ipndm,
    lms,
    pndm,
    unipc,
)
from mezzotint.diffusion.samplers.two_stage import (
    dpm2,
    dpm2_ancestral,
    dpmpp_2s_ancestral,
    dpmpp_sde,
    heun,
)

Sampler: TypeAlias = Callable[..., Iterator[Step]]
"""(denoise, x (b, …), times (n + 1,), process, rng, **options) → n steps.

``x`` is σ·noise (plus α·x₀ of a picture to start from) at the first time; it keeps its dtype.
"""

SAMPLERS: dict[str, Sampler] = {
    "ddpm": ddpm,
    "ddim": ddim,
    "pndm": pndm,
    "lms": lms,
    "euler": euler,
    "euler_ancestral": euler_ancestral,
    "heun": heun,
    "dpm2": dpm2,
    "dpm2_ancestral": dpm2_ancestral,
    "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
    "dpmpp_sde": dpmpp_sde,
    "dpmpp_2m": dpmpp_2m,
    "dpmpp_2m_sde": dpmpp_2m_sde,
    "dpmpp_3m_sde": dpmpp_3m_sde,
    "unipc": unipc,
    "deis": deis,
    "ipndm": ipndm,
    "lcm": lcm,
}

__all__ = ["SAMPLERS", "Sampler", "Step"]
