"""The mathematics of diffusion: x_t = α(t)·x₀ + σ(t)·ε, written once."""

from mezzotint.diffusion.losses import denoising_loss, sample_times
from mezzotint.diffusion.prediction import Denoiser, Prediction, denoiser
from mezzotint.diffusion.process import Process
from mezzotint.diffusion.times import SPACINGS, times

__all__ = [
    "SPACINGS",
    "Denoiser",
    "Prediction",
    "Process",
    "denoiser",
    "denoising_loss",
    "sample_times",
    "times",
]
