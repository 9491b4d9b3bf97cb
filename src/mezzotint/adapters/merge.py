"""LoRAs out of models, into models, and of each other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mezzotint.adapters.deltas import LoRA
from mezzotint.adapters.lora import Changes, LoRAFile
from mezzotint.adapters.patches import can_live
from mezzotint.errors import InputError
from mezzotint.families.base import Part

LoRAs = dict[str, dict[str, LoRA]]
"""By part and by our tensor name."""


def merged(files: Sequence[LoRAFile], parts: Mapping[str, Part]) -> dict[str, set[str]]:
    """Add the changes of files into the networks for good, and tell which tensors they changed.

    They are added up in float32 or wider, in any order to the same result.

    Raises:
        InputError: a file does not fit, or gives a bias to a layer that has none.
    """
    touched: dict[str, set[str]] = {}
    for file in files:
        changes, _ = file.changes(parts)
        for part, deltas in changes.items():
            if new := deltas.keys() - parts[part].module.state_dict().keys():
                raise InputError(f"{file.name}: the model has no {min(new)} to add to")
            touched.setdefault(part, set()).update(deltas)
    for file in files:
        replace(file, fused=True).inject(parts)
    return touched


def extracted(
    tuned: Mapping[str, Part],
    base: Mapping[str, Part],
    rank: int | None = None,
    energy: float = 1.0,
) -> LoRAs:
    """The LoRA that is nearest to the difference of two models, by truncated SVD (Eckart & Young).

    Args:
        tuned: the networks of one.
        base: those of the other, of the same sizes.
        rank: at most so many for each layer; no limit by default.
        energy: share of the sum of squares of each layer's difference to be kept, 0…1.

    Raises:
        InputError: a number is out of its range, sizes differ, or no layer does.
    """
    _refuse_limits(rank, energy)
    found: LoRAs = {}
    for part in (name for name in tuned if name == "network" or name.startswith("text")):
        theirs = dict(base[part].module.named_modules()) if part in base else {}
        for name, layer in tuned[part].module.named_modules():
            if not can_live(layer):
                continue
            other = theirs.get(name)
            if other is None or layer.weight.shape != other.weight.shape:
                raise InputError(f"the models differ in the size of {part}.{name}: give its base")
            change = layer.get_parameter("weight").double() - other.get_parameter("weight").double()
            if lora := _nearest(change.detach(), rank, energy):
                found.setdefault(part, {})[f"{name}.weight"] = lora
    if not found:
        raise InputError("no layer of the models differs: there is no LoRA to extract")
    return found


def summed(loras: Sequence[tuple[Changes, float]]) -> LoRAs:
    """One LoRA whose changes are the sum of several times their scales, exactly.

    Σ sᵢ·Bᵢ·Aᵢ is the product of the Bs side by side and the As one on the other, so ranks add up.

    Raises:
        InputError: a change is no plain LoRA.
    """
    found: dict[str, dict[str, list[tuple[Tensor, Tensor]]]] = {}
    for changes, scale in loras:
        for part, deltas in changes.items():
            for name, delta in deltas.items():
                if not isinstance(delta, LoRA) or delta.mid is not None:
                    kind = type(delta).__name__
                    raise InputError(f"{part}.{name} is a {kind}: only plain LoRAs can be added")
                up = scale * delta.factor * delta.up.flatten(1).float()
                found.setdefault(part, {}).setdefault(name, []).append((up, delta.down.float()))
    return {
        part: {name: _beside(pairs) for name, pairs in own.items()} for part, own in found.items()
    }


def narrowed(loras: LoRAs, rank: int | None = None, energy: float = 1.0) -> LoRAs:
    """The nearest LoRAs of smaller rank (Eckart & Young), without layers that they do not change.

    Args:
        loras: plain ones, as ``summed`` and ``extracted`` give them.
        rank: at most so many for each layer; no limit by default.
        energy: share of the sum of squares of each layer's change to be kept, 0…1.

    Raises:
        InputError: a number is out of its range.
    """
    _refuse_limits(rank, energy)
    near = {
        part: {name: _narrow(lora, rank, energy) for name, lora in own.items()}
        for part, own in loras.items()
    }
    return {part: {name: lora for name, lora in own.items() if lora} for part, own in near.items()}


def _refuse_limits(rank: int | None, energy: float) -> None:
    if (rank is not None and rank < 1) or not 0 < energy <= 1:
        raise InputError(f"rank {rank}, energy {energy:g}: give a rank from 1, an energy in (0, 1]")


def _beside(pairs: Sequence[tuple[Tensor, Tensor]]) -> LoRA:
    ups, downs = zip(*pairs, strict=True)
    shape = downs[0].shape[1:]  # files may say 1 × 1 of a linear layer
    return LoRA(torch.cat(ups, dim=1), torch.cat([down.reshape(-1, *shape) for down in downs]))


def _nearest(change: Tensor, rank: int | None, energy: float) -> LoRA | None:
    """The LoRA nearest to a change; None where there is none."""
    left, sizes, right = torch.linalg.svd(change.flatten(1), full_matrices=False)
    return _truncated(left, sizes, right, change.shape, rank, energy)


def _narrow(lora: LoRA, rank: int | None, energy: float) -> LoRA | None:
    """The LoRA nearest to another's change, which is not multiplied out: SVD between two QRs."""
    left, up = torch.linalg.qr(lora.factor * lora.up.flatten(1).double())
    right, down = torch.linalg.qr(lora.down.flatten(1).double().mT)
    turn, sizes, back = torch.linalg.svd(up @ down.mT, full_matrices=False)
    shape = torch.Size([len(left), *lora.down.shape[1:]])
    return _truncated(left @ turn, sizes, back @ right.mT, shape, rank, energy)


def _truncated(
    left: Tensor, sizes: Tensor, right: Tensor, shape: torch.Size, rank: int | None, energy: float
) -> LoRA | None:
    """The first of a change's singular vectors and values, as many as are asked for."""
    squares = sizes.square().cumsum(0)
    if not squares[-1]:
        return None
    # what rounding left is no part of the change
    noise = torch.finfo(torch.float32).eps * sizes[0] * max(shape[0], shape[1:].numel())
    needed = int((squares < energy * squares[-1]).sum()) + 1
    kept = max(1, min(needed, int((sizes > noise).sum()), rank or len(sizes)))
    root = sizes[:kept].sqrt()
    down = (root[:, None] * right[:kept]).reshape(kept, *shape[1:])
    return LoRA((left[:, :kept] * root).float(), down.float())
