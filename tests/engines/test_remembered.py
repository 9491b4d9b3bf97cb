"""What is remembered of a prompt is made once, changes no bit, and is forgotten in time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest
import torch
from oracles import randomised
from storybooks import tiny_storybook
from torch import Tensor

from mezzotint.adapters import lora
from mezzotint.adapters.attention import watched
from mezzotint.adapters.base import Injected
from mezzotint.adapters.deltas import Full
from mezzotint.engines import remembered
from mezzotint.families.base import Part
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.pipeline.pipeline import Pipeline

FOX = "a fox in the snow at night"
ASKED = {"seed": 7, "steps": 4, "sampler": "heun"}  # which asks twice at a time


Reads = TypeVar("Reads", UNet, DiT)


class Counting:
    """The eager engine, which counts how often a prompt was read, and how often that was used."""

    def __init__(self, forgets: bool = False) -> None:
        self.forgets, self.made, self.used, self.rows = forgets, 0, 0, list[int]()
        self.running = False

    def __call__(self, run: Callable, /, *inputs: Tensor, **named):
        if isinstance(run, UNet):
            self.used += "memory" in named
            self.rows.append(len(inputs[0]))
        if self.forgets:
            named.pop("memory", None)
        self.running = True
        found = run(*inputs, **named)
        self.running = False
        return found

    def counted(self, network: Reads) -> Reads:
        """The network with its readings counted, but for those of a call without memory."""
        read = network.memory

        def memory(context: Tensor):
            self.made += not self.running
            return read(context)

        network.memory = memory
        return network


@dataclass(frozen=True)
class Rereads:
    """An adapter that changes how prompts are read."""

    seed: int
    scale: lora.Scale
    fused: bool

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        drawn = torch.Generator().manual_seed(self.seed)
        changes = {
            name: Full(torch.randn(weight.shape, generator=drawn))
            for name, weight in parts["network"].module.named_parameters()
            if name.endswith(("attend_cross.key.weight", "attend_cross.value.weight"))
        }
        return lora.inject({"network": changes}, parts, "it", self.scale, None, self.fused)


def by(pipe: Pipeline, forgets: bool = False) -> tuple[Pipeline, Counting]:
    """The pipeline with an engine that counts, and a network of its own."""
    engine, model = Counting(forgets), pipe.model
    network = UNet(model.network.params).eval()
    network.load_state_dict(model.network.state_dict())
    model = replace(model, network=engine.counted(network), engine=engine)
    return Pipeline(model, pipe.source), engine


Draws = Callable[[Pipeline], Iterator[Tensor]]


def pictures(pipe: Pipeline, prompt: str = FOX, **options) -> Tensor:
    return pipe.generate(prompt, **(ASKED | options)).latents


def prompts(pipe: Pipeline) -> Iterator[Tensor]:
    for prompt in (FOX, "a red apple", "", "[fox:apple:2]", "[fox|apple]", "fox AND apple:0.5"):
        yield pictures(pipe, prompt, dialect="a1111", sampler="euler")
    yield pictures(pipe, negative="a red apple", steps=2)
    yield pictures(pipe, cfg=1, steps=2)


def sizes(pipe: Pipeline) -> Iterator[Tensor]:
    for width in (32, 48):
        yield pictures(pipe, width=width, batch=2, steps=2)


def between_pictures(pipe: Pipeline) -> Iterator[Tensor]:
    for seed, fused in ((1, True), (2, True), (1, False), (2, False)):
        with pipe.attached(Rereads(seed, 0.5, fused)):
            yield pictures(pipe, steps=2)
        yield pictures(pipe, steps=2)


def by_a_schedule(pipe: Pipeline) -> Iterator[Tensor]:
    for fused in (True, False):
        with pipe.attached(Rereads(1, lambda progress: progress, fused)):
            yield pictures(pipe)
            yield pictures(pipe, "[fox|apple]", dialect="a1111")  # a step too late


def between_steps(pipe: Pipeline) -> Iterator[Tensor]:
    for fused in (True, False):
        for seed, step in enumerate(pipe.stream(FOX, **ASKED)):
            adapter = Rereads(seed, 1.0, fused).inject(pipe.model.parts)
            yield step.x
            if seed % 2:
                adapter.eject()


def weights(pipe: Pipeline) -> Iterator[Tensor]:
    layer = pipe.model.network.mid[0].attention.blocks[0].attend_cross.value
    for k, step in enumerate(pipe.stream(FOX, **ASKED)):
        yield step.x
        if k == 0:
            with torch.no_grad():
                layer.weight += 1
        elif k == 1:
            layer.weight.data = layer.weight.data.flip(0)
        elif k == 2:
            layer.weight = torch.nn.Parameter(torch.ones_like(layer.weight))


SCENES: dict[str, Draws] = {
    each.__name__: each
    for each in (prompts, sizes, between_pictures, by_a_schedule, between_steps, weights)
}
CHANGING = ("between_steps", "by_a_schedule", "weights")


def same(pipe: Pipeline, draws: Draws) -> bool:
    """Whether every picture is, bit for bit, what it is where nothing is remembered."""
    (ours, engine), (plain, _) = by(pipe), by(pipe, forgets=True)
    equal = [torch.equal(a, b) for a, b in zip(draws(ours), draws(plain), strict=True)]
    assert engine.used > engine.made
    return all(equal)


@pytest.mark.parametrize("scene", SCENES)
def test_a_memory_changes_no_bit(tiny: Pipeline, scene: str):
    assert same(tiny, SCENES[scene])


@pytest.mark.parametrize("scene", CHANGING)
def test_without_the_rule_pictures_would_be_wrong(tiny: Pipeline, scene: str, monkeypatch):
    monkeypatch.setattr(remembered, "state", lambda network: ())
    assert not same(tiny, SCENES[scene])


def test_live_changes_need_the_rule_about_hooks(tiny: Pipeline, monkeypatch):
    def live(pipe: Pipeline) -> Iterator[Tensor]:
        with pipe.attached(Rereads(1, lambda progress: progress, fused=False)):
            yield pictures(pipe)
        yield pictures(pipe)

    assert same(tiny, live)
    monkeypatch.setattr(remembered, "hooked", lambda network: False)
    assert not same(tiny, live)


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({}, 1),
        ({"batch": 3}, 3),
        ({"cfg": 1}, 1),
        ({"prompt": "[fox:apple:2]"}, 2),
        ({"prompt": "[fox|apple]"}, 2),
        ({"prompt": "fox AND apple"}, 1),
        ({"cfg_interval": (0.4, 1.0)}, 2),
    ],
)
def test_a_prompt_is_read_once_a_picture(tiny: Pipeline, options: dict, made: int):
    pipe, engine = by(tiny)
    pictures(pipe, **options, dialect="a1111")
    assert engine.made == made
    assert engine.used == len(engine.rows) > 4


def test_nothing_is_remembered_while_something_looks_or_learns(tiny: Pipeline):
    pipe, engine = by(tiny)
    with watched(pipe.model.network) as watch:
        pictures(pipe)
    assert watch.take().shape[0] == 1
    with torch.no_grad():  # the encoder is other tests' too
        told = pipe.model.encode_prompts([FOX])
    pipe.model.network_for(told)(torch.randn(1, 4, 8, 8), torch.tensor(0.5)).sum().backward()
    assert pipe.model.network.mid[0].attention.blocks[0].attend_cross.key.weight.grad is not None
    assert (engine.made, engine.used) == (0, 0)


def test_a_network_without_a_memory_is_given_none(tiny: Pipeline):
    network = torch.nn.Identity()
    with torch.no_grad():
        assert remembered.remembered(network, torch.randn(1, 2, 3))() == {}


def test_the_transformer_remembers_too():
    model, flow = tiny_storybook([FOX])
    engine = Counting()
    network = engine.counted(randomised(flow).eval())
    model = replace(model, network=network, engine=engine)
    told = model.encode_prompts([FOX, ""])
    with torch.no_grad():
        network, x = model.network_for(told), torch.randn(2, 4, 4, 4)
        first, again = (network(x, torch.tensor(t)) for t in (0.7, 0.4))
        assert engine.made == 1
        assert torch.equal(again, model.network_for(told)(x, torch.tensor(0.4)))
        assert not torch.equal(first, again)
