"""The models that this package loads, from its own families and sizes.

What no weights tell, who may use them and what was done after the training, is from the
publications that are named beside it.
"""

from dataclasses import dataclass, replace

from mezzotint.families import flux, sd3
from mezzotint.families import stable_diffusion as sd
from mezzotint.families.base import Family
from mezzotint.families.sizes import flux_presets, sd3_presets, sd_presets
from mezzotint.models.autoencoder import AutoencoderParams
from mezzotint.models.clip import CLIPTextParams
from mezzotint.models.dit import DiTParams
from mezzotint.models.flux import FluxParams
from mezzotint.models.mmdit import MMDiTParams
from mezzotint.models.t5 import T5Params
from mezzotint.models.tiny_autoencoder import TinyAutoencoderParams
from mezzotint.models.unet import UNetParams

Network = UNetParams | MMDiTParams | FluxParams | DiTParams
Text = CLIPTextParams | T5Params


@dataclass(frozen=True)
class Known:
    """A model as it was published.

    Attributes:
        title: what it is called.
        family: how it is drawn with.
        network, autoencoder, texts: sizes; text encoders have their names beside.
        after: what followed the training on pictures with captions.
        licence: of the weights.
        source: where both are said.
        file: what ``--model`` is given, and ``--part`` after it.
    """

    title: str
    family: Family
    network: Network
    autoencoder: AutoencoderParams | TinyAutoencoderParams
    texts: tuple[tuple[str, Text], ...]
    after: str
    licence: str
    source: str
    file: str


_VIT_L = ("CLIP ViT-L", sd_presets.VIT_L_TEXT)
_VIT_H = ("OpenCLIP ViT-H", sd_presets.VIT_H_TEXT)
_BIGG = ("OpenCLIP ViT-bigG", sd_presets.VIT_BIGG_TEXT)
_T5 = ("T5-XXL", sd3_presets.T5_XXL)
_PROJECTED_L = ("CLIP ViT-L", replace(sd_presets.VIT_L_TEXT, projection=768))
_DEV_FILES = "flux1-dev.safetensors --part ae.safetensors --part clip_l.safetensors"

KNOWN: dict[str, Known] = {
    "sd1": Known(
        "Stable Diffusion 1.5",
        sd.SD1,
        sd_presets.SD15_UNET,
        sd_presets.AUTOENCODER,
        (_VIT_L,),
        "trained on with pictures that a model found good-looking",
        "CreativeML Open RAIL-M",
        "Rombach et al. 2112.10752; model card",
        "v1-5-pruned-emaonly.safetensors",
    ),
    "sd2": Known(
        "Stable Diffusion 2.1",
        replace(sd.SD2, prediction="v", size=768),
        sd_presets.SD21_UNET,
        sd_presets.AUTOENCODER,
        (_VIT_H,),
        "trained on with a laxer filter of what counts as unsafe",
        "CreativeML Open RAIL++-M",
        "model card",
        "v2-1_768-ema-pruned.safetensors",
    ),
    "sdxl": Known(
        "Stable Diffusion XL",
        sd.SDXL,
        sd_presets.SDXL_UNET,
        sd_presets.AUTOENCODER,
        (_VIT_L, _BIGG),
        "a second model, the refiner, for the last of the noise",
        "CreativeML Open RAIL++-M",
        "Podell et al. 2307.01952; model card",
        "sd_xl_base_1.0.safetensors",
    ),
    "sd3": Known(
        "Stable Diffusion 3 Medium",
        sd3.SD3,
        sd3_presets.SD3_MEDIUM,
        sd3_presets.AUTOENCODER,
        (_PROJECTED_L, _BIGG, _T5),
        "30 million pictures chosen for their looks, 3 million preferences",
        "Stability AI Community License",
        "Esser et al. 2403.03206; model card",
        "sd3_medium_incl_clips_t5xxlfp16.safetensors",
    ),
    "flux-dev": Known(
        "FLUX.1 dev",
        flux.FLUX_DEV,
        flux_presets.FLUX_DEV,
        sd3_presets.AUTOENCODER,
        (_VIT_L, _T5),
        "guidance distilled into it: one call a step, told the scale",
        "FLUX.1 dev Non-Commercial License",
        "model card; no paper on its training",
        f"{_DEV_FILES} --part t5xxl_fp16.safetensors",
    ),
    "flux-schnell": Known(
        "FLUX.1 schnell",
        flux.FLUX_SCHNELL,
        flux_presets.FLUX_SCHNELL,
        sd3_presets.AUTOENCODER,
        (_VIT_L, _T5),
        "distilled to 1–4 steps (latent adversarial diffusion distillation)",
        "Apache-2.0",
        "model card; no paper on its training",
        f"{_DEV_FILES.replace('dev', 'schnell')} --part t5xxl_fp16.safetensors",
    ),
}


@dataclass(frozen=True)
class Closed:
    """A model that nobody else has: what its makers have published, and nothing besides.

    Attributes:
        title: what it is called.
        told: (what of it, what was said).
        source: where.
    """

    title: str
    told: tuple[tuple[str, str], ...]
    source: str


CLOSED = (
    Closed(
        "DALL·E 3",
        (
            (
                "captions",
                "95 % written by a captioner of its own, in detail; 5 % as they were found",
            ),
            ("prompts", "made longer by GPT-4 before the model reads them"),
            ("decoder", "of latents, a diffusion model distilled to two steps"),
            ("sizes, sampler, steps", "not published"),
            ("weights", "not published, but for such a decoder that fits Stable Diffusion 1"),
        ),
        "Betker et al. 2023, “Improving Image Generation with Better Captions”; "
        "github.com/openai/consistencydecoder",
    ),
    Closed(
        "Midjourney",
        (
            ("latents, encoders, denoiser, sampler", "not published"),
            (
                "what it is said to be better at",
                "looks; how it was trained for them is not published",
            ),
            ("weights", "not published"),
        ),
        "no paper and no model card is known",
    ),
)
