"""What is measured, and what a run that was stopped has of it."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mezzotint.files import made, write_whole

Rates = Mapping[str, Mapping[str, float]]
Works = Mapping[str, Mapping[str, float]]
"""FLOPs of a "step" and of "decode", each of "convolutions" and "products"."""


@dataclass(frozen=True)
class Ceilings:
    """What a machine does at best.

    Attributes:
        device: "cpu" or "cuda".
        name: of the GPU.
        threads: of the processor.
        rates: FLOP/s by dtype ("fp32", "bf16", "int8") of "products" and of "convolutions", 0 where
            it cannot.
        bandwidth: bytes that a large copy reads and writes in a second.
    """

    device: str
    name: str
    threads: int
    rates: Rates
    bandwidth: float

    def least(self, work: Mapping[str, float], dtype: str) -> float | None:
        """The seconds that this work takes at best; None where a rate is not known."""
        rates = self.rates.get(dtype, {})
        if not all(rates.get(kind) for kind, flops in work.items() if flops):
            return None
        return sum(flops / rates[kind] for kind, flops in work.items() if flops)

    def __or__(self, other: "Ceilings") -> "Ceilings":
        """The better of two measurements of one machine, figure by figure."""
        rates = {
            dtype: {kind: max(rate, other.rates[dtype][kind]) for kind, rate in kinds.items()}
            for dtype, kinds in self.rates.items()
        }
        bandwidth = max(self.bandwidth, other.bandwidth)
        return Ceilings(self.device, self.name, self.threads, rates, bandwidth)


@dataclass(frozen=True)
class Run:
    """A contestant's turn.

    Attributes:
        shape, contestant: what, and who.
        round: from 1 on; 0 is a turn of two steps that fills caches and counts for nothing.
        figures: seconds ("import", "load", "step", "picture", "decode"), bytes ("peak",
            "gpu_peak"), shares ("busy"), and decibels ("psnr"); whichever it has.
        error: why there are none.
    """

    shape: str
    contestant: str
    round: int
    figures: Mapping[str, float]
    error: str = ""


def medians(runs: Sequence[Run]) -> dict[str, float]:
    """The median of each figure over the turns that count."""
    counted = [run.figures for run in runs if run.round and not run.error]
    names = {name for figures in counted for name in figures}
    return {
        name: statistics.median(figures[name] for figures in counted if name in figures)
        for name in sorted(names)
    }


def kept(file: Path, settings: Mapping[str, Any]) -> list[Run]:
    """The turns of an earlier run with the same settings that was stopped; failed ones are not."""
    try:
        table = json.loads(file.read_text())
        if table["settings"] != settings:
            return []
        runs = [Run(**run) for run in table["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # there is none, or not one of ours: its place is taken
    return [run for run in runs if not run.error]


def keep(file: Path, settings: Mapping[str, Any], runs: Sequence[Run]) -> None:
    """Write down what was measured so far.

    Raises:
        InputError: the file cannot be written.
    """
    made(file.parent)
    table = {"settings": settings, "runs": [asdict(run) for run in runs]}
    write_whole(file, json.dumps(table, indent=1).encode())
