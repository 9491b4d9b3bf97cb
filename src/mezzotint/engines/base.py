"""What an engine is: a way of executing networks.

An engine is handed a network, or a method of one, with its inputs, and gives what it makes of them.
So it sees only tensors, and who calls it does not see how they are computed. Whatever an engine
makes of a network beforehand (a graph, compiled code) is of the weights as they are: `state` tells
whether they still are, and `hooked` whether an adapter works in what is run by hooks, which no
graph knows.
"""

# pyright: reportPrivateUsage=false
# Torch has no public way to ask for a tensor's version and for a module's hooks.

from collections.abc import Callable, Iterator
from typing import ParamSpec, Protocol, TypeVar

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

P = ParamSpec("P")
R = TypeVar("R")

State = tuple[tuple[int, StorageWeakRef, int, int], ...]


class Engine(Protocol):
    """A way of executing networks."""

    def __call__(self, run: Callable[P, R], /, *inputs: P.args, **named: P.kwargs) -> R:
        """What ``run``, a network or a bound method of one, makes of the inputs."""
        ...


def eager(run: Callable[P, R], /, *inputs: P.args, **named: P.kwargs) -> R:
    """Execute a network as PyTorch does: operation by operation, whatever is hooked into it."""
    return run(*inputs, **named)


def owner(run: Callable[..., object]) -> nn.Module | None:
    """The network that ``run`` is, or is a method of."""
    if isinstance(run, nn.Module):
        return run
    found = getattr(run, "__self__", None)
    return found if isinstance(found, nn.Module) else None


def state(network: nn.Module) -> State:
    """Something that is another once a weight is changed, in place or by being put elsewhere.

    It is of this network in this process; to read no weight takes it a microsecond each. What
    holds it holds no weight, and yet no later one can be taken for one that it knew: a place in
    memory may be another tensor's by then, a storage's weak reference never is. What is written in
    place to a weight's ``.data``, or to a weight that was made in inference mode, is not seen.
    """
    return tuple(
        (id(each), StorageWeakRef(each.untyped_storage()), each.data_ptr(), _version(each))
        for module in _modules(network)
        for each in (*module._parameters.values(), *module._buffers.values())
        if each is not None
    )


def _version(tensor: Tensor) -> int:
    """Another one after each change in place, of which inference mode keeps no count."""
    return 0 if tensor.is_inference() else tensor._version


def hooked(run: Callable[..., object]) -> bool:
    """Whether anything is hooked into what is run: a live LoRA, a ControlNet, an observer.

    Hooks of a network as a whole count where it is called, not where a method of it is.
    """
    network = owner(run)
    if network is None:
        return False
    if network is run and hooked_whole(network):
        return True
    return any(hooked_whole(each) for each in _modules(network) if each is not network)


def hooked_whole(module: nn.Module) -> bool:
    """Whether anything is hooked into a module's forward pass, rather than into a part."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _modules(network: nn.Module) -> Iterator[nn.Module]:
    """All modules, several times as quick as torch's own iterator: it is asked at every step."""
    left: list[nn.Module | None] = [network]
    while left:
        if (module := left.pop()) is not None:
            yield module
            left.extend(module._modules.values())
