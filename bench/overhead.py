"""What samplers and guidance cost beside the network: `python bench/overhead.py`.

The network answers at once, so that all the time there is is ours. Prints a table and writes it
into docs/benchmarks.md.
"""

import os
import time
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from mezzotint.bench.page import machine, write
from mezzotint.diffusion import Denoiser, times
from mezzotint.diffusion.noise import seeded
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.families.base import Conditioning, Model
from mezzotint.families.stable_diffusion import SD1
from mezzotint.pipeline.conditioning import Told
from mezzotint.pipeline.guided import Asked, guided

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
STEPS, RUNS = 20, 15
REACH = 1.0  # ms a step
GRID = times(SD1.process, STEPS, "karras")


class Free(nn.Module):
    """A network that costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, *_: Tensor | None) -> Tensor:
        """x as it is."""
        return x


def denoiser() -> Denoiser:
    """As a pipeline has it: two prompts in a batch, Stable Diffusion's process, guidance."""
    mean, std = torch.zeros(1, 4, 1, 1), torch.ones(1, 4, 1, 1)
    model = Model(SD1, Free(), cast("Any", None), (), mean, std, {}, "")
    told = Told(1.0, ((STEPS, Conditioning(torch.zeros(1, 77, 768), None)),))
    return guided(model, Asked([told], told, 5.0, None, None, 1.0), GRID, lambda _: None)


@torch.no_grad()
def overhead(sampler: str, denoise: Denoiser) -> float:
    """Milliseconds a step, the best of some runs: what else the machine does only adds to it."""
    best = float("inf")
    for _ in range(RUNS):
        x, rng = torch.randn(1, 4, 64, 64), seeded([0])
        start = time.perf_counter()
        for _ in SAMPLERS[sampler](denoise, x, GRID, SD1.process, rng):
            pass
        best = min(best, time.perf_counter() - start)
    return 1e3 * best / STEPS


def section() -> str:
    """The figures as Markdown."""
    load, known = os.getloadavg()[0], torch.zeros(1, 4, 64, 64)
    rows: list[str] = []
    for name in SAMPLERS:
        alone = overhead(name, lambda x, t: known)
        rows.append(f"| `{name}` | {alone:.2f} ms | {overhead(name, denoiser()):.2f} ms |")
    return (
        "## A sampler's own time\n\n"
        f"| a step of 64 × 64 × 4 latents | the sampler, ≤ {REACH:g} ms | with guidance |\n"
        "|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"The best of {RUNS} runs of {STEPS} steps, their beginning included, around a network "
        "that answers at once; the last column has all that a pipeline puts between the two for "
        f"two prompts. On {machine()}, torch {torch.__version__} with {torch.get_num_threads()} "
        f"threads; the load average was {load:.1f} when it began. Made by `python "
        "bench/overhead.py`.\n"
    )


if __name__ == "__main__":
    figures = section()
    print(figures)
    write(REPORT, figures)
