"""The mathematics of diffusion: x_t = α(t)·x₀ + σ(t)·ε, written once.

Samplers are in ``mezzotint.diffusion.samplers``, guidance in ``mezzotint.diffusion.guidance``.
"""

from mezzotint.diffusion.losses import denoising_loss, sample_times
from mezzotint.diffusion.noise import Noise, seeded
from mezzotint.diffusion.prediction import Denoiser, Prediction, denoiser
from mezzotint.diffusion.process import Process, flux_shift, sd3_shift
from mezzotint.diffusion.times import SPACINGS, times

__all__ = [
    "SPACINGS",
    "Denoiser",
    "Noise",
    "Prediction",
    "Process",
    "denoiser",
    "denoising_loss",
    "flux_shift",
    "sample_times",
    "sd3_shift",
    "seeded",
    "times",
]
