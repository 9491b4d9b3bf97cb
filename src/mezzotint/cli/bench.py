"""`mezzotint bench`: how quick this package's engines are here, beside whatever peers there are."""

import sys
from pathlib import Path
from typing import Annotated

from typer import Option

from mezzotint.cli.output import whole_number


def bench(
    shape: Annotated[
        str, Option(help="storybook, sd15, sdxl, flux or tiny, with commas between; or all.")
    ] = "sd15",
    steps: Annotated[
        int | None, Option(help="Of each picture.", show_default="20; 4 of sdxl and flux")
    ] = None,
    engines: Annotated[
        str,
        Option(help="This package's: NAME, NAME:fp32 or NAME+SAVING, with commas between; or all."),
    ] = "all",
    peers: Annotated[
        str,
        Option(
            help="diffusers, diffusers-compiled, openvino, optimum, sdcpp, any with :fp32; those "
            "that are not installed are named as such."
        ),
    ] = "diffusers:fp32,diffusers,openvino,optimum,sdcpp",
    peer_python: Annotated[
        str | None,
        Option(metavar="PYTHON", help="The Python that has the peers.", show_default="this one"),
    ] = None,
    sdcpp: Annotated[
        Path | None, Option(metavar="PROGRAM", help="stable-diffusion.cpp's sd-cli.")
    ] = None,
    rounds: Annotated[int, Option(help="How often each draws; medians are shown.")] = 3,
    out: Annotated[
        Path, Option("--out", "-o", help="The page, of which sections are replaced.")
    ] = Path("docs/benchmarks.md"),
) -> None:
    """Measure this package's engines and its peers in turn; what was stopped goes on."""
    whole_number("rounds", rounds, 1, 100)
    if steps is not None:
        whole_number("steps", steps, 2, 1000)

    from mezzotint.bench import contestants
    from mezzotint.bench.run import bench as run
    from mezzotint.bench.shapes import ALL
    from mezzotint.bench.stage import Settings
    from mezzotint.cli.progress import phase_bar

    names = ALL if shape == "all" else tuple(name.strip() for name in shape.split(","))
    asked = [*contestants.engines(engines), *contestants.peers(peers)]
    settings = Settings(names, asked, rounds, steps, peer_python or sys.executable, sdcpp)
    with phase_bar() as tick:
        run(settings, out, lambda line: print(line, file=sys.stderr, flush=True), tick)
    print(out)
