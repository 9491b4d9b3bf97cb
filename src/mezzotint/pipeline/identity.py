"""What pictures depend on beside what is asked for: which weights, and how they are executed."""

from hashlib import sha256
from uuid import uuid4
from weakref import WeakKeyDictionary

import torch

from mezzotint.adapters.base import OWN, Injected
from mezzotint.adapters.contents import raw
from mezzotint.engines.calls import weights
from mezzotint.families.base import Model
from mezzotint.pipeline.pipeline import Pipeline

TIMES = 9  # of a process, that tell it apart

_once: WeakKeyDictionary[Injected, str] = WeakKeyDictionary()


def weights_digest(model: Model) -> str:
    """Ten hex digits that stand for a model: its digest, or a hash where nobody has asked.

    The hash is of every weight as it is now, and of what else is read from a checkpoint: its
    process, what its network predicts, the scale of its latents. It takes seconds a few gigabytes.
    """
    if model.digest:
        return model.digest
    family = model.family
    told = (family.name, family.prediction, family.process.name, family.time_scale)
    digest = sha256(repr((*told, family.zero_blank, family.stops_short)).encode())
    process = family.process
    times = torch.linspace(process.t_clean, process.t_noise, TIMES, dtype=torch.float64)
    for tensor in (model.latent_mean, model.latent_std, *process.curve(times)):
        digest.update(raw(tensor))
    for part, network in model.modules.items():
        for name, weight in weights(network).items():
            digest.update(f"{part} {name} {weight.dtype} {tuple(weight.shape)}".encode())
            digest.update(raw(weight))
    return digest.hexdigest()[:10]


def drawn_by(pipe: Pipeline) -> list[object]:
    """All but the weights: the model's name, its numbers, their execution, what is attached.

    An adapter counts by what it tells of itself, such as a LoRA's name and strength, and by what it
    holds. One of somebody's own tells neither: it counts as another each time that it is attached.
    """
    worn = [(*each.told, _holds(each)) for each in pipe.injected]
    return [pipe.source, str(pipe.model.dtype), pipe.executed, worn]


def _holds(adapter: Injected) -> str:
    if adapter not in _once:
        unknown = uuid4().hex if adapter.told == OWN else ""
        _once[adapter] = adapter.contents() or unknown
    return _once[adapter]
