"""Which model verbs use, and how it is executed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typer import Option

from mezzotint.cli.savings import savings

if TYPE_CHECKING:
    from mezzotint.adapters.base import Adapter
    from mezzotint.adapters.lora import LoRAFile
    from mezzotint.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Running:
    """What can be said of a model, as `mz.load` is told it, and of what is attached to it."""

    PANEL: ClassVar = "Model"

    model: Annotated[
        str | None,
        Option(
            help="A folder or file of weights, a name in your models folders, a hub id, or a "
            "variant of the embedded model, such as storybook-unet.",
            show_default="the embedded storybook",
        ),
    ] = None
    part: Annotated[
        list[str] | None,
        Option(
            help="A further file, with an autoencoder or a text encoder, or a tokenizer's folder; "
            "may be repeated."
        ),
    ] = None
    lora: Annotated[
        list[str] | None,
        Option(help="A LoRA's file or name, and its scale: style or style:0.8; may be repeated."),
    ] = None
    saving: Annotated[
        list[str] | None,
        Option(
            metavar="NAME[:NUMBER]",
            help="Nearly the same picture, sooner: deepcache:3, first_block:0.1, "
            "token_merging:0.5; may be repeated (docs/savings.md).",
        ),
    ] = None
    dtype: Annotated[str, Option(help="What networks compute in: fp32, bf16 or fp16.")] = "fp32"
    low_memory: Annotated[
        bool,
        Option("--low-memory", help="Slower: networks in memory in turn, pictures in strips."),
    ] = False
    engine: Annotated[
        str, Option(help="What executes networks: auto, eager, compiled, … (docs/engines.md)")
    ] = "auto"

    def adapters(self) -> "list[Adapter]":
        """LoRAs and savings, to be attached.

        Raises:
            InputError: there is no such, it cannot be read, or takes no such number.
        """
        return [*map(lora_named, self.lora or []), *savings(self.saving or [])]

    def load(self) -> "Pipeline":
        """The model, ready to draw.

        Raises:
            InputError: there is no such, it is damaged, or it cannot run as asked.
        """
        import mezzotint as mz

        return mz.load(
            self.model,
            *(self.part or []),
            dtype=self.dtype,
            engine=self.engine,
            low_memory=self.low_memory,
        )


def lora_named(text: str) -> "LoRAFile":
    """The LoRA of NAME or NAME:SCALE.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    from mezzotint.adapters.lora import lora
    from mezzotint.checkpoints.find import find

    name, _, scale = text.rpartition(":")
    try:
        number = float(scale) if name else 1.0
    except ValueError:  # the colon is one of the path's
        name, number = text, 1.0
    return lora(find(name or text, "lora"), number)
