"""What a file is that holds no model: told by names and shapes, to say it where a model is wanted.

Which family it is for is told by the names of blocks, then by how wide a prompt its
cross-attention reads, then by what its maker wrote into it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mezzotint.checkpoints.keymap import Shape

Table = Mapping[str, Shape]

WIDTHS = {
    768: "Stable Diffusion 1.x",
    1024: "Stable Diffusion 2.x",
    1280: "Stable Diffusion XL's refiner",
    2048: "Stable Diffusion XL",
}
READERS = {
    768: "CLIP ViT-L (Stable Diffusion 1.x, XL, 3 and FLUX.1)",
    1024: "OpenCLIP ViT-H (Stable Diffusion 2.x)",
    1280: "OpenCLIP ViT-bigG (Stable Diffusion XL and 3)",
    4096: "T5-XXL (Stable Diffusion 3 and FLUX.1)",
}
_BLOCKS = (
    (re.compile(r"double_blocks|single_blocks|single_transformer_blocks"), "FLUX.1"),
    (re.compile(r"joint_blocks|add_k_proj|pos_embed_input"), "Stable Diffusion 3"),
)
_METADATA = ("modelspec.architecture", "ss_base_model_version")
_CONTEXT = re.compile(  # a layer that reads the prompt, and what LoRA's kin have of its input side
    r"attn2[._]to_[kv]\.(weight|lora_down\.weight|lora_A\.weight|lora\.down\.weight|hada_w1_b)"
    r"|ip_adapter\.1\.to_k_ip\.weight"
)

_CHECKPOINT = "give a checkpoint of that family, and this"
_LORA = f"{_CHECKPOINT} as mz.lora(file), or <lora:NAME:1> in the prompt"
_KINDS = (  # a key that only this kind has; the first that is found holds
    (r".*\.lokr_w[12](_[ab])?", "a LoKr", _LORA),
    (r".*\.hada_w[12]_[ab]", "a LoHa", _LORA),
    (r"lora_controlnet", "a Control-LoRA", "give a ControlNet or a checkpoint, there is no reader"),
    (r".*[._]lora(_linear_layer)?[._](down|up|A|B)\..*", "a LoRA", _LORA),
    (
        r"(control_model\.)?(input_hint_block|zero_convs)\..*|controlnet_\w+\..*",
        "a ControlNet",
        f"{_CHECKPOINT} with the picture that it goes by",
    ),
    (
        r"(adapter\.)?body\.\d+\.block1\.weight",
        "a T2I-Adapter",
        "give a ControlNet, there is no reader for it",
    ),
    (
        r"image_proj\.latents",
        "an IP-Adapter Plus",
        f"{_CHECKPOINT} with the picture that it goes by",
    ),
    (
        r"ip_adapter\..*|image_proj\..*|image_words\..*",
        "an IP-Adapter",
        f"{_CHECKPOINT} with the picture that it goes by",
    ),
    (
        r"(vision_model\.embeddings\.patch_embedding|(model\.)?visual\.conv1)\.weight",
        "a CLIP image encoder",
        "give a checkpoint; an IP-Adapter takes this",
    ),
)


@dataclass(frozen=True)
class Stranger:
    """What a file is, as "a LoRA for Stable Diffusion XL", and how it is used."""

    what: str
    use: str


def stranger(shapes: Table, metadata: Mapping[str, str]) -> Stranger | None:
    """What a file of tensors with these names and shapes is; None where nobody knows it."""
    for pattern, what, use in _KINDS:
        if any(re.fullmatch(pattern, name) for name in shapes):
            family = family_named(shapes, metadata)
            return Stranger(f"{what} for {family}" if family else what, use)
    if words := _embedded(shapes):
        return Stranger(words, "give a checkpoint, and embedding:NAME in the prompt")
    return None


def family_named(shapes: Table, metadata: Mapping[str, str]) -> str:
    """The family that an adapter was made for, as far as it tells; "" where it does not."""
    for pattern, family in _BLOCKS:
        if any(pattern.search(name) for name in shapes):
            return family
    for name, shape in shapes.items():
        if _CONTEXT.search(name) and len(shape) >= 2 and shape[1] in WIDTHS:
            return WIDTHS[shape[1]]
    return next((metadata[field] for field in _METADATA if metadata.get(field)), "")


def _embedded(shapes: Table) -> str:
    """What a textual inversion is called: vectors of a text encoder's width, and little else."""
    own = [name for name in shapes if name.startswith("string_to_param.")] or list(shapes)
    widths = [shapes[name][-1] for name in own if len(shapes[name]) in (1, 2)]
    if not own or len(own) > 2 or len(widths) < len(own) or not set(widths) <= READERS.keys():
        return ""
    return f"a textual inversion for {' and '.join(READERS[width] for width in sorted(widths))}"
