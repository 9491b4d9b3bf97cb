"""What an adapter's file says of itself: ModelSpec's fields, and kohya's ``ss_`` fields.

ModelSpec (github.com/Stability-AI/ModelSpec, 1.0.1) tells what a file is for; kohya's trainer wrote
down how it was trained, and A1111, ComfyUI and the sites that share files read both. Nothing here
depends on when a file was written, so that the same run writes the same file.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mezzotint.families.base import Family

Kind = Literal["lora", "textual-inversion"]

# by the family's release: ModelSpec's architecture, and kohya's version of the base
_BASES = {
    "sd1": ("stable-diffusion-v1", "sd_v1"),
    "sd2": ("stable-diffusion-v2-512", "sd_v2"),
    "xl": ("stable-diffusion-xl-v1-base", "sdxl_base_v1-0"),
    "refiner": ("stable-diffusion-xl-v1-refiner", "sdxl_refiner_v1-0"),
    "sd3": ("stable-diffusion-3", "sd3"),
    "flux": ("flux-1-dev", "flux1"),
}
_V = ("stable-diffusion-v2-768-v", "sd_v2_v")
_PREDICTIONS = {"eps": "epsilon", "v": "v"}  # ModelSpec has no name for others


@dataclass(frozen=True)
class Trained:
    """How something was trained.

    Attributes:
        title: what it is called.
        base: the name of the model that it was trained on.
        trigger: what a prompt has to say for it, empty where there is no such word.
        captions: those of the pictures, one each.
        class_pictures: how many more of the class there were.
        size: side in pixels of the square whose area the pictures have.
        steps, batch, lr, seed: the run's.
    """

    title: str
    base: str
    trigger: str
    captions: tuple[str, ...]
    class_pictures: int
    size: int
    steps: int
    batch: int
    lr: float
    seed: int


def modelspec(family: Family, kind: Kind, trained: Trained) -> dict[str, str]:
    """ModelSpec's fields, but for the hash of the tensors."""
    architecture, _ = _base(family)
    said = {
        "sai_model_spec": "1.0.1",
        "architecture": f"{architecture}/{kind}",
        "implementation": "diffusers",
        "title": trained.title,
        "resolution": f"{trained.size}x{trained.size}",
        "prediction_type": _PREDICTIONS.get(family.prediction, ""),
        "trigger_phrase": trained.trigger,
        "usage_hint": f"Trigger word: {trained.trigger}" if trained.trigger else "",
    }
    return {f"modelspec.{name}": value for name, value in said.items() if value}


def kohyas(family: Family, trained: Trained) -> dict[str, str]:
    """kohya's fields that are the same for whatever was trained."""
    _, version = _base(family)
    said = {
        "base_model_version": version,
        "v2": str(family.release == "sd2"),
        "sd_model_name": trained.base,
        "output_name": trained.title,
        "resolution": str((trained.size, trained.size)),
        "num_train_images": str(len(trained.captions)),
        "num_reg_images": str(trained.class_pictures),
        "steps": str(trained.steps),
        "max_train_steps": str(trained.steps),
        "total_batch_size": str(trained.batch),
        "learning_rate": f"{trained.lr:g}",
        "optimizer": "torch.optim.AdamW",
        "seed": str(trained.seed),
        "tag_frequency": json.dumps({trained.title: _tags(trained.captions)}),
    }
    return {f"ss_{name}": value for name, value in said.items()}


def kohyas_network(rank: int, alpha: float, decomposed: bool) -> dict[str, str]:
    """kohya's fields of a LoRA."""
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": f"{alpha:g}",
        "ss_network_args": json.dumps({"dora_wd": "True"} if decomposed else {}),
    }


def _base(family: Family) -> tuple[str, str]:
    if family.release == "sd2" and family.prediction == "v":
        return _V
    if family.name == "flux-schnell":
        return "flux-1-schnell", "flux1"
    return _BASES.get(family.release, (f"mezzotint-{family.name}", f"mezzotint_{family.name}"))


def _tags(captions: Iterable[str]) -> dict[str, int]:
    """How often each of the comma-separated tags stands in the captions."""
    tags = (tag.strip() for caption in captions for tag in caption.split(","))
    return dict(Counter(tag for tag in tags if tag))
