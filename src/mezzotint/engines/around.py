"""What stands around a network rather than within it, and what it stands around.

A ControlNet changes what a U-Net is given, DeepCache answers in its place. Neither is told to a
graph or to compiled code, and neither needs to be: they run as PyTorch does it, and what the
network itself computes is the engine's. What works within a network, such as a live LoRA, has no
such border.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from mezzotint.engines.base import Engine, eager, hooked_whole

Answer = Callable[..., Any]
"""(forward, *inputs) → what the module is to make of its inputs; ``forward`` is what it did."""


class _Around:
    """A module's forward pass with answers around it, the latest outermost.

    A hook that does nothing tells engines that something is at work here.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.own = module.forward
        self.answers: list[Answer] = []
        self.engine: Engine = eager
        self.hook = module.register_forward_pre_hook(_nothing)
        module.forward = self

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        forward = partial(self.engine, self.own)
        for answer in self.answers:
            forward = partial(answer, forward)
        return forward(*inputs, **named)

    def end_if_idle(self) -> None:
        if not self.answers and self.engine is eager:
            del self.module.forward
            self.hook.remove()


def _nothing(_: nn.Module, __: object) -> None:
    pass


def _placed(module: nn.Module) -> _Around:
    there = module.__dict__.get("forward")
    return there if isinstance(there, _Around) else _Around(module)


def around(module: nn.Module, answer: Answer) -> Callable[[], None]:
    """Let ``answer`` answer in the place of a module; what is returned ends it, in any order.

    Hooks see what is answered, and neither weights nor their names change.
    """
    place = _placed(module)
    place.answers.append(answer)

    def end() -> None:
        if answer in place.answers:
            place.answers.remove(answer)
            place.end_if_idle()

    return end


def engine_at(module: nn.Module) -> Engine:
    """What executes a module now: for hooks and answers that have something to be computed."""
    there = module.__dict__.get("forward")
    return there.engine if isinstance(there, _Around) else eager


def outside(engine: Engine) -> Engine:
    """The engine, but that whatever is hooked into a network as a whole is executed around it."""

    def execute(run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
        if not isinstance(run, nn.Module):
            return engine(run, *inputs, **named)
        if not hooked_whole(run):
            return engine(run.forward, *inputs, **named)
        place = _placed(run)
        place.engine = engine
        try:
            return run(*inputs, **named)
        finally:
            place.engine = eager
            place.end_if_idle()

    return execute
