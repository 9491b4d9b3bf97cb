"""`mezzotint lora`: LoRAs into models, out of models, and of each other."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

app = typer.Typer(help="LoRAs into models, out of models, and of each other.", no_args_is_help=True)

LoRAs = Annotated[
    list[str], Option("--lora", help="A file or name, and its scale: fox:0.8; may be repeated.")
]
Rank = Annotated[int | None, Option(help="At most this for each layer.")]
Energy = Annotated[float, Option(help="Share of each layer's change to keep, in squares.")]
Form = Annotated[str, Option(help="Whose keys it gets: kohya or peft.")]


@app.command()
def merge(
    model: Annotated[str, Argument(help="A model's folder or file, or its name.")],
    out: Annotated[Path, Argument(help="A new folder, or NAME.safetensors for a file.")],
    loras: LoRAs,
) -> None:
    """Write a model with LoRAs in its weights."""
    from mezzotint.adapters.merge import merged
    from mezzotint.adapters.merge_files import write_merged
    from mezzotint.cli.running import lora_named
    from mezzotint.errors import InputError
    from mezzotint.families.storybook import LORAS
    from mezzotint.pipeline.load import load, named

    source, variant = named(model)
    if variant in LORAS:  # its weights are not in the file that would be written
        base = model[: -len(variant) - 1]
        raise InputError(f"{model}: {variant!r} is a LoRA on top of the model: merge into {base}")
    parts = load(model).model.parts
    write_merged(source, out, parts, merged([lora_named(each) for each in loras], parts))
    print(out)


@app.command()
def extract(
    tuned: Annotated[str, Argument(help="The model that was trained, or its name.")],
    base: Annotated[str, Argument(help="The model that it was trained from.")],
    out: Annotated[Path, Argument(help="NAME.safetensors.")],
    rank: Rank = 16,
    energy: Energy = 1.0,
    form: Form = "kohya",
) -> None:
    """Write the LoRA that is nearest to the difference of two models."""
    from mezzotint.adapters.merge import extracted
    from mezzotint.adapters.save import FORMS, save_lora
    from mezzotint.errors import choose
    from mezzotint.pipeline.load import load

    choose("form", form, FORMS)
    parts = load(tuned).model.parts
    save_lora(out, extracted(parts, load(base).model.parts, rank, energy), parts, FORMS[form])
    print(out)


@app.command("sum")
def add(
    out: Annotated[Path, Argument(help="NAME.safetensors.")],
    loras: LoRAs,
    model: Annotated[str | None, Option(help="What they are for.")] = None,
    rank: Rank = None,
    energy: Energy = 1.0,
    form: Form = "kohya",
) -> None:
    """Write one LoRA that does what several do, or the nearest to it of a smaller rank."""
    from mezzotint.adapters.merge import narrowed, summed
    from mezzotint.adapters.save import FORMS, save_lora
    from mezzotint.cli.running import lora_named
    from mezzotint.errors import choose
    from mezzotint.pipeline.load import load

    choose("form", form, FORMS)
    parts = load(model).model.parts
    files = [lora_named(each) for each in loras]
    pairs = [(file.changes(parts)[0], float(file.scale)) for file in files]  # pyright: ignore
    whole = summed(pairs)
    limited = rank is not None or energy < 1
    save_lora(out, narrowed(whole, rank, energy) if limited else whole, parts, FORMS[form])
    print(out)
