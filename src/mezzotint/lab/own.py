"""A model of a drawing's own, so that nobody else who draws meanwhile sees what it attaches."""

from copy import deepcopy
from dataclasses import replace
from typing import TypeVar

from torch import nn

from mezzotint.checkpoints.find import offered
from mezzotint.pipeline.pipeline import Pipeline

Network = TypeVar("Network", bound=nn.Module)


def own_for(pipe: Pipeline, *prompts: str) -> Pipeline:
    """``own`` where drawing the prompts attaches something to the model, and else ``pipe``."""
    return own(pipe) if attaching("\n".join(prompts)) else pipe


def own(pipe: Pipeline) -> Pipeline:
    """The same pipeline in networks of its own, whose weights are in the same memory.

    Adapters hook the modules of the network and of the text encoders, or put other tensors into
    them: the modules are copied, and no weight is until it is changed. The autoencoder, which no
    adapter reaches, stays as it is.
    """
    model = pipe.model
    encoders = tuple(replace(each, network=_copied(each.network)) for each in model.encoders)
    copied = replace(model, network=_copied(model.network), encoders=encoders)
    return Pipeline(copied, pipe.source, list(pipe.injected))


def attaching(prompt: str) -> bool:
    """Whether drawing a prompt attaches something to the model for as long as it takes."""
    return "<" in prompt or any(word in prompt for word in offered("embedding"))


def _copied(network: Network) -> Network:
    """Other modules and tensors over the same memory."""
    same: dict[int, object] = {id(each): each.detach() for each in network.buffers()}
    for each in network.parameters():
        same[id(each)] = nn.Parameter(each.detach(), each.requires_grad)
    return deepcopy(network, same)
