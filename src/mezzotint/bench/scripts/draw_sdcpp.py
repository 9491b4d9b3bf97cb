"""Draw with stable-diffusion.cpp's command line, which tells its times in its log."""

# pyright: reportMissingImports=false

import re
import resource
import subprocess
import sys

from stopwatch import Stopwatch, peak

TAKEN = r"{}.* taking\s+([\d.]+)\s*(m?s)"


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    command = [told["binary"], "-m", told["model"], "-p", told["prompt"], "-o", told["picture"]]
    command += ["-W", str(told["size"]), "-H", str(told["size"]), "--steps", str(told["steps"])]
    command += ["--cfg-scale", str(told["scale"]), "--sampling-method", "euler"]
    command += ["-t", str(told["threads"]), "-s", str(told["seed"]), "--diffusion-fa", "-v"]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ran.returncode:
        sys.exit((ran.stdout.strip().splitlines() or ["no word of why"])[-1])
    watch.drawn()
    watch.report(
        step=taken("sampling completed", ran.stdout) / told["steps"],
        decode=taken("decode_first_stage completed", ran.stdout),
        peak=peak(resource.RUSAGE_CHILDREN),
    )


def taken(what: str, log: str) -> float:
    """The seconds that a line of the log tells."""
    found = re.search(TAKEN.format(what), log)
    if found is None:
        sys.exit(f"its log tells nothing of {what!r}")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


if __name__ == "__main__":
    main()
