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
    ours = keys.to_ours(tensors, network.state_dict(), source)
    network.load_state_dict(ours, assign=True)
    return network.requires_grad_(False).eval()
