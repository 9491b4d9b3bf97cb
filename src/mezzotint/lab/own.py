"""A model of a drawing's own, so that nobody else who draws meanwhile sees what it attaches."""

from copy import deepcopy
from dataclasses import replace
from typing import TypeVar

from torch import nn

from mezzotint.checkpoints.find import offered
from mezzotint.pipeline.pipeline import Pipeline

Network = TypeVar("Network", bound=nn.Module)


def own_for(pipe: Pipeline, *prompts: str) -> Pipeline:
    """``pipe``, or one whose model is its own as far as drawing the prompts attaches something."""
    text = "\n".join(prompts)
    if "<" in text:  # a LoRA, for all that is known
        return own(pipe)
    return _reading(pipe) if any(word in text for word in offered("embedding")) else pipe


def own(pipe: Pipeline) -> Pipeline:
    """The same pipeline in networks of its own, whose weights are in the same memory.

    Adapters hook the modules of the network and of the text encoders, or put other tensors into
    them: the modules are copied, and no weight is until it is changed. The autoencoder, which no
    adapter reaches, stays as it is.
    """
    read = _reading(pipe)
    return replace(read, model=replace(read.model, network=_copied(pipe.model.network)))


def _reading(pipe: Pipeline) -> Pipeline:
    """The same with text encoders of its own: new words reach nothing else."""
    encoders = tuple(replace(each, network=_copied(each.network)) for each in pipe.model.encoders)
    model = replace(pipe.model, encoders=encoders)
    return replace(pipe, model=model, injected=list(pipe.injected))


def _copied(network: Network) -> Network:
    """Other modules and tensors over the same memory."""
    same: dict[int, object] = {id(each): each.detach() for each in network.buffers()}
    for each in network.parameters():
        same[id(each)] = nn.Parameter(each.detach(), each.requires_grad)
    return deepcopy(network, same)
