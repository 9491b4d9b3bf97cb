"""How long a bare clone takes to its first picture and through its tests: `python bench/clone.py`.

Clones the last commit and runs `make demo` there, then draws and runs `make test` where no socket
but loopback's leads anywhere (a network namespace: Linux, `unshare` and `ip`). Prints a table and
writes it into docs/benchmarks.md. TORCH_INDEX is passed on to `make`.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from speed import PROMPT, REPORT

from mezzotint.bench.page import machine, write

ROOT = Path(__file__).parents[1]
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of a command, which has to succeed."""
    start = time.perf_counter()
    ran = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if ran.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ran.stdout.decode()[-4000:]}")
    return time.perf_counter() - start


def section() -> str:
    """The figures as Markdown."""
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place) / "mezzotint"
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, clone], check=True)
        demo = seconds(["env", "PIP_NO_CACHE_DIR=1", "make", "demo"], clone)
        # what a machine without a network has to have before: packages, the art, pyright's own code
        for command in ("make .venv/.tests", ".venv/bin/mezzotint world", ".venv/bin/pyright -h"):
            seconds(command.split(), clone)
        draw = seconds([*ALONE, ".venv/bin/mezzotint", "generate", PROMPT], clone)
        tests = seconds([*ALONE, "make", "test"], clone)
    index = os.environ.get("TORCH_INDEX", "PyPI")
    return (
        "## A bare clone\n\n"
        "| | measured | to reach |\n|---|---|---|\n"
        f"| `make demo`, torch from {index} | {demo / 60:.1f} min | ≤ 3 min |\n"
        f"| `make test` with every socket but loopback blocked | {tests / 60:.1f} min, passed "
        "| ≤ 10 min |\n"
        f"| `mezzotint generate` likewise | {draw:.1f} s, passed | passes |\n\n"
        f"On {machine()}; the load average was {os.getloadavg()[0]:.1f} when it ended. "
        "Made by `python bench/clone.py`.\n"
    )


if __name__ == "__main__":
    figures = section()
    print(figures)
    write(REPORT, figures)
