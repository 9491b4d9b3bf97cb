"""How quick the command line and the embedded model are here: `python bench/speed.py`.

Prints a table and writes it into docs/benchmarks.md. Every figure is taken in a fresh process.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mezzotint.bench.page import machine, write

PROMPT = "a fox in the snow at night"
MAIN = [sys.executable, "-c", "from mezzotint.cli import main; main()"]
DRAW = ["generate", PROMPT, "--seed", "7", "--engine", "eager", "-o", "fox.png"]
REPORT = Path(__file__).parents[1] / "docs" / "benchmarks.md"

WARM = f"""
import json, resource, sys, time
import mezzotint as mz

pipe = mz.load(device="cpu", engine="eager")
import torch

times = []
for seed in range(6):
    start = time.perf_counter()
    pipe.generate({PROMPT!r}, seed=seed, steps=20)
    times.append(time.perf_counter() - start)
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
print(json.dumps([torch.__version__, torch.get_num_threads(), times[1:], peak]))
"""


def seconds(command: list[str], times: int) -> float:
    """Median wall time of a command, after one run that warms the disk."""
    spent: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(times + 1):
            start = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            spent.append(time.perf_counter() - start)
    return statistics.median(spent[1:])


def section() -> str:
    """The figures as Markdown."""
    load = os.getloadavg()[0]
    helped = seconds([*MAIN, "--help"], 5)
    cold = seconds([*MAIN, *DRAW], 3)
    child = subprocess.run([sys.executable, "-c", WARM], check=True, capture_output=True, text=True)
    torch, threads, warm, peak = json.loads(child.stdout)
    rows = [
        ("`mezzotint --help`", f"{helped:.2f} s", "0.3 s"),
        ("`mezzotint generate`, cold start to PNG", f"{cold:.1f} s", "4 s"),
        ("a warm picture, 20 steps with guidance", f"{statistics.median(warm):.2f} s", "1 s"),
        ("peak memory of drawing it (RSS)", f"{peak:.0f} MB", "700 MB"),
    ]
    table = "\n".join(f"| {what} | {figure} | ≤ {reach} |" for what, figure, reach in rows)
    return (
        "## Drawing on a CPU\n\n"
        f"| | measured | to reach |\n|---|---|---|\n{table}\n\n"
        f"Medians with the engine `eager`, on {machine()}, torch {torch} with {threads} threads; "
        f"the load average was {load:.1f} when it began. Made by `python bench/speed.py`.\n"
    )


if __name__ == "__main__":
    figures = section()
    print(figures)
    write(REPORT, figures)
