"""What a network remembers of a prompt from step to step, for as long as it is true.

Keys and values are of a prompt and of the weights that read it. So one rule keeps them: they are
used only while nothing is hooked into the network, which might change how a prompt is read (a live
LoRA) or want to see it (a ControlNet), and they are made anew once `state` says that a weight of
what reads prompts is another (a LoRA that is fused, or whose scale follows a schedule). Where that
forgets more than it must, nothing is lost but the saving.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypedDict, runtime_checkable

import torch
from torch import Tensor, nn

from mezzotint.engines.base import State, hooked, state
from mezzotint.nn.memory import Memory


@runtime_checkable
class Remembers(Protocol):
    """A network whose ``forward`` takes what its ``memory`` made of a prompt."""

    def memory(self, context: Tensor) -> Memory:
        """What is remembered of prompts (b, n, d)."""
        ...

    def readers(self) -> Sequence[nn.Module]:
        """What reads prompts: with no other weights is ``memory`` computed."""
        ...


class Recalled(TypedDict, total=False):
    """What a network is given by name: its memory, or nothing."""

    memory: Memory


def remembered(network: nn.Module, context: Tensor) -> Callable[[], Recalled]:
    """A function that gives what ``network`` remembers of ``context`` at the time of the call.

    It is nothing where the network has no memory, where something is hooked into it, and where
    gradients are kept, which would be of another step's graph.

    Args:
        network: whose weights may change from call to call, and what is hooked into it.
        context: encoded prompts (b, n, d).
    """
    if not isinstance(network, Remembers):
        return lambda: {}
    readers = network.readers()
    known: tuple[list[State], Memory] | None = None

    def recall() -> Recalled:
        nonlocal known
        if torch.is_grad_enabled() or hooked(network):
            return {}
        now = [state(each) for each in readers]
        if known is None or known[0] != now:
            known = now, network.memory(context)  # once a prompt: no engine would make up for it
        return {"memory": known[1]}

    return recall
