"""What kind of model an adapter's file was made for, as far as it tells."""

from collections.abc import Iterator, Mapping

from torch import Tensor

# kohya's word for it, and the Stable Diffusion WebUI's newer one
_METADATA = ("modelspec.architecture", "ss_base_model_version")

_BY_NAME = (
    (("double_blocks", "single_blocks", "single_transformer_blocks"), "FLUX.1"),
    (("joint_blocks", "add_k_proj"), "Stable Diffusion 3"),
)
_BY_WIDTH = {
    768: "Stable Diffusion 1.x",
    1024: "Stable Diffusion 2.x",
    1280: "Stable Diffusion XL's refiner",
    2048: "Stable Diffusion XL",
}


def made_for(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """One clause that says what the file seems to be made for.

    Told by the names of its layers, then by the width of the prompt that its cross-attention reads,
    then by what its maker wrote into it.
    """
    for marks, model in _BY_NAME:
        if any(mark in key for key in tensors for mark in marks):
            return f"it seems to be made for {model}"
    for width in _context_widths(tensors):
        if width in _BY_WIDTH:
            return f"it seems to be made for {_BY_WIDTH[width]}"
    for field in _METADATA:
        if metadata.get(field):
            return f"it says that it was made for {metadata[field]!r}"
    if any(role in key for key in tensors for role in ("lora_", "lora.", "hada_", "lokr_")):
        return "it names no layers of a model that is known here"
    return "it does not look like a LoRA, LoHa or LoKr"


def _context_widths(tensors: Mapping[str, Tensor]) -> Iterator[int]:
    for key, tensor in tensors.items():
        reads = any(f"attn2{dot}to_{name}" in key for dot in "._" for name in "kv")
        down = any(role in key for role in ("lora_down", "lora_A", "lora.down", "hada_w1_b"))
        if reads and down and tensor.ndim >= 2:
            yield tensor.shape[1]
