"""What kind of model an adapter's file was made for, as far as it tells."""

from collections.abc import Mapping

from torch import Tensor

from mezzotint.families.keys.strangers import family_named


def made_for(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """One clause that says what the file seems to be made for."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if family := family_named(shapes, metadata):
        return f"it seems to be made for {family}"
    if any(role in key for key in tensors for role in ("lora_", "lora.", "hada_", "lokr_")):
        return "it names no layers of a model that is known here"
    return "it does not look like a LoRA, LoHa or LoKr"
