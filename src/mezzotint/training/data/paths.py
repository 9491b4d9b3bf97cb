"""A teacher's paths from noise to pictures, worked out once.

Each takes dozens of the network's evaluations, and a student that learns from it two or three, so
that paths are kept, as float16, in shards beside the captions that they are drawn for.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mezzotint.diffusion.distillation import path, through
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.diffusion.times import times
from mezzotint.families.base import Model
from mezzotint.nn.precision import autocast
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.pictures import PictureSet
from mezzotint.training.draw import Draw, subseed, visits
from mezzotint.training.process_group import Group
from mezzotint.training.teacher import guided, told

SHARD = 64  # paths that go through the network together

States = NDArray[np.float16]


@dataclass(frozen=True)
class Walk:
    """How a teacher draws, and where on its way a student stops.

    Attributes:
        cfg: the teacher's guidance scale.
        steps: the teacher's steps, of its family's own sampler and spacing.
        stops: the student's steps.
        spacing: of the student's steps.
    """

    cfg: float
    steps: int
    stops: int
    spacing: str


class Paths:
    """States (k + 1, c, h, w) of paths at the student's times, and their prompts' ``tokens``."""

    def __init__(self, parts: list[States], tokens: Tensor) -> None:
        self._parts, self.tokens = parts, tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def states(self, indices: NDArray[np.int64], stops: NDArray[np.int64]) -> States:
        """The states (n, c, h, w) of these paths, each at its stop."""
        pairs = zip(indices.tolist(), stops.tolist(), strict=True)
        return np.stack([self._parts[i // SHARD][i % SHARD, stop] for i, stop in pairs])


def stops_of(model: Model, walk: Walk) -> Tensor:
    """The student's times (k + 1,)."""
    return times(model.family.process, walk.stops, walk.spacing)


def teacher_paths(
    pictures: PictureSet,
    count: int,
    seed: int,
    model: Model,
    walk: Walk,
    bf16: bool,
    group: Group,
    progress: Callable[[str, int, int], None],
) -> Paths:
    """Paths for captions of a set, the missing ones worked out first, shared by the processes.

    Args:
        pictures: the set whose captions they are for, and in whose folder they are kept.
        count: how many paths.
        seed: which captions, and which noise.
        model: the teacher.
        walk: how it draws.
        bf16: whether under bfloat16 autocast.
        group: the processes.
        progress: called with what is being done, and how much of how much is done.

    Raises:
        InputError: the walk is impossible, or the folder cannot be written.
    """
    process, family = model.family.process, model.family
    stops = stops_of(model, walk)
    grid = through(times(process, walk.steps, family.spacing), stops)
    digest = _digest(model.digest, family.sampler, walk, seed, bf16)
    firsts = range(0, count, SHARD)
    files = [pictures.folder / f"paths-{digest}-{k:05d}.npy" for k in range(len(firsts))]
    mine = group.missing(files)
    for done, shard in enumerate(mine, 1):
        prompts = _prompts(pictures, seed, shard, model)
        shape = model.latent_channels, *[family.size // model.factor] * 2
        noise = _draw(seed, shard).normal("noise", *shape).to(group.device)
        with torch.no_grad(), autocast(group.device, bf16):
            denoise = guided(model, told(model, prompts), walk.cfg)
            x = process.sigma(stops[0]).to(noise) * noise
            states = path(denoise, x, grid, stops, process, SAMPLERS[family.sampler])
        write_array(files[shard], states.transpose(0, 1).half().cpu().numpy())
        if group.leads:
            progress("paths of the teacher", count * done // len(mine), count)
    group.wait()
    tokens = torch.cat([_prompts(pictures, seed, shard, model) for shard in range(len(files))])
    return Paths([np.load(file, mmap_mode="r") for file in files], tokens[:count])


def _prompts(pictures: PictureSet, seed: int, shard: int, model: Model) -> Tensor:
    """The tokens (SHARD, n) of a shard's prompts."""
    chosen = visits(subseed(seed, "paths"), len(pictures), shard * SHARD, SHARD)
    wordings = _draw(seed, shard).integers("wording", len(pictures.captions[0]))
    pairs = zip(chosen.tolist(), wordings.tolist(), strict=True)
    return model.encoders[0].windows([pictures.captions[k][wording] for k, wording in pairs])


def _draw(seed: int, shard: int) -> Draw:
    return Draw(subseed(seed, "paths"), shard, SHARD, slice(None), torch.device("cpu"))


def _digest(*about: object) -> str:
    return hashlib.sha256(repr(about).encode()).hexdigest()[:8]
