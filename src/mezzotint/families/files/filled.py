"""A network with the weights of a file."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.nn.init import unfilled

Net = TypeVar("Net", bound=nn.Module)


def filled(
    make: Callable[[], Net], keys: KeyMap, tensors: Mapping[str, Tensor], source: str
) -> Net:
    """A network with the weights of a file, which become its parameters and are not copied.

    Args:
        make: the network, without values.
        keys: what the file calls its tensors.
        tensors: the file's.
        source: what it is called in an error.

    Raises:
        InputError: a tensor is missing, unexpected or mis-shaped.
    """
    with unfilled():
        network = make()
    modules = dict(network.named_modules())
    # all of them, and of their shapes: ``to_ours`` has seen to that
    for name, tensor in keys.to_ours(tensors, network.state_dict(), source).items():
        home, _, leaf = name.rpartition(".")
        learned = isinstance(getattr(modules[home], leaf), nn.Parameter)
        filling = nn.Parameter(tensor, requires_grad=False) if learned else tensor
        setattr(modules[home], leaf, filling)
    return network.eval()
