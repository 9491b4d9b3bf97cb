"""The numbers in questions and answers, computed by the package when they are asked for."""

from functools import cache

import torch

from mezzotint.diffusion import Process, denoising_loss, times
from mezzotint.diffusion.guidance import cfg, pair
from mezzotint.diffusion.prediction import to_eps
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.families.sizes.sd3_presets import AUTOENCODER as AUTOENCODER_16
from mezzotint.families.sizes.sd_presets import AUTOENCODER, SD15_UNET, VIT_L_TEXT
from mezzotint.families.stable_diffusion import SD1
from mezzotint.lab.lessons.calls import default_calls
from mezzotint.lab.lessons.kinds.toys import Diffusion
from mezzotint.lab.lessons.production.measure import Measured
from mezzotint.lab.lessons.wild.facts import attending, prompt_tokens, size_of
from mezzotint.lab.lessons.wild.known import KNOWN
from mezzotint.models.autoencoder import AutoencoderParams


@cache
def numbers() -> dict[str, str]:
    """Every number that a question may name in braces, as it is read."""
    flux, sd3 = KNOWN["flux-dev"], KNOWN["sd3"]
    window = SD1.reads[0].length + 2  # what begins it and what ends it
    clip, t5 = sd3.family.reads[0].length + 2, sd3.family.reads[2].length + 1
    made = Measured(20, [0.10], [0.03] * 19, [0.05])
    slow = Measured(20, [0.10], [0.10] * 19, [0.05])
    return {
        "linear_half": f"{100 * _kept(Process.linear(), 499):.0f} %",
        "cosine_half": f"{100 * _kept(Process.cosine(), 0.5):.0f} %",
        "flow_half_snr": f"{Process.flow().snr(_time(0.5)).item():g}",
        "scaled_last": f"{100 * Process.scaled_linear().alpha(_time(999)).item():.0f} %",
        "heun_20": str(calls("heun", 20)),
        "ddim_50_guided": str(2 * calls("ddim", 50)),
        "eps_over_x0": f"{_eps_over_x0(0.6, 0.8):.4g}",
        "sd1_saved": f"{saved(AUTOENCODER, 512):g}",
        "sd3_saved": f"{saved(AUTOENCODER_16, 1024):g}",
        "clip_window": str(window),
        "sd3_prompt": str(prompt_tokens(sd3)),
        "three_clips": str(2 * clip + t5),
        "guided": f"{_guided(1.0, 2.0, 7.5):g}",
        "toy_calls": str(Diffusion().calls),
        "sd15_weights": f"{size_of(SD15_UNET) / 1e6:.0f}",
        "clip_l_weights": f"{size_of(VIT_L_TEXT) / 1e6:.0f}",
        "flux_tokens": f"{attending(flux.network, 1024 // flux.autoencoder.factor)[0]:,}",
        "sd1_once": str(calls(SD1.sampler, SD1.steps)),
        "sd1_calls": str(default_calls(SD1)),
        "flux_calls": str(default_calls(flux.family)),
        "flux_doubled": str(2 * flux.family.steps),
        "an_hour": f"{3600 / (made.picture or 1):,.0f}",
        "only_step": f"{3600 / 0.03:,.0f}",
        "one_hour_first": f"{3600 / (slow.picture or 1):,.0f}",
    }


def calls(sampler: str, steps: int) -> int:
    """How often a sampler asks its denoiser in so many steps, counted."""
    asked = 0

    def denoise(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        nonlocal asked
        asked += 1
        return torch.zeros_like(x)

    process = Process.cosine()
    grid = times(process, steps)
    for _ in SAMPLERS[sampler](denoise, torch.ones(1, 1), grid, process, torch.zeros_like):
        pass
    return asked


def saved(autoencoder: AutoencoderParams, side: int) -> float:
    """How many times fewer numbers a latent has than its picture of ``side``² pixels."""
    places = (side // autoencoder.factor) ** 2
    return autoencoder.image_channels * side**2 / (autoencoder.latent_channels * places)


def _kept(process: Process, t: float) -> float:
    return process.alpha_bar(_time(t)).item()


def _eps_over_x0(alpha: float, sigma: float) -> float:
    """The ratio of the two losses of one mistake."""
    x0, wrong, eps = torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1, 1)
    x = alpha * x0 + sigma * eps
    out = to_eps(wrong, x, alpha, sigma)
    of_eps = denoising_loss(out, x0, eps, alpha, sigma, "eps")
    return (of_eps / denoising_loss(wrong, x0, eps, alpha, sigma, "x0")).item()


def _guided(uncond: float, cond: float, scale: float) -> float:
    told = pair(lambda x, t: torch.full_like(x, cond), lambda x, t: torch.full_like(x, uncond))
    return cfg(told, scale)(torch.zeros(1, 1), torch.zeros(())).item()


def _time(t: float) -> torch.Tensor:
    return torch.tensor(t, dtype=torch.float64)
