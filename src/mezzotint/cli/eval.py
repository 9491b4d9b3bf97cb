"""`mezzotint eval`: how good a model is, in figures."""

from pathlib import Path
from typing import Annotated

from typer import Option

from mezzotint.cli import options
from mezzotint.cli.flags import flags
from mezzotint.cli.output import whole_number
from mezzotint.cli.running import Running


@flags
def evaluate(
    judge: Annotated[
        Path | None,
        Option(
            help="The judge's weights: who says whether a prompt was followed.",
            show_default="the package's",
        ),
    ] = None,
    clip: Annotated[
        Path | None,
        Option(help="A CLIP run's folder, or a model's with both towers.", show_default="embedded"),
    ] = None,
    features: Annotated[
        Path | None,
        Option(
            help="What pictures are compared in: a CLIP of anyone's, or Inception's weights.",
            show_default="the image tower of --clip",
        ),
    ] = None,
    what: Annotated[
        str, Option(help="Some of these, with commas between.")
    ] = "accuracy,fidelity,clip,diversity",
    prompts: Annotated[
        int, Option(help="Prompts for the judge, and captions of held-out scenes for the rest.")
    ] = 600,
    images: Annotated[
        int, Option(help="Pictures of each prompt, for the judge and for diversity.")
    ] = 4,
    scenes: Annotated[int, Option(help="Training scenes to compare with.")] = 2000,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    sampler: options.Sampler = None,
    spacing: options.Spacing = None,
    threads: Annotated[
        int | None, Option(help="Of the processor, at most.", show_default="all")
    ] = None,
    out: Annotated[
        Path, Option("--out", "-o", help="A folder: pictures are kept there, and found again.")
    ] = Path("eval"),
    *,
    running: Running,
) -> None:
    """Measure a model; what was stopped goes on when it is started again."""
    whole_number("prompts", prompts, 14, 100_000)
    whole_number("images", images, 1, 1000)
    whole_number("scenes", scenes, 4, 1_000_000)
    if threads is not None:
        whole_number("threads", threads, 1, 1024)

    import torch

    from mezzotint.cli.progress import phase_bar
    from mezzotint.evals import run
    from mezzotint.evals.report import table

    settings = run.Settings(
        what=run.asked(what),
        prompts=prompts,
        images=images,
        training=scenes,
        drawing={"steps": steps, "cfg": cfg, "sampler": sampler, "spacing": spacing},
    )
    instruments = run.instruments(settings, judge, clip, features)
    if threads is not None:
        torch.set_num_threads(threads)
    worn, pipe = running.adapters(), running.load()
    with pipe.attached(*worn), phase_bar() as tick:
        found = run.evaluate(pipe, settings, instruments, out, tick)
    print(table(found))
    print(out / "report.json")
