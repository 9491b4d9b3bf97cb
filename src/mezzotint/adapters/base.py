"""What an adapter is: something that is put into a model's networks and taken out again."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from mezzotint.families.base import Part

Told = tuple[str, str]
"""How a recipe tells of an adapter: what it is, and which, how strong.

Of a "lora" and a "saving" the second is what that option of `mezzotint generate` is given.
"""
OWN: Told = ("adapter", "of one's own")
_SHOWN = 3


def _nothing(_: object) -> None:
    pass


class Run:
    """One run of a sampler over one picture; what an adapter remembers of it is kept by this."""


@dataclass(frozen=True)
class Report:
    """Which layers of an adapter's file found their place; its ``str`` is one line.

    Attributes:
        source: what the file is called.
        matched: layers, by the file's names, that are in use.
        unmatched: layers that the model does not have or that stand there twice, and keys of no
            known kind.
        misshaped: layers of other sizes than the model's, or whose tensors do not go together.
    """

    source: str
    matched: tuple[str, ...]
    unmatched: tuple[str, ...] = ()
    misshaped: tuple[str, ...] = ()

    def __str__(self) -> str:
        faults = {"unmatched": self.unmatched, "mis-shaped": self.misshaped}
        listed = [
            f"{len(names)} {kind} ({_first(names)})" for kind, names in faults.items() if names
        ]
        return f"{self.source}: {', '.join([f'{len(self.matched)} layers matched', *listed])}"


@dataclass(frozen=True)
class Injected:
    """An adapter in its place.

    Attributes:
        eject: takes it out; every bit is as before, whatever else was put in or taken out since.
            A second call does nothing.
        at: tells it how much of the sampling is done, 0…1, before the network is asked.
        report: what of its file is in use, None where there is no file.
        run: tells it for which run that is, before ``at``. Pictures of a batch are drawn in turn,
            a step of each, and each in a run of its own.
        told: what the recipes of pictures say of it.
        mapped: whether it says what is where in the whole of a picture.
        contents: what stands for what it holds, where ``told`` is only what that is called.
    """

    eject: Callable[[], None]
    at: Callable[[float], None] = _nothing
    report: Report | None = None
    run: Callable[[Run], None] = _nothing
    told: Told = OWN
    mapped: bool = False
    contents: Callable[[], str] = str


class Adapter(Protocol):
    """LoRA, textual inversion, or anything else that changes what networks do."""

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        """Put it into the networks.

        Raises:
            InputError: it does not fit; the networks are as before.
        """
        ...


@contextmanager
def attached(parts: Mapping[str, Part], adapters: Sequence[Adapter]) -> Generator[list[Injected]]:
    """Inject the adapters in their order, and eject all of them at the block's end."""
    with ExitStack() as stack:
        injected: list[Injected] = []
        for adapter in adapters:
            injected.append(adapter.inject(parts))
            stack.callback(injected[-1].eject)
        yield injected


def _first(names: Sequence[str]) -> str:
    rest = ", …" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest
