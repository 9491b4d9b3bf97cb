"""Attention watched, and lent from one picture to another, while a network is in use."""

from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn


class Watch:
    """What was seen of a network's attention to its prompt; made by ``watched``."""

    def take(self) -> Tensor:
        """Maps (b, tokens, h, w): how much each place attends to each token of the prompt.

        They are means over heads, layers and all calls of the network since the last ``take``, so
        that asking after each step gives that step's, and asking once at the end all steps'. Layers
        are brought to the finest's resolution. b counts the rows of a batch that are of no negative
        prompt (see ``negative_rows``). Where attention is to the prompt alone they sum to 1 over
        the tokens; in joint attention the image takes the rest.

        Raises:
            ValueError: there was no call, or prompts of several lengths.
        """
        raise NotImplementedError


@contextmanager
def watched(network: nn.Module) -> Generator[Watch]:
    """Record how the places of a picture attend to the prompt, within the block.

    No bit of what the network predicts changes.

    Raises:
        InputError: the network does not attend to a prompt.
    """
    raise NotImplementedError
    yield Watch()
