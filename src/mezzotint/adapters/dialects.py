"""What the tensors of an adapter's file say about each layer, in any dialect.

A key is a layer's name and what the tensor is to it. kohya and ComfyUI write ``lora_down`` and
``lora_up``, PEFT ``lora_A`` and ``lora_B``, older diffusers ``lora.down`` and ``lora.up``; LyCORIS
has names of its own for LoHa, LoKr and whole differences.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from mezzotint.adapters.deltas import Delta, DoRA, Full, LoHa, LoKr, LoRA

_ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_B.bias": "up_bias",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".alpha": "alpha",
    ".dora_scale": "magnitude",
    ".lora_magnitude_vector": "row_magnitude",
    ".lora_magnitude_vector.weight": "row_magnitude",
    ".diff": "diff",
    ".diff_b": "diff_bias",
    ".w_norm": "diff",
    ".b_norm": "diff_bias",
    **{f".hada_{name}": f"hada_{name}" for name in ("w1_a", "w1_b", "t1", "w2_a", "w2_b", "t2")},
    **{
        f".lokr_{name}": f"lokr_{name}"
        for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
    },
}
_SCALARS_AND_VECTORS = ("alpha", "row_magnitude", "up_bias", "diff", "diff_bias")
_ADAPTER_NAME = re.compile(r"\.(lora_[AB]|lora_magnitude_vector)\.(?!weight$|bias$)\w+")
DIFFUSERS_METADATA = "lora_adapter_metadata"


def layers(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> tuple[dict[str, dict[str, Delta]], list[str]]:
    """The changes of each layer's "weight" and "bias", by the file's names; keys that say none.

    Args:
        tensors: a file's.
        metadata: the file's; diffusers keeps PEFT's α there.
    """
    grouped: dict[str, dict[str, Tensor]] = {}
    stray: list[str] = []
    for key, tensor in tensors.items():
        if (split := _split(key)) is None:
            stray.append(key)
        else:
            layer, role = split
            grouped.setdefault(layer, {})[role] = tensor
    alphas = _diffusers_alphas(metadata)
    changes: dict[str, dict[str, Delta]] = {}
    for layer, roles in grouped.items():
        if found := _changes(roles, _alpha(layer, roles, alphas)):
            changes[layer] = found
        else:
            stray.append(layer)
    return changes, stray


def _split(key: str) -> tuple[str, str] | None:
    """A key's layer and its tensor's role."""
    plain = _ADAPTER_NAME.sub(r".\1", key).replace(".processor.", ".")
    for ending, role in _ROLES.items():
        if plain.endswith(ending):
            return plain.removesuffix(ending), role
    return None


def _changes(roles: dict[str, Tensor], alpha: float | None) -> dict[str, Delta]:
    """What the tensors of one layer change; nothing where they are not of one decomposition."""
    left = dict(roles)
    left.pop("alpha", None)
    if any(t.ndim < 2 for role, t in left.items() if role not in _SCALARS_AND_VECTORS):
        return {}
    changes: dict[str, Delta] = {}
    weight = _take_weight(left, alpha)
    if weight is not None:
        changes["weight"] = _take_magnitude(left, weight)
    if (bias := left.pop("diff_bias", None)) is not None:
        changes["bias"] = Full(bias)
    elif (bias := left.pop("up_bias", None)) is not None and isinstance(weight, LoRA):
        changes["bias"] = Full(weight.factor * bias)
    return {} if left else changes


def _take_weight(left: dict[str, Tensor], alpha: float | None) -> Delta | None:
    if {"up", "down"} <= left.keys():
        return LoRA(left.pop("up"), left.pop("down"), alpha, left.pop("mid", None))
    if {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"} <= left.keys():
        ups, downs = (
            (left.pop(f"hada_w1_{side}"), left.pop(f"hada_w2_{side}")) for side in ("a", "b")
        )
        cored = {"hada_t1", "hada_t2"} <= left.keys()
        cores = (left.pop("hada_t1"), left.pop("hada_t2")) if cored else None
        return LoHa(ups, downs, alpha, cores)
    if any(role.startswith("lokr_w1") for role in left):
        first, second = (_take_factors(left, f"lokr_w{n}") for n in (1, 2))
        return LoKr(first, second, alpha) if first and second else None
    if "diff" in left:
        return Full(left.pop("diff"))
    return None


def _take_factors(left: dict[str, Tensor], name: str) -> tuple[Tensor, ...]:
    """One side of a Kronecker product: whole, or up, down and perhaps a core."""
    if name in left:
        return (left.pop(name),)
    if not {f"{name}_a", f"{name}_b"} <= left.keys():
        return ()
    factors = left.pop(f"{name}_a"), left.pop(f"{name}_b")
    core = left.pop("lokr_t2", None) if name == "lokr_w2" else None
    return factors if core is None else (*factors, core)


def _take_magnitude(left: dict[str, Tensor], weight: Delta) -> Delta:
    if "magnitude" in left:
        return DoRA(weight, left.pop("magnitude"))
    if "row_magnitude" in left:
        return DoRA(weight, left.pop("row_magnitude").reshape(-1, 1))
    return weight


def _alpha(layer: str, roles: Mapping[str, Tensor], alphas: Mapping[str, Any]) -> float | None:
    """α of a layer; None where the file says nothing of use."""
    stored = roles.get("alpha")
    if stored is not None:
        alpha = float(stored) if stored.numel() == 1 else math.nan
        return alpha if math.isfinite(alpha) else None
    part = layer.partition(".")[0] + "."  # a file of one network alone has none
    said = {key.removeprefix(part): value for key, value in alphas.items()}
    pattern = said.get("alpha_pattern")
    named = cast("dict[str, Any]", pattern) if isinstance(pattern, dict) else {}
    own = [value for key, value in named.items() if f".{layer}".endswith(f".{key.lstrip('^')}")]
    alpha = own[0] if own else said.get("lora_alpha")
    if not isinstance(alpha, int | float):
        return None
    # rank-stabilised (Kalajdzievski 2023): α/√r in place of α/r
    stabilised = said.get("use_rslora") and "down" in roles
    return alpha * math.sqrt(len(roles["down"])) if stabilised else alpha


def _diffusers_alphas(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The table that diffusers puts into a file's metadata, empty where there is none."""
    try:
        table: object = json.loads(metadata.get(DIFFUSERS_METADATA, "{}"))
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", table) if isinstance(table, dict) else {}
