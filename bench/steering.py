"""Steering, editing and personalising: `python bench/steering.py --clip RUN`.

Writes steering.md, and pictures in steering/, into --out. It measures the controls that the model's
folder has, and says which it lacks; --control edges=FILE#edges measures another file's. Pictures
are kept in --work, so that what was stopped goes on; `--prompts 7 --holes 4 --edits 1 --settings 3`
is a dry run.

--list names what was made one's own from a few pictures, in TOML; files are looked for from its
folder. `character` is a kind of the world that the model was not trained on
(mezzotint.world.CHARACTERS), or `style` is one of its styles; `word` is what prompts say:

    [[adapter]]
    name = "llama by LoRA, with prior"
    method = "lora"            # or dreambooth, textual-inversion
    prior = true
    file = "runs/llama/export/lora.safetensors"
    word = "sks llama"
    character = "llama"
    kin = "sheep"              # of whose class it is, and how much of that is left
    minutes = 8.5

    [[adapter]]
    name = "oil by LoRA"
    method = "lora"
    prior = false
    file = "runs/oil/export/lora.safetensors"
    word = "sks style"
    style = "oil"

    [[stacked]]
    of = ["llama by LoRA, with prior", "oil by LoRA"]
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

import mezzotint as mz
from mezzotint.evals import judge
from mezzotint.evals.features import load_features
from mezzotint.evals.steering import depth
from mezzotint.evals.steering.findings import Section
from mezzotint.evals.steering.measure import Counts, Measurement, Tools, found
from mezzotint.evals.steering.personal import Listed, read_list
from mezzotint.evals.steering.report import page
from mezzotint.evals.steering.studio import Studio
from mezzotint.files import made, write_whole
from mezzotint.pipeline.load import EMBEDDED

TITLE = """\
# Steering

This page is written by `python bench/steering.py`, which measured every number in it, on scenes of
the [world](world.md) that no model was trained on: there the truth is known.

`{model}` ({digest}), {size} × {size}. Whether a picture shows what it is to show is said by the
[judge](evals.md), and how near things in it are by a network of its own (recipe `depth`); both were
trained apart from every generator. Beside each figure stand its 95 % interval, what *true
pictures* reach after the model's autoencoder, and what comes *by chance*: of conditions that were
mixed up, of pictures before the edit, or of prompts without the control. All with the
engine `eager`.
"""


def controls(text: str) -> tuple[str, str]:
    name, mark, file = text.partition("=")
    if not (mark and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE, such as edges=my.safetensors")
    return name, file


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--model", help="a folder of ours; the embedded model by default")
    options.add_argument(
        "--judge", type=Path, default=judge.EMBEDDED, help="what recipe judge exported"
    )
    options.add_argument("--clip", type=Path, help="a CLIP run, or a model; the model by default")
    options.add_argument("--depth", type=Path, help="what recipe depth exported")
    options.add_argument("--control", type=controls, action="append", default=[])
    options.add_argument("--list", type=Path, help="what was made one's own; see above")
    options.add_argument("--prompts", type=int, default=105)
    options.add_argument("--holes", type=int, default=100)
    options.add_argument("--edits", type=int, default=30, help="of each kind of change")
    options.add_argument("--settings", type=int, default=30, help="for each adapter of the list")
    options.add_argument("--steps", type=int)
    options.add_argument("--cfg", type=float)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--work", type=Path, default=Path("runs/steering"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    return options.parse_args()


def tick(what: str, count: int) -> None:
    if count % 20 == 0:
        print(f"{count} pictures, the last one {what}", file=sys.stderr, flush=True)


def told(sections: Iterator[Section]) -> Iterator[Section]:
    """Say each section's figures as soon as they are there."""
    for section in sections:
        print(f"{section.name}: {section.note}", file=sys.stderr)
        for finding in section.findings:
            what, figure, *others = finding.cells
            print(f"  {what:<46}{figure:<28}{' | '.join(others)}", file=sys.stderr, flush=True)
        yield section


def measure(args: argparse.Namespace) -> str:
    folder = Path(args.model) if args.model else next(iter(EMBEDDED.values()))
    parts = found(folder, dict(args.control))
    listed = read_list(args.list) if args.list else Listed((), ())
    tools = Tools(
        judge=judge.load(args.judge),
        features=load_features(args.clip or folder),
        eye=depth.load(args.depth) if args.depth else None,
    )
    drawing = {"steps": args.steps, "cfg": args.cfg}
    how = {name: value for name, value in drawing.items() if value is not None}
    pictures = args.work / "pictures"

    def studio(source: str | None) -> Studio:
        return Studio(mz.load(source, engine="eager"), pictures, how, tick)

    instructed = studio(parts["instruct"].name) if "instruct" in parts else None
    counts = Counts(args.prompts, args.holes, args.edits, args.settings)
    measurement = Measurement(studio(args.model), instructed, tools, parts, counts)
    common = [*told(measurement.controls())]
    own = [*told(map(measurement.personal, listed.adapters))]
    common += told(map(measurement.stack, listed.stacked))
    model = measurement.studio.pipe
    title = TITLE.format(
        model=model.source, digest=model.model.digest, size=model.model.family.size
    )
    return page(title, common, own, args.out / "steering")


def main() -> None:
    args = parsed()
    torch.set_num_threads(args.threads)
    try:
        text = measure(args)
        write_whole(made(args.out) / "steering.md", text.encode())
    except mz.InputError as error:
        sys.exit(f"Error: {error}")
    print(args.out / "steering.md")


if __name__ == "__main__":
    main()
