"""The four kinds side by side: of equal size, trained for equal compute, measured alike.

Compute is counted in floating-point operations of convolutions and matrix products, forwards and
backwards, not in minutes: minutes depend on what else the machine does and on which kernels it has
for which shapes, and a run of so many minutes is not the same run twice. A budget of operations
makes the number of steps a fact of the network, so every run can be repeated and resumed.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mezzotint.diffusion import seeded
from mezzotint.errors import InputError
from mezzotint.models.unet import UNetParams
from mezzotint.training.draw import Draw
from mezzotint.training.taxonomy.decoder import DecoderParams
from mezzotint.training.taxonomy.diffusion import Diffusion
from mezzotint.training.taxonomy.flow import Flow, FlowParams
from mezzotint.training.taxonomy.gan import GAN
from mezzotint.training.taxonomy.kind import Kind, Shape
from mezzotint.training.taxonomy.vae import VAE

DECODER = DecoderParams(z=128, channels=(128, 128, 64), blocks=2, groups=4)
FLOW = FlowParams(patches=8, passes=6, depth=4, width=128, heads=2)
EVALUATIONS = 20  # of the denoiser


def _unet(shape: Shape) -> UNetParams:
    return UNetParams(
        channels_in=shape.channels,
        channels_out=shape.channels,
        channels=(64, 80, 112),
        blocks=1,
        depths=(0, 0, 1),
        mid_depth=1,
        heads=(1, 2, 2),
        context_width=shape.told,
        y_width=shape.told,
        groups=4,
        guided=False,
    )


KINDS: dict[str, Callable[[Shape], Kind]] = {
    "gan": lambda shape: GAN(shape, DECODER),
    "vae": lambda shape: VAE(shape, DECODER),
    "flow": lambda shape: Flow(shape, FLOW),
    "diffusion": lambda shape: Diffusion(shape, _unet(shape), EVALUATIONS),
}


@dataclass(frozen=True)
class Cost:
    """What a kind costs.

    Attributes:
        generator: numbers that are learnt and kept.
        beside: numbers that are learnt for the training only.
        training: operations of training on one latent, all players' turns together.
        drawing: operations of drawing one latent.
        evaluations: calls of a network, one after the other, that drawing takes.
    """

    generator: int
    beside: int
    training: int
    drawing: int
    evaluations: int


def cost(kind: Kind) -> Cost:
    """Count parameters and floating-point operations, a multiplication and an addition each."""
    shape, n = kind.shape, 2
    x = torch.zeros(n, shape.channels, shape.side, shape.side)
    told, draw = torch.zeros(n, shape.told), Draw(0, 0, n, slice(None), torch.device("cpu"))
    with FlopCounterMode(display=False) as training:
        for player, network in kind.players.items():
            loss = kind.loss(player, x, told, draw)
            loss.backward(inputs=list(network.parameters()))
    with torch.no_grad(), FlopCounterMode(display=False) as drawing:
        kind.sample(told, seeded(range(n)))
    kept = _count(kind.generator)
    return Cost(
        generator=kept,
        beside=sum(map(_count, kind.players.values())) - kept,
        training=training.get_total_flops() // n,
        drawing=drawing.get_total_flops() // n,
        evaluations=kind.evaluations,
    )


def steps_for(budget: float, cost: Cost, batch: int) -> int:
    """The steps that a budget of training operations pays for.

    Raises:
        InputError: it does not pay for one.
    """
    steps = int(budget / (cost.training * batch))
    if steps < 1:
        raise InputError(
            f"a budget of {budget:g} operations: a step takes {cost.training * batch:.2g}, "
            "so give more"
        )
    return steps


@torch.no_grad()
def draw_latents(kind: Kind, told: Tensor, seeds: Sequence[int], batch: int) -> Tensor:
    """Latents (n, c, h, w), one a row of ``told`` (n, told) and seed, whatever the batch."""
    parts = [
        kind.sample(told[k : k + batch], seeded(seeds[k : k + batch]))
        for k in range(0, len(seeds), batch)
    ]
    return torch.cat(parts)


@torch.no_grad()
def mean_bits(kind: Kind, x: Tensor, told: Tensor, seed: int, batch: int) -> float | None:
    """Bits a dimension of latents (n, c, h, w), the mean; None of what has no likelihood."""
    found: list[Tensor] = []
    for step, k in enumerate(range(0, len(x), batch)):
        rows, asked = x[k : k + batch], told[k : k + batch]
        bits = kind.bits(rows, asked, Draw(seed, step, len(rows), slice(None), x.device))
        if bits is None:
            return None
        found.append(bits)
    return torch.cat(found).mean().item()


@torch.no_grad()
def seconds_a_picture(kind: Kind, told: Tensor, repeats: int = 5) -> float:
    """Median seconds to draw one latent for ``told`` (1, told), after a first one to warm up."""
    spans: list[float] = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        kind.sample(told, seeded([0])).sum().item()
        spans.append(time.perf_counter() - begun)
    return statistics.median(spans[1:])


def minutes(folder: Path, batch: int) -> float:
    """Minutes that a run in a folder trained, by its log."""
    total, before = 0.0, 0
    for line in (folder / "log.jsonl").read_text().splitlines():
        row = json.loads(line)
        total += (row["step"] - before) * batch / row["samples_per_s"] / 60
        before = row["step"]
    return total


def _count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())
